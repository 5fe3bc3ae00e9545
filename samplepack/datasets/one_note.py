"""One note from one sound file: its pitch, and its samples in the form that networks are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, Problem
from samplepack.datasets.candidates import Offered, take
from samplepack.datasets.dataset import PEAK, Dropped
from samplepack.datasets.sound_files import from_onset, read_stretch, root_of
from samplepack.sound import key_names as pitch_names


@dataclass(frozen=True, eq=False)
class OneNote:
    """A recorded note."""

    pitch: int
    """MIDI pitch."""

    wave: NDArray[np.float32]
    """Samples from the onset on, with a peak magnitude of `PEAK`, shape (samples,)."""


def read_note(path: Path, rate_hz: int, samples: int, pitches: range) -> OneNote:
    """Read a note: mixed to mono, resampled, from its onset on, cut or padded with silence to a given length.

    Args:
        path: a sound file that contains one note. Its pitch is taken from the file name, else from the `smpl` chunk,
            else it is measured.
        rate_hz: sample rate of the result.
        samples: length of the result in samples.
        pitches: MIDI pitches that are allowed.

    Raises:
        InputError: the file can't be read as a sound, is too long or too short for one note, is silent, or its pitch is
            unknown, contradicts the measured one, or isn't allowed.
    """
    named = pitch_names.parse(path.stem).pitch
    pitch = root_of(path) if named is None else named
    offered = Offered("", pitch, path.name, lambda: from_onset(read_stretch(path), samples / rate_hz))
    taken = take(offered, rate_hz, samples, pitches)
    if isinstance(taken, Dropped):
        raise InputError(Problem(taken.why, str(path)))
    return OneNote(taken.pitch, taken.wave * np.float32(PEAK / np.abs(taken.wave).max()))
