"""Instruments of every kind that formats write: plain, looped, with layers, on the mod wheel, with odd names."""

from __future__ import annotations

from samplepack.formats.instrument import Instrument, Range, Zone, key_ranges, path_ranges
from samplepack.sound.riff import Loop

FRAMES = 240
ROOTS = (48, 60, 72)


def zones(timbre, loop=None, **ranges):
    keys = key_ranges(ROOTS, 12)
    files = {root: f"Samples/{timbre}/{timbre}_{root:03d}.wav" for root in ROOTS}
    return tuple(Zone(files[root], FRAMES, root, keys[root], loop=loop, **ranges) for root in ROOTS)


def velocity_layers(*velocities):
    return Instrument("Soft", sum((zones(f"Soft {i}", velocities=v) for i, v in enumerate(velocities)), ()))


def morph(alike):
    """A path on the wheel, whose neighbouring layers correlate by these numbers."""
    ranges = enumerate(path_ranges(alike, "wheel"))
    return Instrument("Path", sum((zones(f"Path {i}", wheel=wheel, layer=i) for i, wheel in ranges), ()))


MORPH = morph([0.9, 0.5, 1.0, 0.2])
INSTRUMENTS = [
    Instrument("Glass", zones("Glass")),
    Instrument("Rock & Roll 'n' 7", zones("Rock & Roll 'n' 7", loop=Loop(20, 199))),
    Instrument("Été C# (1)", zones("Été C# (1)", loop=Loop(0, FRAMES - 1))),
    velocity_layers(Range(1, 64, high_fade=21), Range(43, 127, low_fade=21)),
    MORPH,
    Instrument("Takes", sum((zones(f"Takes {i}", turn=i, turns=3) for i in (1, 2, 3)), ())),
]
