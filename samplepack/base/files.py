"""Files on disk: built aside and renamed into place, so that a reader never sees half of one."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samplepack.base.errors import InputError


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


def read_regular(path: Path, most_bytes: int) -> bytes:
    """What stands in a file.

    Raises:
        OSError: it isn't there, is no regular file (a device has no end), or holds more.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"longer than {most_bytes >> 20} MiB", str(path))
    return content


@contextmanager
def folder_aside(folder: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A new, empty folder that takes the place of `folder` when the block ends well; the earlier one stays else.

    While the block runs, another process that wants to replace the same folder waits; a crash leaves no lock behind.

    Args:
        folder: what to replace.
        is_ours: whether the folder that stands there may be replaced.

    Raises:
        InputError: something stands there that isn't ours to replace.
    """
    with locked(folder):
        settle(folder)
        with aside_of(folder, is_ours) as aside:
            yield aside


def settle(folder: Path) -> None:
    """Clear what a killed run left beside a folder, or put it back. The folder must be `locked`."""
    building, previous = _neighbours(folder)
    if previous.exists() and not folder.exists():
        previous.rename(folder)  # killed between the two renames of `aside_of`
    for left in (building, previous):
        if left.exists():
            shutil.rmtree(left)


@contextmanager
def aside_of(folder: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """`folder_aside` for a folder that is `locked` and has been `settle`d.

    Both hidden neighbours that this uses, `.NAME.building` and `.NAME.previous`, are its own.
    """
    building, previous = _neighbours(folder)
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and is_ours(folder))):
        raise InputError(f"{folder} holds something that samplepack didn't make; move it away, or choose elsewhere")
    building.mkdir(parents=True)
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


def _neighbours(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.building"), folder.with_name(f".{folder.name}.previous")


@contextmanager
def locked(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A folder of one's own while the block runs.

    Held by one process at a time for each folder; the operating system gives it back when that process ends.

    Args:
        folder: which one.
        on_wait: called if another process holds it, before waiting for that.
    """
    from filelock import FileLock, Timeout

    place = folder.parent.resolve() / folder.name
    name = hashlib.sha256(str(place).encode("utf-8", "surrogateescape")).hexdigest()[:32]
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


def user_folder(kind: str) -> Path:
    """Where samplepack keeps what outlasts a build: `notes` (the cache), `checkpoints` (those that were imported),
    `converted` (Magenta's that recipes name by path, as samplepack's own; a cache too) or `downloads` (of which some
    may be half there).

    `SAMPLEPACK_HOME` moves all of it; otherwise the cache folder that is usual on the system.
    """
    import platformdirs

    home = os.environ.get("SAMPLEPACK_HOME")
    return (Path(home) if home else platformdirs.user_cache_path("samplepack", appauthor=False)) / kind
