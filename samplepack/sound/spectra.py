"""What spectra are made with: windows, lengths of Fourier transforms, and peaks between bins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=16)
def hann(n: int) -> NDArray[np.float32]:
    """A Hann window of n points, not to be written to."""
    window = np.hanning(n).astype(np.float32)
    window.setflags(write=False)
    return window


def fast_size(n: int) -> int:
    """The next length that is a power of two, or 3 or 5 times one: its Fourier transform is quick."""
    power = 1 << (n - 1).bit_length()
    return min(size for size in (power, power * 3 // 4, power * 5 // 8) if size >= n)


def parabolic_peak(three: NDArray[np.floating[Any]]) -> float:
    """Where the top of the parabola through three neighbouring values lies, relative to the middle one."""
    left, middle, right = three
    curvature = left - 2.0 * middle + right
    return float(0.5 * (left - right) / curvature) if curvature else 0.0
