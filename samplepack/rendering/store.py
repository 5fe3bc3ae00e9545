"""Stores of rendered notes that machines share, behind the cache of each: a bucket, or any address that fsspec knows.

A store may be slow, full, gone or wrong at any time: each fault is counted, and nothing but speed is lost by it.
Whoever reads from a store verifies each entry; this module only moves bytes.
"""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from samplepack.base.errors import InputError, counted

T = TypeVar("T")

_TIMEOUT_S = 10.0

_MOST_IN_A_ROW = 3
"""After as many failures in a row of reading, or of writing, the store isn't read, or written, any more."""

_WRITE_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory"}
"""Kinds of addresses where an object appears with all of its bytes or not at all. Elsewhere a file is renamed."""


class Store:
    """A store of entries by their keys. Its methods never raise: what fails is counted, and told by `trouble`.

    Args:
        address: where it lies, such as `s3://bucket/prefix`.
        is_read_only: whether nothing is written to it.
        timeout_s: how long one entry may take, seconds.

    Raises:
        InputError: fsspec, or what it needs for the address, isn't installed, or the address is none.
    """

    def __init__(self, address: str, is_read_only: bool = False, timeout_s: float = _TIMEOUT_S) -> None:
        self.name = re.sub(r"//[^/@]*@", "//", address)
        self.is_read_only = is_read_only
        self._timeout_s = timeout_s
        self._files, self._root = _file_system(address, self.name)
        self._kinds = {self._files.protocol} if isinstance(self._files.protocol, str) else set(self._files.protocol)
        self._lock = Lock()
        self._tried, self._failed, self._in_a_row = Counter[str](), Counter[str](), Counter[str]()
        self._reasons: dict[str, str] = {}
        self._damaged = 0

    def read(self, key: str) -> bytes | None:
        """The bytes of an entry, which may be damaged; None if it is missing or can't be read."""

        def read() -> bytes | None:
            try:
                return bytes(self._files.cat_file(self._path(key)))
            except FileNotFoundError:
                return None

        return self._tried_to("read", read, None)

    def holds(self, key: str) -> bool:
        """Whether the store says that it has an entry."""
        return self._tried_to("read", lambda: bool(self._files.exists(self._path(key))), False)

    def write(self, key: str, entry: bytes) -> bool:
        """Write an entry, whole or not at all; an earlier one is replaced. False if it can't be written."""
        path = self._path(key)

        def write() -> bool:
            if self._kinds & _WRITE_WHOLE:
                self._files.pipe_file(path, entry)
                return True
            folder, _, name = path.rpartition("/")
            temporary = f"{folder}/.{name}.{secrets.token_hex(4)}.partial"
            self._files.makedirs(folder, exist_ok=True)
            try:
                self._files.pipe_file(temporary, entry)
                self._files.mv(temporary, path)
            except BaseException:
                if self._files.exists(temporary):
                    self._files.rm_file(temporary)
                raise
            return True

        return not self.is_read_only and self._tried_to("write", write, False)

    def damaged(self) -> None:
        """Count an entry that was read and isn't what was written."""
        with self._lock:
            self._damaged += 1

    def trim(self, days: float) -> int:
        """Remove the entries that were written longer ago than so many days.

        Returns:
            How many there were.

        Raises:
            OSError: the store can't be listed, or an entry can't be removed.
        """
        before, old = datetime.now(timezone.utc) - timedelta(days=days), list[str]()
        for path, about in self._files.find(self._root, detail=True).items():
            if path.endswith((".wave", ".partial")) and _written(about, path, self._files) < before:
                old.append(path)
        for path in old:
            self._files.rm_file(path)
        return len(old)

    def trouble(self) -> list[str]:
        """What went wrong so far, in lines."""
        with self._lock:
            lines = []
            for what, verb in (("read", "read from"), ("write", "written to")):
                if failed := self._failed[what]:
                    off = "; not used for that any more" if self._is_off(what) else ""
                    entries = f"{failed} of {counted(self._tried[what], 'note')} couldn't be {verb} {self.name}"
                    lines.append(f"{entries}: {self._reasons[what]}{off}")
            if self._damaged:
                lines.append(f"{counted(self._damaged, 'note')} in {self.name} were damaged, and weren't used")
            return lines

    def _is_off(self, what: str) -> bool:
        return self._in_a_row[what] >= _MOST_IN_A_ROW

    def _tried_to(self, what: str, call: Callable[[], T], otherwise: T) -> T:
        """The result of a call; otherwise what is given, if it fails or takes too long, or too many failed before."""
        with self._lock:
            if self._is_off(what):
                return otherwise
            self._tried[what] += 1
        try:
            result = _within(self._timeout_s, call)
        except Exception as error:  # whatever a file system's implementation may raise
            with self._lock:
                self._failed[what] += 1
                self._in_a_row[what] += 1
                self._reasons[what] = " ".join(str(error).split()) or type(error).__name__
            return otherwise
        with self._lock:
            if not self._is_off(what):
                self._in_a_row[what] = 0
        return result

    def _path(self, key: str) -> str:
        return f"{self._root}/{key[:2]}/{key}.wave"


def _file_system(address: str, name: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise InputError(f"{name}: for a shared cache, pip install 'gansynth-samplepack[remote]'") from None
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if address.startswith("s3"):  # botocore would try for minutes
        options["config_kwargs"] = {"connect_timeout": 5, "read_timeout": _TIMEOUT_S, "retries": {"max_attempts": 1}}
    try:
        files, root = url_to_fs(address, **options)
    except (ImportError, ValueError) as error:
        raise InputError(f"{name}: {error}") from error
    return files, str(root).rstrip("/")


def _written(about: dict[str, Any], path: str, files: Any) -> datetime:
    """When a file was written; file systems have several names for it."""
    when = about.get("LastModified") or about.get("mtime") or about.get("created") or files.modified(path)
    when = datetime.fromtimestamp(when, timezone.utc) if isinstance(when, int | float) else when
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The result of a call, made in a thread of its own, since not every file system can be told to give up.

    Raises:
        TimeoutError: it takes longer. The thread goes on, and doesn't keep the program from ending.
    """
    answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def answer() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    Thread(target=answer, daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


CACHE_VARIABLE, READ_VARIABLE = "SAMPLEPACK_CACHE", "SAMPLEPACK_CACHE_READ"
"""Names of the environment variables that say where the cache lies, and from which stores notes are read, too."""


def stores_of_user() -> list[Store]:
    """The stores that the environment names, in the order in which they are read.

    That of `SAMPLEPACK_CACHE` is the first; those of `SAMPLEPACK_CACHE_READ` are never written.

    Raises:
        InputError: an address can't be used.
    """
    own = os.environ.get(CACHE_VARIABLE, "")
    written = [Store(own)] if "://" in own else []
    return written + [Store(address, is_read_only=True) for address in os.environ.get(READ_VARIABLE, "").split()]
