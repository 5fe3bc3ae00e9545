"""The mel-IF spectrogram of GANSynth: log mel power and instantaneous frequency, from sound and back.

Frames are `hop` samples apart; frequency is in linear bins (1…`bins`, without DC) or as many mel bins. Source: Engel
et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, and Magenta's `spectral_ops` and
`specgrams_helper`, whose every quirk is part of the trained models.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import Phase

Array = NDArray[np.float64]

_TURN = 2.0**32
"""Units of an int32 phase in a whole turn: such a phase wraps by overflow, and sums of any length are exact."""

_HALF_TURN = -(2**31)

_PEAK_LEAST_MAGNITUDE = 1e-4
"""Magnitude above which a local maximum of a frame counts as a peak."""


def hz_to_mel(frequency_hz: Array | float) -> Array:
    """HTK's mel scale, with its constants as Magenta writes them: 1127·ln(1 + f/700)."""
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency_hz) / 700.0))


def mel_to_hz(mel: Array | float) -> Array:
    """The inverse of `hz_to_mel`."""
    return np.asarray(700.0 * np.expm1(np.asarray(mel) / 1127.0))


def linear_to_mel_matrix(bins: int, rate_hz: int) -> Array:
    """Triangular mel filters, applied as `linear_power @ matrix`.

    Args:
        bins: number of linear bins and of mel bins.
        rate_hz: the sound's rate; the filters span 0 to half of it.

    Returns:
        float64, shape (bins, bins), linear × mel; the first row is zero.

    A band narrower than 1.5 linear bins is widened to that. Magenta's lower edges, centres and upper edges are three
    views of one array, so that widening a band moves its neighbours' edges as the loop goes on: kept, since its models
    were trained with it.
    """
    nyquist_hz = rate_hz / 2
    least_width_hz = 1.5 * nyquist_hz / bins
    edges = np.linspace(hz_to_mel(0.0), hz_to_mel(nyquist_hz), bins + 2)
    for band in range(bins):
        if mel_to_hz(edges[band + 2]) - mel_to_hz(edges[band]) < least_width_hz:
            ratio = 0.5 * least_width_hz / (mel_to_hz(edges[band + 1]) + 700.0)
            half_width = 1127.0 * np.log(ratio + np.sqrt(1.0 + ratio**2))
            edges[band] = edges[band + 1] - half_width
            edges[band + 2] = edges[band + 1] + half_width
    edges_hz = mel_to_hz(edges)
    lower, centre, upper = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    linear_hz = np.linspace(0.0, nyquist_hz, bins)[1:, np.newaxis]
    rising = (linear_hz - lower) / (centre - lower)
    falling = (upper - linear_hz) / (upper - centre)
    return np.pad(np.maximum(0.0, np.minimum(rising, falling)), [[1, 0], [0, 0]])


def mel_to_linear_matrix(linear_to_mel: Array) -> Array:
    """The approximate inverse M⁺ = Mᵀ·diag(1/s), s the column sums of M·Mᵀ; applied as `mel_power @ matrix`.

    Returns:
        float64, shape (bins, bins), mel × linear.
    """
    sums = (linear_to_mel @ linear_to_mel.T).sum(axis=0)
    usable = np.abs(sums) > 1e-8
    scale = np.where(usable, 1.0 / np.where(usable, sums, 1.0), sums)
    return np.asarray(linear_to_mel.T * scale)


class SoundToMel:
    """Waves to log mel power and instantaneous frequency, which networks are trained on. In NumPy.

    Args:
        frames, bins: size of the spectrogram, as in `MelToSound`.
        rate_hz: sample rate of the waves.
    """

    def __init__(self, frames: int, bins: int, rate_hz: int) -> None:
        self.frames, self.bins, self.hop = frames, bins, bins // 2
        self._matrix = linear_to_mel_matrix(bins, rate_hz).astype("float32")
        self._window = _hann(2 * bins).astype("float32")

    def __call__(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Analyse waves.

        Args:
            waves: float32, shape (n, samples); silence is put before them to fill the frames.

        Returns:
            Spectrograms, float32, shape (n, frames, bins, 2): the natural log of mel power + 1e-6, and the
            instantaneous frequency in units of π per frame; the first frame has its phase instead.

        Source: Magenta's `waves_to_melspecgrams`. The mel phase is a sum over linear bins, so that its difference over
        time is the sum of theirs: phases needn't be unwrapped first.
        """
        padding = (self.frames + 3) * self.hop - waves.shape[-1]
        padded = np.pad(np.asarray(waves, "float32"), [(0, 0), (padding, 0)])
        framed = np.lib.stride_tricks.sliding_window_view(padded, 2 * self.bins, axis=-1)[:, :: self.hop]
        spectrum = np.fft.rfft(framed * self._window, axis=-1)[..., 1:]
        power = np.square(np.abs(spectrum) + 1e-6).astype("float32") @ self._matrix
        phase = np.angle(spectrum)
        advance = phase.copy()
        advance[:, 1:] = _wrapped(np.diff(phase, axis=1))
        advance = advance.astype("float32") @ self._matrix
        advance[:, 1:] = _wrapped(advance[:, 1:])
        return np.stack([np.log(power + np.float32(1e-6)), advance / np.float32(np.pi)], axis=-1)


class MelToSound(keras.layers.Layer):
    """Log mel power and instantaneous frequency to waves.

    Input: float32, shape (batch, frames, bins, 2): natural log of mel power, instantaneous frequency in units of π per
    frame. Output: float32, shape (batch, samples).

    Args:
        frames, bins: size of the spectrogram; the Fourier transform has 2·bins points, a hop is a quarter of that.
        samples: length of the wave; what the frames span beyond it is cut off in front.
        rate_hz: sample rate of the wave.
        phase: `direct`, as Magenta does: each bin's phase is the sum of its own frequencies. `peak-locked`: phases
            are summed at the peaks of each frame alone, and the bins around a peak follow it with alternating sign, as
            a Hann window's main lobe does. It keeps the level where the frequency of an onset is imperfect.
        floor_power: mel power to subtract before the square root: the power that was silence in training.

    Source of the locking: Laroche & Dolson, "Improved phase vocoder time-scale modification of audio", 1999.
    """

    def __init__(
        self,
        frames: int,
        bins: int,
        samples: int,
        rate_hz: int,
        phase: Phase,
        floor_power: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.built = True  # else Keras would trace `call` once more to build it
        self.frames, self.bins, self.samples, self.phase = frames, bins, samples, phase
        self.floor_power = floor_power
        self.hop = bins // 2
        unmel = mel_to_linear_matrix(linear_to_mel_matrix(bins, rate_hz))
        # Nearly all weights are zero: each linear bin is a weighted sum of the few mel bins that overlap it.
        reach = int(np.count_nonzero(unmel, axis=0).max())
        self.sources = np.argsort(unmel == 0.0, axis=0, kind="stable")[:reach].astype("int32")
        self.source_weights = np.take_along_axis(unmel, self.sources, axis=0).astype("float32")
        # The synthesis window is Hann's; at 75 % overlap the squares of the windows over one sample add up to 1.5.
        self.window = (_hann(2 * bins) / 1.5).astype("float32")

    def call(self, spectrogram: Any) -> Any:
        """Spectrograms, shape (batch, frames, bins, 2), to waves."""
        mel_power = ops.exp(spectrogram[..., 0])
        if self.floor_power > 0.0:
            magnitude = ops.sqrt(self._unmel(ops.maximum(mel_power - self.floor_power, 0.0)) + 1e-12)
        else:
            magnitude = ops.sqrt(self._unmel(mel_power) + 1e-6)
        advance = _to_phase(0.5 * self._unmel(spectrogram[..., 1]))
        is_locked = self.phase == "peak-locked"
        phase = self._lock_to_peaks(magnitude, advance) if is_locked else ops.cumsum(advance, axis=1)
        angle = ops.cast(phase, "float32") * (2.0 * np.pi / _TURN)
        no_dc = [(0, 0), (0, 0), (1, 0)]
        real, imaginary = (ops.pad(magnitude * f(angle), no_dc) for f in (ops.cos, ops.sin))
        frames = ops.irfft((real, imaginary), fft_length=2 * self.bins) * self.window
        return self._overlap_add(frames)

    def _unmel(self, mel: Any) -> Any:
        """Mel bins to linear bins: `mel @ mel_to_linear_matrix(…)`, without the products with zeros."""
        terms = [
            ops.take(mel, source, axis=-1) * weight
            for source, weight in zip(self.sources, self.source_weights, strict=True)
        ]
        return sum(terms[1:], terms[0])

    def _lock_to_peaks(self, magnitude: Any, advance: Any) -> Any:
        """Phases, int32, shape (batch, frames, bins): each bin follows the nearest peak of its frame.

        Args:
            magnitude: float32, shape (batch, frames, bins).
            advance: phase advance per frame, int32, the same shape.
        """
        bins = ops.arange(self.bins, dtype="int32")
        middle = magnitude[..., 1:-1]
        peak = ops.logical_and(
            ops.logical_and(middle >= magnitude[..., :-2], middle > magnitude[..., 2:]),
            middle > _PEAK_LEAST_MAGNITUDE,
        )
        peak = ops.pad(ops.cast(peak, "int32"), [(0, 0), (0, 0), (1, 1)]) > 0
        below, above = ops.where(peak, bins, -1), ops.where(peak, bins, self.bins)
        reach = 1
        while reach < self.bins:  # doubles how far each bin sees; `ops.associative_scan` takes five times as long
            left, right = [(0, 0), (0, 0), (reach, 0)], [(0, 0), (0, 0), (0, reach)]
            below = ops.maximum(below, ops.pad(below[..., :-reach], left, constant_values=-1))
            above = ops.minimum(above, ops.pad(above[..., reach:], right, constant_values=self.bins))
            reach *= 2
        owner = ops.where(bins <= (below + above) // 2, below, above)
        owner = ops.where(below < 0, above, ops.where(above >= self.bins, below, owner))
        owner = ops.where(ops.logical_or(owner < 0, owner >= self.bins), bins, owner)  # a frame without peaks
        step = ops.take_along_axis(advance, owner, axis=-1) + ((bins - owner) % 2) * _HALF_TURN

        def next_frame(phase: Any, frame: Any) -> tuple[Any, Any]:
            owner_, step_ = frame
            phase = ops.take_along_axis(phase, owner_, axis=-1) + step_
            return phase, phase

        by_time = (ops.swapaxes(owner, 0, 1), ops.swapaxes(step, 0, 1))
        _, phase = ops.scan(next_frame, ops.zeros_like(step[:, 0]), by_time)
        return ops.swapaxes(phase, 0, 1)

    def _overlap_add(self, frames: Any) -> Any:
        """Overlap-add of frames a quarter of their length apart: (batch, frames, 2·bins) to (batch, samples)."""
        quarters = ops.reshape(frames, (-1, self.frames, 4, self.hop))
        padded = [ops.pad(quarters[:, :, q], [(0, 0), (q, 3 - q), (0, 0)]) for q in range(4)]
        wave = ops.reshape(padded[0] + padded[1] + padded[2] + padded[3], (-1, (self.frames + 3) * self.hop))
        return wave[:, -self.samples :]


def _hann(size: int) -> Array:
    """The periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size))


def _wrapped(radians: Any) -> Any:
    """Angles wrapped to ±π."""
    return radians - 2.0 * np.pi * np.floor(radians / (2.0 * np.pi) + 0.5)


def _to_phase(turns: Any) -> Any:
    """Turns, float32, to int32 phases, 2³² units a turn."""
    return ops.cast((turns - ops.floor(turns + 0.5)) * _TURN, "int32")
