"""Writing files and folders under a temporary name, then renaming them, so that no reader sees an incomplete one."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from samplepack.base.errors import InputError

Listing = Callable[[Path], Collection[str] | None]
"""The files, by their paths within a folder, that samplepack made there; None for a folder that it didn't make."""

_ABANDONED_S = 3600.0
"""Time after which a temporary file that doesn't change is taken for that of a killed process, seconds."""

_OF_THE_SYSTEM = re.compile(r"\.DS_Store|\.directory|\._.*|Thumbs\.db|desktop\.ini", re.IGNORECASE)
"""Names of files that file managers leave in folders."""


def write_aside(path: Path, content: bytes, is_durable: bool = True) -> None:
    """Write a file under a temporary name and rename it, so that it is never incomplete. Its folder must exist.

    Args:
        path: the path of the file.
        content: its bytes.
        is_durable: whether the bytes are on the disk before the file is renamed, so that a power cut leaves no empty
            file either, and whether temporary files of killed processes are removed; it takes some milliseconds.
    """
    with file_aside(path) as temporary, temporary.open("xb") as file:  # unlike tempfile, as the user's umask asks for
        file.write(content)
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
    if is_durable:
        _remove_abandoned(path)


@contextmanager
def file_aside(path: Path) -> Iterator[Path]:
    """The path of a temporary file, which the block makes and which replaces `path` if the block ends without an
    exception; otherwise it is removed. Errors of the system about it name `path`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with _named_instead(path, temporary):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _named_instead(path: Path, *temporary: Path) -> Iterator[None]:
    """Errors of the system in the block that name one of the temporary paths, or something in it, name `path` instead,
    which is what the user knows."""
    try:
        yield
    except OSError as error:
        named = Path(error.filename) if isinstance(error.filename, str | os.PathLike) else None
        for one in temporary:
            if named and named.is_relative_to(one):
                error.filename = str(path / named.relative_to(one))
        raise


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `write_aside` that killed processes left."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.partial")
    for entry in os.scandir(path.parent):
        if pattern.fullmatch(entry.name):
            with suppress(OSError):  # another process may have removed it
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_S:
                    os.unlink(entry.path)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, unbuffered. Unlike `open`, it doesn't wait for a writer of a named pipe.

    Raises:
        OSError: the file is missing, can't be read or isn't a regular file; a device has no end.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb", buffering=0)
    os.close(handle)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: the file is missing, isn't a regular file, or is longer than `most_bytes`.
    """
    with open_regular(path) as file:
        _refuse_beyond(most_bytes, path, file)
        return file.read()


def _refuse_beyond(most_bytes: int | None, path: Path, file: BinaryIO) -> None:
    if most_bytes is not None and os.fstat(file.fileno()).st_size > most_bytes:
        most = f"{most_bytes >> 20} MiB" if most_bytes >= 1 << 20 else f"{most_bytes >> 10} KiB"
        raise OSError(errno.EFBIG, f"longer than {most}", str(path))


@contextmanager
def folder_aside(folder: Path, listed: Listing) -> Iterator[Path]:
    """A new, empty folder that replaces `folder` if the block ends without an exception; otherwise `folder` stays.

    While the block runs, another process that wants to replace the same folder waits. A crash leaves no lock behind.

    Args:
        folder: the folder to replace; it need not exist.
        listed: the files that samplepack made in an existing folder, which is replaced only if it holds no others.

    Raises:
        InputError: the existing folder may not be replaced, or isn't a folder.
    """
    with locked(folder):
        settle(folder)
        with aside_of(folder, listed) as aside:
            yield aside


def settle(folder: Path) -> None:
    """Remove the hidden folders that a killed process left beside a folder, or restore the folder from them. It must be
    `locked`."""
    left = _left_beside(folder)
    previous = [path for path in left if path.name.startswith(f".{folder.name}.previous")]
    if previous and not folder.exists():  # the process was killed between the two renames of `aside_of`
        max(previous, key=lambda path: path.stat().st_mtime).rename(folder)
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def aside_of(folder: Path, listed: Listing) -> Iterator[Path]:
    """`folder_aside` for a folder that is already `locked` and on which `settle` was called.

    It uses a hidden folder beside it, `.NAME.building-…`, and where the system can't exchange two folders in one step,
    a second one, `.NAME.previous-…`.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is something that samplepack didn't make; move it away, or choose elsewhere")
    if folder.exists() and (foreign := _foreign(folder, listed(folder))):
        raise InputError(f"{folder} holds something that samplepack didn't make, {foreign}; move it away")
    mark = secrets.token_hex(4)
    building, previous = (folder.with_name(f".{folder.name}.{kind}-{mark}") for kind in ("building", "previous"))
    with _named_instead(folder, building, previous):
        building.mkdir(parents=True)
        try:
            yield building
            if not folder.exists():
                building.rename(folder)
            elif not _exchange(building, folder):
                folder.rename(previous)
                building.rename(folder)
        except BaseException:
            if previous.exists() and not folder.exists():
                previous.rename(folder)
            raise
        finally:
            for left in (building, previous) if folder.exists() else (building,):
                shutil.rmtree(left, ignore_errors=True)


def _left_beside(folder: Path) -> list[Path]:
    """The hidden folders of `aside_of` beside a folder."""
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.(building|previous)(-[0-9a-f]{{8}})?")
    return [path for path in folder.parent.glob(".*") if pattern.fullmatch(path.name)] if folder.parent.exists() else []


def _foreign(folder: Path, listed: Collection[str] | None) -> str | None:
    """The path within a folder of something that samplepack didn't make; None if there is nothing."""
    if listed is None:
        return next((path.name for path in folder.iterdir()), None)
    folders = {parent.as_posix() for file in listed for parent in Path(file).parents}
    for parent, below, files in os.walk(folder):
        for name in (*below, *files):
            path = Path(parent, name)
            within = path.relative_to(folder).as_posix()
            known = folders if name in below and not path.is_symlink() else listed
            is_foreign = within not in known and not (name in files and _OF_THE_SYSTEM.fullmatch(name))
            if is_foreign or path.is_symlink():
                return within
    return None


def _exchange(one: Path, two: Path) -> bool:
    """Exchange the names of two folders in one step; False where the system or the file system can't."""
    if sys.platform == "win32":
        return False
    libc = ctypes.CDLL(None)
    first, second = os.fsencode(one), os.fsencode(two)
    if sys.platform == "darwin":
        return bool(libc.renamex_np(first, second, ctypes.c_uint(2)) == 0)  # RENAME_SWAP
    at, exchange = -100, ctypes.c_uint(2)  # AT_FDCWD, RENAME_EXCHANGE
    return hasattr(libc, "renameat2") and bool(libc.renameat2(at, first, at, second, exchange) == 0)


@contextmanager
def locked(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a folder while the block runs.

    The lock is a file beside the folder, `.NAME.lock`, so that every process finds the same one. One process at a time
    can hold it; the operating system releases it when that process ends. The file is removed at the end.

    Args:
        folder: the folder; it need not exist. Its parent is made if it is missing.
        on_wait: called before waiting, if another process holds the lock.
    """
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent.resolve() / f".{folder.name}.lock"
    lock = FileLock(path, mode=0o666)
    with _named_instead(folder, path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes the file when it is closed
            path.unlink()  # while the lock is held: who waits for it notices, and makes a new file
        lock.release()


def sha256_of_file(path: Path, most_bytes: int | None = None) -> str:
    """The SHA-256 of the bytes of a regular file, in hexadecimal.

    Raises:
        OSError: the file is missing, can't be read, isn't a regular file, or is longer than `most_bytes`.
    """
    with open_regular(path) as file:
        _refuse_beyond(most_bytes, path, file)
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def user_folder(kind: str) -> Path:
    """A folder in which samplepack keeps files of one kind between builds.

    It lies in `SAMPLEPACK_HOME` or, if that isn't set, in the usual cache folder of the system.

    Args:
        kind: `notes` (the cache of rendered notes), `checkpoints` (imported checkpoints), `converted` (the cache of
            Magenta's checkpoints, converted, that recipes name by path), `maps` (of checkpoints, for the audition
            page), `directions` (of checkpoints whose own folder can't be written) or `downloads` (files that may be
            incomplete).
    """
    import platformdirs

    home = os.environ.get("SAMPLEPACK_HOME")
    return (Path(home) if home else platformdirs.user_cache_path("samplepack", appauthor=False)) / kind
