"""Who hears how long work goes. The library doesn't print."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears how work on notes goes."""

    def started(self, notes: int) -> None:
        """The work begins, with so many notes to make."""

    def waiting(self) -> None:
        """Another process is making the same; this one begins when that is done."""

    def loading(self) -> None:
        """The network is being loaded."""

    def done(self, notes: int) -> None:
        """So many more notes are done."""


class Silent:
    """A `Progress` that keeps it to itself."""

    def started(self, notes: int) -> None: ...

    def waiting(self) -> None: ...

    def loading(self) -> None: ...

    def done(self, notes: int) -> None: ...


SILENT = Silent()
