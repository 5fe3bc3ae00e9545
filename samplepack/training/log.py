"""The log of a training run: a CSV file of its loss, and a picture of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from samplepack.base.files import write_aside
from samplepack.training.pictures import draw_losses


class TrainingLog:
    """The terms of the loss over a method of a run, as a table in a CSV file.

    Args:
        path: the file; rows that are in it already are kept.
        terms: names of the terms, a column each.
        images: how many images have been seen; rows of a later state are dropped, since the run repeats it.
    """

    def __init__(self, path: Path, terms: tuple[str, ...], images: int) -> None:
        self.path, self.terms = path, terms
        self.rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["images"]) <= images]

    def add(self, images: int, seconds: float, images_per_s: float, terms: Mapping[str, float]) -> None:
        """Append a row, and write the file."""
        row = {"images": str(images), "seconds": f"{seconds:.1f}", "images_per_s": f"{images_per_s:.1f}"}
        self.rows.append(row | {name: f"{value:.5g}" for name, value in terms.items()})
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, ["images", "seconds", "images_per_s", *self.terms], restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        write_aside(self.path, text.getvalue().encode())

    def draw(self) -> None:
        """Draw the table as a PNG beside the file."""
        images = [int(row["images"]) for row in self.rows]
        terms = {name: [float(row.get(name) or "nan") for row in self.rows] for name in self.terms}
        draw_losses(self.path.with_suffix(".png"), images, terms)
