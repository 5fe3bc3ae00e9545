"""Sources in the layout of the NSynth dataset: `examples.json` beside a folder `audio`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel, Field, RootModel, ValidationError

from samplepack.datasets.candidates import Job, Offered, Source
from samplepack.datasets.dataset import Dropped
from samplepack.datasets.sound_files import distance, read_stretch
from samplepack.documents.json_files import read_json
from samplepack.documents.problems import validation_message

TABLE = "examples.json"
AUDIO = "audio"

_MOST_BYTES = 1 << 30
"""Size limit of the table, bytes; a million notes take some 500 bytes each, which is less."""

LICENSE = "NSynth, Google Inc., CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)"


class _Example(BaseModel):
    """Fields that are read from an entry of `examples.json`."""

    instrument_str: str = Field(min_length=1)
    pitch: int = Field(ge=0, le=127)
    velocity: int = Field(ge=0, le=127)


class _Table(RootModel[dict[str, object]]):
    """Contents of `examples.json`: an entry for each note, keyed by the name of its sound file."""

    root: dict[str, object] = Field(min_length=1)


def is_nsynth(folder: Path) -> bool:
    """Return whether a folder has the layout of NSynth."""
    return (folder / TABLE).is_file()


def open_nsynth(folder: Path) -> Source:
    """Open NSynth, or a dataset in its layout. For each pitch of an instrument, velocities nearest to 100 come first.

    Raises:
        InputError: `examples.json` can't be read, or has no entries.
    """
    entries = read_json(folder / TABLE, _Table, "table of notes", _MOST_BYTES).root
    dropped, notes = [], defaultdict(list)
    for name in sorted(entries):
        source = f"{AUDIO}/{name}.wav".encode("utf-8", "replace").decode()
        if not re.fullmatch(r"[\w.+-]{1,200}", name, re.ASCII):
            dropped.append(Dropped(source=source, why=f"outside {AUDIO}: its name in {TABLE} is no file's"))
            continue
        try:
            example = _Example.model_validate(entries[name])
        except ValidationError as error:
            why = validation_message(error.errors()[0]).lower()
            dropped.append(Dropped(source=source, why=f"damaged entry in {TABLE}: {why}"))
            continue
        notes[example.instrument_str, example.pitch].append((example.velocity, name))
    jobs = []
    for (instrument, pitch), found in sorted(notes.items()):
        in_order = sorted(found, key=lambda note: (distance(note[0]), note))
        jobs.append(_job(folder, in_order, instrument, pitch))
    return Source(
        title=folder.resolve().name,
        license=LICENSE,
        jobs=jobs,
        total=sum(len(found) for found in notes.values()),
        dropped=dropped,
    )


def _job(folder: Path, notes: Sequence[tuple[int, str]], instrument: str, pitch: int) -> Job:
    def offers() -> Iterable[Offered]:
        for velocity, name in notes:
            load = partial(read_stretch, folder / AUDIO / f"{name}.wav")
            yield Offered(instrument, pitch, f"{AUDIO}/{name}.wav", load, max(velocity, 1))

    return offers
