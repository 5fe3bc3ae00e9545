"""Levels: the gains that even out the keys of an instrument and bring it to a loudness; and limited attacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samplepack.sound.audio import Audio, db_to_gain
from samplepack.sound.loudness import true_peak_db

NEIGHBOURS_DB = 3.0
"""The largest difference in loudness between neighbouring keys of an instrument."""

_STEP_DB = 2.5
"""The largest difference that the gains leave: a margin below `NEIGHBOURS_DB` for rounding and for other meters."""

_LEFT_DB = 0.75
"""How far a key's loudness may stay from the smoothed loudness: small differences are part of a timbre."""

_RANGE_DB = 6.0
"""How far a key's loudness may lie from the median of its instrument's, so that a phrase is heard as a whole."""

_SMOOTHING_KEYS = 3.0
_MOST_GAIN_DB = 48.0
_LIMITED_TIMES = 5

LOUDNESS_DB = 2.0
"""How far the loudness of an instrument may lie from what the recipe asks for."""

LIMITED_S = 0.005
"""The time in which a limited peak is approached and left."""


def even_gains_db(loudness: Sequence[float | None]) -> list[float]:
    """Gains that bring the loudness of neighbouring keys within `NEIGHBOURS_DB` of each other, and that of all keys
    near their median.

    Each key is brought to within 0.75 dB of the Gaussian mean of its neighbourhood, and to within 6 dB of the median;
    then differences between neighbours are limited to 2.5 dB.

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
    wanted = np.clip(wanted, np.median(values) - _RANGE_DB, np.median(values) + _RANGE_DB)
    for i in range(1, len(wanted)):
        wanted[i] = np.clip(wanted[i], wanted[i - 1] - _STEP_DB, wanted[i - 1] + _STEP_DB)
    for i, gain in zip(places, np.clip(wanted - values, -_MOST_GAIN_DB, _MOST_GAIN_DB), strict=True):
        gains[i] = float(gain)
    return gains


def matched_gains_db(
    loudness: Sequence[float | None], true_peaks_db: Sequence[float], wanted_lufs: float, peak_db: float
) -> list[float]:
    """Gains that bring each instrument to a loudness, or as near to it as its own true peaks allow.

    Args:
        loudness: the loudness of each instrument (the median of its keys), LUFS; None for a silent one.
        true_peaks_db: the highest true peak of each instrument.
        wanted_lufs: the loudness to bring them to.
        peak_db: the highest true peak allowed after the gain.

    Returns:
        The gain of each instrument, dB; 0.0 for a silent one.
    """
    return [
        0.0 if value is None else min(wanted_lufs - value, peak_db - peak)
        for value, peak in zip(loudness, true_peaks_db, strict=True)
    ]


def limited(audio: Audio, before: int, peak_db: float) -> Audio:
    """Limit the peaks of the beginning of a sound, so that a hard attack doesn't turn a whole instrument down.

    The gain sinks and rises within 5 ms around each peak, so that no peak may lie closer than 10 ms before the end of
    the beginning.

    Args:
        audio: the sound.
        before: the frame at which its beginning ends.
        peak_db: the highest true peak of the result.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    reach = 2 * round(LIMITED_S * audio.rate_hz) + 1
    level = np.max(np.abs(audio.samples[:, :before]), axis=0)
    ceiling_db, result = peak_db, audio
    for _ in range(_LIMITED_TIMES):  # a true peak may be higher than its samples
        needed = np.minimum(1.0, db_to_gain(ceiling_db) / np.maximum(level, 1e-9))
        gain = uniform_filter1d(minimum_filter1d(needed, reach), reach)
        samples = audio.samples.copy()
        samples[:, :before] *= gain.astype(np.float32)
        result = Audio(samples, audio.rate_hz)
        excess_db = true_peak_db(result) - peak_db
        if excess_db <= 0.0:
            break
        ceiling_db -= excess_db + 0.05
    return result
