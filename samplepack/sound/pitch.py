"""Frequencies of MIDI pitches, and the estimation of a sound's pitch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samplepack.sound.audio import Audio
from samplepack.sound.spectra import parabolic_peak

_ANALYSED_S = (0.2, 2.2)
_RANGE_HZ = (25.0, 2400.0)


def pitch_hz(pitch: float) -> float:
    """The frequency of a MIDI pitch in equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


@dataclass(frozen=True)
class PitchEstimate:
    """The estimated pitch of a sound."""

    frequency_hz: float

    aperiodicity: float
    """0 for a perfectly periodic sound; above some 0.2 the pitch is uncertain."""

    @property
    def pitch(self) -> float:
        """The MIDI pitch, with its fraction."""
        return float(69.0 + 12.0 * np.log2(self.frequency_hz / 440.0))

    def cents_above(self, pitch: float) -> float:
        """The interval from a MIDI pitch up to it, cents."""
        return float(1200.0 * np.log2(self.frequency_hz / pitch_hz(pitch)))


def estimate_pitch(audio: Audio) -> PitchEstimate | None:
    """Estimate the pitch of a steady sound, from 25 to 2400 Hz, from its first 2.2 s without the first 0.2 s.

    The period is the first lag at which YIN's normalised difference function falls below 0.15, followed to the minimum
    of that dip, on which inharmonic partials put ripples; if it never falls below 0.15, the lag of its minimum. The
    function is computed at four times the rate, and the minimum refined by a parabola.

    Args:
        audio: any number of channels; they are mixed.

    Returns:
        The estimate; None for silence and for a sound too short to hold two of the longest periods.

    Source: de Cheveigné & Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 2002.
    """
    rate_hz = audio.rate_hz
    first, last = (int(s * rate_hz) for s in _ANALYSED_S)
    wave = audio.samples.mean(axis=0, dtype=np.float64)
    wave = wave[first:last] if len(wave) > 2 * first else wave
    wave = wave - wave.mean()
    longest = int(rate_hz / _RANGE_HZ[0]) + 2
    half = len(wave) // 2
    if half <= longest or np.sqrt(np.mean(wave**2)) < 1e-5:
        return None
    size = 1 << int(np.ceil(np.log2(len(wave) + half)))
    spectrum = np.conj(np.fft.rfft(wave[:half], size)) * np.fft.rfft(wave, size)
    finer = 4
    lags = np.arange(longest * finer)
    products = np.fft.irfft(spectrum, size * finer)[: len(lags)] * finer
    squares = np.concatenate([[0.0], np.cumsum(wave**2)])
    whole = np.arange(longest + 1)
    energy = np.interp(lags / finer, whole, squares[whole + half] - squares[whole])
    difference = np.maximum(energy[0] + energy - 2.0 * products, 0.0)
    normalised = difference * lags / np.maximum(np.cumsum(difference), 1e-12)
    shortest = int(finer * rate_hz / _RANGE_HZ[1])
    low = np.flatnonzero(normalised[shortest:] < 0.15)
    if len(low):
        lag = int(low[0]) + shortest
        while lag + 1 < len(lags) and normalised[lag + 1] < normalised[lag]:
            lag += 1
        lag += int(np.argmin(normalised[lag : int(1.1 * lag) + 1]))
    else:
        lag = int(np.argmin(normalised[shortest:])) + shortest
    place = lag + (parabolic_peak(normalised[lag - 1 : lag + 2]) if lag + 1 < len(lags) else 0.0)
    return PitchEstimate(float(finer * rate_hz / place), float(normalised[lag]))
