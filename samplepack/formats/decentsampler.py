"""`.dspreset`, the format of Decent Sampler.

Source: the Decent Sampler developers' guide and the schema in github.com/DecentSamples/DecentSampler-schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Comment, Element, SubElement

from samplepack.formats._xml import document
from samplepack.formats.instrument import (
    ATTACK_REACH_S,
    BRIGHTNESS_REACH_CENTS,
    OPEN_CUTOFF_HZ,
    RELEASE_REACH_S,
    RESONANCE_REACH_DB,
    VIBRATO_HZ,
    Instrument,
    Range,
    Zone,
    gain_at,
    median_fades,
    switched_velocities,
)

_VERSION = "1.6.0"
"""The first version of Decent Sampler with modulators, which vibrato needs."""

_LONGEST_ATTACK_S, _LONGEST_RELEASE_S = 10.0, 25.0
_TRACKING = {"soft": 0.6, "normal": 1.0, "hard": 1.25, "fixed": 0.0}
"""Velocity curve → how many times as strongly as usual velocity controls the volume."""

_BACKGROUND, _TEXT, _TRACK = "FF1D252C", "FFE6ECF0", "FF3A4750"
_ACCENT = {"sustain": "FF4FB3A5", "decay": "FFE0A458"}
_KNOB_SIZE, _KNOB_TOP, _KNOBS_A_ROW = 110, 110, 3


class _Knob(NamedTuple):
    """A knob of the user interface, and the controller that turns it."""

    label: str
    controller: int | None
    lowest: float
    highest: float
    value: float
    bindings: list[dict[str, str]]
    """The attributes of each binding from the knob's value to what it sets."""


def write(instrument: Instrument, pack: Path) -> bytes:
    """The bytes of a preset. Its paths to sound files are relative to the preset's own folder.

    Each layer of the mod wheel is a group, since the wheel can control the volume of groups but not of single samples;
    its fades are the medians of those that its keys would have. Controllers turn the knobs, and these set everything
    else. Decent Sampler can't darken single notes by velocity, fade between velocities or set a range for the pitch
    wheel, and knows aftertouch in its MPE mode only.
    """
    layers: dict[int, list[Zone]] = {}
    for zone in instrument.zones:
        layers.setdefault(zone.layer if zone.wheel else 0, []).append(zone)
    ranges = [[zone.wheel for zone in zones if zone.wheel] for zones in layers.values()]
    wheels = [median_fades(of_layer) if of_layer else None for of_layer in ranges]
    knobs = _knobs(instrument, wheels)
    root = Element("DecentSampler", minVersion=_VERSION)
    root.append(Comment(_about(instrument)))
    root.append(_ui(instrument, knobs))
    attack_s = min(instrument.playing.attack_s, _LONGEST_ATTACK_S)
    release_s = min(instrument.release_s, _LONGEST_RELEASE_S)
    groups = SubElement(root, "groups", attack=f"{attack_s:g}", release=f"{release_s:g}")
    tracking = min(1.0, _TRACKING[instrument.playing.velocity_curve] * instrument.velocity_tracking_percent / 100)
    switched = switched_velocities(instrument.zones)
    for wheel, zones in zip(wheels, layers.values(), strict=True):
        group = SubElement(groups, "group", ampVelTrack=f"{tracking:g}")
        if wheel:
            # Decent Sampler reads the wheel once it moves; until then the group has the volume for position 0.
            group.set("volume", f"{gain_at(wheel, 0):g}")
        for zone in zones:
            SubElement(group, "sample", _sample(zone, switched[zone.velocities.low, zone.velocities.high]))
    SubElement(SubElement(root, "effects"), "effect", type="lowpass", frequency=str(OPEN_CUTOFF_HZ), resonance="0.7")
    midi = SubElement(root, "midi")
    for position, knob in enumerate(knobs):
        if knob.controller is not None:
            control = {"type": "control", "level": "ui", "position": str(position), "parameter": "VALUE"}
            linear = _linear(knob.lowest, knob.highest)
            SubElement(SubElement(midi, "cc", number=str(knob.controller)), "binding", {**control, **linear})
    if instrument.playing.vibrato != "none":
        modulators = SubElement(root, "modulators")
        lfo = SubElement(modulators, "lfo", shape="sine", frequency=f"{VIBRATO_HZ:g}", modAmount="0", scope="voice")
        semitones = instrument.playing.vibrato_cents / 100
        for index in range(len(layers)):
            tuning = {"type": "amp", "level": "group", "position": str(index), "groupIndex": str(index)}
            tuning |= {"parameter": "GROUP_TUNING", "modBehavior": "add", **_linear(-semitones, semitones)}
            SubElement(lfo, "binding", tuning)
    return document(root)


def _about(instrument: Instrument) -> str:
    """What the preset says of itself; the format has no fields for it."""
    text = "; ".join([instrument.name, *instrument.about.comments()])
    return f" {re.sub('-(?=-)', '- ', text)} "  # two hyphens would end the comment


def _knobs(instrument: Instrument, wheels: Sequence[Range | None]) -> list[_Knob]:
    playing = instrument.playing
    attack_s = min(playing.attack_s, _LONGEST_ATTACK_S - ATTACK_REACH_S)
    release_s = min(instrument.release_s, _LONGEST_RELEASE_S - RELEASE_REACH_S)
    instrument_wide = {"level": "instrument", "position": "0"}
    envelope = {"type": "amp", **instrument_wide}
    effect = {"type": "effect", **instrument_wide, "effectIndex": "0"}
    cutoffs = ((at, _cutoff_hz(at)) for at in range(0, 129, 16))
    resonance = _linear(0.7, 0.7 * 10.0 ** (RESONANCE_REACH_DB / 20))
    knobs = [
        _Knob("Attack", 73, attack_s, attack_s + ATTACK_REACH_S, attack_s, [{**envelope, "parameter": "ENV_ATTACK"}]),
        _Knob(
            "Release", 72, release_s, release_s + RELEASE_REACH_S, release_s, [{**envelope, "parameter": "ENV_RELEASE"}]
        ),
        _Knob("Brightness", 74, 0, 127, 64, [{**effect, "parameter": "FX_FILTER_FREQUENCY", **_table(cutoffs)}]),
        _Knob("Resonance", 71, 0, 127, 0, [{**effect, "parameter": "FX_FILTER_RESONANCE", **resonance}]),
    ]
    if playing.vibrato != "none":
        amount = {"type": "modulator", **instrument_wide, "modulatorIndex": "0", "parameter": "MOD_AMOUNT"}
        knobs.append(_Knob("Vibrato", 1 if playing.vibrato == "wheel" else None, 0, 1, 0, [amount]))
    if instrument.is_morph:
        volumes = [
            {
                "type": "amp",
                "level": "group",
                # Both are the group's index: the guide requires `position`, and documents `groupIndex` as clearer.
                "position": str(index),
                "groupIndex": str(index),
                "parameter": "AMP_VOLUME",
                **_table((at, gain_at(wheel, at)) for at in _corners(wheel)),
            }
            for index, wheel in enumerate(wheels)
            if wheel
        ]
        knobs.append(_Knob("Morph", 1, 0, 127, 0, volumes))
    return knobs


def _cutoff_hz(position: int) -> float:
    """The cutoff at a position of the knob, which is open from its middle on."""
    octaves = BRIGHTNESS_REACH_CENTS / 1200 * min(position / 64 - 1, 0.0)
    return OPEN_CUTOFF_HZ * math.pow(2.0, octaves)


def _ui(instrument: Instrument, knobs: Sequence[_Knob]) -> Element:
    """The user interface: the knobs first, since controllers find them by their place among all controls."""
    ui = Element("ui", width="812", height="375", bgColor=_BACKGROUND)
    tab = SubElement(ui, "tab", name="main")
    colours = {
        "textColor": _TEXT,
        "trackForegroundColor": _ACCENT[instrument.behaviour],
        "trackBackgroundColor": _TRACK,
    }
    for i, knob in enumerate(knobs):
        row, column = divmod(i, _KNOBS_A_ROW)
        place = {"x": str(440 + column * 120), "y": str(_KNOB_TOP + row * 125)}
        size = {"width": str(_KNOB_SIZE), "height": str(_KNOB_SIZE), "textSize": "16"}
        values = {"minValue": f"{knob.lowest:g}", "maxValue": f"{knob.highest:g}", "value": f"{knob.value:g}"}
        names = {"label": knob.label, "parameterName": knob.label, "valueType": "float"}
        element = SubElement(tab, "labeled-knob", {**place, **size, **names, **values, **colours})
        for binding in knob.bindings:
            SubElement(element, "binding", binding)
    text = {"textColor": _TEXT, "hAlign": "left", "height": "40"}
    SubElement(tab, "label", {"x": "24", "y": "20", "width": "400", "text": instrument.name, "textSize": "28", **text})
    if instrument.about.author:
        byline = f"by {instrument.about.author}"
        SubElement(tab, "label", {"x": "440", "y": "20", "width": "350", "text": byline, "textSize": "16", **text})
    if instrument.picture:
        place = {"x": "24", "y": "76", "width": "396", "height": "276", "aspectRatioMode": "preserve"}
        SubElement(tab, "image", {**place, "path": f"../{instrument.picture}"})
    return ui


def _linear(lowest: float, highest: float) -> dict[str, str]:
    """The attributes that map all of an input to a range."""
    ends = {"translationOutputMin": f"{lowest:.4g}", "translationOutputMax": f"{highest:.4g}"}
    return {"translation": "linear", **ends}


def _table(points: Iterable[tuple[int, float]]) -> dict[str, str]:
    """The attributes that map an input by lines between points."""
    return {"translation": "table", "translationTable": ";".join(f"{at},{value:g}" for at, value in points)}


def _sample(zone: Zone, velocities: Range) -> dict[str, str]:
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
    if zone.turns > 1:
        attributes |= {"seqMode": "round_robin", "seqLength": str(zone.turns), "seqPosition": str(zone.turn)}
    return attributes


def _corners(wheel: Range) -> list[int]:
    """The wheel positions between which the gain is linear; a range without a fade begins or ends within one step."""
    rise = (wheel.low, wheel.low + wheel.low_fade) if wheel.low_fade else (wheel.low - 1, wheel.low)
    fall = (wheel.high - wheel.high_fade, wheel.high) if wheel.high_fade else (wheel.high, wheel.high + 1)
    return sorted({at for at in (0, *rise, *fall, 127) if 0 <= at <= 127})
