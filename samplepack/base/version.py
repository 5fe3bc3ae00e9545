"""The version of samplepack."""

from __future__ import annotations

__version__ = "0.1.0"
"""Stands in every pack, lock file and training run; pyproject.toml reads it from here without importing the package."""
