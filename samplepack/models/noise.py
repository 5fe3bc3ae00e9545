"""Noise between the partials of a note: of breath, bow or hammer. The frequencies that a network gives are too smooth
for it. It is white noise, the same in every render, filtered to a share of the note's power in each band."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig

_SEED = 1

_FRAMES_BETWEEN_KEYS = 101
"""By how many frames the noise of neighbouring keys is apart, so that the keys of a chord don't share theirs."""


class NoiseBetweenPartials:
    """Spectra of noise, for a decoder to add to those of notes.

    Args:
        config: the network's config, with `spectra`.
        filters: the mel filters, shape (linear bins, bins).
        linear_mel: where the linear bins lie, mel, shape (linear bins,).
        window: of each frame, shape (fft_size,).
    """

    def __init__(
        self,
        config: GANSynthConfig,
        filters: NDArray[np.float64],
        linear_mel: NDArray[np.float64],
        window: NDArray[np.float64],
    ) -> None:
        assert config.spectra is not None
        bands, bins, self.frames = config.spectra.noise_bands, config.bins, config.frames
        band_of_bin = np.arange(1, bins + 1) * bands // (bins + 1)
        is_in_band = band_of_bin[:, np.newaxis] == np.arange(bands)
        per_linear_bin = is_in_band / np.maximum(filters.sum(axis=0), 1e-9)[:, np.newaxis]
        self._to_bands = (per_linear_bin / np.maximum(is_in_band.sum(axis=0), 1)).astype("float32")
        place = linear_mel / linear_mel[-1] * bands - 0.5
        each_band = np.eye(bands)
        self._from_bands = np.stack([np.interp(place, np.arange(bands), one) for one in each_band]).astype("float32")
        self._spectrum = _white(self.frames, config.hop, window)

    def __call__(self, mel_power: Any, levels: Any, labels: Any) -> tuple[Any, Any, Any]:
        """The noise of notes, and what is left of their partials, so that all is as loud as before.

        Args:
            mel_power: the notes' mel power, float32, shape (batch, frames, bins).
            levels: natural logarithms of the share of noise in each band, float32, shape (batch, bands).
            labels: the notes' pitches, counted from the lowest, int32, shape (batch,).

        Returns:
            The gain of the partials, shape (batch, 1, linear bins), and real and imaginary part of the noise's
            spectrum, each of shape (batch, frames, linear bins).
        """
        shares = ops.exp(ops.minimum(levels, 0.0))
        density = ops.matmul(mel_power, self._to_bands) * shares[:, None, :]
        gain = ops.sqrt(ops.maximum(1.0 - ops.matmul(shares, self._from_bands), 0.0))[:, None, :]
        magnitude = ops.sqrt(ops.matmul(density, self._from_bands))
        turned = (ops.arange(self.frames) + _FRAMES_BETWEEN_KEYS * labels[:, None]) % self.frames
        real, imaginary = (magnitude * ops.take(part, turned, axis=0) for part in self._spectrum)
        return gain, real, imaginary


def _white(frames: int, hop: int, window: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Real and imaginary part of the spectrum of white noise that repeats after so many frames, each of shape
    (frames, linear bins), without that of 0 Hz; the mean square of the magnitude is 1."""
    wave = np.random.RandomState(_SEED).standard_normal(frames * hop)  # this generator's numbers never change
    starts = hop * np.arange(frames)[:, np.newaxis]
    framed = wave[(starts + np.arange(len(window))) % len(wave)]
    spectrum = np.fft.rfft(framed * window)[:, 1:] / np.sqrt(np.sum(np.square(window)))
    return spectrum.real.astype("float32"), spectrum.imag.astype("float32")
