"""Levels: the gains that even out the keys of an instrument and match the instruments of a pack."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

NEIGHBOURS_DB = 3.0
"""The largest difference in loudness between neighbouring keys of an instrument."""

_STEP_DB = 2.5
"""The largest difference that the gains leave: a margin below `NEIGHBOURS_DB` for rounding and for other meters."""

_LEFT_DB = 0.75
"""How far a key's loudness may stay from the smoothed loudness: small differences are part of a timbre."""

_SMOOTHING_KEYS = 3.0
_MOST_GAIN_DB = 48.0

_OUTLIER_DB = 14.0
"""The most by which instruments are made quieter to match one whose peaks allow little loudness."""


def even_gains_db(loudness: Sequence[float | None]) -> list[float]:
    """Gains that bring the loudness of neighbouring keys within `NEIGHBOURS_DB` of each other.

    Each key is brought to within 0.75 dB of the Gaussian mean of its neighbourhood; then differences between neighbours
    are limited to 2.5 dB.

    Args:
        loudness: the loudness of each key from the lowest, LUFS; None for a silent key.

    Returns:
        The gain of each key, dB; 0.0 for a silent key.
    """
    audible = [(i, value) for i, value in enumerate(loudness) if value is not None]
    gains = [0.0] * len(loudness)
    if len(audible) < 2:
        return gains
    places, values = np.array([i for i, _ in audible]), np.array([value for _, value in audible])
    weights = np.exp(-0.5 * ((places[:, np.newaxis] - places) / _SMOOTHING_KEYS) ** 2)
    run = weights @ values / weights.sum(axis=1)
    wanted = run + np.clip(values - run, -_LEFT_DB, _LEFT_DB)
    for i in range(1, len(wanted)):
        wanted[i] = np.clip(wanted[i], wanted[i - 1] - _STEP_DB, wanted[i - 1] + _STEP_DB)
    for i, gain in zip(places, np.clip(wanted - values, -_MOST_GAIN_DB, _MOST_GAIN_DB), strict=True):
        gains[i] = float(gain)
    return gains


def matched_gains_db(loudness: Sequence[float | None], true_peaks_db: Sequence[float], peak_db: float) -> list[float]:
    """Gains that make all instruments equally loud, and as loud as true peaks of `peak_db` allow.

    Args:
        loudness: the loudness of each instrument (the median of its keys), LUFS; None for a silent one.
        true_peaks_db: the highest true peak of each instrument.
        peak_db: the highest true peak allowed after the gain.

    Returns:
        The gain of each instrument, dB; 0.0 for a silent one.
    """
    room = [peak_db - peak for peak in true_peaks_db]
    reach = [value + r for value, r in zip(loudness, room, strict=True) if value is not None]
    if not reach:
        return [0.0] * len(room)
    common = max(min(reach), median(reach) - _OUTLIER_DB)
    return [0.0 if value is None else min(common - value, r) for value, r in zip(loudness, room, strict=True)]
