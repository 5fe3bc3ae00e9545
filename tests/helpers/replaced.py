"""A process that replaces a folder without end, until it is killed."""

from __future__ import annotations

import itertools

from samplepack.base.files import folder_aside


def listed(folder):
    return {"note"} if (folder / "note").exists() else None


def replace_for_ever(folder, begun):
    """Replace a folder again and again, each time with 100,000 equal digits, and tell a pipe that the first is there."""
    for number in itertools.count():
        with folder_aside(folder, listed) as aside:
            (aside / "note").write_text(str(number % 10) * 100_000)
        if number == 0:
            begun.send_bytes(b"!")
