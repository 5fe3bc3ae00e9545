"""Instruments as zones: sounds over keys, velocities and mod-wheel positions, whatever the file format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Literal

from samplepack.sound.riff import Loop

LOWEST_KEY, HIGHEST_KEY = 0, 127

VELOCITY_FADE = 20
"""The number of velocities over which two neighbouring layers crossfade."""

RELEASE_S = {"sustain": 0.8, "decay": 0.3}
"""Release time after key-up, seconds: long enough not to click, short enough not to blur a melody; longer where the
tail of a looped sound plays after key-up. Players' default is 0 s."""

OPEN_CUTOFF_HZ = 20_000
"""The cutoff at which a player's low-pass changes nothing."""

SOFT_VELOCITY = 20
"""The velocity for which `Zone.soft_cutoff_hz` holds."""

ATTACK_REACH_S, RELEASE_REACH_S = 2.0, 6.0
"""What the controllers of attack (CC73) and release (CC72) add to these times at most, seconds."""

BRIGHTNESS_REACH_CENTS = 7200
"""How far the controller of brightness (CC74) moves the cutoff down or up from its middle."""

RESONANCE_REACH_DB = 15
"""The resonance that its controller (CC71) adds at most, dB."""

VIBRATO_HZ = 5.5

VELOCITY_TRACKING_PERCENT = 80
"""How strongly velocity controls the volume; at 100 %, SFZ's default, soft notes are inaudible."""


@dataclass(frozen=True)
class Range:
    """A range of MIDI values, with optional fades at its ends."""

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
    """Length of the sound in frames."""

    root: int
    """The key at which the sound plays at its own pitch, MIDI."""

    keys: Range
    velocities: Range = Range(1, 127)
    wheel: Range | None = None
    """Positions of the mod wheel (CC1), 0 to 127, at which the sound is heard; None: the wheel doesn't matter. The
    sound plays from the start of the note, wherever the wheel is, so that the wheel can bring it in later."""

    layer: int = 0
    """The number of the layer that the sound belongs to, from 0: the softest, or that of the wheel's lower end."""

    loop: Loop | None = None
    soft_cutoff_hz: float | None = None
    """Cutoff of the low-pass that darkens the sound at velocity 20, Hz; it opens up to velocity 127. None: velocity
    doesn't darken the sound."""

    turn: int = 1
    """When the sound plays where several take turns (round robin): 1 is the first of `turns` strikes of a key."""

    turns: int = 1
    """How many sounds of the same keys, velocities and mod-wheel positions take turns; 1: it plays at each strike."""


VelocityCurve = Literal["soft", "normal", "hard", "fixed"]
VibratoSource = Literal["aftertouch", "wheel", "none"]


VELOCITY_POWERS: dict[VelocityCurve, int] = {"soft": 1, "normal": 2, "hard": 3, "fixed": 0}
"""Velocity curve → the power of velocity that level follows."""


def velocity_gain(velocity: int, tracking_percent: int, curve: VelocityCurve) -> float:
    """The gain of a MIDI velocity, as SFZ players have it; 1 at velocity 127."""
    return 1.0 - tracking_percent / 100.0 * (1.0 - (velocity / 127.0) ** VELOCITY_POWERS[curve])


@dataclass(frozen=True)
class Playing:
    """How an instrument answers to a player's hands."""

    attack_s: float = 0.0
    """Time until a note is at full level, seconds."""

    release_s: float | None = None
    """Release time after key-up, seconds; None: the longer one of `RELEASE_S` and `least_release_s`."""

    least_release_s: float = 0.0
    """The release time that outlasts the tail of the effects, seconds."""

    velocity_curve: VelocityCurve = "normal"
    """How level follows velocity: `soft` and `hard` are for people with a soft and a hard touch; `fixed`: not at
    all."""

    bend_range: int = 2
    """How far the pitch wheel bends, up and down, semitones."""

    vibrato: VibratoSource = "aftertouch"
    """The controller that brings vibrato in."""

    vibrato_cents: float = 30.0
    """Depth of the vibrato at the controller's upper end: from the pitch to either side."""

    def release_of(self, behaviour: Literal["sustain", "decay"]) -> float:
        """Release time after key-up of an instrument that behaves so, seconds."""
        return max(RELEASE_S[behaviour], self.least_release_s) if self.release_s is None else self.release_s


@dataclass(frozen=True)
class About:
    """What an instrument says of itself in the fields that formats have for it; empty text is left out."""

    author: str = ""
    license: str = ""
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()

    def comments(self) -> list[str]:
        """Its fields for formats that have comments alone, in lines `Author: …`."""
        fields = {
            "Author": self.author,
            "License": self.license,
            "Category": self.category,
            "Tags": ", ".join(self.tags),
            "Description": self.description,
        }
        return [f"{name}: {' '.join(text.split())}" for name, text in fields.items() if text]


@dataclass(frozen=True)
class Instrument:
    """A playable instrument: one timbre, or a path of timbres on the mod wheel."""

    name: str
    zones: tuple[Zone, ...]
    behaviour: Literal["sustain", "decay"] = "sustain"
    """Whether its sounds hold as long as the key, or die away by themselves."""

    velocity_tracking_percent: int = VELOCITY_TRACKING_PERCENT
    """How strongly velocity controls the volume: SFZ's `amp_veltrack`."""

    playing: Playing = Playing()
    about: About = About()
    picture: str | None = None
    """A picture for the player's window, relative to the pack's folder."""

    @property
    def release_s(self) -> float:
        """Release time after key-up, seconds."""
        return self.playing.release_of(self.behaviour)

    @property
    def is_morph(self) -> bool:
        """Whether the mod wheel travels a path of timbres."""
        return any(zone.wheel for zone in self.zones)


def switched_velocities(zones: Sequence[Zone]) -> dict[tuple[int, int], Range]:
    """The velocities of each layer in a player that can't crossfade: it switches in the middle of those that two
    layers share.

    Layers that share velocities would play together there, twice as loud.

    Args:
        zones: those of an instrument.

    Returns:
        The lowest and the highest velocity of a layer → its velocities without those of others.
    """
    layers = sorted({(zone.velocities.low, zone.velocities.high) for zone in zones})
    lows, highs = [low for low, _ in layers], [high for _, high in layers]
    for i, ((_, high), (low, _)) in enumerate(pairwise(layers)):
        if low <= high:
            highs[i] = (low + high) // 2
            lows[i + 1] = highs[i] + 1
    return {layer: Range(low, high) for layer, low, high in zip(layers, lows, highs, strict=True)}


def gain_at(values: Range, value: int) -> float:
    """The gain of a sound where its controller stands at a value, by the fades of its range."""
    if not values.low <= value <= values.high:
        return 0.0
    rise = (value - values.low) / values.low_fade if values.low_fade else 1.0
    fall = (values.high - value) / values.high_fade if values.high_fade else 1.0
    return min(rise, fall, 1.0)


def median_fades(wheels: Sequence[Range]) -> Range:
    """The range of a layer whose keys have fades of different lengths, for formats with one fade for all keys."""
    low_fade, high_fade = (
        round(median(fades)) for fades in zip(*((w.low_fade, w.high_fade) for w in wheels), strict=True)
    )
    return replace(wheels[0], low_fade=low_fade, high_fade=high_fade)


def key_ranges(roots: Sequence[int], stretch: int) -> dict[int, Range]:
    """Distribute sounds over the keyboard.

    Args:
        roots: the MIDI pitches of the sounds; at least one.
        stretch: how many keys beyond the lowest and the highest of them are played, too.

    Returns:
        Root → range of keys, in rising order. Each key plays the sound with the nearest root, the lower one of two at
        equal distance.
    """
    roots = sorted(roots)
    borders = [(lower + upper) // 2 for lower, upper in pairwise(roots)]
    lows = [max(LOWEST_KEY, roots[0] - stretch), *(border + 1 for border in borders)]
    highs = [*borders, min(HIGHEST_KEY, roots[-1] + stretch)]
    return {root: Range(low, high) for root, low, high in zip(roots, lows, highs, strict=True)}


def velocity_ranges(layers: int) -> list[Range]:
    """Distribute layers over velocities 1 to 127, the softest first; neighbours crossfade over 20 velocities."""
    borders = [round(127 * i / layers) for i in range(1, layers)]
    half = VELOCITY_FADE // 2
    lows = [1, *(border - half for border in borders)]
    highs = [*(border + half for border in borders), 127]
    return [
        Range(low, high, VELOCITY_FADE if i > 0 else 0, VELOCITY_FADE if i < layers - 1 else 0)
        for i, (low, high) in enumerate(zip(lows, highs, strict=True))
    ]


def velocity_tracking_percent(quieter_db: float, soft: int, hard: int) -> int:
    """The `amp_veltrack` by which velocity `soft` is quieter than `hard` by some dB, 50 to 98 %.

    SFZ's gain is 1 - t (1 - (v / 127)²) for velocity v and a tracking of t.

    Args:
        quieter_db: by how much softer it is to be.
        soft, hard: MIDI velocities.
    """
    gain = float(10.0 ** (-quieter_db / 20.0))
    soft_power, hard_power = (soft / 127.0) ** 2, (hard / 127.0) ** 2
    most = (1.0 - soft_power) - gain * (1.0 - hard_power)
    return round(100.0 * min(max((1.0 - gain) / most, 0.5), 0.98))


def path_ranges(alike: Sequence[float], axis: Literal["wheel", "velocity path"]) -> list[Range]:
    """Distribute the layers of a morph over the mod wheel or over velocities, each at full level at its own position,
    at equal distances from 0 to 127.

    Between two positions the layers crossfade. Where the gains of two sounds of one level are g each, their sum has the
    level of one if g² · 2 (1 + r) = 1, with their correlation r; so the fades overlap for as long as makes the gains in
    the middle that large. The level in between then stays within 0.8 dB of the level at the positions, for every r from
    0 to 1.

    Args:
        alike: the correlation of each layer with the next one; at least one.
        axis: what the ranges are of. Velocities start at 1, and positions on them at 2 and end at 126, so that the
            softest and the hardest layer sound alone at 1 and at 127 also in players that ignore fades.

    Returns:
        The ranges, one more than there are correlations.
    """
    layers = len(alike) + 1
    lowest, first, last = (0, 0, 127) if axis == "wheel" else (1, 2, 126)
    nodes = [first + round((last - first) * i / (layers - 1)) for i in range(layers)]
    fades = [
        _fade(upper - lower, min(max(r, 0.0), 1.0)) for (lower, upper), r in zip(pairwise(nodes), alike, strict=True)
    ]
    lows, highs = [lowest, *nodes[:-1]], [*nodes[1:], 127]
    return [
        Range(low, high, low_fade, high_fade)
        for low, high, low_fade, high_fade in zip(lows, highs, [0, *fades], [*fades, 0], strict=True)
    ]


def _fade(width: int, r: float) -> int:
    """How long two layers fade whose positions are `width` apart: a whole number, for the evenest level."""

    def unevenness(fade: int) -> float:
        begun = (width - fade) / fade  # the gain of the layer that comes when the other begins to fall
        middle = 2.0 * (1.0 + r) * (0.5 * width / fade) ** 2
        return max(1.0 + begun**2 + 2.0 * r * begun, middle) / min(middle, 1.0)

    ideal = width * math.sqrt((1.0 + r) / 2.0)
    return min(max(1, math.floor(ideal)), math.ceil(ideal), key=unevenness)
