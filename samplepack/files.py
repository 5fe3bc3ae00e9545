"""Files on disk: built aside and renamed into place, so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samplepack.errors import InputError


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
def folder_aside(
    folder: Path, is_ours: Callable[[Path], bool], on_wait: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """A new, empty folder that takes the place of `folder` when the block ends well; the earlier one stays else.

    While the block runs, another process that wants to replace the same folder waits; a crash leaves no lock behind.
    Both hidden neighbours that this uses, `.NAME.building` and `.NAME.previous`, are its own: what a killed run left in
    them is cleared, or put back, at the next.

    Args:
        folder: what to replace.
        is_ours: whether the folder that stands there may be replaced.
        on_wait: called if another process is replacing the same folder, before waiting for it.

    Raises:
        InputError: something stands there that isn't ours to replace.
    """
    building = folder.with_name(f".{folder.name}.building")
    previous = folder.with_name(f".{folder.name}.previous")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, on_wait):
        if previous.exists() and not folder.exists():
            previous.rename(folder)  # killed between the two renames below
        if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and is_ours(folder))):
            raise InputError(f"{folder} holds something that samplepack didn't make; move it away, or choose elsewhere")
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


@contextmanager
def locked(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A folder of one's own while the block runs.

    Held by one process at a time for each folder; the operating system gives it back when that process ends.

    Args:
        folder: which one.
        on_wait: called if another process holds it, before waiting for that.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    lock = FileLock(Path(tempfile.gettempdir()) / f"samplepack-{name}.lock", mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
