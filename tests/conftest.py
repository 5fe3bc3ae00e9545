"""What the tests share: a home of their own, and the command line called in-process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from samplepack.cli import app as cli
from tests.helpers.no_skips import pytest_addoption as pytest_addoption
from tests.helpers.no_skips import pytest_configure as pytest_configure


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Caches and imported checkpoints of one test don't reach another, nor the user's own."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SAMPLEPACK_HOME", str(folder))
    return folder


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


@pytest.fixture
def write_recipe(tmp_path):
    """Write a small recipe, plus what the test adds, and give its path."""

    def write(text="", name="small.yaml", pitches="[48, 60, 72]", timbres="{Glass: 7}"):
        path = tmp_path / name
        path.write_text(f"recipe: 1\nname: Small\npitches: {pitches}\ntimbres: {timbres}\n{text}", encoding="utf-8")
        return path

    return write
