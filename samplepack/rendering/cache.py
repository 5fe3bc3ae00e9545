"""The cache of rendered notes: a folder with the wave of each key, so that no note is rendered twice.

Behind the folder there may be stores that other machines share: notes are copied from them, and to the one that is
written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.files import user_folder, write_aside
from samplepack.base.parallel import threads
from samplepack.rendering.store import CACHE_VARIABLE, Store, stores_of_user

_CHECKSUM_BYTES = 32

_ABANDONED_S = 3600.0
"""Time after which an incomplete entry that doesn't change is taken for that of a killed build, seconds."""


LIMIT_VARIABLE = "SAMPLEPACK_CACHE_GB"
"""Name of the environment variable that sets the cache's largest size, gigabytes."""

_LIMIT_GB = 10.0

_TRIMMED_TO = 0.9
"""Share of the limit that is left after trimming, so that not every build has to trim."""

_PUTS_BETWEEN_TRIMS = 2000

_TRANSFERS = 16
"""How many notes are read from, or written to, a store at once."""


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
        stores: further places of notes, in the order in which they are read. Waves that are put go to those that
            aren't read-only, too.

    Raises:
        InputError: `SAMPLEPACK_CACHE_GB` isn't a number of gigabytes.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None, stores: Sequence[Store] = ()) -> None:
        self.folder = folder
        self.stores = stores
        self.limit_bytes = _limit_bytes() if limit_bytes is None else limit_bytes
        self.trouble: str | None = None
        """Why the cache can't be written; None as long as it can."""
        self._puts = 0
        self._pool: ThreadPoolExecutor | None = None
        self._writing: deque[Future[bool]] = deque()

    @classmethod
    def of_user(cls) -> Cache:
        """The cache that all builds of a user share, with the stores that the environment names.

        Raises:
            InputError: `SAMPLEPACK_CACHE_GB` isn't a number of gigabytes, or a store's address can't be used.
        """
        named = os.environ.get(CACHE_VARIABLE, "")
        folder = Path(named) if named and "://" not in named else user_folder("notes")
        return cls(folder, stores=stores_of_user())

    def __contains__(self, key: str) -> bool:
        return os.path.isfile(self._path(key))

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The wave of a key, float32, shape (samples,); None if it is missing or damaged."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        if not _is_whole(key, entry):
            return None
        with contextlib.suppress(OSError):  # a read-only cache can't record the time of use
            os.utime(path)
        return np.frombuffer(entry[_CHECKSUM_BYTES:], "<f4")

    def touch(self, key: str) -> bool:
        """Whether the folder has an entry, which counts as used now, so that it isn't among the first to be removed."""
        try:
            os.utime(self._path(key))
        except OSError:  # missing, or a read-only cache can't record the time of use
            return key in self
        return True

    def fetch(self, keys: Iterable[str]) -> None:
        """Copy the waves that the folder lacks from the stores, as far as these have them, whole."""
        lacking = [key for key in dict.fromkeys(keys) if key not in self] if self.stores else []

        def copy(key: str, store: Store) -> None:
            entry = store.read(key)
            if entry is not None and _is_whole(key, entry):
                self._write(key, entry)
            elif entry is not None:
                store.damaged()

        for store in self.stores:
            with closing(threads(_TRANSFERS)(partial(copy, store=store), lacking)) as copied:
                deque(copied, maxlen=0)
            lacking = [key for key in lacking if key not in self]

    def share(self, keys: Iterable[str]) -> list[str]:
        """Write the waves of the folder to the stores that aren't read-only, as far as these lack them.

        Returns:
            The keys of those that couldn't be written to one of them.
        """

        def hand_on(key: str) -> bool:
            try:
                entry = self._path(key).read_bytes()
            except OSError:
                return False
            return all(store.holds(key) or store.write(key, entry) for store in self._written_stores())

        keys = list(keys) if self._written_stores() else []
        with closing(threads(_TRANSFERS)(hand_on, keys)) as shared:
            return [key for key, is_shared in zip(keys, shared, strict=True) if not is_shared]

    def store_trouble(self) -> list[str]:
        """What went wrong with the stores so far, in lines."""
        return [line for store in self.stores for line in store.trouble()]

    def put(self, key: str, wave: NDArray[np.float32]) -> None:
        """Store a wave, float32, shape (samples,).

        If the cache can't be written (a full disk, no permission), `trouble` is set to the reason and nothing more is
        stored: builds need the cache for speed only. Stores are written in the background; `trim` waits for them.
        """
        payload = wave.astype("<f4").tobytes()
        entry = _checksum(key, payload) + payload
        for store in self._written_stores():
            self._pool = self._pool or ThreadPoolExecutor(_TRANSFERS)
            self._writing.append(self._pool.submit(store.write, key, entry))
            self._wait(4 * _TRANSFERS)  # no faster than the store takes them
        self._write(key, entry)
        if self._puts >= _PUTS_BETWEEN_TRIMS:
            self.trim()

    def _write(self, key: str, entry: bytes) -> None:
        if self.trouble:
            return
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, entry, is_durable=False)
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror}"
        self._puts += 1

    def _wait(self, most: int) -> None:
        """Wait until no more than so many entries are on their way to stores."""
        while len(self._writing) > most:
            with contextlib.suppress(IndexError):  # another thread waits for the last one
                self._writing.popleft().result()

    def _written_stores(self) -> list[Store]:
        return [store for store in self.stores if not store.is_read_only]

    def trim(self) -> None:
        """Remove the least recently used entries if the cache is larger than its limit and was written to. Waits until
        the stores have what was put."""
        self._wait(0)
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

    def trim_by_age(self, days: float) -> int:
        """Remove the entries that weren't used for so many days, and those of the stores that aren't read-only that
        were written before.

        Returns:
            How many there were.

        Raises:
            OSError: an entry can't be removed, or a store can't be listed.
        """
        old = [path for path, used_s, _ in self._entries() if used_s < time.time() - 86400.0 * days]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old) + sum(store.trim(days) for store in self._written_stores())

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


def _is_whole(key: str, entry: bytes) -> bool:
    """Whether an entry is what was written under its key."""
    return _checksum(key, entry[_CHECKSUM_BYTES:]) == entry[:_CHECKSUM_BYTES]


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
