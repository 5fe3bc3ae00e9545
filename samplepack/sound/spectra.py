"""Measuring sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio

_PARTIALS_FIRST_S, _PARTIALS_LENGTH_S = 0.25, 2.5
_MOST_PARTIALS = 10
_REACH_CENTS = 70.0
_HEARD_S = (0.2, 2.2)
_HEARD_HZ = (25.0, 2400.0)
_CLEAR_GAIN = 10.0
"""A partial is this many times the middle of the spectrum around it."""


def pitch_hz(pitch: float) -> float:
    """The frequency of a MIDI pitch in equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


@lru_cache(maxsize=16)
def hann(n: int) -> NDArray[np.float32]:
    """A Hann window of n points, not to be written to."""
    window = np.hanning(n).astype(np.float32)
    window.setflags(write=False)
    return window


@dataclass(frozen=True)
class Partial:
    """One harmonic of a note, as it sounds."""

    number: int
    """1 is the fundamental."""

    cents: float
    """How far above its place it lies."""

    gain: float
    """Its magnitude relative to the strongest partial of the note."""

    is_clear: bool
    """It stands out of what lies around it: it is a tone, not noise or a neighbour's flank."""


def measure_partials(audio: Audio, pitch: int) -> list[Partial]:
    """The lower harmonics of a note whose key is known, each found within ±70 cents of its place.

    The peaks of one Hann-windowed spectrum of up to 2.5 s after the onset, each by the parabola through the logarithm
    of its three highest bins; on a steady tone within 0.01 cents.
    """
    import scipy.fft

    first, last = (int(s * audio.rate_hz) for s in (_PARTIALS_FIRST_S, _PARTIALS_FIRST_S + _PARTIALS_LENGTH_S))
    wave = audio.samples[:, first:last].mean(axis=0)
    if len(wave) < 0.1 * audio.rate_hz or not np.any(wave):
        return []
    size = fast_size(2 * len(wave))
    f0_bins = pitch_hz(pitch) * size / audio.rate_hz
    spectrum = scipy.fft.rfft(wave * hann(len(wave)), size)[: int((_MOST_PARTIALS + 1) * f0_bins)]
    magnitude = np.abs(spectrum) + np.float32(1e-20)
    neighbourhood = np.linspace(-0.45, 0.45, 65) * f0_bins
    found = []
    for number in range(1, _MOST_PARTIALS + 1):
        centre = number * f0_bins
        if centre * 1.06 > len(magnitude) - 2:
            break
        low, high = (int(centre * 2.0 ** (cents / 1200.0)) for cents in (-_REACH_CENTS, _REACH_CENTS))
        top = low + int(np.argmax(magnitude[low : high + 1]))
        around = np.median(magnitude[np.minimum(centre + neighbourhood, len(magnitude) - 1).astype(int)])
        is_clear = low < top < high and magnitude[top] > _CLEAR_GAIN * around
        # Of a peak the top lies within half a bin; where there is none, it could lie anywhere.
        place = top + min(max(_parabola(np.log(magnitude[top - 1 : top + 2])), -0.5), 0.5)
        found.append((number, float(1200.0 * np.log2(place / centre)), float(magnitude[top]), bool(is_clear)))
    strongest = max((magnitude for _, _, magnitude, _ in found), default=1.0)
    return [Partial(number, cents, magnitude / strongest, clear) for number, cents, magnitude, clear in found]


@dataclass(frozen=True)
class Heard:
    """The pitch that one hears in a sound, whatever note was meant."""

    frequency_hz: float

    aperiodicity: float
    """0 for a perfectly periodic sound; above some 0.2 the pitch is a guess."""

    @property
    def pitch(self) -> float:
        """As a MIDI pitch, with its fraction."""
        return float(69.0 + 12.0 * np.log2(self.frequency_hz / 440.0))

    def cents_above(self, pitch: float) -> float:
        """How far it lies above a MIDI pitch."""
        return float(1200.0 * np.log2(self.frequency_hz / pitch_hz(pitch)))


def hear_pitch(audio: Audio) -> Heard | None:
    """The pitch of a steady sound from 25 to 2400 Hz, over up to 2 s after the onset; None of silence or a mere click.

    Source: de Cheveigné & Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 2002: the first
    lag at which the difference function, divided by its mean so far, falls below 0.15, and from there the dip's least
    value (partials that are no harmonics put ripples on it), else the least of all; with the function at four times the
    rate and the parabola through its three lowest values.
    """
    rate_hz = audio.rate_hz
    first, last = (int(s * rate_hz) for s in _HEARD_S)
    wave = audio.samples.mean(axis=0, dtype=np.float64)
    wave = wave[first:last] if len(wave) > 2 * first else wave
    wave = wave - wave.mean()
    longest = int(rate_hz / _HEARD_HZ[0]) + 2
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
    shortest = int(finer * rate_hz / _HEARD_HZ[1])
    low = np.flatnonzero(normalised[shortest:] < 0.15)
    if len(low):
        lag = int(low[0]) + shortest
        while lag + 1 < len(lags) and normalised[lag + 1] < normalised[lag]:
            lag += 1
        lag += int(np.argmin(normalised[lag : int(1.1 * lag) + 1]))
    else:
        lag = int(np.argmin(normalised[shortest:])) + shortest
    place = lag + (_parabola(normalised[lag - 1 : lag + 2]) if lag + 1 < len(lags) else 0.0)
    return Heard(float(finer * rate_hz / place), float(normalised[lag]))


def fast_size(n: int) -> int:
    """The next length that is a power of two, or 3 or 5 times one: its Fourier transform is quick."""
    power = 1 << (n - 1).bit_length()
    return min(size for size in (power, power * 3 // 4, power * 5 // 8) if size >= n)


def _parabola(three: np.ndarray) -> float:
    """Where the top of the parabola through three neighbouring values lies, relative to the middle one."""
    left, middle, right = three
    curvature = left - 2.0 * middle + right
    return float(0.5 * (left - right) / curvature) if curvature else 0.0
