"""samplepack: sampler instruments from recipes in git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samplepack.base.version import __version__ as __version__

if TYPE_CHECKING:
    from samplepack.api import Player


def load(name: str = "starter") -> Player:
    """A checkpoint, ready to play: `samplepack.load("starter").render(seed=7, pitch=60)`.

    Args:
        name: one that `samplepack checkpoints list` shows, or the path of its folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from pathlib import Path

    from samplepack.api import Player
    from samplepack.checkpoints import library

    return Player(library.as_native(library.resolve(name, Path())))
