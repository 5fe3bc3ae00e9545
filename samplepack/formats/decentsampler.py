"""`.dspreset`, the format of Decent Sampler.

Source: the Decent Sampler developers' guide and the schema in github.com/DecentSamples/DecentSampler-schema.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from samplepack.formats._xml import document
from samplepack.formats.instrument import (
    LOOPED_RELEASE_S,
    RELEASE_S,
    VELOCITY_TRACKING_PERCENT,
    Instrument,
    Range,
    Zone,
)


def write(instrument: Instrument, pack: Path) -> bytes:
    """A preset, whose paths are relative to its own folder.

    Each layer of the mod wheel is a group, since the wheel reaches the volume of groups, and of nothing smaller.
    """
    layers: dict[Range | None, list[Zone]] = {}
    for zone in instrument.zones:
        layers.setdefault(zone.wheel, []).append(zone)
    root = Element("DecentSampler", minVersion="1.0.0")
    groups = SubElement(root, "groups", attack="0", release=f"{RELEASE_S:g}")
    for wheel, zones in layers.items():
        group = SubElement(groups, "group", ampVelTrack=f"{VELOCITY_TRACKING_PERCENT / 100:g}")
        if wheel:
            # The wheel is heard only once it moves; until then its group has the volume of a wheel at rest.
            group.set("volume", f"{_gain(wheel, 0):g}")
        for zone in zones:
            SubElement(group, "sample", _sample(zone))
    if any(layers):
        controller = SubElement(SubElement(root, "midi"), "cc", number="1")
        for index, wheel in enumerate(layers):
            if wheel:
                SubElement(controller, "binding", _binding(index, wheel))
    return document(root)


def _sample(zone: Zone) -> dict[str, str]:
    low_velocity, high_velocity = _without_fades(zone.velocities)
    attributes = {
        "path": f"../{zone.file}",
        "rootNote": str(zone.root),
        "loNote": str(zone.keys.low),
        "hiNote": str(zone.keys.high),
        "loVel": str(low_velocity),
        "hiVel": str(high_velocity),
        "start": "0",
        "end": str(zone.frames - 1),
        # Said also where there is none: without a word, a loop in the sound file would count.
        "loopEnabled": "true" if zone.loop else "false",
    }
    if zone.loop:
        attributes["loopStart"] = str(zone.loop.start)
        attributes["loopEnd"] = str(zone.loop.end)
        attributes["release"] = f"{LOOPED_RELEASE_S:g}"
    return attributes


def _without_fades(velocities: Range) -> tuple[int, int]:
    """The lowest and highest velocity of a sound that can't fade.

    Decent Sampler doesn't fade between velocities, and sounds that overlap would play together, twice as loud. Two
    that fade into each other over the same velocities are cut in the middle of these, so that each velocity plays one.
    """
    low = velocities.low + velocities.low_fade // 2 + 1 if velocities.low_fade else velocities.low
    return low, velocities.high - (velocities.high_fade + 1) // 2


def _binding(group: int, wheel: Range) -> dict[str, str]:
    """What turns positions of the wheel, 0 to 127, into the volume of a group."""
    return {
        "type": "amp",
        "level": "group",
        # Two names of one thing: the guide requires `position`, and `groupIndex` says what it is.
        "position": str(group),
        "groupIndex": str(group),
        "parameter": "AMP_VOLUME",
        "translation": "table",
        "translationTable": ";".join(f"{at},{_gain(wheel, at):g}" for at in _corners(wheel)),
    }


def _corners(wheel: Range) -> list[int]:
    """The positions between which the gain is a straight line; a range without a fade begins or ends in one step."""
    rise = (wheel.low, wheel.low + wheel.low_fade) if wheel.low_fade else (wheel.low - 1, wheel.low)
    fall = (wheel.high - wheel.high_fade, wheel.high) if wheel.high_fade else (wheel.high, wheel.high + 1)
    return sorted({at for at in (0, *rise, *fall, 127) if 0 <= at <= 127})


def _gain(wheel: Range, position: int) -> float:
    if not wheel.low <= position <= wheel.high:
        return 0.0
    rise = (position - wheel.low) / wheel.low_fade if wheel.low_fade else 1.0
    fall = (wheel.high - position) / wheel.high_fade if wheel.high_fade else 1.0
    return min(rise, fall, 1.0)
