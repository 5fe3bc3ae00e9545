"""Measurements of one note, and distances between two notes of the same sample rate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from samplepack.sound.pitch import pitch_hz
from samplepack.sound.spectra import hann, stft

Wave = NDArray[np.float32]
"""Samples of a note, shape (samples,)."""

Spectra = NDArray[np.float32]
"""Magnitudes, shape (frames, bins)."""

LogMel = NDArray[np.float32]
"""Levels in dB, shape (frames, bands)."""

FRAME_S = 0.128
"""Length of a frame of a spectrum, seconds. It is four times the distance from one frame to the next."""

BANDS = 64
"""Number of mel bands."""

_RANGE_DB = 60.0
"""Range of levels below the maximum, dB; lower ones are raised to its lower end."""

_NOISE_S = 0.512
_HEARD_DB = 40.0

_ENVELOPE_MS = 20
_ATTACK_MS = 500
_ONSET_DB, _ATTACKED_DB = -20.0, -3.0
_FLUX_FRAME_MS, _FLUX_HOP_MS, _FLUX_MS = 32, 8, 60

TREBLE_HZ = 8000.0
"""Frequency above which the level of treble is measured, Hz."""


def frame_samples(rate_hz: int) -> int:
    """Return the length of a frame of a spectrum in samples: 2048 at 16 kHz."""
    return round(FRAME_S * rate_hz)


def spectra(wave: Wave, rate_hz: int) -> Spectra:
    """Return the magnitudes of Hann-windowed frames within the wave, or of one padded frame if the wave is shorter."""
    size = frame_samples(rate_hz)
    return _magnitudes(np.pad(wave, (0, max(0, size - len(wave)))), size, size // 4)


def _magnitudes(wave: Wave, size: int, hop: int) -> Spectra:
    return np.asarray(np.abs(stft(np.asarray(wave, np.float32), hann(size), slice(None, None, hop))), np.float32)


def log_spectral_distance_db(reference: Spectra, other: Spectra) -> float:
    """Return the log-spectral distance: the root mean square over bins of the difference in dB, averaged over frames.

    Magnitudes lower than 60 dB below the maximum of the reference are raised to that level first.

    Source: Gray & Markel, "Distance measures for speech processing", 1976.
    """
    return float(np.sqrt(np.mean(_difference_db(reference, other) ** 2, axis=1)).mean())


def loud_bins_db(reference: Spectra, other: Spectra, within_db: float = 20.0) -> float:
    """Return the level of `other` relative to the reference in its loud bins: the mean of their differences in dB.

    Loud bins are those within `within_db` of the maximum of the reference.
    """
    loud = reference > reference.max() * 10.0 ** (-within_db / 20.0)
    return float(_difference_db(reference, other)[loud].mean())


def _difference_db(reference: Spectra, other: Spectra) -> Spectra:
    least = (float(reference.max()) + 1e-9) * 10.0 ** (-_RANGE_DB / 20.0)
    return np.asarray(20.0 * np.log10(np.maximum(other, least) / np.maximum(reference, least)))


@cache
def mel_filters(rate_hz: int) -> NDArray[np.float32]:
    """Return triangular filters of equal area on Slaney's mel scale from 0 to half the rate, for `power @ filters`,
    where `power` are the squares of `spectra`.

    The scale is linear to 1000 Hz, and has 27 steps to each factor of 6.4 above.

    Returns:
        float32, shape (frame_samples(rate_hz) // 2 + 1, BANDS).

    Source: Slaney, "Auditory Toolbox", 1998; the same numbers as `librosa.filters.mel(n_fft=2048, n_mels=64)`.
    """
    step_hz, knee_hz, log_step = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
    knee = knee_hz / step_hz
    highest_hz = rate_hz / 2.0
    highest = knee + np.log(highest_hz / knee_hz) / log_step if highest_hz > knee_hz else highest_hz / step_hz
    mel = np.linspace(0.0, highest, BANDS + 2)
    edges_hz = np.where(mel < knee, mel * step_hz, knee_hz * np.exp(log_step * (mel - knee)))
    lower, centre, upper = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    bins_hz = np.linspace(0.0, highest_hz, frame_samples(rate_hz) // 2 + 1)[:, np.newaxis]
    triangles = np.minimum((bins_hz - lower) / (centre - lower), (upper - bins_hz) / (upper - centre))
    return np.asarray(np.maximum(0.0, triangles) * (2.0 / (upper - lower)), np.float32)


def log_mel(wave: Wave, rate_hz: int) -> LogMel:
    """Return the levels of a note in mel bands, after scaling it to a root mean square of 0.05.

    Levels lower than 60 dB below the highest one are raised to that level.
    """
    level = np.sqrt(np.mean(np.square(wave, dtype=np.float64)) + 1e-12)
    power = np.square(spectra(wave, rate_hz) * np.float32(0.05 / level)) @ mel_filters(rate_hz)
    levels_db = 10.0 * np.log10(power + 1e-10)
    return np.asarray(np.maximum(levels_db, levels_db.max() - _RANGE_DB), np.float32)


def log_mel_distance_db(one: LogMel, other: LogMel) -> float:
    """Return the distance of two notes in timbre: the mean magnitude of the differences of their levels, dB."""
    return float(np.abs(one - other).mean())


def pairwise_distances_db(notes: Sequence[LogMel]) -> list[float]:
    """Return the log-mel distances of all pairs of notes."""
    return [log_mel_distance_db(notes[i], notes[j]) for i in range(len(notes)) for j in range(i)]


def attack_ms(wave: Wave, rate_hz: int) -> float:
    """Return the duration of the attack: the time in which the envelope rises from 20 dB to 3 dB below its maximum.

    The maximum is that of the first half second from the onset. The envelope is the root mean square over 20 ms, so
    that an instantaneous attack measures about 10 ms.
    """
    power = _envelope(wave, rate_hz)
    onset = _first_within(power, _ONSET_DB)
    power = power[onset : onset + rate_hz * _ATTACK_MS // 1000]
    return 1000.0 * (_first_within(power, _ATTACKED_DB) - _first_within(power, _ONSET_DB)) / rate_hz


def onset_flux(wave: Wave, rate_hz: int) -> float:
    """Return the share of a note's spectrum that comes up in the 60 ms after its onset: the spectral flux.

    It is the sum of all increases of magnitude from one spectrum to the next, relative to the sum of magnitudes of a
    spectrum, averaged over the first half second. A steady tone that sets in at once has about 1.4, one that swells
    linearly for 300 ms 0.3; a click at the onset adds to it. Spectra are of 32 ms, their centres 8 ms apart, the first
    16 ms before the onset, which is where the envelope comes within 20 dB of its maximum.
    """
    size, hop = (rate_hz * ms // 1000 for ms in (_FLUX_FRAME_MS, _FLUX_HOP_MS))
    onset = _first_within(_envelope(wave, rate_hz), _ONSET_DB)
    around = np.pad(wave, (size, size))[onset : onset + rate_hz * _ATTACK_MS // 1000 + size]
    magnitudes = _magnitudes(around, size, hop)
    rises = np.maximum(np.diff(magnitudes[: 1 + (_FLUX_MS + _FLUX_FRAME_MS // 2) // _FLUX_HOP_MS], axis=0), 0.0)
    return float(rises.sum() / max(float(magnitudes.sum(axis=1).mean()), 1e-9))


def _envelope(wave: Wave, rate_hz: int) -> NDArray[np.float64]:
    """Return the sums of squares over the 20 ms before each sample, shape (samples + 1,)."""
    window = rate_hz * _ENVELOPE_MS // 1000
    energy = np.concatenate([[0.0], np.cumsum(np.pad(np.square(wave, dtype=np.float64), (window, 0)))])
    return np.asarray(energy[window:] - energy[:-window])


def _first_within(power: NDArray[np.float64], db: float) -> int:
    """Return the index of the first power that is no more than `-db` below the greatest one."""
    return int(np.argmax(power >= power.max() * 10.0 ** (db / 10.0)))


def treble_db(wave: Wave, rate_hz: int) -> float:
    """Return the level above 8 kHz relative to the whole note, dB; no lower than -100 dB, which silence has, too."""
    power = np.square(np.abs(scipy.fft.rfft(np.asarray(wave, np.float64))))
    above = power[scipy.fft.rfftfreq(len(wave), 1.0 / rate_hz) > TREBLE_HZ].sum()
    return float(10.0 * np.log10(max(above / max(power.sum(), 1e-20), 1e-10)))


def noise_db(wave: Wave, pitch: int, rate_hz: int) -> float:
    """Return the share of a note's power that lies between its partials, dB: noise of breath, bow or hammer.

    White noise measures -1.6 dB, a steady tone -60 dB. The noise of all harmonics, divided by their power, is limited
    to at least -60 dB, and averaged over the spectra; see `_noise_of_harmonics`.
    """
    noise, whole, _ = _noise_of_harmonics(wave, pitch, rate_hz)
    return _mean_share_db(noise.sum(axis=1), whole.sum(axis=1))


def noise_of_bands_db(wave: Wave, pitch: int, rate_hz: int, edges_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of noise in the power of each band, as in `noise_db`, shape (bands,), dB.

    Args:
        wave: the note.
        pitch: MIDI.
        rate_hz: sample rate.
        edges_hz: the bands' edges, shape (bands + 1,). A harmonic counts in the band of its centre. A band without one
            has the noise of those beside it.
    """
    noise, whole, centres_hz = _noise_of_harmonics(wave, pitch, rate_hz)
    band_of = np.searchsorted(edges_hz, centres_hz, side="right") - 1
    bands = np.unique(band_of[band_of < len(edges_hz) - 1])
    shares_db = [
        _mean_share_db(noise[:, band_of == band].sum(axis=1), whole[:, band_of == band].sum(axis=1)) for band in bands
    ]
    return np.interp(np.arange(len(edges_hz) - 1), bands, shares_db)


def _noise_of_harmonics(
    wave: Wave, pitch: int, rate_hz: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return noise and power of each harmonic, both of shape (spectra, harmonics), and the harmonics' centres, Hz.

    In spectra of half a second, those within 40 dB of the strongest, the bins are grouped by the nearest harmonic of
    the pitch. The median power of a group is taken as its level of noise, since a partial fills less than half of the
    bins.
    """
    size = min(int(_NOISE_S * rate_hz), len(wave))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(wave, np.float32), size)[:: size // 4]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1))) + 1e-18
    # The borders of the groups are in units of harmonics; there is at least one group.
    borders = np.arange(0.5, max(1.6, rate_hz / 2.0 / pitch_hz(pitch)))
    edges = np.unique((borders * pitch_hz(pitch) * size / rate_hz).astype(int))
    harmonics = np.split(power[:, edges[0] : edges[-1]], (edges - edges[0])[1:-1], axis=1)
    noise = np.stack([bins.shape[1] * np.median(bins, axis=1) for bins in harmonics], axis=1)
    whole = np.stack([bins.sum(axis=1) for bins in harmonics], axis=1)
    of_all = whole.sum(axis=1)
    audible = of_all > of_all.max() * 10.0 ** (-_HEARD_DB / 10.0)
    return noise[audible], whole[audible], (edges[:-1] + edges[1:]) / 2 * rate_hz / size


def _mean_share_db(noise: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    share = np.clip(noise / whole, 10.0 ** (-_RANGE_DB / 10.0), 1.0)
    return float(np.mean(10.0 * np.log10(share)))


def centroid_hz(wave: Wave, rate_hz: int) -> float:
    """Return the spectral centroid: the mean frequency of the spectrum of the whole note, weighted by magnitude.

    Of each frame only the bins within 60 dB of the note's maximum count, so that hiss below a tone does not.
    """
    magnitudes = spectra(wave, rate_hz).astype(np.float64)
    magnitudes[magnitudes < magnitudes.max() * 10.0 ** (-_RANGE_DB / 20.0)] = 0.0
    summed = magnitudes.sum(axis=0) + 1e-12
    frequencies_hz = np.linspace(0.0, rate_hz / 2.0, len(summed))
    return float(summed @ frequencies_hz / summed.sum())


def level_db(wave: Wave) -> float:
    """Return the root mean square level in dBFS; silence is -200 dB."""
    return float(10.0 * np.log10(max(float(np.mean(np.square(wave, dtype=np.float64))), 1e-20)))
