"""Previews: the timbres of a recipe one after another in one sound file, with an index beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import write_aside
from samplepack.checkpoints import library
from samplepack.clips.clip import PlannedClip
from samplepack.clips.output import write_clip
from samplepack.clips.score import PlayedNote, Score
from samplepack.clips.studio import MOST_STEPS, Studio, parse_seeds
from samplepack.documents.problems import validation_message
from samplepack.models.latent import Latent
from samplepack.recipe import Bank, CheckpointReference, LoadedRecipe, Recipe
from samplepack.rendering.plan import origins, timbre_latents

_CHORD_S, _NOTE_S, _GAP_S = 2.0, 0.5, 0.5
"""Of a preview: how long a chord or the last note is held, how long the other notes of a phrase, and the silence
between timbres."""


@dataclass(frozen=True)
class Previewed:
    """A timbre within a preview."""

    name: str
    origin: str
    start_s: float


def previewed_timbres(studio: Studio) -> list[tuple[str, str, Latent]]:
    """Name, origin and latent of all timbres of a recipe, its bank's too.

    Raises:
        InputError: there are none.
    """
    latents = timbre_latents(studio.recipe, studio.checkpoint.latent_dim)
    if not latents:
        raise InputError("the recipe has no timbres")
    return [(name, origin, latents[name]) for name, origin in origins(studio.recipe).items()]


def loaded_bank(seeds: str, checkpoint: str) -> LoadedRecipe:
    """A recipe with nothing but a bank of seeds.

    Raises:
        InputError: the seeds aren't any, or no checkpoint is called so.
    """
    found = library.resolve(checkpoint, Path())
    recipe = Recipe(recipe=1, name="Bank", checkpoint=CheckpointReference(path=checkpoint), bank=_bank(seeds))
    return LoadedRecipe(Path("bank.yaml"), b"", recipe, found)


def _bank(seeds: str) -> Bank:
    try:
        return Bank.model_validate({"seeds": seeds if "-" in seeds else parse_seeds(seeds)})
    except ValidationError as error:
        raise InputError(*(Problem(validation_message(one)) for one in error.errors())) from None


def write_preview(
    studio: Studio,
    timbres: Sequence[tuple[str, str, Latent]],
    pitches: Sequence[int],
    chord: bool,
    output: Path,
) -> list[Previewed]:
    """Play timbres one after another into a sound file, with an index beside it; errors as of `write_clip`.

    Args:
        studio: what plays.
        timbres: name, origin and latent of each.
        pitches: what each plays: all at once, or one after another.
        chord: whether at once.
        output: the sound file; the index is called as it is, but `.csv`.
    """
    if len(timbres) * len(pitches) > MOST_STEPS:
        raise InputError(
            f"a preview of {len(timbres)} timbres; with {len(pitches)} notes each it takes "
            f"{MOST_STEPS // len(pitches)} at most"
        )
    notes, keys, index, time_s = [], [], list[Previewed](), 0.0
    for name, origin, z in timbres:
        index.append(Previewed(name, origin, time_s))
        for i, pitch in enumerate(pitches):
            starts_s = time_s if chord else time_s + i * _NOTE_S
            is_last = chord or i == len(pitches) - 1
            notes.append(PlayedNote(pitch, 100, starts_s, starts_s + (_CHORD_S if is_last else _NOTE_S)))
            keys.append(studio.key(z, pitch))
        time_s = notes[-1].end_s + _GAP_S
    along = tuple(i / max(len(notes) - 1, 1) for i in range(len(notes)))
    write_clip(studio, PlannedClip(output.stem, Score(tuple(notes), ()), along, tuple(keys)), output)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["start_s", "name", "origin"])
    writer.writerows([f"{one.start_s:.2f}", one.name, one.origin] for one in index)
    write_aside(output.with_suffix(".csv"), table.getvalue().encode())
    return index
