"""Files of wavetables: WAV with the chunk by which synthesizers know the length of a cycle, and Surge's own format."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from samplepack.sound import riff
from samplepack.sound.audio import Audio, encode

_RATE_HZ = 44_100
"""The rate that a WAV states; synthesizers play cycles at any pitch and ignore it."""

_SURGE = struct.Struct("<4sIHH")
"""The header of Surge's format: `vawt`, samples of a cycle, number of cycles, flags (0: float32).

Source: `resources/data/wavetables/WT fileformat.txt` of Surge XT.
"""


def wav(frames: NDArray[np.float32]) -> bytes:
    """A wavetable as a WAV of 32-bit floats, for Serum, Vital, Surge and others.

    Its `clm ` chunk is text: the length of a cycle, eight digits and the name of what wrote it. The first digit is how
    Serum fills the places between the cycles; 1 is a linear crossfade, which is right for cycles with equal phases. The
    other digits are 0.

    Args:
        frames: float32, shape (cycles, samples of a cycle).
    """
    text = b"<!>%d 10000000 wavetable (samplepack)" % frames.shape[1]
    sound = encode(Audio(frames.reshape(1, -1), _RATE_HZ), "wav", 32, 0)
    return riff.with_chunk_before_data(sound, b"clm ", text)


def surge(frames: NDArray[np.float32]) -> bytes:
    """A wavetable in Surge's format `.wt`, which Bitwig reads, too.

    Args:
        frames: float32, shape (cycles, samples of a cycle), a power of two.
    """
    return _SURGE.pack(b"vawt", frames.shape[1], len(frames), 0) + frames.astype("<f4").tobytes()
