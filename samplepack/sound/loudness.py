"""Loudness and true peaks, by ITU-R BS.1770-4."""

from __future__ import annotations

import numpy as np

from samplepack.sound.audio import Audio, gain_to_db

_OVERSAMPLING = 4
_MOMENTARY_S = 0.4


def loudness_lufs(audio: Audio) -> float | None:
    """Integrated loudness by ITU-R BS.1770-4, LUFS; None for silence and for less than 0.4 s of sound.

    The sound is normalised to a peak of 1.0 for the measurement, and the gain subtracted from the result: otherwise the
    standard's absolute gate at -70 LUFS would exclude other parts of a quiet note than of the same note made louder.
    """
    import pyloudnorm

    peak = audio.peak
    if audio.duration_s < _MOMENTARY_S or peak < 1e-7:
        return None
    at_full_scale = audio.samples.T.astype(np.float64) / peak
    measured = float(pyloudnorm.Meter(audio.rate_hz).integrated_loudness(at_full_scale))
    return measured + gain_to_db(peak) if np.isfinite(measured) else None


def attack_loudness_lufs(audio: Audio) -> float | None:
    """Loudness of the first 0.4 s by ITU-R BS.1770-4, LUFS; None for silence. A shorter sound ends in silence."""
    length = round(_MOMENTARY_S * audio.rate_hz)
    first = audio.samples[:, :length]
    return loudness_lufs(Audio(np.pad(first, [(0, 0), (0, length - first.shape[1])]), audio.rate_hz))


def true_peak_db(audio: Audio) -> float:
    """The peak of the continuous waveform in dB, estimated at four times the rate. Source: ITU-R BS.1770-4, Annex 2."""
    return true_peaks_db(audio, 0)[0]


def true_peaks_db(audio: Audio, first: int) -> tuple[float, float]:
    """The `true_peak_db` of a sound, and of what follows from a frame on."""
    import soxr

    finer = np.abs(soxr.resample(audio.samples.T, audio.rate_hz, _OVERSAMPLING * audio.rate_hz, quality="MQ"))
    later = np.max(np.abs(audio.samples[:, first:]), initial=np.max(finer[_OVERSAMPLING * first :], initial=0.0))
    return gain_to_db(max(audio.peak, float(np.max(finer, initial=0.0)))), gain_to_db(float(later))
