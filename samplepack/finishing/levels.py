"""Levels: the gains that even out the keys of an instrument and match the instruments of a pack."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

NEIGHBOURS_DB = 3.0
"""Neighbouring keys of an instrument differ by no more in loudness."""

_STEP_DB = 2.5
"""What the gains aim at, so that rounding and another meter still find less than `NEIGHBOURS_DB`."""

_LEFT_DB = 0.75
"""How far a key may stay from the run of its neighbours: small differences are part of a timbre."""

_SMOOTHING_KEYS = 3.0
_MOST_GAIN_DB = 48.0

_OUTLIER_DB = 14.0
"""An instrument that can't be made loud is left behind rather than have all others follow it down by more."""


def even_gains_db(loudness: Sequence[float | None]) -> list[float]:
    """The gain of each key, from the lowest, that brings neighbours within `NEIGHBOURS_DB` of each other.

    A key is drawn to the run of its neighbours (their Gaussian mean) but for what it may keep of its own; then no step
    is left larger than aimed at. Silent keys are left alone.

    Args:
        loudness: of each key, LUFS; None where it is silent.
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
    """The gain of each instrument that makes all of them equally loud, as loud as true peaks of `peak_db` allow.

    Args:
        loudness: of each instrument (the middle of its keys'), LUFS; None where it is silent.
        true_peaks_db: the highest of each instrument.
        peak_db: what no true peak may pass.
    """
    room = [peak_db - peak for peak in true_peaks_db]
    reach = [value + r for value, r in zip(loudness, room, strict=True) if value is not None]
    if not reach:
        return [0.0] * len(room)
    common = max(min(reach), median(reach) - _OUTLIER_DB)
    return [0.0 if value is None else min(common - value, r) for value, r in zip(loudness, room, strict=True)]
