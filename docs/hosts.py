"""Let music programs play a pack, and write the tables of docs/explanation/hosts.md.

    python -m docs.hosts

The programs are system packages; `.ci/run` names them, and its tests (tests/system/test_hosts.py) are of the same runs.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.helpers.hosts import (
    BEND_CENTS,
    COMMANDS,
    ODD,
    ODD_FOLDER,
    OVERTONE_DB,
    Played,
    bent,
    measure,
    render,
    strength,
    tracks,
    write_tones,
)
from tests.helpers.tone_packs import frequency_hz

PAGE = Path(__file__).parent / "explanation" / "hosts.md"

_TOP = """\
<!-- Written by docs/hosts.py: run `python -m docs.hosts`. -->

# What plays in which program

Each program below opened a project that `samplepack session` writes, without a screen, and rendered it. The pack has
tones that are known exactly: a key that is held for 10 s, nine times round its loop; a chord of three keys, two of
which play a neighbour's sound; and a morph, whose mod wheel travels up and down. [How packs play](played.md) has the
figures of sfizz and FluidSynth with packs of a network.
"""

_PACKAGES = {
    "ardour": ("ardour", "Ardour {}, its ACE Fluid Synth"),
    "lmms": ("lmms", "LMMS {}, its Sf2 Player"),
    "musescore": ("musescore3", "MuseScore {}, its Zerberus"),
}
"""Host → its package, and what plays in it."""

_LOADS = {"ardour": "SF2", "lmms": "SF2", "musescore": "SFZ"}

_NOTES = """\
- **Pitch.** MuseScore's sampler reads sounds in steps of 256ths of a frame, rounded down, so that keys are up to some
  cents flat, each by its own amount. LMMS plays a cent flat.
- **Mod wheel.** The overtone of the morph's second layer is to be absent at the lower end of the wheel and
  {full:.1f} dB below the fundamental at the upper one. Songs of LMMS 1.2 hold no controllers, so a morph stays at its
  lower end there. MuseScore's sampler has no crossfades: all layers of a morph sound at once; its Fluid, with the
  `.sf2`, plays the lower end. Morphs `by: velocity` and `by: keys` need no wheel.
- **Pitch wheel.** In LMMS the pitch of a track, which songs can automate, is the pitch wheel: a curve that leaps by
  {bend:g} cents was heard as {heard:.1f} cents.
- **Odd names.** A folder called `{folder}` and an instrument called `{odd}`.

## What nobody could run here

These were written or described by their documentation alone. If you have one of them, what you find is welcome.

| program | what it loads | how far it was checked |
|---|---|---|
| sforzando, and other players with ARIA | SFZ | opcodes by their reference; sfizz plays the same file |
| Reaper | a project by `samplepack session --host reaper` | by Cockos' description of its files; PyPI's rpp reads it |
| Bitwig Studio | `.multisample`, `.wt`, DAWproject | by the schemas of these formats |
| Studio One, Cubase | `.multisample` (Studio One), DAWproject | by the schemas of these formats |
| Ableton Live, Logic, Kontakt | through ConvertWithMoss | not at all |
| DecentSampler | `.dspreset` | by its documentation and arithmetic |
| Serum, Vital, Surge | wavetables | by the formats' descriptions; cycles were measured |
| SuperCollider, Max | `samplepack live` | not at all: there is a class, and a note |
| MuseScore 4, LMMS 1.3, Ardour 8 | as their earlier versions above | not at all |
"""


def main() -> None:
    """Run the programs and write the page."""
    found: dict[str, Played] = {}
    names: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        plain, odd = write_tones(root / "plain", "Plain"), write_tones(root / ODD_FOLDER, ODD)
        for host in COMMANDS:
            found[host] = measure(render(host, "Song", tracks(plain, host), _new(root / host)))
            loaded = measure(render(host, ODD, tracks(odd, host), _new(root / f"{host}-odd")))
            names[host] = "load" if abs(loaded.held_db) < 0.2 and loaded.chord_db > -1.0 else "fail"
            print(f"{host}: {found[host]}, odd names {names[host]}", flush=True)
        audio = render("lmms", "Song", tracks(plain, "lmms"), _new(root / "bent"), bent)
    heard = strength(audio, 5.5, 9.5, frequency_hz(60)).cents - strength(audio, 0.5, 4.5, frequency_hz(60)).cents
    rows = {
        "loads": [_LOADS[host] for host in found],
        "pitch, the key that is furthest off": _cells(found, "{:+.2f} cents", lambda played: played.cents),
        "level after 8 s beside the beginning": _cells(found, "{:+.3f} dB", lambda played: played.held_db),
        "swing of the level round the loop": _cells(found, "{:.3f} dB", lambda played: played.swing_db),
        "the quietest key of the chord": _cells(found, "{:+.2f} dB", lambda played: played.chord_db),
        "1.8 s after key-up": _cells(found, "{:.0f} dB", lambda played: played.silence_db),
        "overtone of the morph, wheel down, up, down": [
            ", ".join(f"{value:.1f}" for value in played.overtone_db) + " dB" for played in found.values()
        ],
        "level under the moving wheel": _cells(found, "{:.2f} dB", lambda played: played.sweep_db),
        "odd names": list(names.values()),
    }
    title = [_PACKAGES[host][1].format(_version(_PACKAGES[host][0])) for host in found]
    table = [f"| | {' | '.join(title)} |", "|---" * (len(title) + 1) + "|"]
    table += [f"| {row} | {' | '.join(cells)} |" for row, cells in rows.items()]
    notes = _NOTES.format(full=-OVERTONE_DB[127], bend=BEND_CENTS, heard=heard, folder=ODD_FOLDER, odd=ODD)
    PAGE.write_text("\n".join([_TOP, *table, "", notes]), encoding="utf-8")


def _cells(found: dict[str, Played], written: str, figure: Callable[[Played], float]) -> list[str]:
    """A figure of each program, without minus zeros."""
    return [written.format(round(figure(played), 3) + 0.0).replace("-0.00 ", "+0.00 ") for played in found.values()]


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _version(package: str) -> str:
    """The version of an installed package, without the distribution's own parts."""
    ran = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True)
    return ran.stdout.partition(":")[2].partition("+")[0] or ran.stdout.partition("+")[0]


if __name__ == "__main__":
    main()
