"""Files on disk: built aside and renamed into place, so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_aside(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all. Its folder must exist."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """A new, empty folder that takes the place of `folder` when the block ends well; the earlier one stays else.

    Both hidden neighbours that this uses, `.NAME.building` and `.NAME.previous`, are its own: what an interrupted run
    left in them is cleared, or put back, at the next.
    """
    building = folder.with_name(f".{folder.name}.building")
    previous = folder.with_name(f".{folder.name}.previous")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if previous.exists() and not folder.exists():
        previous.rename(folder)  # interrupted between the two renames below
    for left in (building, previous):
        if left.exists():
            shutil.rmtree(left)
    building.mkdir()
    try:
        yield building
        if folder.exists():
            folder.rename(previous)
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        if previous.exists() and not folder.exists():
            previous.rename(folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
