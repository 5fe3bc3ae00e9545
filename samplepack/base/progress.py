"""Reports of progress. The library itself never prints them; its caller may show them."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives reports of the progress of tasks."""

    def __call__(self, task: str, done: int, total: int | None, remark: str = "") -> None:
        """Receive a report.

        Args:
            task: the name of the task.
            done: the number of units that are done; a unit is a note, byte, image or step, as the task defines it.
            total: the number of all units; None while it isn't known.
            remark: a short remark on what the task does now, such as `loading the network`.
        """


def silent(task: str, done: int, total: int | None, remark: str = "") -> None:
    """A `Progress` that shows nothing."""


class Task:
    """A task that counts the units that are done and reports each change.

    Args:
        name: the name of the task.
        progress: receives the reports.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress
        self._done = 0
        self._total: int | None = None

    def begin(self, total: int | None) -> None:
        """Set the number of all units; None if it isn't known."""
        self._total = total
        self.advance(0)

    def advance(self, units: int) -> None:
        """Count units that are done."""
        self._done += units
        self._progress(self._name, self._done, self._total)

    def remark(self, remark: str) -> None:
        """Report something that takes time without completing a unit."""
        self._progress(self._name, self._done, self._total, remark)
