"""Exceptions and the problems that they carry, one line each. Only the command line prints them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_LEAST_SIMILARITY = 0.7
"""The least `SequenceMatcher.ratio` at which a known name is suggested: `nmae` and `name` have 0.75; `Brass` and
`Glass`, which are different words, have 0.6."""


_MOST_COMPARED, _LONGEST_COMPARED = 300, 100
"""How many known names a name is compared with, and the longest name that is: beyond, only its case may differ."""

_LONGEST_MESSAGE = 6000
"""The longest message of a problem, characters; of a longer one, which quotes a user's value, the middle is left
out."""


class SamplepackError(Exception):
    """An operation failed although the user's input is right. The command line exits with 1."""


@dataclass(frozen=True)
class Problem:
    """A problem in the user's input."""

    message: str
    """What is wrong and what would be right, in one line."""

    file: str | None = None
    """The path of the file that has the problem, as the user wrote it; None if the problem is in no file."""

    line: int | None = None
    """The line of the problem, counted from 1; None if it isn't known."""

    column: int | None = None
    """The column of the problem, counted from 1; None if it isn't known."""

    def __str__(self) -> str:
        place = [str(part) for part in (self.file, self.line, self.column) if part is not None]
        message, half = self.message, _LONGEST_MESSAGE // 2
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:half]} … {message[-half:]}"
        text = ":".join(place) + ": " + message if place else message
        return printable(text)


def printable(text: str) -> str:
    """Text on one line, with control characters escaped, so that a user's files can't control the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class InputError(SamplepackError):
    """The user's input is wrong; `problems` holds all problems that were found. The command line exits with 2."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(p if isinstance(p, Problem) else Problem(p) for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))


def lines_of(error: SamplepackError | OSError) -> list[str]:
    """What an error says, each problem in a line."""
    if isinstance(error, OSError):
        return [(f"{error.filename}: " if error.filename else "") + (error.strerror or str(error))]
    return str(error).splitlines()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The ending of a message, `"; did you mean 'Reverb'?"`, if a known name is spelled similarly; otherwise `""`."""
    by_lower_case = {k.lower(): k for k in known}
    if len(by_lower_case) > _MOST_COMPARED or len(name) > _LONGEST_COMPARED:
        return f"; did you mean '{by_lower_case[name.lower()]}'?" if name.lower() in by_lower_case else ""
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=_LEAST_SIMILARITY)
    return f"; did you mean '{by_lower_case[near[0]]}'?" if near else ""


def counted(number: int, noun: str) -> str:
    """A number with its noun, which is in the plural unless the number is 1."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
