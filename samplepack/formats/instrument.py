"""Sounds spread over keys, velocities and the mod wheel: zones and instruments. Knows no file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samplepack.sound.riff import Loop

LOWEST_KEY, HIGHEST_KEY = 0, 127

VELOCITY_FADE = 20
"""How many velocities two layers share."""

RELEASE_S = 0.3
"""After key-up: long enough not to click, short enough not to blur a line; the players' own default is a cut."""

LOOPED_RELEASE_S = 0.8
"""The same for a sound that was held in its loop, whose own tail is still to come."""

VELOCITY_TRACKING_PERCENT = 80
"""How much softer keys play softer; at 100 %, SFZ's default, soft playing vanishes."""


@dataclass(frozen=True)
class Range:
    """A range of MIDI values, over whose ends a sound may fade in and out."""

    low: int
    """The lowest value, included."""

    high: int
    """The highest value, included."""

    low_fade: int = 0
    """The sound is silent at `low` and full from `low + low_fade`."""

    high_fade: int = 0
    """The sound is full up to `high - high_fade` and silent at `high`."""


@dataclass(frozen=True)
class Zone:
    """A sound, and the keys, velocities and mod-wheel positions that play it."""

    file: str
    """The sound file, relative to the pack's folder, with forward slashes."""

    frames: int
    """Length of the sound."""

    root: int
    """The key at which the sound plays at its own pitch, MIDI."""

    keys: Range
    velocities: Range = Range(1, 127)
    wheel: Range | None = None
    """Positions of the mod wheel (CC1), 0 to 127; None: the wheel doesn't matter."""

    loop: Loop | None = None


@dataclass(frozen=True)
class Instrument:
    """One timbre, or a path of timbres on the mod wheel, playable."""

    name: str
    zones: tuple[Zone, ...]


def key_ranges(roots: Sequence[int]) -> dict[int, Range]:
    """Spread sounds over the whole keyboard.

    Args:
        roots: MIDI pitches; at least one.

    Returns:
        Root → keys: each key plays the nearest sound (the lower of two as near), and the outermost sounds reach to
        the ends of the keyboard.
    """
    roots = sorted(roots)
    borders = [(lower + upper) // 2 for lower, upper in zip(roots, roots[1:], strict=False)]
    lows = [LOWEST_KEY, *(border + 1 for border in borders)]
    highs = [*borders, HIGHEST_KEY]
    return {root: Range(low, high) for root, low, high in zip(roots, lows, highs, strict=True)}


def velocity_ranges(layers: int) -> list[Range]:
    """Spread layers over velocities 1 to 127, from the softest, each crossfading into the next over 20 values."""
    borders = [round(127 * i / layers) for i in range(1, layers)]
    half = VELOCITY_FADE // 2
    lows = [1, *(border - half for border in borders)]
    highs = [*(border + half for border in borders), 127]
    return [
        Range(low, high, VELOCITY_FADE if i > 0 else 0, VELOCITY_FADE if i < layers - 1 else 0)
        for i, (low, high) in enumerate(zip(lows, highs, strict=True))
    ]


def wheel_ranges(layers: int) -> list[Range]:
    """Spread layers over the mod wheel: each is full at its own position, evenly from 0 to 127, and fades into its
    neighbours on the way to theirs."""
    nodes = [round(127 * i / (layers - 1)) for i in range(layers)]
    return [
        Range(
            nodes[max(i - 1, 0)],
            nodes[min(i + 1, layers - 1)],
            low_fade=node - nodes[max(i - 1, 0)],
            high_fade=nodes[min(i + 1, layers - 1)] - node,
        )
        for i, node in enumerate(nodes)
    ]
