"""A prepared set: notes of one length and rate, of named instruments at known pitches, in one folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
_MOST_BYTES = 1 << 30
"""The longest table of notes that is read; a million notes of some 200 bytes each take less."""

PEAK = 0.8
"""Of every note in a set: the loudest sample's magnitude, full scale being 1."""


class Note(BaseModel):
    """One note of a set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    pitch: int = Field(ge=0, le=127)
    """MIDI."""

    source: str
    """Where it was taken from, as a reader would look it up: a file's name, a program of a soundfont."""

    peak_db: float
    """How loud it was, before its peak was set to `PEAK`."""

    cents: float | None
    """How far its measured pitch lies above `pitch`, whole octaves left out; None where none was heard."""


class Dropped(BaseModel):
    """Something that the set was offered and didn't take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    why: str
    """A few words, then a colon and what is to be said of this one."""

    instrument: str | None = None
    pitch: int | None = None
    """MIDI. None, as the instrument, where it isn't known."""

    @property
    def reason(self) -> str:
        """The few words."""
        return self.why.split(": ")[0]


class Contents(BaseModel):
    """What `dataset.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: int = 1
    """Version of this format."""

    title: str
    source: str
    """What it was made from, without a path."""

    license: str = ""
    """Under what terms its sounds may be used, and the notices that must travel with what is made of them."""

    rate_hz: int = Field(gt=0)
    samples: int = Field(gt=0)
    """Length of each note."""

    notes: list[Note] = []
    dropped: list[Dropped] = []
    remarks: list[str] = []
    """What else is to be known of it."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A prepared set, read."""

    folder: Path
    contents: Contents
    waves: NDArray[np.int16]
    """Shape (notes, samples), on disk: a row for each of `contents.notes`."""

    @property
    def instruments(self) -> list[str]:
        """Names of its instruments, in the order of their first notes."""
        return list(dict.fromkeys(note.instrument for note in self.contents.notes))

    @property
    def digest(self) -> str:
        """SHA-256 over the table and the waves."""
        table = json.dumps(self.contents.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(f"{table}\n{sha256_of_file(self.folder / WAVES)}".encode()).hexdigest()

    def wave(self, index: int) -> NDArray[np.float32]:
        """One note, float32, shape (samples,), its peak at `PEAK`."""
        return np.asarray(self.waves[index] / np.float32(32768.0), np.float32)

    def held_out(self, share: float) -> NDArray[np.bool_]:
        """Which notes are kept from training to judge by, shape (notes,): a share of the pairs of instrument and
        pitch, chosen by their names alone, so that who trains and who judges agree."""
        return np.array([_lot(note.instrument, note.pitch) < share for note in self.contents.notes], dtype=bool)


class Writer:
    """Takes the notes of a set that is being prepared, one by one, and what is to be said of it.

    Attributes:
        folder: of the set, until it takes its place.
        rate_hz, samples: of each note.
        notes: those that were added.
        dropped, remarks: as in `Contents`; for the caller to fill.
    """

    def __init__(self, folder: Path, rate_hz: int, samples: int) -> None:
        self.folder, self.rate_hz, self.samples = folder, rate_hz, samples
        self.notes: list[Note] = []
        self.dropped: list[Dropped] = []
        self.remarks: list[str] = []
        self._file = (folder / WAVES).open("wb")

    def add(self, wave: NDArray[np.float32], **about: Any) -> None:
        """Take a note: `wave` is float32, shape (samples,), `about` are the fields of `Note` but its peak."""
        peak = float(np.max(np.abs(wave)))
        steps = np.rint(np.asarray(wave, np.float64) * (PEAK / peak * 32768.0))
        self.notes.append(Note(peak_db=round(20.0 * np.log10(peak), 2), **about))
        self._file.write(steps.clip(-32768, 32767).astype("<i2").tobytes())

    def close(self) -> None:
        """Everything is on disk."""
        self._file.close()


@contextmanager
def writing(folder: Path, *, title: str, source: str, license: str, rate_hz: int, samples: int) -> Iterator[Writer]:
    """Write a set: whole when the block ends well, not at all else.

    Raises:
        InputError: something stands at `folder` that is no set, or not a single note was taken.
    """
    with folder_aside(folder, is_dataset) as aside:
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
    """Whether a folder looks like a prepared set."""
    return (folder / TABLE).is_file()


def read_dataset(folder: Path) -> Dataset:
    """Read a prepared set.

    Raises:
        InputError: there is none, or its files don't belong together.
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
    """A number from 0 to 1 that a pair of instrument and pitch has drawn for ever."""
    return int.from_bytes(hashlib.sha256(f"{instrument}\n{pitch}".encode()).digest()[:8], "big") / 2.0**64


def _first_reasons(dropped: Iterable[Dropped]) -> str:
    reasons = [f"{d.source}: {d.why}" for d in dropped]
    more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
    return ": " + "; ".join(reasons[:3]) + more if reasons else ""
