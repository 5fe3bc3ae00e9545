"""What the tests of checkpoints share."""

import shutil

import pytest

from tests.helpers.magenta import TINY


@pytest.fixture
def tiny(tmp_path):
    return shutil.copytree(TINY, tmp_path / "tiny", ignore=shutil.ignore_patterns("golden.npz"))
