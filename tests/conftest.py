"""What the tests share: a home of their own, and the command line called in-process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

from samplepack import api
from samplepack.checkpoints.library import STARTERS
from samplepack.cli import app as cli
from samplepack.interactive import engine as interactive_engine
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.models.load import load_model
from samplepack.pack import build as building
from samplepack.rendering import render as rendering
from tests.helpers.no_skips import pytest_addoption as pytest_addoption
from tests.helpers.no_skips import pytest_configure as pytest_configure
from tests.helpers.places import REPOSITORY

SLOWEST = [
    "training/test_run.py", "pack/test_build.py", "models/test_gansynth.py", "pack/test_played.py",
    "pack/test_layers.py", "cli/test_app.py", "training/test_adversarial.py", "pack/test_round_robin.py",
    "fitting/test_descent.py", "test_hostile.py", "pack/test_velocity.py", "evaluation/test_evaluate.py",
    "training/test_reconstruction.py", "pack/test_verify.py",
]  # fmt: skip
"""The files that take longest, each more than a fiftieth of the whole time."""


def pytest_collection_modifyitems(items):
    """The slowest files come first: where several processes take one file after the other, as in `make test`, none is
    left with a slow one when the others have ended."""
    places = {REPOSITORY / "tests" / name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Caches and imported checkpoints of one test don't reach another, nor the user's own."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SAMPLEPACK_HOME", str(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def networks():
    """The starters' networks stay loaded from test to test: loading and compiling one takes longer than most builds of
    tests. A network keeps nothing of the notes that it renders."""
    loaded = {}

    def load(checkpoint, engine=DEFAULT_ENGINE):
        if checkpoint.folder not in STARTERS.values():
            return load_model(checkpoint, engine)
        if (checkpoint.digest, engine) not in loaded:
            loaded[checkpoint.digest, engine] = load_model(checkpoint, engine)
        return loaded[checkpoint.digest, engine]

    with pytest.MonkeyPatch.context() as patch:
        for module in (api, building, interactive_engine, rendering):
            patch.setattr(module, "load_model", load)
        yield


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd):
    """Call the command line as a user does."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Ran(ended.value.code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def wheel_file(tmp_path_factory):
    """A wheel, built without a network from a copy of the repository, since a build leaves files beside its sources."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("samplepack", "tests", "benchmarks", "docs"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(REPOSITORY / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    built = subprocess.run([*command, "--wheel-dir", str(folder)], cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def write_recipe(tmp_path):
    """Write a small recipe, plus what the test adds, and give its path. Its checkpoint is the first starter, whose
    timbres are as the tests say they are, unless the test names another."""

    def write(text="", name="small.yaml", pitches="[48, 60, 72]", timbres="{Glass: 7}"):
        path, checkpoint = tmp_path / name, "" if "checkpoint:" in text else "checkpoint: starter@1\n"
        start = f"recipe: 1\nname: Small\npitches: {pitches}\ntimbres: {timbres}\n"
        path.write_text(f"{start}{text}{checkpoint}", encoding="utf-8")
        return path

    return write
