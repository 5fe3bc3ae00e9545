"""SFZ, the text format that sfizz, sforzando, Bitwig, Renoise and many others load."""

from __future__ import annotations

from samplepack.instrument import Instrument

RELEASE_S = 0.3
"""Long enough not to click, short enough not to blur a line; the players' own default is an audible cut."""

VELOCITY_TRACKING_PERCENT = 80
"""How much softer keys play softer; 100 % is the format's default, which makes soft playing vanish."""


def write(instrument: Instrument) -> bytes:
    """An SFZ file: UTF-8 without a byte order mark, since sfizz loads nothing where one stands.

    Paths are written in full and relative to the map's own folder, with forward slashes; keys as MIDI numbers, since
    octave names differ between players.
    """
    lines = [
        f"// {instrument.name}",
        "<global>",
        "loop_mode=no_loop",
        f"ampeg_release={RELEASE_S}",
        f"amp_veltrack={VELOCITY_TRACKING_PERCENT}",
    ]
    for zone in instrument.zones:
        lines += [
            "",
            "<region>",
            f"lokey={zone.low_key} hikey={zone.high_key} pitch_keycenter={zone.root}",
            f"sample=../{zone.file}",
        ]
    return ("\n".join(lines) + "\n").encode("utf-8")
