"""Levels: loudness, true peaks, and the gains that even out keys and match instruments."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from samplepack.sound.audio import Audio, gain_to_db

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

_OVERSAMPLING = 4


def loudness_lufs(audio: Audio) -> float | None:
    """Integrated loudness by ITU-R BS.1770-4, LUFS; None for silence and for less than 0.4 s of sound.

    It is measured at full scale and the level taken off again: the standard's absolute gate at -70 LUFS would cut a
    quiet note differently before and after its gain.
    """
    import pyloudnorm

    peak = audio.peak
    if audio.duration_s < 0.4 or peak < 1e-7:
        return None
    at_full_scale = audio.samples.T.astype(np.float64) / peak
    measured = float(pyloudnorm.Meter(audio.rate_hz).integrated_loudness(at_full_scale))
    return measured + gain_to_db(peak) if np.isfinite(measured) else None


def true_peak_db(audio: Audio) -> float:
    """The peak between samples too, dB: of the sound at four times its rate. Source: ITU-R BS.1770-4, Annex 2."""
    import soxr

    finer = soxr.resample(audio.samples.T, audio.rate_hz, _OVERSAMPLING * audio.rate_hz, quality="MQ")
    return gain_to_db(max(audio.peak, float(np.max(np.abs(finer), initial=0.0))))


def even_gains_db(loudness: Sequence[float | None]) -> list[float]:
    """The gain of each key, from the lowest, that brings neighbours within `NEIGHBOURS_DB` of each other.

    A key is drawn to the run of its neighbours (their Gaussian mean) but for what it may keep of its own; then no step
    is left larger than aimed at. Silent keys are left alone.

    Args:
        loudness: of each key, LUFS; None where it is silent.
    """
    heard = [(i, value) for i, value in enumerate(loudness) if value is not None]
    gains = [0.0] * len(loudness)
    if len(heard) < 2:
        return gains
    places, values = np.array([i for i, _ in heard]), np.array([value for _, value in heard])
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
