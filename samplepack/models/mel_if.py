"""The mel-IF spectrogram of GANSynth: log mel power and instantaneous frequency, from sound and back.

There are two kinds. Magenta's has as many mel bins as linear ones, and frames of 2·bins samples. Source: Engel et al.,
"GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, and Magenta's `spectral_ops` and `specgrams_helper`, whose
every quirk is part of the trained models. The other kind, where a config has an `Analysis`, has frames and mel bins of
any size: its filters lie where their bins do, and a mel bin's instantaneous frequency is the mean of those of its
linear bins, weighted by power, so that it is that of the strongest partial. At 48 kHz, real notes that went through
3072-point frames and 768 mel bins are judged 4.7 of 5 by Zimtohrli, through Magenta's sizes at 16 kHz 4.3.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig
from samplepack.models.noise import NoiseBetweenPartials

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


def mel_edges_hz(bins: int, rate_hz: int) -> Array:
    """Edges and centres of mel filters that lie evenly from 0 to half the rate, Hz, float64, shape (bins + 2,).

    Filter i reaches from edge i to edge i + 2, and its centre is edge i + 1.
    """
    return mel_to_hz(np.linspace(0.0, hz_to_mel(rate_hz / 2), bins + 2))


def mel_filters(linear_bins: int, bins: int, rate_hz: int) -> Array:
    """Triangular mel filters for the other kind of spectrogram, applied as `linear_power @ matrix`.

    Args:
        linear_bins: number of linear bins; bin k, from 1, lies at k/linear_bins of half the rate.
        bins: number of mel bins.
        rate_hz: the sound's rate; the filters span 0 to half of it.

    Returns:
        float64, shape (linear_bins, bins). A filter reaches at least 0.75 linear bins to either side of its centre.
    """
    nyquist_hz = rate_hz / 2
    linear_hz = np.linspace(0.0, nyquist_hz, linear_bins + 1)[1:, np.newaxis]
    edges_hz = mel_edges_hz(bins, rate_hz)
    centre, reach_hz = edges_hz[1:-1], 0.75 * nyquist_hz / linear_bins
    lower, upper = np.minimum(edges_hz[:-2], centre - reach_hz), np.maximum(edges_hz[2:], centre + reach_hz)
    rising, falling = (linear_hz - lower) / (centre - lower), (upper - linear_hz) / (upper - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def _smearing_gain(config: GANSynthConfig) -> Array:
    """The factor of power, for each linear bin, that makes up for what wide mel bins lose on the way back.

    Where a mel bin is several linear bins wide, its power comes back smeared over them, and each frame is a short pulse
    in the middle of the window. Pulses that overlap are softer than a steady sound: with four frames over each sample
    by a factor of 1.5 in power, 3/8 for each frame. Measured with tones and noise: nothing is lost where mel bins reach
    0.8 linear bins to either side, all of it where they reach 2.8.
    """
    nyquist_hz = config.sample_rate_hz / 2
    linear_bins = config.fft_size // 2
    linear_hz = np.linspace(0.0, nyquist_hz, linear_bins + 1)[1:]
    step = hz_to_mel(nyquist_hz) / (config.bins + 1)
    reach = (mel_to_hz(hz_to_mel(linear_hz) + step) - linear_hz) / linear_hz[0]
    loss = 0.375 * config.fft_size / config.hop
    return np.asarray(loss ** np.clip((reach - 0.8) / 2.0, 0.0, 1.0))


class SoundToMel:
    """Waves to log mel power and instantaneous frequency, which networks are trained on. In NumPy.

    Args:
        config: sizes of the spectrogram, and the sample rate of the waves.
    """

    def __init__(self, config: GANSynthConfig) -> None:
        self.hop, self._span, self._is_magenta = config.hop, config.span, config.analysis is None
        if self._is_magenta:
            matrix = linear_to_mel_matrix(config.bins, config.sample_rate_hz)
        else:
            matrix = mel_filters(config.fft_size // 2, config.bins, config.sample_rate_hz)
        self._matrix = matrix.astype("float32")
        self._window = _hann(config.fft_size).astype("float32")

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
        padded = np.pad(np.asarray(waves, "float32"), [(0, 0), (self._span - waves.shape[-1], 0)])
        framed = np.lib.stride_tricks.sliding_window_view(padded, len(self._window), axis=-1)[:, :: self.hop]
        spectrum = np.fft.rfft(framed * self._window, axis=-1)[..., 1:]
        linear_power = np.square(np.abs(spectrum) + 1e-6).astype("float32")
        power = linear_power @ self._matrix
        if self._is_magenta:
            phase = np.angle(spectrum)
            advance = phase.copy()
            advance[:, 1:] = _wrapped(np.diff(phase, axis=1))
            advance = advance.astype("float32") @ self._matrix
            advance[:, 1:] = _wrapped(advance[:, 1:])
        else:
            turn = spectrum.copy()
            turn[:, 1:] *= np.conj(spectrum[:, :-1])
            turn *= linear_power / np.maximum(np.abs(turn), 1e-30)
            real, imaginary = (part.astype("float32") @ self._matrix for part in (turn.real, turn.imag))
            advance = np.arctan2(imaginary, real)
        return np.stack([np.log(power + np.float32(1e-6)), advance.astype("float32") / np.float32(np.pi)], axis=-1)


class MelToSound(keras.layers.Layer):
    """Log mel power and instantaneous frequency to waves.

    Input: float32, shape (batch, frames, bins, 2): natural log of mel power, instantaneous frequency in units of π per
    frame; where there is noise between partials, that, too, float32, shape (batch, noise bands), natural logarithms of
    its shares, and the notes' labels, int32, shape (batch,). Output: float32, shape (batch, samples).

    Args:
        config: sizes of the spectrogram and of the wave, whose excess in front is cut off, and `decoder`'s settings:
            phase: `direct`, as Magenta does: each bin's phase is the sum of its own frequencies. `peak-locked`: phases
            are summed at the peaks of each frame alone, and the bins around a peak follow it with alternating sign, as
            a Hann window's main lobe does. It keeps the level where the frequency of an onset is imperfect.
            floor_power: mel power to subtract before the square root: the power that was silence in training.

    Source of the locking: Laroche & Dolson, "Improved phase vocoder time-scale modification of audio", 1999.
    """

    def __init__(self, config: GANSynthConfig, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.built = True  # else Keras would trace `call` once more to build it
        self.frames, self.samples, self.hop = config.frames, config.samples, config.hop
        self.phase, self.floor_power = config.decoder.phase, config.decoder.floor_power
        self.fft_size = config.fft_size
        self.linear_bins = config.fft_size // 2
        if config.analysis is None:
            to_mel = linear_to_mel_matrix(config.bins, config.sample_rate_hz)
            self.bands = None
        else:
            to_mel = mel_filters(self.linear_bins, config.bins, config.sample_rate_hz)
            self.bands = to_mel.argmax(axis=1).astype("int32")
        unmel = mel_to_linear_matrix(to_mel)
        if config.analysis is not None:
            unmel *= _smearing_gain(config)
        # Nearly all weights are zero: each linear bin is a weighted sum of the few mel bins that overlap it.
        reach = int(np.count_nonzero(unmel, axis=0).max())
        self.sources = np.argsort(unmel == 0.0, axis=0, kind="stable")[:reach].astype("int32")
        self.source_weights = np.take_along_axis(unmel, self.sources, axis=0).astype("float32")
        # The synthesis window is Hann's; at 75 % overlap the squares of the windows over one sample add up to 1.5.
        self.overlap = self.fft_size // self.hop
        self.window = (_hann(self.fft_size) / (0.375 * self.overlap)).astype("float32")
        self.noise = None
        if config.spectra:
            linear_hz = np.arange(1, self.linear_bins + 1) * config.sample_rate_hz / self.fft_size
            self.noise = NoiseBetweenPartials(config, to_mel, hz_to_mel(linear_hz), _hann(self.fft_size))

    def call(self, spectrogram: Any, noise: Any = None, labels: Any = None) -> Any:
        """Spectrograms, shape (batch, frames, bins, 2), to waves."""
        mel_power = ops.exp(spectrogram[..., 0])
        if self.floor_power > 0.0:
            mel_power = ops.maximum(mel_power - self.floor_power, 0.0)
            magnitude = ops.sqrt(self._unmel(mel_power) + 1e-12)
        else:
            magnitude = ops.sqrt(self._unmel(mel_power) + 1e-6)
        if self.bands is None:
            frequency = self._unmel(spectrogram[..., 1])
        else:
            frequency = ops.take(spectrogram[..., 1], self.bands, axis=-1)
        advance = _to_phase(0.5 * frequency)
        is_locked = self.phase == "peak-locked"
        phase = self._lock_to_peaks(magnitude, advance) if is_locked else ops.cumsum(advance, axis=1)
        angle = ops.cast(phase, "float32") * (2.0 * np.pi / _TURN)
        real, imaginary = (magnitude * f(angle) for f in (ops.cos, ops.sin))
        if noise is not None:
            assert self.noise is not None
            gain, real_noise, imaginary_noise = self.noise(mel_power, noise, labels)
            real, imaginary = real * gain + real_noise, imaginary * gain + imaginary_noise
        no_dc = [(0, 0), (0, 0), (1, 0)]
        parts = (ops.pad(real, no_dc), ops.pad(imaginary, no_dc))
        frames = ops.irfft(parts, fft_length=self.fft_size) * self.window
        return self._overlap_add(frames)

    def _unmel(self, mel: Any) -> Any:
        """Mel bins to linear bins: `mel @ mel_to_linear_matrix(…)`, without the products with zeros."""
        terms = [
            ops.take(mel, source, axis=-1) * weight
            for source, weight in zip(self.sources, self.source_weights, strict=True)
        ]
        return sum(terms[1:], terms[0])

    def _lock_to_peaks(self, magnitude: Any, advance: Any) -> Any:
        """Phases, int32, shape (batch, frames, linear bins): each bin follows the nearest peak of its frame.

        Args:
            magnitude: float32, shape (batch, frames, linear bins).
            advance: phase advance per frame, int32, the same shape.
        """
        bins = ops.arange(self.linear_bins, dtype="int32")
        middle = magnitude[..., 1:-1]
        peak = ops.logical_and(
            ops.logical_and(middle >= magnitude[..., :-2], middle > magnitude[..., 2:]),
            middle > _PEAK_LEAST_MAGNITUDE,
        )
        peak = ops.pad(ops.cast(peak, "int32"), [(0, 0), (0, 0), (1, 1)]) > 0
        below, above = ops.where(peak, bins, -1), ops.where(peak, bins, self.linear_bins)
        reach = 1
        while (
            reach < self.linear_bins
        ):  # doubles how far each bin sees; `ops.associative_scan` takes five times as long
            left, right = [(0, 0), (0, 0), (reach, 0)], [(0, 0), (0, 0), (0, reach)]
            below = ops.maximum(below, ops.pad(below[..., :-reach], left, constant_values=-1))
            above = ops.minimum(above, ops.pad(above[..., reach:], right, constant_values=self.linear_bins))
            reach *= 2
        owner = ops.where(bins <= (below + above) // 2, below, above)
        owner = ops.where(below < 0, above, ops.where(above >= self.linear_bins, below, owner))
        owner = ops.where(ops.logical_or(owner < 0, owner >= self.linear_bins), bins, owner)  # a frame without peaks
        step = ops.take_along_axis(advance, owner, axis=-1) + ((bins - owner) % 2) * _HALF_TURN

        def next_frame(phase: Any, frame: Any) -> tuple[Any, Any]:
            owner_, step_ = frame
            phase = ops.take_along_axis(phase, owner_, axis=-1) + step_
            return phase, phase

        by_time = (ops.swapaxes(owner, 0, 1), ops.swapaxes(step, 0, 1))
        _, phase = ops.scan(next_frame, ops.zeros_like(step[:, 0]), by_time)
        return ops.swapaxes(phase, 0, 1)

    def _overlap_add(self, frames: Any) -> Any:
        """Overlap-add of frames that lie `hop` apart: (batch, frames, fft_size) to (batch, samples)."""
        parts = ops.reshape(frames, (-1, self.frames, self.overlap, self.hop))
        last = self.overlap - 1
        padded = [ops.pad(parts[:, :, i], [(0, 0), (i, last - i), (0, 0)]) for i in range(self.overlap)]
        wave = ops.reshape(sum(padded[1:], padded[0]), (-1, (self.frames + last) * self.hop))
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
