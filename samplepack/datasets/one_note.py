"""A sound file as one note: its pitch, and its wave as networks are trained on it."""

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
    """A note that somebody has recorded."""

    pitch: int
    """MIDI."""

    wave: NDArray[np.float32]
    """Shape (samples,): its onset in front, its peak at `PEAK`."""


def read_note(path: Path, rate_hz: int, samples: int, pitches: range) -> OneNote:
    """Read a note: mixed to mono, resampled, from its onset on, cut or filled up with silence.

    Args:
        path: a sound file with one note in it; its pitch is what its name says, else its `smpl` chunk, else what is
            heard.
        rate_hz: of the wave that is wanted.
        samples: its length.
        pitches: what the note's pitch must be one of.

    Raises:
        InputError: it is no sound, no single note, silent, or of no pitch or a wrong one.
    """
    named = pitch_names.parse(path.stem).pitch
    pitch = root_of(path) if named is None else named
    offered = Offered("", pitch, path.name, lambda: from_onset(read_stretch(path), samples / rate_hz))
    taken = take(offered, rate_hz, samples, pitches)
    if isinstance(taken, Dropped):
        raise InputError(Problem(taken.why, str(path)))
    return OneNote(taken.pitch, taken.wave * np.float32(PEAK / np.abs(taken.wave).max()))
