"""SFZ, the text format that sfizz, sforzando, Bitwig, Renoise and many others load."""

from __future__ import annotations

import math
from pathlib import Path

from samplepack.formats.instrument import (
    ATTACK_REACH_S,
    BRIGHTNESS_REACH_CENTS,
    OPEN_CUTOFF_HZ,
    RELEASE_REACH_S,
    RESONANCE_REACH_DB,
    SOFT_VELOCITY,
    VELOCITY_POWERS,
    VIBRATO_HZ,
    Instrument,
    Playing,
    Range,
    Zone,
)

_AFTERTOUCH, _VELOCITY = 129, 131
"""The controllers above 127 by which SFZ names channel aftertouch, and the velocity of the note that sounds."""

_RISING, _BIPOLAR, _FALLING_LATE = 0, 1, 6
"""SFZ's built-in curves of controllers: x, 2x - 1 and √(1 - x), for positions x from 0 to 1."""

_MOST_CENTS = 9600
"""The largest depth of a modulation of a cutoff."""


def write(instrument: Instrument, pack: Path, root: str = "../") -> bytes:
    """The bytes of an SFZ file, UTF-8 without a byte order mark, since sfizz can't load a file that has one.

    Paths are relative to the map's own folder, with forward slashes and without `default_path`. Keys are MIDI numbers,
    since players number octaves differently. What only some players understand is written so that the others play the
    sound as it is: the filter is open unless controllers above 127 close it.

    Args:
        instrument: the instrument.
        pack: not read.
        root: the way from the map to the folder that the zones' files are relative to.
    """
    lines = [f"// {line}" for line in (instrument.name, *instrument.about.comments())]
    lines += [*_control(instrument), *_global(instrument)]
    for zone in instrument.zones:
        lines += ["", "<region>", *_region(zone), f"sample={root}{zone.file}"]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _control(instrument: Instrument) -> list[str]:
    """The controllers: their names, and where they stand until they move."""
    labels = {7: "Volume", 10: "Pan", 71: "Resonance", 72: "Release", 73: "Attack", 74: "Brightness"}
    starts = {71: 0, 72: 0, 73: 0, 74: 64}
    if instrument.is_morph:
        labels, starts = {1: "Morph", **labels}, {1: 0, **starts}
    elif instrument.playing.vibrato == "wheel":
        labels, starts = {1: "Vibrato", **labels}, {1: 0, **starts}
    if instrument.playing.vibrato == "aftertouch":
        labels[_AFTERTOUCH] = "Vibrato"
    names = [f"label_cc{number}={name}" for number, name in labels.items()]
    return ["<control>", *names, *(f"set_cc{number}={value}" for number, value in starts.items())]


def _global(instrument: Instrument) -> list[str]:
    playing = instrument.playing
    return [
        "<global>",
        *_velocity(instrument),
        f"bend_up={100 * playing.bend_range} bend_down={-100 * playing.bend_range}",
        f"ampeg_attack={playing.attack_s:g} ampeg_attack_oncc73={ATTACK_REACH_S:g}",
        f"ampeg_release={instrument.release_s:g} ampeg_release_oncc72={RELEASE_REACH_S:g}",
        f"fil_type=lpf_2p cutoff={OPEN_CUTOFF_HZ} fil_keytrack=100",
        f"cutoff_oncc74={BRIGHTNESS_REACH_CENTS} cutoff_curvecc74={_BIPOLAR}",
        f"resonance_oncc71={RESONANCE_REACH_DB} resonance_curvecc71={_RISING}",
        *_vibrato(playing),
    ]


def _velocity(instrument: Instrument) -> list[str]:
    curve = instrument.playing.velocity_curve
    if curve == "fixed":
        return ["amp_veltrack=0"]
    lines = [f"amp_veltrack={instrument.velocity_tracking_percent}"]
    if curve != "normal":
        power = VELOCITY_POWERS[curve]
        velocities = (1, *range(8, 127, 8), 127)
        lines.append(" ".join(f"amp_velcurve_{v}={(v / 127) ** power:.4g}" for v in velocities))
    return lines


def _vibrato(playing: Playing) -> list[str]:
    if playing.vibrato == "none":
        return []
    controller = _AFTERTOUCH if playing.vibrato == "aftertouch" else 1
    return [f"lfo1_freq={VIBRATO_HZ:g} lfo1_wave=1 lfo1_pitch_oncc{controller}={playing.vibrato_cents:g}"]


def _region(zone: Zone) -> list[str]:
    lines = [f"lokey={zone.keys.low} hikey={zone.keys.high} pitch_keycenter={zone.root} fil_keycenter={zone.root}"]
    if zone.velocities != Range(1, 127):
        lines += [
            f"lovel={zone.velocities.low} hivel={zone.velocities.high}",
            *_fades(zone.velocities, "{}vel"),
            "xf_velcurve=gain",
        ]
    if zone.wheel:
        # No locc1 and hicc1: players choose regions by them at note-on, and one left out then never sounds.
        lines += [*_fades(zone.wheel, "{}cc1"), "xf_cccurve=gain"]
    if zone.soft_cutoff_hz is not None:
        closed_cents = 1200 * math.log2(OPEN_CUTOFF_HZ / zone.soft_cutoff_hz) / math.sqrt(1 - SOFT_VELOCITY / 127)
        depth = min(round(closed_cents), _MOST_CENTS)
        lines.append(f"cutoff_oncc{_VELOCITY}={-depth} cutoff_curvecc{_VELOCITY}={_FALLING_LATE}")
    if zone.turns > 1:
        lines.append(f"seq_length={zone.turns} seq_position={zone.turn}")
    if zone.loop:
        # loop_sustain plays the tail after key-up; loop_end is the last frame of the loop, included.
        lines.append(f"loop_mode=loop_sustain loop_start={zone.loop.start} loop_end={zone.loop.end}")
    else:
        lines.append("loop_mode=no_loop")
    return lines


def _fades(values: Range, opcode: str) -> list[str]:
    """The crossfade opcodes of a range: `xfin_lovel=…`, `xfout_hicc1=…` and so on."""
    low, high = opcode.format("lo"), opcode.format("hi")
    lines = []
    if values.low_fade:
        lines.append(f"xfin_{low}={values.low} xfin_{high}={values.low + values.low_fade}")
    if values.high_fade:
        lines.append(f"xfout_{low}={values.high - values.high_fade} xfout_{high}={values.high}")
    return lines
