"""The level of a sound over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Samples
from samplepack.sound.spectra import hann

ENVELOPE_S = 0.1
"""Length of the window."""

_BLOCK_S = 0.005


def envelope(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """The level over time: root mean square under a 100 ms Hann window, float32, shape (n,)."""
    channels, n = samples.shape
    block = max(1, int(_BLOCK_S * rate_hz))
    blocks = np.pad(samples, [(0, 0), (0, -n % block)]).reshape(channels, -1, block)
    power = np.einsum("cbn,cbn->b", blocks, blocks) / np.float32(channels * block)
    power[-1] *= block / (n - (len(power) - 1) * block)
    window = hann(round(ENVELOPE_S / _BLOCK_S) + 2)
    padded = np.pad(power, len(window) // 2, mode="edge")
    smooth = np.convolve(padded, window / window.sum(), mode="same")[len(window) // 2 :][: len(power)]
    # Linear from the middle of each block to the next one's; constant before the first and after the last.
    middles = np.pad(np.maximum(smooth, np.float32(1e-20)), 1, mode="edge")
    part = ((np.arange(block) + block % 2 / 2) / block).astype(np.float32)
    along = middles[:-1, np.newaxis] + np.diff(middles)[:, np.newaxis] * part
    return np.sqrt(along.ravel()[block // 2 :][:n])
