"""What goes wrong, told in one line a problem. Plain exceptions; the command line alone prints them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_LEAST_SIMILARITY = 0.7
"""`SequenceMatcher.ratio` of two spellings of one word: nmae and name have 0.75, Brass and Glass, two words, 0.6."""


class SamplepackError(Exception):
    """It ran and failed, through no fault in what the user gave. The command line exits with 1."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with what the user gave."""

    message: str
    """What is wrong and what would be right, in one line."""

    file: str | None = None
    """The file that it stands in, as the user named it."""

    line: int | None = None
    """Counted from 1."""

    column: int | None = None
    """Counted from 1."""

    def __str__(self) -> str:
        place = [str(part) for part in (self.file, self.line, self.column) if part is not None]
        text = ":".join(place) + ": " + self.message if place else self.message
        return printable(text)


def printable(text: str) -> str:
    """Text from a user's files on one line, with control characters written out, so that it can't steer a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class InputError(SamplepackError):
    """What the user gave is wrong: every problem at once. The command line exits with 2."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(p if isinstance(p, Problem) else Problem(p) for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'Reverb'?"` where a known name is spelled nearly the same, else `""`."""
    by_lower_case = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=_LEAST_SIMILARITY)
    return f"; did you mean '{by_lower_case[near[0]]}'?" if near else ""


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural where there isn't one of it."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
