"""`.dspreset`, the format of Decent Sampler.

Source: the Decent Sampler developers' guide and the schema in github.com/DecentSamples/DecentSampler-schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from xml.etree.ElementTree import Element, SubElement

from samplepack.formats._xml import document
from samplepack.formats.instrument import (
    LOOPED_RELEASE_S,
    RELEASE_S,
    Instrument,
    Range,
    Zone,
    without_fades,
)


def write(instrument: Instrument, pack: Path) -> bytes:
    """The bytes of a preset. Its paths to sound files are relative to the preset's own folder.

    Each layer of the mod wheel is a group, since the wheel can control the volume of groups but not of single samples;
    its fades are the medians of those that its keys would have.
    """
    layers: dict[int, list[Zone]] = {}
    for zone in instrument.zones:
        layers.setdefault(zone.layer if zone.wheel else 0, []).append(zone)
    wheels = [_median_fades([zone.wheel for zone in zones if zone.wheel]) for zones in layers.values()]
    root = Element("DecentSampler", minVersion="1.0.0")
    groups = SubElement(root, "groups", attack="0", release=f"{RELEASE_S:g}")
    for wheel, zones in zip(wheels, layers.values(), strict=True):
        group = SubElement(groups, "group", ampVelTrack=f"{instrument.velocity_tracking_percent / 100:g}")
        if wheel:
            # Decent Sampler reads the wheel once it moves; until then the group has the volume for position 0.
            group.set("volume", f"{_gain(wheel, 0):g}")
        for zone in zones:
            SubElement(group, "sample", _sample(zone))
    if any(wheels):
        controller = SubElement(SubElement(root, "midi"), "cc", number="1")
        for index, wheel in enumerate(wheels):
            if wheel:
                SubElement(controller, "binding", _binding(index, wheel))
    return document(root)


def _median_fades(wheels: Sequence[Range]) -> Range | None:
    """The range of a layer whose keys have fades of different lengths; None without a range."""
    if not wheels:
        return None
    low_fade, high_fade = (
        round(median(fades)) for fades in zip(*((w.low_fade, w.high_fade) for w in wheels), strict=True)
    )
    return replace(wheels[0], low_fade=low_fade, high_fade=high_fade)


def _sample(zone: Zone) -> dict[str, str]:
    velocities = without_fades(zone.velocities)  # Decent Sampler doesn't crossfade between velocities
    attributes = {
        "path": f"../{zone.file}",
        "rootNote": str(zone.root),
        "loNote": str(zone.keys.low),
        "hiNote": str(zone.keys.high),
        "loVel": str(velocities.low),
        "hiVel": str(velocities.high),
        "start": "0",
        "end": str(zone.frames - 1),
        # Stated even without a loop: else Decent Sampler would use a loop of the sound file's own.
        "loopEnabled": "true" if zone.loop else "false",
    }
    if zone.loop:
        attributes["loopStart"] = str(zone.loop.start)
        attributes["loopEnd"] = str(zone.loop.end)
        attributes["release"] = f"{LOOPED_RELEASE_S:g}"
    if zone.turns > 1:
        attributes |= {"seqMode": "round_robin", "seqLength": str(zone.turns), "seqPosition": str(zone.turn)}
    return attributes


def _binding(group: int, wheel: Range) -> dict[str, str]:
    """The attributes of a binding from positions of the wheel, 0 to 127, to the volume of a group."""
    return {
        "type": "amp",
        "level": "group",
        # Both are the group's index: the guide requires `position`, and documents `groupIndex` as its clearer name.
        "position": str(group),
        "groupIndex": str(group),
        "parameter": "AMP_VOLUME",
        "translation": "table",
        "translationTable": ";".join(f"{at},{_gain(wheel, at):g}" for at in _corners(wheel)),
    }


def _corners(wheel: Range) -> list[int]:
    """The wheel positions between which the gain is linear; a range without a fade begins or ends within one step."""
    rise = (wheel.low, wheel.low + wheel.low_fade) if wheel.low_fade else (wheel.low - 1, wheel.low)
    fall = (wheel.high - wheel.high_fade, wheel.high) if wheel.high_fade else (wheel.high, wheel.high + 1)
    return sorted({at for at in (0, *rise, *fall, 127) if 0 <= at <= 127})


def _gain(wheel: Range, position: int) -> float:
    if not wheel.low <= position <= wheel.high:
        return 0.0
    rise = (position - wheel.low) / wheel.low_fade if wheel.low_fade else 1.0
    fall = (wheel.high - position) / wheel.high_fade if wheel.high_fade else 1.0
    return min(rise, fall, 1.0)
