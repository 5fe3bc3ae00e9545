"""Pictures of a run: its loss, and the spectrograms of real notes and of the network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplepack.base.plotting import draw
from samplepack.training.spectrograms import Images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 100


def draw_losses(path: Path, images: Sequence[int], terms: Mapping[str, Sequence[float]]) -> None:
    """Draw the terms of the loss over the number of images seen, as a PNG."""

    def content(figure: Figure) -> None:
        axes = figure.subplots(len(terms), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (name, values) in zip(axes, terms.items(), strict=True):
            axis.plot(images, values, linewidth=1)
            axis.set_title(name.replace("_", " "), fontsize=9, loc="left")
        axes[-1].set_xlabel("images seen")

    draw(path, (9, 1.8 * len(terms)), content, _DPI)


def draw_notes(path: Path, titles: Sequence[str], real: Images, generated: Images, images_seen: int) -> None:
    """Draw the magnitudes of notes as a PNG, the real ones above the network's.

    Args:
        path: the file to write.
        titles: a title for each note.
        real, generated: spectrograms, shape (notes, frames, bins, 2).
        images_seen: how many images the network has been trained on.
    """

    def content(figure: Figure) -> None:
        axes: Any = figure.subplots(2, len(titles), sharex=True, sharey=True, squeeze=False)
        for column, title in enumerate(titles):
            for row, images in enumerate((real, generated)):
                magnitude = images[column, ..., 0].T
                axes[row, column].imshow(magnitude, aspect="auto", origin="lower", cmap="magma", vmin=-0.4, vmax=1.0)
            axes[0, column].set_title(title, fontsize=9)
        axes[0, 0].set_ylabel("real, mel bins")
        axes[1, 0].set_ylabel(f"made after {images_seen} images")
        axes[1, 0].set_xlabel("frames")

    draw(path, (3 * len(titles), 6), content, _DPI)
