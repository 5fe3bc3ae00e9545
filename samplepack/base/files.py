"""Writing files and folders under a temporary name, then renaming them, so that no reader sees an incomplete one."""

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
    """Write a file under a temporary name and rename it, so that it is never incomplete. Its folder must exist."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: the file is missing, isn't a regular file (a device has no end), or is longer than `most_bytes`.
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
    """A new, empty folder that replaces `folder` if the block ends without an exception; otherwise `folder` stays.

    While the block runs, another process that wants to replace the same folder waits. A crash leaves no lock behind.

    Args:
        folder: the folder to replace; it need not exist.
        is_ours: tells whether an existing folder may be replaced.

    Raises:
        InputError: the existing folder may not be replaced, or isn't a folder.
    """
    with locked(folder):
        settle(folder)
        with aside_of(folder, is_ours) as aside:
            yield aside


def settle(folder: Path) -> None:
    """Remove the hidden folders that a killed process left beside a folder, or restore the folder from them. It must be
    `locked`."""
    building, previous = _neighbours(folder)
    if previous.exists() and not folder.exists():
        previous.rename(folder)  # the process was killed between the two renames of `aside_of`
    for left in (building, previous):
        if left.exists():
            shutil.rmtree(left)


@contextmanager
def aside_of(folder: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """`folder_aside` for a folder that is already `locked` and on which `settle` was called.

    It uses two hidden folders beside it, `.NAME.building` and `.NAME.previous`.
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
    """Hold the lock of a folder while the block runs.

    One process at a time can hold it; the operating system releases it when that process ends.

    Args:
        folder: the folder; it need not exist.
        on_wait: called before waiting, if another process holds the lock.
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
    """A folder in which samplepack keeps files of one kind between builds.

    It lies in `SAMPLEPACK_HOME` or, if that isn't set, in the usual cache folder of the system.

    Args:
        kind: `notes` (the cache of rendered notes), `checkpoints` (imported checkpoints), `converted` (the cache of
            Magenta's checkpoints, converted, that recipes name by path) or `downloads` (files that may be incomplete).
    """
    import platformdirs

    home = os.environ.get("SAMPLEPACK_HOME")
    return (Path(home) if home else platformdirs.user_cache_path("samplepack", appauthor=False)) / kind
