"""Names of keys (`C#4`), and the pitches and velocities in names of sound files."""

from __future__ import annotations

import re
from typing import NamedTuple

_KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}
_LOWEST_NUMBER = 21
"""A number below a piano's lowest key is taken for the number of a take rather than for a pitch."""

_KEY = r"([A-Ga-g])([#♯sb♭]?)(-?\d)"
_END = r"(?![0-9A-Za-z#♯♭])"
_VELOCITY = re.compile(r"(?<![A-Za-z0-9])v(?:el(?:ocity)?)?[ _-]?(\d{1,3})" + _END, re.IGNORECASE)
_NSYNTH = re.compile(r"(.+_\d{3})-(\d{3})-(\d{3})")
_KEY_IN_NAME = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=[a-z])(?=[A-G]))" + _KEY + rf"(?:{_END}|(?=[vV]\d))")
_NUMBER_IN_NAME = re.compile(r"(?<![A-Za-z0-9.])(\d{1,3})" + rf"(?:{_END}|(?=[vV]\d))")


class Named(NamedTuple):
    """Instrument, pitch and velocity, read from the name of a sound file."""

    instrument: str
    """The part of the name before the pitch; may be empty."""

    pitch: int | None
    """MIDI; None where the name contains none."""

    velocity: int | None


def key_name(pitch: int) -> str:
    """The name of a MIDI pitch: 60 is C4."""
    return f"{_KEYS[pitch % 12]}{pitch // 12 - 1}"


def key_number(text: str) -> int | None:
    """The MIDI pitch of a key written as a number or a name (`60`, `c4`, `Db3`, `C-1`); None for any other text."""
    if re.fullmatch(r"-?\d{1,3}", text):
        return int(text)
    match = re.fullmatch(_KEY, text)
    return _pitch(match[1], match[2], int(match[3])) if match else None


def parse(stem: str) -> Named:
    """Find instrument, pitch and velocity in the name of a sound file, without its suffix.

    A key (`C#4`, `Db3`, `as2`, `C-4`; C4 is 60) takes precedence over a number (`piano_62`). Of several keys the last
    one is used, of several numbers the first one from 21 to 127. `v100` is a velocity. `bass_synthetic_033-022-050` is
    read as NSynth's instrument, pitch and velocity.
    """
    if match := _NSYNTH.fullmatch(stem):
        return Named(match[1], int(match[2]), int(match[3]))
    velocity = next((int(m[1]) for m in re.finditer(_VELOCITY, stem)), None)
    if velocity is None and (glued := re.search(r"\d[vV](\d{1,3})" + _END, stem)):
        velocity = int(glued[1])
    keys = list(_KEY_IN_NAME.finditer(stem))
    if keys:
        letter, accidental, octave = keys[-1].groups()
        # Trackers write C4 as C-4, and no set reaches below C0.
        return Named(_cleaned(stem[: keys[-1].start()]), _pitch(letter, accidental, abs(int(octave))), velocity)
    without_velocity = _VELOCITY.sub(lambda m: " " * len(m[0]), stem)
    for number in _NUMBER_IN_NAME.finditer(without_velocity):
        if _LOWEST_NUMBER <= int(number[1]) <= 127:
            return Named(_cleaned(stem[: number.start()]), int(number[1]), velocity)
    return Named("", None, velocity)


def _pitch(letter: str, accidental: str, octave: int) -> int:
    return 12 * (octave + 1) + _SEMITONES[letter.lower()] + _ACCIDENTALS[accidental]


def _cleaned(text: str) -> str:
    return text.strip(" _-.,()[]")
