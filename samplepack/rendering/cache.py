"""Key → wave on disk: what has been rendered once is not rendered again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside

_CHECKSUM_BYTES = 32

_ABANDONED_S = 3600.0
"""How long after its last change a half-written entry is known to be a killed build's."""


LIMIT_VARIABLE = "SAMPLEPACK_CACHE_GB"
"""The environment variable that sets how large the cache may grow."""

_LIMIT_GB = 10.0

_TRIMMED_TO = 0.9
"""Of the limit, so that not every build trims."""

_PUTS_BETWEEN_TRIMS = 2000


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds."""

    folder: Path
    notes: int
    size_bytes: int
    limit_bytes: int


class Cache:
    """A folder of waves, each in a file of its own, named by its key and checksummed.

    An entry that is damaged counts as missing; entries are built aside and renamed into place, so that a reader, and
    a build that runs beside this one, never see half an entry. What wasn't used for longest goes first when the cache
    grows beyond its limit.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        self.folder = folder
        self.limit_bytes = _limit_bytes() if limit_bytes is None else limit_bytes
        self.trouble: str | None = None
        """Why notes couldn't be kept, if they couldn't."""
        self._puts = 0

    def __contains__(self, key: str) -> bool:
        return os.path.isfile(self._path(key))

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The wave of a key, float32, shape (samples,); `None` where there is none, or a damaged one."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        checksum, payload = entry[:_CHECKSUM_BYTES], entry[_CHECKSUM_BYTES:]
        if hashlib.sha256(payload).digest() != checksum:
            return None
        with contextlib.suppress(OSError):  # a cache that is read-only forgets what was used last
            os.utime(path)
        return np.frombuffer(payload, "<f4")

    def put(self, key: str, wave: NDArray[np.float32]) -> None:
        """Keep a wave, float32, shape (samples,). A cache that can't be written (a full disk, no permission) keeps
        nothing more, and `trouble` says why: the build needs it for speed alone."""
        if self.trouble:
            return
        payload = wave.astype("<f4").tobytes()
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, hashlib.sha256(payload).digest() + payload)
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror}"
        self._puts += 1
        if self._puts >= _PUTS_BETWEEN_TRIMS:
            self.trim()

    def trim(self) -> None:
        """Drop what wasn't used for longest, if the cache has grown beyond its limit."""
        if not self._puts:
            return
        self._puts = 0
        entries = sorted(self._entries(), key=lambda entry: entry[1])
        size = sum(size for _, _, size in entries)
        if size <= self.limit_bytes:
            return
        for path, _, of_entry in entries:
            if size <= self.limit_bytes * _TRIMMED_TO:
                break
            with contextlib.suppress(OSError):  # another build may have been here first
                path.unlink()
            size -= of_entry

    def info(self) -> CacheInfo:
        """What it holds."""
        sizes = [size for _, _, size in self._entries()]
        return CacheInfo(self.folder, len(sizes), sum(sizes), self.limit_bytes)

    def clear(self) -> None:
        """Drop everything; a build that runs beside this one renders again what it misses.

        Raises:
            OSError: an entry can't be removed.
        """
        for path, _, _ in self._entries():
            path.unlink(missing_ok=True)

    def _entries(self) -> list[tuple[Path, float, int]]:
        """Path, time of last use and size of each entry, and of what a killed build left half-written."""
        entries = []
        for path in self.folder.glob("*/[!.]*.wave"):
            with contextlib.suppress(OSError):
                about = path.stat()
                entries.append((path, about.st_mtime, about.st_size))
        for path in self.folder.glob("*/.*.wave.*"):
            with contextlib.suppress(OSError):
                about = path.stat()
                if time.time() - about.st_mtime > _ABANDONED_S:
                    entries.append((path, 0.0, about.st_size))
        return entries

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.wave"


def _limit_bytes() -> int:
    written = os.environ.get(LIMIT_VARIABLE)
    try:
        limit_gb = float(written) if written else _LIMIT_GB
    except ValueError:
        limit_gb = float("nan")
    if not 0.0 <= limit_gb < 1e6:
        raise InputError(f"{LIMIT_VARIABLE} is '{written}'; it should be a number of gigabytes, such as {_LIMIT_GB:g}")
    return int(limit_gb * 1e9)
