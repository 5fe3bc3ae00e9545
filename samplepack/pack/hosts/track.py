"""What a project plays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from samplepack.clips.score import PlayedNote

BEATS_PER_S = 2.0
"""Quarters a second in projects: 120 a minute."""


class Track(NamedTuple):
    """An instrument of a pack, and when it plays its phrase."""

    name: str
    map_: Path
    """The instrument's file, an absolute path, in the format that the host loads."""

    start_s: float
    notes: Sequence[PlayedNote]
    """Their times are relative to the start."""

    wheel: Sequence[tuple[float, int]] = ()
    """Where the mod wheel stands: times relative to the start, seconds, and positions, 0 to 127."""

    preview: Path | None = None
    """A sound file of the phrase, an absolute path."""

    @property
    def length_s(self) -> float:
        """From the start to the last key-up, seconds."""
        return max(note.end_s for note in self.notes)

    def messages(self) -> list[tuple[float, bytes]]:
        """The MIDI messages of the phrase on channel 1, with their times relative to the start, seconds, in order: the
        wheel moves before keys that go down at the same time, and these follow on those that go up."""
        wheel = [(at_s, 0, bytes((0xB0, 1, position))) for at_s, position in self.wheel]
        up = [(note.end_s, 1, bytes((0x80, note.pitch, 64))) for note in self.notes]
        down = [(note.start_s, 2, bytes((0x90, note.pitch, note.velocity))) for note in self.notes]
        return [(at_s, message) for at_s, _, message in sorted(wheel + up + down)]
