"""Drawing with Matplotlib: one style for all pictures, and one function that writes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def own_style() -> Iterator[None]:
    """Use Matplotlib's default settings while the block runs, so that pictures don't depend on the user's settings."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False  # a user's text may hold $
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script that the font lacks
        yield


def draw(
    to: Path | IO[bytes],
    size_inches: tuple[float, float],
    content: Callable[[Figure], None],
    dpi: int = 90,
    is_laid_out: bool = True,
) -> None:
    """Draw a figure and write it as a picture; the same content gives the same bytes.

    Args:
        to: the path of the picture, PNG or SVG, or a stream for a PNG.
        size_inches: width and height of the figure, inches.
        content: draws into the figure.
        dpi: resolution of a PNG, pixels per inch.
        is_laid_out: whether Matplotlib's constrained layout places the axes; otherwise `content` places them.

    Raises:
        InputError: the file's name ends in neither .png nor .svg.
        OSError: the picture can't be written.
    """
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    kind = to.suffix[1:] if isinstance(to, Path) else "png"
    if kind not in ("png", "svg"):
        raise InputError(f"'{to}' should end in .png or .svg")
    encoded = io.BytesIO()
    with own_style():
        figure = Figure(figsize=size_inches, dpi=dpi, layout="constrained" if is_laid_out else None)
        content(figure)
        rcParams["svg.hashsalt"] = figure.get_suptitle()  # without one, an SVG's identifiers are random
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(encoded, format=kind, metadata=metadata)
    if isinstance(to, Path):
        write_aside(to, encoded.getvalue())
    else:
        to.write(encoded.getvalue())
