"""What a built wheel holds, and the versions of its dependencies that it is developed with."""

import zipfile
from email.parser import Parser
from importlib.metadata import EntryPoint

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import samplepack
from tests.helpers.places import REPOSITORY


@pytest.fixture(scope="module")
def wheel(wheel_file):
    with zipfile.ZipFile(wheel_file) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_a_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    files = {path for path in (REPOSITORY / "samplepack").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {path.relative_to(REPOSITORY).as_posix() for path in files}


def test_a_wheel_carries_the_licences_of_the_code_and_of_every_starter(wheel, metadata):
    licences = {name.partition("/licenses/")[2] for name in wheel.namelist() if "/licenses/" in name}
    starters = sorted((REPOSITORY / "samplepack" / "starter").iterdir())
    notices = {path for folder in starters for path in folder.glob("LICENSE*")}
    assert len(notices) == len(starters)
    assert licences == {"LICENSE", *(path.relative_to(REPOSITORY).as_posix() for path in notices)}
    assert metadata["License-Expression"] == "GPL-3.0-or-later"


def test_a_wheel_has_the_version_and_the_command(wheel, metadata):
    assert metadata["Version"] == samplepack.__version__
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    section, command, _, function = wheel.read(name).decode().split()
    assert (section, command) == ("[console_scripts]", "samplepack")
    assert callable(EntryPoint(command, function, "console_scripts").load())


def test_the_constraints_fix_a_version_of_every_dependency_for_this_python(metadata):
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = [Requirement(line) for line in lines if not line.startswith("#")]
    fixed = {canonicalize_name(c.name): c for c in constraints if c.marker is None or c.marker.evaluate()}
    extras = ["", *metadata.get_all("Provides-Extra")]
    wrong = []
    for required in map(Requirement, metadata.get_all("Requires-Dist")):
        if required.marker and not any(required.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        constraint = fixed.get(canonicalize_name(required.name))
        versions = [clause.version for clause in constraint.specifier] if constraint else []
        if len(versions) != 1 or versions[0] not in required.specifier:
            wrong.append(required.name)
    assert not wrong, f"constraints.txt doesn't fit pyproject.toml for {', '.join(wrong)}: run `make constraints`"
