"""Preparation of a set of notes from a source of sounds."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from samplepack.base.errors import InputError
from samplepack.base.parallel import Map
from samplepack.base.progress import Progress, Task, silent
from samplepack.datasets import nsynth, recording, report, sfz, sound_files, soundfont
from samplepack.datasets.candidates import Job, Offered, Source, Taken, take
from samplepack.datasets.dataset import PICTURE, Contents, Dropped, is_dataset, read_dataset, writing

PITCHES = range(24, 85)
"""MIDI pitches that GANSynth plays."""


def prepare(
    source: Path,
    output: Path,
    map_: Map,
    *,
    rate_hz: int = 16000,
    seconds: float = 4.0,
    pitches: range = PITCHES,
    one_velocity: bool = False,
    instrument: str = "",
    title: str = "",
    license: str = "",
    progress: Progress = silent,
) -> Contents:
    """Prepare a set. It is written complete, or not at all.

    The set depends on the source and the arguments, not on how `map_` spreads the work. If the source has several notes
    of one instrument, pitch and velocity, the first is taken.

    Args:
        source: a folder of sound files, of SFZ maps or in NSynth's layout; a soundfont, an SFZ map or a recording.
        output: folder of the set; an earlier set there is replaced.
        map_: the map that runs the jobs, possibly in parallel.
        rate_hz: sample rate of the set.
        seconds: length of each note.
        pitches: MIDI pitches to take; sounds at others are dropped.
        one_velocity: take one note of each instrument and pitch, that whose velocity is nearest to 100.
        instrument: name of the instrument of all notes; empty to keep the names from the source.
        title: title of the set; empty to use that of the source.
        license: license of the sounds; empty to use that of the source.
        progress: receives the number of sounds processed so far.

    Returns:
        The contents of the table of the set.

    Raises:
        InputError: there is no such source, it is damaged, or no note could be taken.
        SamplepackError: FluidSynth failed.
    """
    samples = round(seconds * rate_hz)
    opened = _open(source, seconds, pitches, one_velocity, instrument)
    task = Task(source.name, progress)
    task.begin(opened.total)
    results = map_(_worker(rate_hz, samples, pitches, one_velocity), opened.jobs)
    with (
        writing(
            output,
            title=title or sound_files.as_text(opened.title),
            source=sound_files.as_text(source.resolve().name),
            license=license or opened.license,
            rate_hz=rate_hz,
            samples=samples,
        ) as writer,
        closing(results),
    ):
        writer.dropped += opened.dropped
        places = _Places(one_velocity)
        octaves = defaultdict(list)
        for job in results:
            for note in job:
                if isinstance(note, Taken) and (duplicate := places.duplicate(note)):
                    note = duplicate
                if isinstance(note, Dropped):
                    writer.dropped.append(note)
                    continue
                places.take(note)
                octaves[note.instrument].append(note.octaves)
                writer.add(
                    note.wave,
                    instrument=note.instrument,
                    pitch=note.pitch,
                    velocity=note.velocity,
                    source=note.source,
                    cents=note.cents,
                )
            task.advance(len(job))
        if writer.notes:
            writer.remarks += _remarks(octaves, {note.pitch for note in writer.notes})
            report.draw(writer.folder / PICTURE, writer.notes, writer.dropped)
    return read_dataset(output).contents


def parse_pitches(text: str) -> range:
    """Parse a range of MIDI pitches such as `24-84`, both ends included.

    Raises:
        InputError: the text isn't such a range.
    """
    match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text)
    if not match or not int(match[1]) <= int(match[2]) <= 127:
        raise InputError(f"pitches: '{text}' is no range such as 24-84, of pitches from 0 to 127")
    return range(int(match[1]), int(match[2]) + 1)


def _open(source: Path, seconds: float, pitches: range, one_velocity: bool, instrument: str) -> Source:
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    is_folder = source.is_dir()
    if is_folder and is_dataset(source):
        raise InputError(f"{source} is a prepared set already")
    if soundfont.is_soundfont(source) or nsynth.is_nsynth(source):
        if instrument:
            raise InputError(f"{source}: its instruments have names of their own; leave the name out")
        if is_folder:
            return nsynth.open_nsynth(source)
        return soundfont.open_soundfont(source, seconds, pitches, one_velocity)
    folder = source if is_folder else source.parent
    files = sound_files.files_below(source) if is_folder else [source]
    if maps := [path for path in files if path.suffix.lower() == ".sfz"]:
        return sfz.open_sfz(maps, folder, seconds, instrument)
    if is_folder:
        return sound_files.open_folder(source, files, seconds, instrument)
    return recording.open_recording(source, seconds, instrument)


def _worker(rate_hz: int, samples: int, pitches: range, one_velocity: bool) -> Callable[[Job], list[Taken | Dropped]]:
    def work(job: Job) -> list[Taken | Dropped]:
        results: list[Taken | Dropped] = []
        places = _Places(one_velocity)
        for offered in job():
            # Duplicates aren't loaded, such as four of NSynth's five velocities where one is wanted.
            result = places.duplicate(offered) or take(offered, rate_hz, samples, pitches)
            if isinstance(result, Taken):
                places.take(result)
            results.append(result)
        return results

    return work


class _Places:
    """The triples of instrument, pitch and velocity that have a note already, or the pairs without velocity."""

    def __init__(self, one_velocity: bool) -> None:
        self._one_velocity = one_velocity
        self._sources: dict[tuple[str, int | None, int], str] = {}

    def take(self, note: Taken) -> None:
        self._sources[self._place(note)] = note.source

    def duplicate(self, note: Offered | Taken) -> Dropped | None:
        """Return why a second note at the same place is dropped; None if there is no first one."""
        first = self._sources.get(self._place(note))
        if first is None:
            return None
        same = "instrument and pitch" if self._one_velocity else "instrument, pitch and velocity"
        why = f"another of the same {same}: {first} is taken"
        return Dropped(source=note.source, why=why, instrument=note.instrument, pitch=note.pitch)

    def _place(self, note: Offered | Taken) -> tuple[str, int | None, int]:
        return note.instrument, note.pitch, 0 if self._one_velocity else note.velocity


def _remarks(octaves: dict[str, list[int]], pitches: set[int]) -> Iterable[str]:
    """Yield a sentence for each oddity of a set whose notes could be taken.

    Args:
        octaves: for each instrument, the octaves by which the measured pitch of each note lies above its label.
        pitches: all MIDI pitches in the set.
    """
    if len(pitches) == 1:
        yield f"Every note has one pitch, {min(pitches)}: a network can't learn from it what pitch is."
    for instrument, offsets in octaves.items():
        ((most, count),) = Counter(offsets).most_common(1)
        if most and count > len(offsets) / 2:
            plural = "s" if abs(most) > 1 else ""
            yield (
                f"{instrument}: {count} of {len(offsets)} notes are heard {abs(most)} octave{plural} "
                f"{'above' if most > 0 else 'below'} their pitch; C4 is 60 here."
            )
