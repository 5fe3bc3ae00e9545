"""What the tests of sets share: a folder for the source, and a small set made of it."""

from __future__ import annotations

import pytest

from samplepack.base import parallel
from samplepack.datasets.prepare import prepare
from tests.helpers.notes import SECONDS


@pytest.fixture
def folder(tmp_path):
    """For the source."""
    (tmp_path / "sounds").mkdir()
    return tmp_path / "sounds"


@pytest.fixture
def made(tmp_path):
    """Prepare a set of short notes, and give its contents."""

    def make(source, **how):
        return prepare(source, tmp_path / "set", parallel.threads(2), **{"seconds": SECONDS, **how})

    return make
