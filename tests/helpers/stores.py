"""A shared store whose every operation may fail, in every way that stores do."""

from __future__ import annotations

import errno
import itertools
import time

import numpy as np

READ_FAULTS = ("gone", "denied", "slow", "half", "other", "empty", "longer", "flipped", "missing")
WRITE_FAULTS = ("gone", "denied", "slow", "full", "half", "lost", "other")


class Faulty:
    """A file system of fsspec's whose operations fail by turns.

    Args:
        files: the file system that it makes faulty.
        share: the share of operations that fail.
        slow_s: how long a slow operation takes, seconds.
        turn: which fault comes first, and which operations fail.
    """

    def __init__(self, files, share=0.3, slow_s=0.3, turn=0):
        self.files, self.share, self.slow_s = files, share, slow_s
        self.protocol = files.protocol
        self.faults = []
        self._draw = np.random.RandomState(turn)
        self._read, self._written = (
            itertools.islice(itertools.cycle(faults), turn, None) for faults in (READ_FAULTS, WRITE_FAULTS)
        )

    def cat_file(self, path):
        entry, fault = self.files.cat_file(path), self._fault(self._read)
        if fault == "other":
            return next(self.files.cat_file(other) for other in self.files.find(path.rpartition("/")[0][:-3]))
        damaged = {
            "half": entry[: len(entry) // 2], "empty": b"", "longer": entry + b"\0",
            "flipped": entry[:40] + bytes([entry[40] ^ 1]) + entry[41:],
        }  # fmt: skip
        return damaged.get(fault, entry)

    def exists(self, path):
        return self.files.exists(path) != (self._fault(self._read) in ("half", "other", "flipped"))

    def pipe_file(self, path, entry):
        fault = self._fault(self._written)
        if fault != "lost":
            self.files.pipe_file(path, {"half": entry[: len(entry) // 2], "other": entry[::-1]}.get(fault, entry))

    def __getattr__(self, name):
        return getattr(self.files, name)

    def _fault(self, turns):
        """The fault of an operation, if it has one; those that are errors are raised."""
        if self._draw.random_sample() >= self.share:
            return None
        fault = next(turns)
        self.faults.append(fault)
        if fault == "slow":
            time.sleep(self.slow_s)
        errors = {
            "gone": ConnectionError("connection refused"), "denied": PermissionError(errno.EACCES, "access denied"),
            "full": OSError(errno.ENOSPC, "no space left"), "missing": FileNotFoundError("no such key"),
        }  # fmt: skip
        if fault in errors:
            raise errors[fault]
        return fault


def make_faulty(store, **how):
    """Make every operation of a store fail by turns; the faults that it had are in `faults` of what this returns."""
    store._files = Faulty(store._files, **how)
    return store._files
