"""samplepack: sampler instruments from recipes in git."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from samplepack.base.version import __version__ as __version__

if TYPE_CHECKING:
    from samplepack.api import Player


def load(checkpoint: str | os.PathLike[str] = "starter") -> Player:
    """Load a checkpoint, to play it from Python.

        >>> import samplepack
        >>> samplepack.load("starter").render(7, pitch=60)
        <Rendered 'seed 7, pitch 60': 4.00 s, 16000 Hz, mono>

    Args:
        checkpoint: a name that `samplepack checkpoints list` shows; or a folder or zip, as a `Path`, or as a string
            that has a slash in it or ends in .zip.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    from pathlib import Path

    from samplepack.api import Player
    from samplepack.checkpoints import library

    reference = checkpoint if isinstance(checkpoint, str) else os.path.join(".", checkpoint)
    return Player(library.as_native(library.resolve(reference, Path())))
