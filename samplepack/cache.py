"""Key → array on disk: what has been rendered once is not rendered again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.files import write_aside

_CHECKSUM_BYTES = 32


class Cache:
    """A folder of arrays, each in a file of its own, named by its key and checksummed.

    An entry that is damaged counts as missing; entries are built aside and renamed into place, so that a reader, and
    a build that runs beside this one, never see half an entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The array of a key; `None` where there is none, or a damaged one."""
        try:
            entry = self._path(key).read_bytes()
        except OSError:
            return None
        checksum, payload = entry[:_CHECKSUM_BYTES], entry[_CHECKSUM_BYTES:]
        if hashlib.sha256(payload).digest() != checksum:
            return None
        array: NDArray[np.float32] = np.load(io.BytesIO(payload), allow_pickle=False)
        return array

    def put(self, key: str, array: NDArray[np.float32]) -> None:
        """Keep an array. A cache that can't be written (a full disk, no permission) keeps nothing and says nothing:
        the build needs it for speed alone."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        payload = buffer.getvalue()
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, hashlib.sha256(payload).digest() + payload)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.note"


def user_folder(kind: str) -> Path:
    """Where samplepack keeps what outlasts a build: `notes` (the cache), `checkpoints` (those that were imported) or
    `converted` (Magenta's that recipes name by path, as samplepack's own; a cache too).

    `SAMPLEPACK_HOME` moves all of it; otherwise the cache folder that is usual on the system.
    """
    import platformdirs

    home = os.environ.get("SAMPLEPACK_HOME")
    return (Path(home) if home else platformdirs.user_cache_path("samplepack", appauthor=False)) / kind
