"""Clips: MIDI files that timbres along a path play."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from samplepack.base.files import open_regular
from samplepack.documents.problems import readable_path, wrong
from samplepack.recipe.fields import Model, Seed, ShortFor, TimbreName

MOST_CLIPS = 64

LEAST_APART_S = 0.1
"""The smallest distance between random timbres, seconds."""


def _midi_file(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise wrong("should be the path of a MIDI file")
    path = readable_path(value, info)
    try:
        with open_regular(path) as opened:
            beginning = opened.read(4)
    except (OSError, ValueError):
        raise wrong(f"'{value}': no such file, or one that can't be read") from None
    if beginning != b"MThd":
        raise wrong(f"'{value}': not a MIDI file")
    return path


class ClipTimbre(Model):
    """A timbre and its position in a clip."""

    timbre: TimbreName
    """Name of a timbre of the recipe."""

    at: Annotated[float | None, Field(strict=True, ge=0.0, le=1.0)] = None
    """Position as a fraction of the clip's duration, given for all timbres or for none; without it, the timbres are
    spread evenly from start to end."""


class Clip(Model):
    """A MIDI file and the timbres that play it: those of `timbres`, or random ones."""

    midi: Annotated[Path, BeforeValidator(_midi_file), WithJsonSchema({"type": "string"})]
    """Path of the MIDI file, relative to the recipe."""

    timbres: tuple[Annotated[ClipTimbre, ShortFor("timbre", {"type": "string"})], ...] = ()
    """Timbres along the clip, in order. The latent of a note lies on the arc between the timbres before and after
    it."""

    seconds_per_instrument: Annotated[float | None, Field(strict=True, ge=LEAST_APART_S, allow_inf_nan=False)] = None
    """Distance between random timbres, seconds; they play the clip in place of `timbres`."""

    seed: Seed = 0
    """Seed of the random timbres that `seconds_per_instrument` asks for."""

    tracks: Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...] | None, Field(min_length=1)] = None
    """Numbers of the tracks to play, counted from 1 in the order in which they begin to sound; a track with several
    programs counts once for each. Without it, all tracks are played."""

    drums: Annotated[bool, Field(strict=True)] = False
    """Whether notes of drums are played too."""

    slow: Annotated[float, Field(strict=True, ge=0.1, le=10.0)] = 1.0
    """Factor by which time is stretched: 2.0 plays at half the speed."""

    @model_validator(mode="after")
    def _possible(self) -> Clip:
        if bool(self.timbres) == (self.seconds_per_instrument is not None):
            raise wrong("should have one of: timbres, seconds_per_instrument")
        fractions = [timbre.at for timbre in self.timbres if timbre.at is not None]
        if fractions and len(fractions) < len(self.timbres):
            raise wrong("timbres: either all have 'at', or none")
        if any(a >= b for a, b in pairwise(fractions)):
            raise wrong("timbres: each 'at' should be greater than the one before")
        return self

    def fractions(self) -> tuple[float, ...]:
        """The positions of `timbres`, as fractions of the clip's duration."""
        last = max(len(self.timbres) - 1, 1)
        return tuple(i / last if timbre.at is None else timbre.at for i, timbre in enumerate(self.timbres))
