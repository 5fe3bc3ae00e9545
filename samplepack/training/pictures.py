"""Pictures of a run: its loss, and real notes beside what the network makes of them by now."""

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
    """The terms of the loss over the images seen."""

    def content(figure: Figure) -> None:
        axes = figure.subplots(len(terms), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (name, values) in zip(axes, terms.items(), strict=True):
            axis.plot(images, values, linewidth=1)
            axis.set_title(name.replace("_", " "), fontsize=9, loc="left")
        axes[-1].set_xlabel("images seen")

    draw(path, (9, 1.8 * len(terms)), content, _DPI)


def draw_notes(path: Path, titles: Sequence[str], real: Images, made: Images, after: int) -> None:
    """Magnitudes of notes, the real ones above those that the network makes.

    Args:
        path: a PNG.
        titles: of the notes.
        real, made: spectrograms, shape (notes, frames, bins, 2).
        after: how many images the network has seen.
    """

    def content(figure: Figure) -> None:
        axes: Any = figure.subplots(2, len(titles), sharex=True, sharey=True, squeeze=False)
        for column, title in enumerate(titles):
            for row, images in enumerate((real, made)):
                magnitude = images[column, ..., 0].T
                axes[row, column].imshow(magnitude, aspect="auto", origin="lower", cmap="magma", vmin=-0.4, vmax=1.0)
            axes[0, column].set_title(title, fontsize=9)
        axes[0, 0].set_ylabel("real, mel bins")
        axes[1, 0].set_ylabel(f"made after {after} images")
        axes[1, 0].set_xlabel("frames")

    draw(path, (3 * len(titles), 6), content, _DPI)
