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
from samplepack.clips.studio import MOST_NOTES, Studio, parse_seeds
from samplepack.documents.problems import validation_message
from samplepack.models.latent import Latent
from samplepack.recipe import Bank, CheckpointReference, LoadedRecipe, Recipe
from samplepack.rendering.plan import origins, timbre_latents

_CHORD_S, _NOTE_S, _GAP_S = 2.0, 0.5, 0.5
"""How long a chord or the last note of a timbre is held, how long each note before that, and the silence between two
timbres."""


@dataclass(frozen=True)
class PreviewEntry:
    """A timbre of a preview: a row of its index."""

    name: str
    origin: str
    """Where the timbre comes from, in the recipe's words, such as `seed: 7`."""

    start_s: float
    """When it begins to play, seconds."""


def previewed_timbres(studio: Studio) -> list[tuple[str, str, Latent]]:
    """Name, origin and latent (float32, shape (latent_dim,)) of each timbre of a recipe, those of its bank included.

    Raises:
        InputError: the recipe has no timbres.
    """
    latents = timbre_latents(studio.recipe, studio.checkpoint.latent_dim)
    if not latents:
        raise InputError("the recipe has no timbres")
    return [(name, origin, latents[name]) for name, origin in origins(studio.recipe).items()]


def bank_recipe(seeds: str, checkpoint: str) -> LoadedRecipe:
    """A recipe that holds nothing but a bank.

    Args:
        seeds: a range such as `100-131`, or a list such as `3,17,8`.
        checkpoint: name or path of a checkpoint.

    Raises:
        InputError: the seeds can't be read, or there is no such checkpoint.
    """
    found = library.resolve(checkpoint, Path())
    recipe = Recipe(recipe=1, name="Bank", checkpoint=CheckpointReference(path=checkpoint), bank=_bank(seeds))
    return LoadedRecipe(Path("bank.yaml"), b"", recipe, found)


def _bank(seeds: str) -> Bank:
    try:
        return Bank.model_validate({"seeds": seeds if "-" in seeds else parse_seeds(seeds)})
    except ValidationError as error:
        raise InputError(*(Problem(validation_message(details)) for details in error.errors())) from None


def write_preview(
    studio: Studio,
    timbres: Sequence[tuple[str, str, Latent]],
    pitches: Sequence[int],
    chord: bool,
    output: Path,
) -> list[PreviewEntry]:
    """Play timbres one after another, write them as one sound file, and beside it a picture (PNG) and an index (CSV).

    Args:
        studio: plays them.
        timbres: name, origin and latent (float32, shape (latent_dim,)) of each.
        pitches: what each timbre plays, MIDI.
        chord: whether the pitches sound at once rather than one after another.
        output: the sound file; picture and index have its name with other suffixes.

    Returns:
        The rows of the index.

    Raises:
        InputError: there are more than 1000 notes, or the file's name ends in neither .wav nor .flac.
        OSError: a file can't be written.
    """
    if len(timbres) * len(pitches) > MOST_NOTES:
        raise InputError(
            f"a preview of {len(timbres)} timbres; with {len(pitches)} notes each it takes "
            f"{MOST_NOTES // len(pitches)} at most"
        )
    notes, keys, index, time_s = [], [], list[PreviewEntry](), 0.0
    for name, origin, z in timbres:
        index.append(PreviewEntry(name, origin, time_s))
        for i, pitch in enumerate(pitches):
            starts_s = time_s if chord else time_s + i * _NOTE_S
            is_last = chord or i == len(pitches) - 1
            notes.append(PlayedNote(pitch, 100, starts_s, starts_s + (_CHORD_S if is_last else _NOTE_S)))
            keys.append(studio.key(z, pitch))
        time_s = notes[-1].end_s + _GAP_S
    positions = tuple(i / max(len(notes) - 1, 1) for i in range(len(notes)))
    names = tuple((entry.start_s, entry.name) for entry in index)
    write_clip(studio, PlannedClip(output.stem, Score(tuple(notes), ()), positions, tuple(keys), names), output)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["start_s", "name", "origin"])
    writer.writerows([f"{entry.start_s:.2f}", entry.name, entry.origin] for entry in index)
    write_aside(output.with_suffix(".csv"), table.getvalue().encode())
    return index
