"""Sound in memory and in files. No other module converts samples to integers."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samplepack.base.files import open_regular
from samplepack.sound import riff

Samples = NDArray[np.float32]
FileType = Literal["wav", "flac"]
Bits = Literal[16, 24, 32]


SOUND_SUFFIXES = (".wav", ".wave", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus", ".mp3")
"""Names of sound files that can be read end in one of these, in upper or lower case."""


@dataclass(frozen=True, eq=False)
class Audio:
    """A sound in memory."""

    samples: Samples
    """float32, shape (channels, n); full scale is ±1."""

    rate_hz: int
    """Samples per second."""

    @property
    def peak(self) -> float:
        """The largest magnitude of a sample, 1.0 at full scale; 0.0 for an empty sound."""
        return float(np.max(np.abs(self.samples), initial=0.0))

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""
        return float(self.samples.shape[1] / self.rate_hz)


def db_to_gain(level_db: float) -> float:
    """The amplitude factor of a level in dB, 10^(dB/20)."""
    return float(10.0 ** (level_db / 20.0))


def gain_to_db(gain: float) -> float:
    """The level in dB of an amplitude factor, 20·log10; no lower than -200 dB, so that silence is a number in JSON."""
    return float(20.0 * np.log10(max(gain, 1e-10)))


def resample(audio: Audio, rate_hz: int) -> Audio:
    """A sound at another rate, resampled by soxr at its very high quality; the same object if it has that rate."""
    import soxr

    if rate_hz == audio.rate_hz:
        return audio
    samples = soxr.resample(audio.samples.T, audio.rate_hz, rate_hz, quality="VHQ")
    return Audio(np.ascontiguousarray(samples.T, dtype=np.float32), rate_hz)


def read(path: Path) -> Audio:
    """Read a sound file with its own rate and channels.

    Raises:
        OSError: it can't be opened, or isn't a regular file.
        RuntimeError: it is not a sound file; `soundfile.LibsndfileError` is a RuntimeError.
    """
    import soundfile

    open_regular(path).close()  # soundfile would wait for the writer of a named pipe
    # On POSIX a path may not be valid text, and soundfile can't encode such a path itself.
    samples, rate_hz = soundfile.read(
        os.fsencode(path) if os.name == "posix" else path, dtype="float32", always_2d=True
    )
    return Audio(np.ascontiguousarray(samples.T), rate_hz)


def encode(audio: Audio, file: FileType, bits: Bits, dither_seed: int, note: riff.SamplerNote | None = None) -> bytes:
    """Encode a sound as the bytes of a sound file.

    Args:
        audio: the sound; samples beyond ±1 are clipped, except in 32-bit float.
        file: `wav` or `flac`.
        bits: per sample: 16 (dithered with triangular noise of ±1 step), 24, or 32 (float, `wav` only).
        dither_seed: 0 to 2³²−1; the same seed gives the same bytes.
        note: written to the `smpl` chunk of a WAV; FLAC has no such chunk, and ignores it.
    """
    import soundfile

    samples = audio.samples.T
    data: NDArray[np.float32] | NDArray[np.int32] | NDArray[np.int16]
    if bits == 32:
        subtype, data = "FLOAT", samples
    elif bits == 24:
        steps = np.rint(samples * np.float32(2**23)).clip(-(2**23), 2**23 - 1)
        # libsndfile writes the upper 24 of the 32 bits.
        subtype, data = "PCM_24", steps.astype(np.int32) << 8
    else:
        noise = np.random.RandomState(dither_seed).random_sample((2, *samples.shape))
        steps = np.rint(samples.astype(np.float64) * 2**15 + noise[0] - noise[1]).clip(-(2**15), 2**15 - 1)
        subtype, data = "PCM_16", steps.astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, data, audio.rate_hz, subtype=subtype, format=file.upper())
    encoded = buffer.getvalue()
    if subtype == "FLOAT":
        encoded = riff.without_time_stamp(encoded)
    return riff.with_sampler_note(encoded, audio.rate_hz, note) if note and file == "wav" else encoded
