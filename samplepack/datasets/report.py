"""Overview of a prepared set: rows of a table, and a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samplepack.base import plotting
from samplepack.datasets.dataset import Contents, Dropped, Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS = 400
_ROW_INCHES = 0.16
_COLORS = ("#f2f2f2", "#1f77b4", "#ff7f0e")
_NOTHING, _TAKEN, _DROPPED = range(3)


@dataclass(frozen=True)
class Row:
    """One instrument of a set."""

    instrument: str
    notes: int
    lowest: int
    highest: int
    """Highest MIDI pitch of its notes; `lowest` is the lowest one."""

    missing: int
    """Number of pitches without a note between `lowest` and `highest`."""


def rows(contents: Contents) -> list[Row]:
    """Summarise the instruments of a set, in the order of their first notes."""
    pitches = defaultdict(list)
    for note in contents.notes:
        pitches[note.instrument].append(note.pitch)
    return [
        Row(name, len(found), min(found), max(found), max(found) - min(found) + 1 - len(set(found)))
        for name, found in pitches.items()
    ]


def dropped_by_reason(dropped: Sequence[Dropped]) -> dict[str, list[Dropped]]:
    """Group dropped sounds by reason, the most frequent reason first."""
    groups = defaultdict(list)
    for one in dropped:
        groups[one.reason].append(one)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def draw(path: Path, notes: Sequence[Note], dropped: Sequence[Dropped]) -> None:
    """Draw the instruments and pitches that a set has notes of, as a PNG.

    Args:
        path: the picture to write.
        notes: the notes of the set, at least one.
        dropped: the dropped sounds; those with a known instrument and pitch are drawn as well.
    """
    from matplotlib.colors import ListedColormap

    known = [(one.instrument, one.pitch) for one in dropped if one.instrument is not None and one.pitch is not None]
    taken = [(note.instrument, note.pitch) for note in notes]
    every = list(dict.fromkeys(name for name, _ in [*taken, *known]))
    names = every[:_MOST_ROWS]
    pitches = [pitch for _, pitch in [*taken, *known]]
    lowest, highest = min(pitches), max(pitches)
    grid = np.full((len(names), highest - lowest + 1), _NOTHING)
    row = {name: number for number, name in enumerate(names)}
    for places, value in ((known, _DROPPED), (taken, _TAKEN)):
        for name, pitch in places:
            if name in row:
                grid[row[name], pitch - lowest] = value

    def content(figure: Figure) -> None:
        axes = figure.subplots()
        axes.pcolormesh(
            np.arange(lowest, highest + 2) - 0.5,
            np.arange(len(names) + 1) - 0.5,
            grid,
            cmap=ListedColormap(_COLORS),
            vmin=_NOTHING,
            vmax=_DROPPED,
            edgecolors="white",
            linewidth=0.5,
        )
        axes.invert_yaxis()
        axes.set_yticks(range(len(names)), [name[:40] for name in names], fontsize=7)
        axes.set_xticks([pitch for pitch in range(lowest, highest + 1) if pitch % 12 == 0])
        axes.set_xlabel("pitch; 60 is C4")
        title = f"{len(taken)} notes taken (blue); dropped in orange"
        if len(names) < len(every):
            title += f"; the first {len(names)} of {len(every)} instruments"
        axes.set_title(title, loc="left", fontsize=9)

    plotting.draw(path, (10, 1.2 + _ROW_INCHES * len(names)), content)
