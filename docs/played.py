"""Build packs, play them in each player, and write the table of docs/explanation/played.md.

    python -m docs.played --seeds 16

The packs are First Light, as many seeds, drawn by number, and a morph in stereo with a reverb, whose tail key-up must
not cut. `--keys` leaves out keys of all of them, for a table that is made faster; the page says so.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import samplepack
from samplepack.pack.played import FIGURES, SWEEP_DB, SWEEP_STEP_DB, Played
from samplepack.pack.players import Player, players
from samplepack.pack.verify import Report, verify

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs" / "explanation" / "played.md"

_SEEDS = "recipe: 1\nname: Seeds\npitches: {keys}\nbank: {{seeds: {first}-{last}}}\n"
_FIRST_SEED = 1001

_MORPH = """\
recipe: 1
name: Morph
pitches: {keys}
timbres: {{Dawn: 32, Noon: 57, Haze: {{seed: 40, toward: Noon, at: 0.4}}}}
paths: {{Drift: {{through: [Dawn, Haze, Noon], steps: 5, as: morph}}}}
process: [Reverb: {{room_size: 0.9, wet_level: 0.3}}]
sound: {{channels: stereo}}
"""

_TOP = """\
<!-- Written by docs/played.py: run `python -m docs.played`. -->

# How packs play

`samplepack verify --player` plays instruments as people do: held keys and chords for 15 s, the mod wheel up and down
under held notes, a phrase, repeated notes, soft and hard ones, the sustain pedal, controllers, and key-up under the
tail of effects. sfizz plays the SFZ map itself. FluidSynth plays what Polyphone converts it to, SF2, which has neither
controllers nor brightness by velocity; each layer of a morph sounds on a channel of its own there, whose expression
follows the map's fades.

Played: {packs}, with the keys {keys}; seeds are numbered from {first} on. The keys held are the lowest, the middle and
the highest, and up to three between them. Each value is the worst of all keys and instruments.
"""

_LOWEST = ("behave", "correlation", "brighter")
"""Figures of which the lowest is the worst."""

_ROWS = {
    "cents": ("largest deviation from the file's pitch", "{:.2f} cents"),
    "sweep_db": (f"level under the mod wheel, up and down (at most {SWEEP_DB:g} dB)", "{:.2f} dB"),
    "sweep_step_db": (f"its largest step (at most {SWEEP_STEP_DB:g} dB)", "{:.2f} dB"),
    "cut_db": ("taken from the tail of the effects by key-up", "{:.1f} dB"),
    "offset_db": ("largest constant offset", "{:.0f} dB"),
    "correlation": ("least correlation of left and right", "{:.2f}"),
    "mono_db": ("largest loss of a sum to mono", "{:.2f} dB"),
    "uneven_db": ("largest difference of a key's level from its file's", "{:.2f} dB"),
    "brighter": ("spectral centroid, velocity 127 to 20, least", "× {:.2f}"),
}
"""Figure → its row and how a value is written."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=16, help="how many seeds are built")
    parser.add_argument("--keys", default="36-84", help="pitches of all packs, as in a recipe: 36-84/12")
    arguments = parser.parse_args()
    found, missing = players()
    for line in missing:
        print(line)
    seeds, keys = arguments.seeds, arguments.keys
    first_light = (REPOSITORY / "recipes" / "first-light.yaml").read_text(encoding="utf-8")
    recipes = {
        "First Light": re.sub(r"(?m)^(timbres:)", rf"pitches: {keys}\n\1", first_light, count=1),
        f"{seeds} seeds": _SEEDS.format(keys=keys, first=_FIRST_SEED, last=_FIRST_SEED + seeds - 1),
        "a morph in stereo": _MORPH.format(keys=keys),
    }
    packs: dict[str, list[Report]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in recipes.items():
            recipe = Path(scratch, f"{name.replace(' ', '-')}.yaml")
            recipe.write_text(text, encoding="utf-8")
            (built,) = samplepack.build(recipe, output=Path(scratch, "output"))
            packs[name] = verify(built.folder, found)
            print(f"{name}: {len(_problems(packs[name]))} problems", flush=True)
            # It takes a while, so what was played stands there although the rest is stopped.
            PAGE.write_text("\n".join(_page(packs, keys, found, missing)) + "\n", encoding="utf-8")


def _page(packs: dict[str, list[Report]], keys: str, found: list[Player], missing: list[str]) -> list[str]:
    counts = [
        f"{name} ({sum(bool(report.notes) for report in reports)} instruments)" for name, reports in packs.items()
    ]
    columns = {
        f"{name}, {player.name}": [one for report in reports for one in report.played if one.player == player.name]
        for name, reports in packs.items()
        for player in found
    }
    return [
        _TOP.format(packs=", ".join(counts), keys=keys, first=_FIRST_SEED),
        *(f"{line}.\n" for line in missing),
        *_table(columns),
        "",
        "What the command says of these packs:",
        "",
        *(f"- {name}: {'; '.join(_problems(reports)) or 'nothing falls short'}" for name, reports in packs.items()),
        "",
        "What each row measures:",
        "",
        *(f"- {_ROWS[figure][0].split(' (')[0]}: {meaning}" for figure, meaning in FIGURES.items() if figure in _ROWS),
    ]


def _problems(reports: Iterable[Report]) -> list[str]:
    return [f"{report.name}: {problem}" for report in reports for problem in report.problems]


def _table(columns: dict[str, list[Played]]) -> list[str]:
    """The rows of the table, one for each figure; a dash where a figure isn't there to measure."""
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    behave = [
        f"{sum(o.figures.get('behave', 0) for o in of):.0f} of {sum(o.figures.get('keys', 0) for o in of):.0f}"
        for of in columns.values()
    ]
    lines.append(f"| keys that hold for 15 s or die away as their instrument does | {' | '.join(behave)} |")
    for figure, (row, written) in _ROWS.items():
        worst = min if figure in _LOWEST else max
        values = [[one.figures[figure] for one in of if figure in one.figures] for of in columns.values()]
        cells = [written.format(worst(value) + 0.0) if value else "–" for value in values]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
