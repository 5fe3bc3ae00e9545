"""Output of the commands: lines without control characters, JSON, and progress bars on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click

from samplepack.base.errors import printable
from samplepack.base.progress import Progress, silent

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

Unit = Literal["notes", "bytes", "images", "steps", "performances", "instruments"]

_SECONDS_BETWEEN_LINES = 60.0

_MOST_BARS = 8
"""Beyond, the bar of the task that has been done for longest is taken away."""


def print_line(line: str) -> None:
    """Print a line without the control characters that text from a user's files may contain."""
    click.echo(printable(line))


def print_json(value: Any) -> None:
    """Print plain data as JSON, in ASCII, which every terminal and pipe can take."""
    click.echo(json.dumps(value, indent=1))


def print_json_line(value: Any, stream: TextIO) -> None:
    """Print plain data as one line of JSON, in ASCII, at once: who reads the stream needn't wait for the end."""
    click.echo(json.dumps(value), file=stream)


def print_problems(*lines: str) -> None:
    """Print lines on standard error."""
    for line in lines:
        click.echo(printable(line), err=True)


@contextmanager
def progress_bars(unit: Unit, quiet: bool = False) -> Iterator[Progress]:
    """Show progress bars on standard error, one for each task that reports; show nothing if it isn't a terminal.

    Args:
        unit: the unit that tasks count.
        quiet: whether to show nothing on a terminal either.
    """
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    with Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *_counters(unit),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[remark]}", markup=False),
        console=Console(stderr=True),
    ) as bars:

        def show(task: str, done: int, total: int | None, remark: str = "") -> None:
            if task not in tasks:
                finished = {bar.id for bar in bars.tasks if bar.finished}
                ended = [name for name in tasks if tasks[name] in finished]
                if ended and len(tasks) >= _MOST_BARS:
                    bars.remove_task(tasks.pop(ended[0]))
                tasks[task] = bars.add_task(printable(task), total=total, remark="")
            bars.update(tasks[task], completed=done, total=total, remark=remark)

        yield show


def _counters(unit: Unit) -> list[ProgressColumn]:
    """The columns that show how much of a task is done, and its speed."""
    from rich.progress import DownloadColumn, MofNCompleteColumn, ProgressColumn, TransferSpeedColumn
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: BarTask) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{unit}, {speed:.1f} a second" if speed else unit)

    return [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [MofNCompleteColumn(), Rate()]


@contextmanager
def progress_bars_or_lines(unit: Unit, quiet: bool) -> Iterator[Progress]:
    """Show progress bars, or print a line a minute if standard error isn't a terminal; for work that takes hours."""
    if quiet or sys.stderr.isatty():
        with progress_bars(unit, quiet) as bars:
            yield bars
        return
    printed_s: dict[str, float] = {}

    def show(task: str, done: int, total: int | None, remark: str = "") -> None:
        now_s = time.monotonic()
        if now_s - printed_s.get(task, -_SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES or done == total:
            printed_s[task] = now_s
            print_problems(f"{task}: {done} of {total} {unit}" + (f"; {remark}" if remark else ""))

    yield show
