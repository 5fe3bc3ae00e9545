"""Sources of sound files with one note each, and the reading of sound files."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samplepack.base.errors import InputError
from samplepack.datasets.candidates import Job, Offered, Source, Unusable
from samplepack.datasets.dataset import Dropped
from samplepack.sound import key_names as pitch_names
from samplepack.sound import riff
from samplepack.sound.audio import SOUND_SUFFIXES, Audio

_OTHER_SOUNDS = frozenset({".m4a", ".aac", ".wma", ".mp4", ".ape", ".wv"})

LONGEST_S = 60.0
"""Longest duration of a single note, seconds."""

RATES_HZ = range(4000, 768001)
"""Sample rates that are accepted in files, Hz."""

BEST_VELOCITY = 100
"""MIDI velocity that is preferred if a key has notes of several velocities."""

_ONSET_DB = -40.0
"""Level relative to the peak at which a sound begins."""

_LEAD_IN_S = 0.005


def open_folder(folder: Path, paths: Sequence[Path], seconds: float, instrument: str) -> Source:
    """Open the sound files of a folder, each of which contains one note.

    The pitch of a note is taken from the file name, else from the WAV's `smpl` chunk, else it is measured. The name of
    the instrument is the part of the file name before the pitch. If several folders contain sound files, it is the
    folder's name, followed by that part of the file name if it differs within the folder.

    Args:
        folder: the folder.
        paths: the paths of all files in it and below.
        seconds: length of each sound that is needed.
        instrument: instrument name for all files; empty to take it from file names and folders.

    Raises:
        InputError: there is no sound file among them.
    """
    sounds = [path for path in paths if path.suffix.lower() in SOUND_SUFFIXES]
    if not sounds:
        raise InputError(f"{folder}: no sound file in it (looked for {', '.join(SOUND_SUFFIXES)}), nor any .sfz file")
    named = {path: pitch_names.parse(path.stem) for path in sounds}
    names = _instruments(folder, named) if not instrument else dict.fromkeys(sounds, instrument)
    notes = defaultdict(list)
    for path in sounds:
        notes[names[path], named[path].pitch].append(path)
    jobs = []
    for (name, pitch), group in sorted(notes.items(), key=_by_name_and_pitch):
        # Files without a pitch in their names are separate notes.
        for candidates in [group] if pitch is not None else [[path] for path in group]:
            candidates.sort(key=lambda path: distance(named[path].velocity))
            with_velocities = [(path, named[path].velocity) for path in candidates]
            jobs.append(_job(folder, with_velocities, name, pitch, seconds))
    return Source(
        title=folder.resolve().name,
        license="",
        jobs=jobs,
        total=len(sounds),
        dropped=[
            Dropped(source=shown(path, folder), why=f"can't be read: convert {path.suffix} to WAV or FLAC")
            for path in paths
            if path.suffix.lower() in _OTHER_SOUNDS
        ],
    )


def files_below(folder: Path) -> list[Path]:
    """List all files in a folder and below except hidden ones, in natural order: `take 10` after `take 9`."""
    found = (path for path in folder.rglob("*") if path.is_file())
    visible = (p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(visible, key=lambda path: (natural(str(path.parent)), natural(path.name)))


def natural(text: str) -> tuple[tuple[str, int], ...]:
    """Return a sort key for natural order, in which digits in names are compared as numbers."""
    return tuple((word, int(digits or 0)) for word, digits in re.findall(r"(\D*)(\d*)", text))


def shown(path: Path, folder: Path) -> str:
    """Return the path of a file relative to the folder of its source, as text."""
    return as_text(path.relative_to(folder).as_posix())


def as_text(name: str) -> str:
    """Convert a file name, whose bytes may not be valid UTF-8, to text that can be encoded."""
    return os.fsencode(name).decode("utf-8", "replace")


def open_sound(path: Path) -> Any:
    """Open a sound file to be read in parts, as a `soundfile.SoundFile`.

    Raises:
        OSError: the file can't be opened.
        RuntimeError: it isn't a sound file.
    """
    import soundfile

    # On POSIX a path may not be valid text, and soundfile can't encode such a path itself.
    return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)


def read_stretch(path: Path, first: int = 0, last: int | None = None) -> Audio:
    """Read the sound in a file, or in a range of its frames.

    Args:
        path: the file.
        first: first frame of the range.
        last: frame after the last one of the range; None for the end of the file.

    Raises:
        Unusable: the file can't be read, or it is too long for one note.
    """
    try:
        with open_sound(path) as file:
            rate_hz = file.samplerate
            if rate_hz not in RATES_HZ:
                raise Unusable(f"can't be read: its rate is {rate_hz} Hz")
            end = file.frames if last is None else min(last, file.frames)
            length = max(0, end - first)
            if length > LONGEST_S * rate_hz:
                raise Unusable(
                    f"too long for one note: lasts {length / rate_hz:.0f} s; to have a recording cut into notes, give "
                    f"its file by itself"
                )
            file.seek(min(first, file.frames))
            samples = file.read(length, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise Unusable(f"can't be read: {read_reason(error)}") from error
    return Audio(np.ascontiguousarray(samples.T), rate_hz)


def from_onset(audio: Audio, seconds: float) -> Audio:
    """Return a sound without the silence before its onset, cut slightly longer than a number of seconds."""
    level = np.abs(audio.samples).max(axis=0, initial=0.0)
    above = np.flatnonzero(level > level.max(initial=0.0) * 10.0 ** (_ONSET_DB / 20.0))
    first = max(0, int(above[0]) - int(_LEAD_IN_S * audio.rate_hz)) if len(above) else 0
    return Audio(audio.samples[:, first : first + int((seconds + 0.1) * audio.rate_hz)], audio.rate_hz)


def root_of(path: Path) -> int | None:
    """Return the MIDI pitch in the `smpl` chunk of a WAV; None if there is no such chunk."""
    try:
        with path.open("rb") as file:
            note = riff.read_sampler_note(file)
            return note.root if note and note.root <= 127 else None
    except OSError:
        return None  # the error is reported when the sound is read


def read_reason(error: OSError | RuntimeError) -> str:
    """Return the reason why a sound file can't be read, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split(": ", 2)[-1].rstrip(".").strip().lower()


def distance(velocity: int | None) -> int:
    """Return how far a velocity lies from `BEST_VELOCITY`; 0 if it isn't known."""
    return abs(velocity - BEST_VELOCITY) if velocity is not None else 0


def _by_name_and_pitch(item: tuple[tuple[str, int | None], object]) -> tuple[object, ...]:
    (name, pitch), _ = item
    return natural(name), name, pitch is None, pitch or 0


def _job(
    folder: Path, sounds: Sequence[tuple[Path, int | None]], instrument: str, pitch: int | None, seconds: float
) -> Job:
    def offers() -> Iterable[Offered]:
        for path, velocity in sounds:
            known = root_of(path) if pitch is None else pitch
            yield Offered(instrument, known, shown(path, folder), _loader(path, seconds), velocity or 127)

    return offers


def _loader(path: Path, seconds: float) -> Callable[[], Audio]:
    return lambda: from_onset(read_stretch(path), seconds)


def _instruments(folder: Path, named: dict[Path, pitch_names.Named]) -> dict[Path, str]:
    """Return the name of the instrument of each file."""
    prefixes = defaultdict(set)
    for path, name in named.items():
        prefixes[path.parent].add(name.instrument)
    root = folder.resolve().name or "Instrument"
    names = {}
    for path, name in named.items():
        inner = " ".join(path.parent.relative_to(folder).parts)
        if len(prefixes) == 1:
            words = [name.instrument or inner or root]
        else:
            words = [inner or root, name.instrument if len(prefixes[path.parent]) > 1 else ""]
        names[path] = " ".join(word for word in words if word)
    return {path: as_text(name) for path, name in names.items()}
