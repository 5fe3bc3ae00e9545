"""Clips: MIDI files that are played by timbres along a path."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from samplepack.documents.problems import readable_path, wrong
from samplepack.recipe.fields import Model, Seed, ShortFor, TimbreName

LEAST_APART_S = 0.1


def _midi_file(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise wrong("should be the path of a MIDI file")
    path = readable_path(value, info)
    try:
        with path.open("rb") as opened:
            beginning = opened.read(4)
    except (OSError, ValueError):
        raise wrong(f"'{value}': no such file, or one that can't be read") from None
    if beginning != b"MThd":
        raise wrong(f"'{value}': not a MIDI file")
    return path


class ClipTimbre(Model):
    """A timbre at its place in a clip."""

    timbre: TimbreName
    """The name of a timbre of the recipe."""

    at: Annotated[float | None, Field(strict=True, ge=0.0, le=1.0)] = None
    """Where, as a fraction of the clip; left out of all, they stand at even distances from start to end."""


class Clip(Model):
    """A MIDI file, and the timbres that play it: those named, or random ones."""

    midi: Annotated[Path, BeforeValidator(_midi_file), WithJsonSchema({"type": "string"})]
    """Relative to the recipe."""

    timbres: tuple[Annotated[ClipTimbre, ShortFor("timbre", {"type": "string"})], ...] = ()
    """In order; a note lies on the arc between the timbres before and after it."""

    seconds_per_instrument: Annotated[float | None, Field(strict=True, ge=LEAST_APART_S, allow_inf_nan=False)] = None
    """Random timbres instead, so far apart."""

    seed: Seed = 0
    """Of the random timbres."""

    tracks: Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...] | None, Field(min_length=1)] = None
    """Which of the file's tracks are played, counted from 1 in the order in which they begin to sound (a track with
    several programs counts for each); all, where left out."""

    drums: Annotated[bool, Field(strict=True)] = False
    """Whether the notes of drums are played too."""

    slow: Annotated[float, Field(strict=True, ge=0.1, le=10.0)] = 1.0
    """By how much time is stretched."""

    @model_validator(mode="after")
    def _possible(self) -> Clip:
        if bool(self.timbres) == (self.seconds_per_instrument is not None):
            raise wrong("should have one of: timbres, seconds_per_instrument")
        places = [one.at for one in self.timbres if one.at is not None]
        if places and len(places) < len(self.timbres):
            raise wrong("timbres: either all have 'at', or none")
        if any(a >= b for a, b in pairwise(places)):
            raise wrong("timbres: each 'at' should be after the one before")
        return self

    def fractions(self) -> tuple[float, ...]:
        """Where each of `timbres` stands."""
        last = max(len(self.timbres) - 1, 1)
        return tuple(i / last if one.at is None else one.at for i, one in enumerate(self.timbres))
