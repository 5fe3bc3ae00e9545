"""The cache of rendered notes: a folder with the wave of each key, so that no note is rendered twice."""

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
from samplepack.base.files import user_folder, write_aside

_CHECKSUM_BYTES = 32

_ABANDONED_S = 3600.0
"""Time after which an incomplete entry that doesn't change is taken for that of a killed build, seconds."""


LIMIT_VARIABLE = "SAMPLEPACK_CACHE_GB"
"""Name of the environment variable that sets the cache's largest size, gigabytes."""

_LIMIT_GB = 10.0

_TRIMMED_TO = 0.9
"""Share of the limit that is left after trimming, so that not every build has to trim."""

_PUTS_BETWEEN_TRIMS = 2000


@dataclass(frozen=True)
class CacheInfo:
    """The size of a cache."""

    folder: Path
    notes: int
    """The number of entries, incomplete ones included that a killed build left."""

    size_bytes: int
    limit_bytes: int
    """The size beyond which the cache is trimmed."""


class Cache:
    """A folder with one file for each wave, named after the wave's key and protected by a checksum.

    A damaged entry counts as missing. Entries are written under a temporary name and renamed, so that other processes
    never read an incomplete one. When the cache grows beyond its limit, the least recently used entries are removed.

    Args:
        folder: the folder; it is made when the first wave is stored.
        limit_bytes: the size beyond which the cache is trimmed; None takes it from `SAMPLEPACK_CACHE_GB`, 10 GB if
            that isn't set.

    Raises:
        InputError: `SAMPLEPACK_CACHE_GB` isn't a number of gigabytes.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        self.folder = folder
        self.limit_bytes = _limit_bytes() if limit_bytes is None else limit_bytes
        self.trouble: str | None = None
        """Why the cache can't be written; None as long as it can."""
        self._puts = 0

    @classmethod
    def of_user(cls) -> Cache:
        """The cache that all builds of a user share."""
        return cls(user_folder("notes"))

    def __contains__(self, key: str) -> bool:
        return os.path.isfile(self._path(key))

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The wave of a key, float32, shape (samples,); None if it is missing or damaged."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        checksum, payload = entry[:_CHECKSUM_BYTES], entry[_CHECKSUM_BYTES:]
        if _checksum(key, payload) != checksum:
            return None
        with contextlib.suppress(OSError):  # a read-only cache can't record the time of use
            os.utime(path)
        return np.frombuffer(payload, "<f4")

    def put(self, key: str, wave: NDArray[np.float32]) -> None:
        """Store a wave, float32, shape (samples,).

        If the cache can't be written (a full disk, no permission), `trouble` is set to the reason and nothing more is
        stored: builds need the cache for speed only.
        """
        if self.trouble:
            return
        payload = wave.astype("<f4").tobytes()
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, _checksum(key, payload) + payload, is_durable=False)
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror}"
        self._puts += 1
        if self._puts >= _PUTS_BETWEEN_TRIMS:
            self.trim()

    def trim(self) -> None:
        """Remove the least recently used entries if the cache is larger than its limit and was written to."""
        if not self._puts:
            return
        self._puts = 0
        try:
            entries = sorted(self._entries(), key=lambda entry: entry[1])
        except OSError as error:  # no permission
            self.trouble = f"{self.folder}: {error.strerror}"
            return
        size = sum(size for _, _, size in entries)
        if size <= self.limit_bytes:
            return
        for path, _, entry_size in entries:
            if size <= self.limit_bytes * _TRIMMED_TO:
                break
            with contextlib.suppress(OSError):  # another build may have removed it
                path.unlink()
            size -= entry_size

    def info(self) -> CacheInfo:
        """The number of entries and their size."""
        sizes = [size for _, _, size in self._entries()]
        return CacheInfo(self.folder, len(sizes), sum(sizes), self.limit_bytes)

    def clear(self) -> None:
        """Remove all entries. A build that runs at the same time renders the missing notes again.

        Raises:
            OSError: an entry can't be removed.
        """
        for path, _, _ in self._entries():
            path.unlink(missing_ok=True)

    def _entries(self) -> list[tuple[Path, float, int]]:
        """Path, time of last use (seconds since 1970) and size in bytes of each entry. An incomplete entry that a
        killed build left has the time 0.0."""
        entries = []
        for path in self.folder.glob("*/[!.]*.wave"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                entries.append((path, stat.st_mtime, stat.st_size))
        for path in self.folder.glob("*/.*.wave.*"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                if time.time() - stat.st_mtime > _ABANDONED_S:
                    entries.append((path, 0.0, stat.st_size))
        return entries

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.wave"


def _checksum(key: str, payload: bytes) -> bytes:
    """SHA-256 over an entry and its key, so that an entry under the name of another one counts as damaged."""
    return hashlib.sha256(key.encode() + b"\n" + payload).digest()


def _limit_bytes() -> int:
    written = os.environ.get(LIMIT_VARIABLE)
    try:
        limit_gb = float(written) if written else _LIMIT_GB
    except ValueError:
        limit_gb = float("nan")
    if not 0.0 <= limit_gb < 1e6:
        raise InputError(f"{LIMIT_VARIABLE} is '{written}'; it should be a number of gigabytes, such as {_LIMIT_GB:g}")
    return int(limit_gb * 1e9)
