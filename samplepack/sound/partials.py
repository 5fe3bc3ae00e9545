"""The partials of a note: measuring them, and changing the phase of single ones in the note's spectrum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.spectra import fast_size, hann, parabolic_peak

Bands = NDArray[np.complex128]

_PARTIALS_FIRST_S, _PARTIALS_LENGTH_S = 0.25, 2.5
_MOST_PARTIALS = 10
_REACH_CENTS = 70.0
_CLEAR_GAIN = 10.0
"""A clear partial's magnitude is more than this many times the median of the spectrum around it."""

_HALF_BAND = 0.55
_EDGE = 0.1
"""Half the width of a partial's band, and the width of its raised-cosine edges, both as shares of the fundamental: the
edges of neighbouring bands overlap and sum to one."""


@dataclass(frozen=True)
class Partial:
    """A measured harmonic of a note."""

    number: int
    """1 is the fundamental."""

    cents: float
    """Deviation from the harmonic's frequency in equal temperament, cents; positive above it."""

    gain: float
    """Its magnitude relative to the strongest partial of the note."""

    is_clear: bool
    """Whether it is a peak that stands out of its surroundings, rather than noise or the flank of a neighbour."""


def measure_partials(audio: Audio, pitch: int) -> list[Partial]:
    """Measure up to ten of the lowest harmonics of a note whose key is known, each within ±70 cents of its frequency.

    They are the peaks of one Hann-windowed spectrum of the sound from 0.25 s to 2.75 s, each located by the parabola
    through the logarithms of its three highest bins. The error on a steady tone is below 0.02 cents.

    Args:
        audio: any number of channels; they are mixed.
        pitch: MIDI.

    Returns:
        The harmonics from the fundamental; none for silence and for less than 0.1 s of sound after the first 0.25 s.
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
        # The vertex lies within half a bin of a peak; where there is no peak, it could lie anywhere.
        place = top + min(max(parabolic_peak(np.log(magnitude[top - 1 : top + 2])), -0.5), 0.5)
        found.append((number, float(1200.0 * np.log2(place / centre)), float(magnitude[top]), bool(is_clear)))
    strongest = max((magnitude for _, _, magnitude, _ in found), default=1.0)
    return [Partial(number, cents, magnitude / strongest, clear) for number, cents, magnitude, clear in found]


class Partials:
    """The spectra of waves of one key; the phases of single partials can be changed in the first wave.

    Each partial's band is cut out of the spectrum, brought to base band, multiplied there, and put back.

    Args:
        waves: float32, shape (n, length); in tune, or nearly.
        rate_hz: their rate.
        pitch: their key, MIDI.
    """

    def __init__(self, waves: NDArray[np.float32], rate_hz: int, pitch: int) -> None:
        import scipy.fft

        self._length = waves.shape[1]
        self._size = fast_size(self._length + rate_hz // 10)
        self._spectra = scipy.fft.rfft(waves.astype(np.float64), self._size)
        self._result = self._spectra[0].copy()
        self._f0_bins = pitch_hz(pitch) * self._size / rate_hz
        self._width = int(2 * _HALF_BAND * self._f0_bins) + 2
        self._room = 1 << (2 * self._width - 1).bit_length()
        self.time_s = np.arange(self._room) * (self._size / rate_hz / self._room)
        """Times of the values of a base-band signal, seconds, float64, shape (room,)."""

    def numbers(self) -> Iterator[int]:
        """The numbers of the partials whose whole band lies below half the rate, from 1."""
        number = 1
        while (number + 1) * self._f0_bins < self._spectra.shape[1]:
            yield number
            number += 1

    def turn(self, number: int, factor_of: Callable[[Bands], Bands]) -> None:
        """Multiply a partial of the first wave by a factor that depends on that partial in all waves.

        Args:
            number: the partial's; 1 is the fundamental.
            factor_of: takes the base-band signals of that partial, complex128, shape (n, room), and returns the factor
                over time, shape (room,).
        """
        import scipy.fft

        low = max(int((number - _HALF_BAND) * self._f0_bins), 0)
        bins = np.arange(low, min(low + self._width, self._spectra.shape[1]))
        distance = np.abs(bins / self._f0_bins - number)
        window = 0.5 - 0.5 * np.cos(np.pi * np.clip((_HALF_BAND - distance) / _EDGE, 0.0, 1.0))
        band = self._spectra[:, bins] * window
        lead = (self._room - len(bins)) // 2
        wide = np.zeros((len(band), self._room), np.complex128)
        wide[:, lead : lead + len(bins)] = band
        waves = scipy.fft.ifft(wide, axis=1)
        turned = scipy.fft.fft(waves[0] * factor_of(waves))
        to = np.arange(low - lead, low - lead + self._room)
        inside = (to >= 0) & (to < len(self._result))
        self._result[to[inside]] += turned[inside]
        self._result[bins] -= band[0]

    def wave(self) -> NDArray[np.float32]:
        """The first wave with its changed partials, float32, shape (1, length)."""
        import scipy.fft

        return np.asarray(scipy.fft.irfft(self._result, self._size)[np.newaxis, : self._length], dtype=np.float32)
