"""Sound files: one alone, and folders of them, a note in each."""

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
"""What is longer is no single note."""

RATES_HZ = range(4000, 768001)
"""What a file may claim."""

BEST_VELOCITY = 100
"""Of several notes of one key, the one nearest to this velocity is taken."""

_ONSET_DB = -40.0
"""A sound begins where it first comes within this of its peak."""

_LEAD_IN_S = 0.005


def open_folder(folder: Path, paths: Sequence[Path], seconds: float, instrument: str) -> Source:
    """The sound files among those of a folder, a note in each.

    The pitch of a note is what its file's name says, else its WAV's `smpl` chunk, else it is to be heard. The
    instrument is what the name has before the pitch; where several folders hold files, a file's folder, and what the
    name has before the pitch if that differs within the folder.

    Args:
        folder: that they are in.
        paths: of its files.
        seconds: how much of each file is needed.
        instrument: name of all of them; empty to tell by the files' names and folders.

    Raises:
        InputError: no sound file is there.
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
        # Those without a pitch in their names are several notes.
        for one in [group] if pitch is not None else [[path] for path in group]:
            one.sort(key=lambda path: distance(named[path].velocity))
            jobs.append(_job(folder, one, name, pitch, seconds))
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
    """Every file in a folder and those in it, but hidden ones, in an order that counts `take 10` after `take 9`."""
    found = (path for path in folder.rglob("*") if path.is_file())
    visible = (p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(visible, key=lambda path: (natural(str(path.parent)), natural(path.name)))


def natural(text: str) -> tuple[tuple[str, int], ...]:
    """A key to sort names by, in which numbers count as numbers."""
    return tuple((word, int(digits or 0)) for word, digits in re.findall(r"(\D*)(\d*)", text))


def shown(path: Path, folder: Path) -> str:
    """A file's path within its source."""
    return as_text(path.relative_to(folder).as_posix())


def as_text(name: str) -> str:
    """A name from a file system, whose bytes may be anything, as text that any document can hold."""
    return os.fsencode(name).decode("utf-8", "replace")


def open_sound(path: Path) -> Any:
    """A sound file, opened to be read in parts: a `soundfile.SoundFile`.

    Raises:
        OSError: it can't be opened.
        RuntimeError: it is no sound file.
    """
    import soundfile

    # On POSIX a path may be no text, which soundfile can't encode.
    return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)


def read_stretch(path: Path, first: int = 0, last: int | None = None) -> Audio:
    """The sound in a file, or in a stretch of it.

    Args:
        path: of the file.
        first, last: the stretch, in frames; `last` is not included, None is the end.

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
    """A sound without the silence in front of it, and no more of it than so many seconds need."""
    level = np.abs(audio.samples).max(axis=0, initial=0.0)
    above = np.flatnonzero(level > level.max(initial=0.0) * 10.0 ** (_ONSET_DB / 20.0))
    first = max(0, int(above[0]) - int(_LEAD_IN_S * audio.rate_hz)) if len(above) else 0
    return Audio(audio.samples[:, first : first + int((seconds + 0.1) * audio.rate_hz)], audio.rate_hz)


def root_of(path: Path) -> int | None:
    """The pitch that a WAV's `smpl` chunk gives; None where there is none."""
    try:
        with path.open("rb") as file:
            note = riff.read_sampler_note(file)
            return note.root if note and note.root <= 127 else None
    except OSError:
        return None  # reading its sound will tell


def read_reason(error: OSError | RuntimeError) -> str:
    """Why a sound file can't be read, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split(": ", 2)[-1].rstrip(".").strip().lower()


def distance(velocity: int | None) -> int:
    """How far a velocity, if it is known, lies from the one that is taken."""
    return abs(velocity - BEST_VELOCITY) if velocity is not None else 0


def _by_name_and_pitch(item: tuple[tuple[str, int | None], object]) -> tuple[object, ...]:
    (name, pitch), _ = item
    return natural(name), name, pitch is None, pitch or 0


def _job(folder: Path, paths: Sequence[Path], instrument: str, pitch: int | None, seconds: float) -> Job:
    def offers() -> Iterable[Offered]:
        for path in paths:
            known = root_of(path) if pitch is None else pitch
            yield Offered(instrument, known, shown(path, folder), _loader(path, seconds))

    return offers


def _loader(path: Path, seconds: float) -> Callable[[], Audio]:
    return lambda: from_onset(read_stretch(path), seconds)


def _instruments(folder: Path, named: dict[Path, pitch_names.Named]) -> dict[Path, str]:
    """File → name of its instrument."""
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
