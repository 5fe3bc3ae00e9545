"""The partials of a note, measured, and turned one by one: each is cut out of the spectrum, brought to base band, and
put back."""

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
"""A partial is this many times the middle of the spectrum around it."""

_HALF_BAND = 0.55
_EDGE = 0.1
"""Both as shares of the fundamental: a band reaches halfway to its neighbours, with raised-cosine edges that sum to one
with theirs."""


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
    of its three highest bins; on a steady tone within 0.02 cents.
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
        place = top + min(max(parabolic_peak(np.log(magnitude[top - 1 : top + 2])), -0.5), 0.5)
        found.append((number, float(1200.0 * np.log2(place / centre)), float(magnitude[top]), bool(is_clear)))
    strongest = max((magnitude for _, _, magnitude, _ in found), default=1.0)
    return [Partial(number, cents, magnitude / strongest, clear) for number, cents, magnitude, clear in found]


class Partials:
    """The spectra of waves of one key, whose partials can be turned one by one in the first of them.

    Args:
        waves: shape (n, length); in tune, or nearly.
        rate_hz: their rate.
        pitch: MIDI.
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
        """Times of a band's values, seconds, shape (room,)."""

    def numbers(self) -> Iterator[int]:
        """The partials that have a whole band, from the fundamental."""
        number = 1
        while (number + 1) * self._f0_bins < self._spectra.shape[1]:
            yield number
            number += 1

    def turn(self, number: int, factor_of: Callable[[Bands], Bands]) -> None:
        """Multiply a partial of the first wave by what a function makes of that partial of all waves.

        Args:
            number: of the partial.
            factor_of: takes the bands, complex128, shape (n, room), and gives the factor, shape (room,).
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
        """The first wave with its partials turned, float32, shape (1, length)."""
        import scipy.fft

        return np.asarray(scipy.fft.irfft(self._result, self._size)[np.newaxis, : self._length], dtype=np.float32)
