"""Sounds spread over the keyboard: zones and instruments. Knows no file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOWEST_KEY, HIGHEST_KEY = 0, 127


@dataclass(frozen=True)
class Zone:
    """A range of keys and the sound that they play."""

    file: str
    """The sound file, relative to the pack's folder, with forward slashes."""

    root: int
    """The key at which the sound plays at its own pitch, MIDI."""

    low_key: int
    """The lowest key, MIDI."""

    high_key: int
    """The highest key, MIDI; included."""


@dataclass(frozen=True)
class Instrument:
    """One timbre, playable."""

    name: str
    zones: tuple[Zone, ...]
    """From the lowest to the highest; they cover every key once."""


def map_keys(name: str, files: Mapping[int, str]) -> Instrument:
    """Spread sounds over the whole keyboard.

    Args:
        name: of the instrument.
        files: pitch → sound file; at least one.

    Returns:
        An instrument in which each key plays the nearest sound (the lower of two as near) and the outermost sounds
        reach to the ends of the keyboard.
    """
    roots = sorted(files)
    borders = [(lower + upper) // 2 for lower, upper in zip(roots, roots[1:], strict=False)]
    lows = [LOWEST_KEY, *(border + 1 for border in borders)]
    highs = [*borders, HIGHEST_KEY]
    zones = (Zone(files[root], root, low, high) for root, low, high in zip(roots, lows, highs, strict=True))
    return Instrument(name, tuple(zones))
