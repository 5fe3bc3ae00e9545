"""Turning single partials of a note: each is cut out of the spectrum, brought to base band, and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.spectra import fast_size, pitch_hz

Bands = NDArray[np.complex128]

_HALF_BAND = 0.55
_EDGE = 0.1
"""Both as shares of the fundamental: a band reaches halfway to its neighbours, with raised-cosine edges that sum to one
with theirs."""


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

    def turn(self, number: int, how: Callable[[Bands], Bands]) -> None:
        """Multiply a partial of the first wave by what a function makes of that partial of all waves.

        Args:
            number: of the partial.
            how: takes the bands, complex128, shape (n, room), and gives the factor, shape (room,).
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
        turned = scipy.fft.fft(waves[0] * how(waves))
        to = np.arange(low - lead, low - lead + self._room)
        inside = (to >= 0) & (to < len(self._result))
        self._result[to[inside]] += turned[inside]
        self._result[bins] -= band[0]

    def wave(self) -> NDArray[np.float32]:
        """The first wave with its partials turned, float32, shape (1, length)."""
        import scipy.fft

        return np.asarray(scipy.fft.irfft(self._result, self._size)[np.newaxis, : self._length], dtype=np.float32)
