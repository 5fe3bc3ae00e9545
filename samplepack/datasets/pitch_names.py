"""Names of keys, in words and in the names of files."""

from __future__ import annotations

_KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def key_name(pitch: int) -> str:
    """What a MIDI pitch is called: 60 is C4."""
    return f"{_KEYS[pitch % 12]}{pitch // 12 - 1}"
