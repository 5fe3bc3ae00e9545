"""Output of an evaluation: rows of a table, and a folder of figures and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from samplepack.base.files import folder_aside
from samplepack.evaluation import pictures
from samplepack.evaluation.evaluate import Evaluation
from samplepack.evaluation.figures import Figures, Likeness

FILE = "evaluation.json"


class Row(NamedTuple):
    """A row of the table."""

    what: str
    """Name of the figure."""

    measured: str
    """Measured value with its unit."""

    beside: str
    """Value for comparison: that of real notes, or the best possible one; may be empty."""


def rows(figures: Figures) -> list[Row]:
    """Return the main figures as rows of a table."""
    table = []
    real = figures.pitch.get("real")
    for kind, pitch in figures.pitch.items():
        if kind != "real":
            median = "" if pitch.median_cents is None else f", median {pitch.median_cents:.1f} cents"
            beside = f"real notes {_percent(real.within_50_cents)}" if real else ""
            table.append(
                Row(f"pitch within 50 cents, {kind} latents", _percent(pitch.within_50_cents) + median, beside)
            )
    for name, likeness in (("held-out", figures.held_out), ("trained", figures.trained)):
        if likeness:
            table += _rows_of_likeness(name, likeness)
    if retrieval := figures.retrieval:
        total = f"of {retrieval.notes} held-out notes"
        table.append(Row("instrument found first", f"{_percent(retrieval.top_1)} {total}", ""))
        table.append(Row("instrument among the first five", f"{_percent(retrieval.top_5)} {total}", ""))
    means = figures.diversity.means_db
    for kind, mean in means.items():
        if kind != "real":
            real_mean = means.get("real")
            share = f", {_percent(mean / real_mean)} of real" if real_mean else ""
            beside = f"real instruments {real_mean:.2f} dB" if real_mean else ""
            table.append(Row(f"distance between timbres, {kind}", f"{mean:.2f} dB{share}", beside))
    steps = figures.smoothness
    table.append(
        Row(
            f"largest step between {steps.between} latents",
            f"{steps.uniform_largest:.2f} times the mean",
            f"evened out {steps.evened_largest:.2f}",
        )
    )
    silence = figures.silence
    table.append(Row("nearly silent random latents", f"{silence.nearly_silent} of {silence.notes}", ""))
    return table


def _rows_of_likeness(name: str, of: Likeness) -> list[Row]:
    return [
        Row(f"distance to {name} notes", f"{of.distance_db:.2f} dB", f"round trip {of.floor_db:.2f} dB"),
        Row(f"level of loud bins, {name}", f"{of.loud_bins_db:+.1f} dB", ""),
        Row(
            f"attack, {name}",
            f"{of.attack_ms:.0f} ms, off by {of.attack_error_ms:.0f}",
            f"real {of.real_attack_ms:.0f} ms",
        ),
        Row(
            f"noise between partials, {name}",
            f"{of.noise_db:.1f} dB, off by {of.noise_error_db:.1f}",
            f"real {of.real_noise_db:.1f} dB",
        ),
    ]


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %"


@contextmanager
def writing(folder: Path) -> Iterator[Callable[[Evaluation], None]]:
    """Yield a function that writes `evaluation.json` and the pictures of an evaluation.

    They replace an earlier evaluation at `folder` completely, and only when the block ends without an error.

    Raises:
        InputError: `folder` exists and holds more than an evaluation; raised before the block begins.
    """
    with folder_aside(folder, _listed) as aside:

        def write(evaluation: Evaluation) -> None:
            text = json.dumps(evaluation.figures.model_dump(mode="json"), indent=1, ensure_ascii=False)
            (aside / FILE).write_text(text + "\n", encoding="utf-8")
            pictures.draw(aside, evaluation)

        yield write


def _listed(folder: Path) -> set[str] | None:
    return {FILE, *pictures.FILES} if (folder / FILE).is_file() else None
