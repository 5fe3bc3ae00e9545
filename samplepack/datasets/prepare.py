"""From a source of sounds to a prepared set."""

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
from samplepack.datasets.candidates import Job, Source, Taken, take
from samplepack.datasets.dataset import Contents, Dropped, is_dataset, read_dataset, writing

PITCHES = range(24, 85)
"""What GANSynth plays."""


def prepare(
    source: Path,
    output: Path,
    map_: Map,
    *,
    rate_hz: int = 16000,
    seconds: float = 4.0,
    pitches: range = PITCHES,
    instrument: str = "",
    title: str = "",
    license: str = "",
    progress: Progress = silent,
) -> Contents:
    """Prepare a set: whole, or not at all.

    The set depends on the source and on what is said of it here, not on the map. Where the source has several notes of
    one instrument and pitch, the first is taken.

    Args:
        source: a folder of sound files, of SFZ maps or in NSynth's layout; a soundfont, an SFZ map or a recording.
        output: the set's folder; an earlier set there is replaced.
        map_: spreads the work.
        rate_hz: of the set.
        seconds: length of each note.
        pitches: MIDI; others are dropped.
        instrument: name of everything in the source; empty to keep what the source says.
        title, license: of the set; empty to keep what the source says.
        progress: receives how many sounds of the source have been looked at.

    Raises:
        InputError: there is no such source, it is damaged, or not one note could be taken.
        SamplepackError: FluidSynth failed.
    """
    samples = round(seconds * rate_hz)
    opened = _open(source, seconds, pitches, instrument)
    task = Task(source.name, progress)
    task.begin(opened.total)
    results = map_(_worker(rate_hz, samples, pitches), opened.jobs)
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
        places = _Places()
        octaves = defaultdict(list)
        for job in results:
            for one in job:
                if isinstance(one, Taken) and (again := places.again(one.instrument, one.pitch, one.source)):
                    one = again
                if isinstance(one, Dropped):
                    writer.dropped.append(one)
                    continue
                places.take(one)
                octaves[one.instrument].append(one.octaves)
                writer.add(one.wave, instrument=one.instrument, pitch=one.pitch, source=one.source, cents=one.cents)
            task.advance(len(job))
        if writer.notes:
            writer.remarks += _remarks(octaves, {note.pitch for note in writer.notes})
            report.draw(writer.folder / report.PICTURE, writer.notes, writer.dropped)
    return read_dataset(output).contents


def parse_pitches(text: str) -> range:
    """A range of pitches, both ends included: `24-84`.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text)
    if not match or not int(match[1]) <= int(match[2]) <= 127:
        raise InputError(f"pitches: '{text}' is no range such as 24-84, of pitches from 0 to 127")
    return range(int(match[1]), int(match[2]) + 1)


def _open(source: Path, seconds: float, pitches: range, instrument: str) -> Source:
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder")
    is_folder = source.is_dir()
    if is_folder and is_dataset(source):
        raise InputError(f"{source} is a prepared set already")
    if soundfont.is_soundfont(source) or nsynth.is_nsynth(source):
        if instrument:
            raise InputError(f"{source}: it says itself what its instruments are called; leave the name out")
        return nsynth.open_nsynth(source) if is_folder else soundfont.open_soundfont(source, seconds, pitches)
    folder = source if is_folder else source.parent
    files = sound_files.files_below(source) if is_folder else [source]
    if maps := [path for path in files if path.suffix.lower() == ".sfz"]:
        return sfz.open_sfz(maps, folder, seconds, instrument)
    if is_folder:
        return sound_files.open_folder(source, files, seconds, instrument)
    return recording.open_recording(source, seconds, instrument)


def _worker(rate_hz: int, samples: int, pitches: range) -> Callable[[Job], list[Taken | Dropped]]:
    def work(job: Job) -> list[Taken | Dropped]:
        results: list[Taken | Dropped] = []
        places = _Places()
        for offered in job():
            # What isn't needed isn't even read: of NSynth's five velocities, four.
            result = places.again(offered.instrument, offered.pitch, offered.source) or take(
                offered, rate_hz, samples, pitches
            )
            if isinstance(result, Taken):
                places.take(result)
            results.append(result)
        return results

    return work


class _Places:
    """Which instruments and pitches have their note."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, int | None], str] = {}

    def take(self, note: Taken) -> None:
        self._sources[note.instrument, note.pitch] = note.source

    def again(self, instrument: str, pitch: int | None, source: str) -> Dropped | None:
        """What to say of a second note for a place."""
        first = self._sources.get((instrument, pitch))
        why = f"another of the same instrument and pitch: {first} is taken"
        return Dropped(source=source, why=why, instrument=instrument, pitch=pitch) if first is not None else None


def _remarks(octaves: dict[str, list[int]], pitches: set[int]) -> Iterable[str]:
    """What is odd about a set, though its notes could be taken.

    Args:
        octaves: instrument → of each note, how many octaves above its pitch it is heard.
        pitches: of the set.
    """
    if len(pitches) == 1:
        yield f"Every note has one pitch, {min(pitches)}: a network can't learn from it what pitch is."
    for instrument, heard in octaves.items():
        ((most, count),) = Counter(heard).most_common(1)
        if most and count > len(heard) / 2:
            plural = "s" if abs(most) > 1 else ""
            yield (
                f"{instrument}: {count} of {len(heard)} notes are heard {abs(most)} octave{plural} "
                f"{'above' if most > 0 else 'below'} their pitch; C4 is 60 here."
            )
