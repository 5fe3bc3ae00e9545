"""samplepack: sampler instruments from recipes in git.

The functions of the command line, from Python:

    >>> import samplepack
    >>> samplepack.check("bell.yaml")                      # every problem of a recipe
    []
    >>> (built,) = samplepack.build("bell.yaml")           # its pack
    >>> built.folder.as_posix(), len(built.manifest.instruments)
    ('output/bell', 1)
    >>> [report.problems for report in samplepack.verify(built.folder)]
    [[]]
    >>> samplepack.diff("bell.yaml", built.folder).to_render
    0
    >>> samplepack.load("starter").render(7, pitch=60)     # a checkpoint to play notes and clips with
    <Rendered 'seed 7, pitch 60': 4.00 s, 48000 Hz, mono>
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from samplepack.base.version import __version__

if TYPE_CHECKING:
    from samplepack.api import load
    from samplepack.pack.build import build
    from samplepack.pack.diff import diff
    from samplepack.pack.recipes import check
    from samplepack.pack.verify import verify

__all__ = ["__version__", "build", "check", "diff", "load", "verify"]

_MODULES = {
    "build": "samplepack.pack.build",
    "check": "samplepack.pack.recipes",
    "diff": "samplepack.pack.diff",
    "load": "samplepack.api",
    "verify": "samplepack.pack.verify",
}
"""Function → the module that has it, imported when it is asked for: the command line starts without them."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'samplepack' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
