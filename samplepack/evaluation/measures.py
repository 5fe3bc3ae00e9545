"""What is measured of one note or between two. Waves are float32, shape (samples,), of one rate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Spectra = NDArray[np.float32]
"""Magnitudes, shape (frames, bins)."""

LogMel = NDArray[np.float32]
"""Levels in dB, shape (frames, bands)."""

FRAME, HOP = 2048, 512
"""Samples that a spectrum spans, and from one to the next."""

BANDS = 64

_RANGE_DB = 60.0
"""What lies further below the loudest is taken for silence."""

_HEARD_DB = 40.0
"""Frames further below the loudest don't count for flatness."""

_ONSET_DB = -20.0
_ATTACKED_DB = -3.0


def spectra(wave: Wave) -> Spectra:
    """Magnitudes of Hann-windowed frames that lie wholly within the wave."""
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(wave, np.float32), FRAME)[::HOP]
    return np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=-1)).astype(np.float32)


def log_spectral_distance_db(reference: Spectra, other: Spectra) -> float:
    """How far two spectra lie apart: the root mean square over bins of their difference in dB, both no lower than 60 dB
    below the reference's maximum; its mean over frames. Source: Gray & Markel, "Distance measures for speech
    processing", 1976."""
    return float(np.sqrt(np.mean(_difference_db(reference, other) ** 2, axis=1)).mean())


def loud_bins_db(reference: Spectra, other: Spectra, within_db: float = 20.0) -> float:
    """How much louder the other is in the bins that lie within `within_db` of the reference's maximum: the mean of
    their differences in dB."""
    loud = reference > reference.max() * 10.0 ** (-within_db / 20.0)
    return float(_difference_db(reference, other)[loud].mean())


def _difference_db(reference: Spectra, other: Spectra) -> Spectra:
    least = (float(reference.max()) + 1e-9) * 10.0 ** (-_RANGE_DB / 20.0)
    return np.asarray(20.0 * np.log10(np.maximum(other, least) / np.maximum(reference, least)))


@cache
def mel_filters(rate_hz: int) -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale (linear to 1000 Hz, 27 steps to each factor of 6.4 above), from 0
    to half the rate; applied as `power @ filters`.

    Returns:
        float32, shape (FRAME // 2 + 1, BANDS).

    Source: Slaney, "Auditory Toolbox", 1998; the same numbers as `librosa.filters.mel(n_fft=2048, n_mels=64)`.
    """
    step_hz, knee_hz, log_step = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
    knee = knee_hz / step_hz
    highest_hz = rate_hz / 2.0
    highest = knee + np.log(highest_hz / knee_hz) / log_step if highest_hz > knee_hz else highest_hz / step_hz
    mel = np.linspace(0.0, highest, BANDS + 2)
    edges_hz = np.where(mel < knee, mel * step_hz, knee_hz * np.exp(log_step * (mel - knee)))
    lower, centre, upper = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    bins_hz = np.linspace(0.0, highest_hz, FRAME // 2 + 1)[:, np.newaxis]
    triangles = np.minimum((bins_hz - lower) / (centre - lower), (upper - bins_hz) / (upper - centre))
    return np.asarray(np.maximum(0.0, triangles) * (2.0 / (upper - lower)), np.float32)


def log_mel(wave: Wave, rate_hz: int) -> LogMel:
    """Levels by frame and band of a note brought to one loudness (a root mean square of 0.05), none lower than 60 dB
    below the highest."""
    level = np.sqrt(np.mean(np.square(wave, dtype=np.float64)) + 1e-12)
    power = np.square(spectra(wave) * np.float32(0.05 / level)) @ mel_filters(rate_hz)
    levels_db = 10.0 * np.log10(power + 1e-10)
    return np.asarray(np.maximum(levels_db, levels_db.max() - _RANGE_DB), np.float32)


def log_mel_distance_db(one: LogMel, other: LogMel) -> float:
    """How far two notes lie apart in timbre: the mean magnitude of their differences by frame and band."""
    return float(np.abs(one - other).mean())


def pairwise_distances_db(notes: Sequence[LogMel]) -> list[float]:
    """The distances of all pairs of notes."""
    return [log_mel_distance_db(notes[i], notes[j]) for i in range(len(notes)) for j in range(i)]


def attack_ms(wave: Wave, rate_hz: int) -> float:
    """How long the onset takes: from the first sample within 20 dB of the peak to the first within 3 dB of it."""
    magnitude = np.abs(wave)
    peak = float(magnitude.max())
    onset, attacked = (int(np.argmax(magnitude >= peak * 10.0 ** (db / 20.0))) for db in (_ONSET_DB, _ATTACKED_DB))
    return 1000.0 * (attacked - onset) / rate_hz


def flatness_db(note: Spectra) -> float:
    """How much the spectrum is filled with noise between its partials, 0 dB being white noise: the geometric mean of
    the power over bins by its arithmetic mean, its mean over the frames within 40 dB of the loudest. Bins are no lower
    than 60 dB below the maximum. Source: Johnston, "Transform coding of audio signals", 1988."""
    power = np.square(note.astype(np.float64))
    power = np.maximum(power, (power.max() + 1e-18) * 10.0 ** (-_RANGE_DB / 10.0))
    frame_power = power.mean(axis=1)
    heard = frame_power > np.max(frame_power) * 10.0 ** (-_HEARD_DB / 10.0)
    flatness = 10.0 * (np.log10(power).mean(axis=1) - np.log10(frame_power))
    return float(flatness[heard].mean())


def level_db(wave: Wave) -> float:
    """The root mean square in dB below full scale; silence is -200 dB."""
    return float(10.0 * np.log10(max(float(np.mean(np.square(wave, dtype=np.float64))), 1e-20)))
