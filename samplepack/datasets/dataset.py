"""Prepared sets: folders of notes of one length and sample rate, each with an instrument name and a pitch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from samplepack.base.errors import InputError
from samplepack.base.files import folder_aside, sha256_of_file
from samplepack.documents.json_files import read_json

TABLE = "dataset.json"
WAVES = "waves.s16"
PICTURE = "table.png"
_MOST_BYTES = 1 << 30
"""Size limit of the table of notes, bytes; a million notes take some 200 bytes each, which is less."""

PEAK = 0.8
"""Peak magnitude to which every note of a set is scaled, full scale being 1."""


class Note(BaseModel):
    """One note of a set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    pitch: int = Field(ge=0, le=127)
    """MIDI pitch."""

    velocity: int = Field(127, ge=1, le=127)
    """MIDI velocity; 127 where the source has none."""

    source: str
    """Location of the sound within the source, for people to read: a file name, a program of a soundfont."""

    peak_db: float
    """Peak level before the note was scaled to `PEAK`, dBFS."""

    cents: float | None
    """Cents by which the measured pitch lies above `pitch`, whole octaves left out; None if no pitch was measured."""


class Dropped(BaseModel):
    """A sound of the source, or another entry, that the set didn't take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    why: str
    """Reason for dropping it: a category in a few words, a colon, and details."""

    instrument: str | None = None
    pitch: int | None = None
    """MIDI pitch; None, like the instrument, if it isn't known."""

    @property
    def reason(self) -> str:
        """Category of the reason: the part of `why` before the colon."""
        return self.why.split(": ")[0]


class Contents(BaseModel):
    """Contents of `dataset.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: int = 1
    """Version of the format of `dataset.json`."""

    title: str
    source: str
    """Name of the file or folder that the set was prepared from, without its path."""

    license: str = ""
    """License of the sounds, with the notices that must accompany works made from them."""

    rate_hz: int = Field(gt=0)
    samples: int = Field(gt=0)
    """Length of each note in samples."""

    notes: list[Note] = []
    dropped: list[Dropped] = []
    remarks: list[str] = []
    """Oddities of the set that its preparation has found, one sentence each."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A prepared set that has been read."""

    folder: Path
    contents: Contents
    waves: NDArray[np.int16]
    """Samples, memory-mapped from disk, shape (notes, samples): a row for each of `contents.notes`."""

    @property
    def instruments(self) -> list[str]:
        """Names of the instruments, in the order of their first notes."""
        return list(dict.fromkeys(note.instrument for note in self.contents.notes))

    @property
    def digest(self) -> str:
        """SHA-256 digest of the table and the waves, hexadecimal."""
        table = json.dumps(self.contents.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(f"{table}\n{sha256_of_file(self.folder / WAVES)}".encode()).hexdigest()

    def wave(self, index: int) -> NDArray[np.float32]:
        """Return the samples of one note, float32, shape (samples,), with a peak magnitude of `PEAK`."""
        return np.asarray(self.waves[index] / np.float32(32768.0), np.float32)

    def played(self, index: int) -> NDArray[np.float32]:
        """Return the samples of one note as loud as it was beside the hardest of the same instrument and pitch.

        Returns:
            float32, shape (samples,); the hardest note has a peak magnitude of `PEAK`.
        """
        return np.asarray(self.wave(index) * np.float32(10.0 ** (self.levels_db[index] / 20.0)))

    @property
    def velocities(self) -> tuple[int, int] | None:
        """The lowest and the highest velocity of the notes; None if all have the same."""
        found = {note.velocity for note in self.contents.notes}
        return (min(found), max(found)) if len(found) > 1 else None

    @cached_property
    def hardest(self) -> NDArray[np.int64]:
        """For each note the index of the hardest note of the same instrument and pitch, shape (notes,)."""
        hardest: dict[tuple[str, int], int] = {}
        notes = self.contents.notes
        for index, note in enumerate(notes):
            other = hardest.get((note.instrument, note.pitch))
            if other is None or notes[other].velocity < note.velocity:
                hardest[note.instrument, note.pitch] = index
        return np.array([hardest[note.instrument, note.pitch] for note in notes])

    @cached_property
    def levels_db(self) -> NDArray[np.float32]:
        """The peak level of each note before it was scaled, relative to the hardest of its instrument and pitch, dB.

        Returns:
            float32, shape (notes,): 0.0 for the hardest ones.
        """
        peaks_db = np.array([note.peak_db for note in self.contents.notes], np.float32)
        return np.asarray(peaks_db - peaks_db[self.hardest], np.float32)

    def held_out(self, share: float) -> NDArray[np.bool_]:
        """Return the mask of the notes that are held out from training, shape (notes,).

        About this share of the pairs of instrument and pitch is held out. The choice depends on instrument names and
        pitches only, so that training and evaluation agree on it.
        """
        return np.array([_lot(note.instrument, note.pitch) < share for note in self.contents.notes], dtype=bool)


class Writer:
    """Writer of a set that is being prepared; notes are added one by one.

    Attributes:
        folder: temporary folder of the set, which is moved to its final place at the end.
        rate_hz: sample rate of the notes.
        samples: length of each note in samples.
        notes: the notes added so far.
        dropped, remarks: as in `Contents`; the caller appends to them.
    """

    def __init__(self, folder: Path, rate_hz: int, samples: int) -> None:
        self.folder, self.rate_hz, self.samples = folder, rate_hz, samples
        self.notes: list[Note] = []
        self.dropped: list[Dropped] = []
        self.remarks: list[str] = []
        self._file = (folder / WAVES).open("wb")

    def add(self, wave: NDArray[np.float32], **about: Any) -> None:
        """Add a note: `wave` is float32, shape (samples,); `about` are the fields of `Note` except `peak_db`."""
        peak = float(np.max(np.abs(wave)))
        steps = np.rint(np.asarray(wave, np.float64) * (PEAK / peak * 32768.0))
        self.notes.append(Note(peak_db=round(20.0 * np.log10(peak), 2), **about))
        self._file.write(steps.clip(-32768, 32767).astype("<i2").tobytes())

    def close(self) -> None:
        """Flush and close the file of samples."""
        self._file.close()


@contextmanager
def writing(folder: Path, *, title: str, source: str, license: str, rate_hz: int, samples: int) -> Iterator[Writer]:
    """Write a set. It appears at `folder` complete when the block ends without an error, and otherwise not at all.

    Raises:
        InputError: `folder` exists and holds more than a prepared set, or no note was added.
    """
    with folder_aside(folder, _listed) as aside:
        writer = Writer(aside, rate_hz, samples)
        try:
            yield writer
        finally:
            writer.close()
        if not writer.notes:
            raise InputError(f"{source}: no note could be taken{_first_reasons(writer.dropped)}")
        contents = Contents(
            title=title,
            source=source,
            license=license,
            rate_hz=rate_hz,
            samples=samples,
            notes=writer.notes,
            dropped=writer.dropped,
            remarks=writer.remarks,
        )
        text = json.dumps(contents.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (aside / TABLE).write_text(text + "\n", encoding="utf-8")


def is_dataset(folder: Path) -> bool:
    """Return whether a folder contains the table of a prepared set."""
    return (folder / TABLE).is_file()


def _listed(folder: Path) -> set[str] | None:
    return {TABLE, WAVES, PICTURE} if is_dataset(folder) else None


def read_dataset(folder: Path) -> Dataset:
    """Read a prepared set.

    Raises:
        InputError: the folder isn't a prepared set, or its table and its samples don't match.
    """
    if not is_dataset(folder):
        raise InputError(f"{folder} is no prepared set: it has no {TABLE}; make one with `samplepack dataset`")
    contents = read_json(folder / TABLE, Contents, "table of a prepared set", _MOST_BYTES)
    try:
        size = (folder / WAVES).stat().st_size
    except OSError as error:
        raise InputError(f"{folder} is no prepared set: cannot read {WAVES}: {error.strerror}") from error
    shape = (len(contents.notes), contents.samples)
    if size != 2 * shape[0] * shape[1] or not size:
        raise InputError(
            f"{folder}: {WAVES} has {size} bytes, but {TABLE} lists {shape[0]} notes of {shape[1]} samples"
        )
    return Dataset(folder, contents, np.memmap(folder / WAVES, "<i2", "r", shape=shape))


def _lot(instrument: str, pitch: int) -> float:
    """Return a fixed pseudo-random number from 0 to 1 for a pair of instrument and pitch."""
    return int.from_bytes(hashlib.sha256(f"{instrument}\n{pitch}".encode()).digest()[:8], "big") / 2.0**64


def _first_reasons(dropped: Iterable[Dropped]) -> str:
    reasons = [f"{d.source}: {d.why}" for d in dropped]
    more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
    return ": " + "; ".join(reasons[:3]) + more if reasons else ""
