"""Where the repository and the tests' fixtures lie."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "fixtures"
REPOSITORY = Path(__file__).parent.parent.parent
