"""Spectra of frames, windows, lengths of Fourier transforms, and peaks between bins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=16)
def hann(n: int) -> NDArray[np.float32]:
    """The symmetric Hann window of n points, float32, read-only."""
    window = np.hanning(n).astype(np.float32)
    window.setflags(write=False)
    return window


def stft(
    wave: NDArray[np.float32], window: NDArray[np.floating[Any]], starts: slice | NDArray[np.integer[Any]]
) -> NDArray[np.complexfloating[Any, Any]]:
    """Spectra of windowed frames of a wave.

    Args:
        wave: shape (n,), at least as long as the window.
        window: shape (size,), float32 or float64.
        starts: the first sample of each frame, 0 to n - size: indices, or a slice of all of them.

    Returns:
        complex64, or complex128 for a window in float64; shape (frames, size // 2 + 1).
    """
    import scipy.fft

    frames = np.lib.stride_tricks.sliding_window_view(wave, len(window))[starts]
    return np.asarray(scipy.fft.rfft(frames * window, axis=1))


def fast_size(n: int) -> int:
    """The least length of at least n whose Fourier transform is fast: 2^k, 3·2^k or 5·2^k.

    `scipy.fft.next_fast_len` finds shorter ones, but loops, tuned notes and clips' pictures depend on the length: with
    another one, packs would have other bytes.
    """
    power = 1 << (n - 1).bit_length()
    return min(size for size in (power, power * 3 // 4, power * 5 // 8) if size >= n)


def parabolic_peak(three: NDArray[np.floating[Any]]) -> float:
    """The place of the vertex of the parabola through three neighbouring values, relative to the middle one; 0.0 where
    they lie on a line."""
    left, middle, right = three
    curvature = left - 2.0 * middle + right
    return float(0.5 * (left - right) / curvature) if curvature else 0.0
