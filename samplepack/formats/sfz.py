"""SFZ, the text format that sfizz, sforzando, Bitwig, Renoise and many others load."""

from __future__ import annotations

from pathlib import Path

from samplepack.formats.instrument import (
    LOOPED_RELEASE_S,
    RELEASE_S,
    Instrument,
    Range,
    Zone,
)


def write(instrument: Instrument, pack: Path) -> bytes:
    """The bytes of an SFZ file, UTF-8 without a byte order mark, since sfizz can't load a file that has one.

    Paths are relative to the map's own folder, with forward slashes and without `default_path`. Keys are MIDI numbers,
    since players number octaves differently.
    """
    lines = [f"// {instrument.name}"]
    if any(zone.wheel for zone in instrument.zones):
        lines += ["<control>", "label_cc1=Morph", "set_cc1=0"]
    lines += ["<global>", f"amp_veltrack={instrument.velocity_tracking_percent}"]
    for zone in instrument.zones:
        lines += ["", "<region>", *_region(zone), f"sample=../{zone.file}"]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _region(zone: Zone) -> list[str]:
    lines = [f"lokey={zone.keys.low} hikey={zone.keys.high} pitch_keycenter={zone.root}"]
    if zone.velocities != Range(1, 127):
        lines += [
            f"lovel={zone.velocities.low} hivel={zone.velocities.high}",
            *_fades(zone.velocities, "{}vel"),
            "xf_velcurve=gain",
        ]
    if zone.wheel:
        # No locc1 and hicc1: players choose regions by them at note-on, and one left out then never sounds.
        lines += [*_fades(zone.wheel, "{}cc1"), "xf_cccurve=gain"]
    if zone.turns > 1:
        lines.append(f"seq_length={zone.turns} seq_position={zone.turn}")
    if zone.loop:
        # loop_sustain plays the tail after key-up; loop_end is the last frame of the loop, included.
        lines.append(f"loop_mode=loop_sustain loop_start={zone.loop.start} loop_end={zone.loop.end}")
    else:
        lines.append("loop_mode=no_loop")
    return [*lines, f"ampeg_release={LOOPED_RELEASE_S if zone.loop else RELEASE_S}"]


def _fades(values: Range, opcode: str) -> list[str]:
    """The crossfade opcodes of a range: `xfin_lovel=…`, `xfout_hicc1=…` and so on."""
    low, high = opcode.format("lo"), opcode.format("hi")
    lines = []
    if values.low_fade:
        lines.append(f"xfin_{low}={values.low} xfin_{high}={values.low + values.low_fade}")
    if values.high_fade:
        lines.append(f"xfout_{low}={values.high - values.high_fade} xfout_{high}={values.high}")
    return lines
