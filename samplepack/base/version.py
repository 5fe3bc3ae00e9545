"""The versions of samplepack and of the libraries that it stands on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

__version__ = "0.3.0"
"""The version that is written into every pack, lock file and training run. pyproject.toml reads it from this file
without importing the package."""

_LIBRARIES = ("keras", "numpy", "pedalboard", "pyloudnorm", "scipy", "soundfile", "soxr", "matplotlib", "pillow")
"""Libraries whose versions decide the bytes of every pack."""


@cache
def library_versions() -> dict[str, str]:
    """The versions of the libraries that decide the bytes of every pack. Cached, since they are read from files."""
    return {name: version(name) for name in _LIBRARIES}
