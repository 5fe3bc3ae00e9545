"""Fingerprints of waves: one line of text for each wave, from which two waves can be compared without their samples."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

_BUCKETS = 15
_STEP = 2.0**-24
_COARSE_STEP = 2.0**-15
_FINGERPRINT = re.compile(r"[0-9a-f]{64} [A-Za-z0-9+/]{86}==")


def fingerprint(wave: NDArray[np.float32]) -> str:
    """The fingerprint of a wave: its SHA-256, and a sketch from which its difference from other waves is estimated.

    The sketch is 15 sums of samples, each sample being added to one of them with a random sign, and the wave's energy.
    The energy of the difference of two sketches estimates the energy of the difference of the waves. Samples are
    rounded to whole steps first, so that all sums are exact on every machine.

    Args:
        wave: float32, shape (n,).

    Source: Charikar, Chen & Farach-Colton, "Finding frequent items in data streams", 2002.
    """
    steps = np.rint(np.pad(wave.astype(np.float64), (0, -len(wave) % _BUCKETS)) / _STEP)
    sums = (steps * _signs(len(steps))).reshape(-1, _BUCKETS).sum(axis=0) * _STEP
    energy = int(np.sum(np.square(np.rint(wave.astype(np.float64) / _COARSE_STEP).astype(np.int64)))) * _COARSE_STEP**2
    sketch = np.append(sums, energy).astype("<f4")
    digest = hashlib.sha256(wave.astype("<f4").tobytes()).hexdigest()
    return f"{digest} {base64.b64encode(sketch.tobytes()).decode()}"


def is_fingerprint(text: str) -> bool:
    """Whether a text has the form of a fingerprint."""
    if not _FINGERPRINT.fullmatch(text):
        return False
    return bool(np.isfinite(np.frombuffer(base64.b64decode(text.split()[1]), "<f4")).all())


def split(line: str) -> list[str]:
    """Split a line of several fingerprints, separated by spaces, into single ones."""
    words = line.split()
    return [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]


def difference_snr_db(reference: str, other: str) -> float:
    """The ratio of a wave's energy to that of its difference from another wave, in dB; infinite for the same wave.

    It is estimated from the fingerprints, with an error of some 4 dB.
    """
    (digest, sketch), (other_digest, other_sketch) = reference.split(), other.split()
    if digest == other_digest:
        return float("inf")
    a, b = (np.frombuffer(base64.b64decode(s), "<f4").astype(np.float64) for s in (sketch, other_sketch))
    difference = float(np.sum((a[:_BUCKETS] - b[:_BUCKETS]) ** 2))
    return float(10.0 * np.log10(max(a[_BUCKETS], 1e-30) / max(difference, 1e-30)))


@cache
def _signs(n: int) -> NDArray[np.float64]:
    return np.random.RandomState(0).randint(0, 2, n).astype(np.float64) * 2.0 - 1.0
