"""The version of samplepack."""

from __future__ import annotations

__version__ = "0.3.0"
"""The version that is written into every pack, lock file and training run. pyproject.toml reads it from this file
without importing the package."""
