"""samplepack: sampler instruments from recipes in git.

samplepack.check("recipes/bell.yaml")      every problem of a recipe
samplepack.build("recipes/bell.yaml")      make its pack
samplepack.verify("output/bell")           measure the pack
samplepack.diff("a.yaml", "b.yaml")        what changed, in a musician's words
samplepack.load("starter")                 a checkpoint to play notes and clips with
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
