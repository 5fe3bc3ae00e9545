"""How far work has come, for whoever shows it: the library itself never prints."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives how far tasks have come."""

    def __call__(self, task: str, done: int, total: int | None, remark: str = "") -> None:
        """A task has come so far.

        Args:
            task: its name.
            done: units that are done: notes, bytes, images or steps, as the task counts them.
            total: units in all; None as long as that isn't known.
            remark: what goes on besides, in a few words, such as `loading the network`.
        """


def silent(task: str, done: int, total: int | None, remark: str = "") -> None:
    """A `Progress` that shows nothing."""


class Task:
    """One task that counts its units and reports each step of its way.

    Args:
        name: of the task.
        progress: receives the reports.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress
        self._done = 0
        self._total: int | None = None

    def begin(self, total: int | None) -> None:
        """The task has so many units in all; None if that isn't known."""
        self._total = total
        self.advance(0)

    def advance(self, units: int) -> None:
        """So many more units are done."""
        self._done += units
        self._progress(self._name, self._done, self._total)

    def remark(self, remark: str) -> None:
        """Something goes on that takes time and does no unit."""
        self._progress(self._name, self._done, self._total, remark)
