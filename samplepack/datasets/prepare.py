"""From a source of sounds to a prepared set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from samplepack.datasets import soundfont
from samplepack.datasets.offered import Job, Source, Taken, take
from samplepack.datasets.prepared import Contents, Dropped, Writer, read_dataset, writing
from samplepack.errors import InputError
from samplepack.parallel import Map

PITCHES = range(24, 85)
"""What GANSynth plays."""


class Progress(Protocol):
    """Hears how a set is prepared."""

    def started(self, notes: int | None) -> None:
        """So many sounds are to be looked at, if that is known."""

    def done(self, notes: int) -> None:
        """So many more have been."""


class Silent:
    """A `Progress` that keeps it to itself."""

    def started(self, notes: int | None) -> None: ...

    def done(self, notes: int) -> None: ...


SILENT = Silent()


def prepare(
    source: Path,
    output: Path,
    map_: Map,
    *,
    rate_hz: int = 16000,
    seconds: float = 4.0,
    pitches: range = PITCHES,
    license: str = "",
    title: str = "",
    progress: Progress = SILENT,
) -> Contents:
    """Prepare a set: whole, or not at all.

    The set depends on the source and on `rate_hz`, `seconds`, `pitches`, `license` and `title` alone. Where the source
    has several notes of one instrument and pitch, the first is taken.

    Args:
        source: a soundfont.
        output: the set's folder; an earlier set there is replaced.
        map_: spreads the work.
        rate_hz: of the set.
        seconds: length of each note.
        pitches: MIDI; others are dropped.
        license, title: empty to keep what the source says of itself.

    Raises:
        InputError: there is no such source, or not one note could be taken.
        SamplepackError: FluidSynth failed.
    """
    samples = round(seconds * rate_hz)
    opened = _open(source, seconds, pitches)
    about = {"title": title or opened.title, "source": source.name, "license": license or opened.license}
    progress.started(opened.total)
    results = map_(_worker(rate_hz, samples, pitches), opened.jobs)
    with (
        writing(output, **about, rate_hz=rate_hz, samples=samples) as writer,
        closing(results),
    ):
        for dropped in opened.dropped:
            writer.drop(dropped.source, dropped.why)
        kept: dict[tuple[str, int], str] = {}
        for taken in results:
            for one in taken:
                _put(one, writer, kept)
            progress.done(len(taken))
    return read_dataset(output).contents


def _open(source: Path, seconds: float, pitches: range) -> Source:
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    if source.is_file() and soundfont.is_soundfont(source):
        return soundfont.open_soundfont(source, seconds, pitches)
    raise InputError(f"{source}: it is no soundfont")


def _worker(rate_hz: int, samples: int, pitches: range) -> Callable[[Job], list[Taken | Dropped]]:
    def work(job: Job) -> list[Taken | Dropped]:
        return [take(offered, rate_hz, samples, pitches) for offered in job()]

    return work


def _put(one: Taken | Dropped, writer: Writer, kept: dict[tuple[str, int], str]) -> None:
    if isinstance(one, Dropped):
        writer.drop(one.source, one.why)
        return
    place = (one.instrument, one.pitch)
    if place in kept:
        writer.drop(one.source, f"another note of this instrument and pitch is taken: {kept[place]}")
        return
    kept[place] = one.source
    writer.add(one.wave, instrument=one.instrument, pitch=one.pitch, source=one.source, cents=one.cents)
