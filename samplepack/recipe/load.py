"""YAML → `Recipe`, known to make sense before anything renders."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.checkpoints import library
from samplepack.documents.document import Document, Kind, read_document
from samplepack.documents.problems import lies_in, problems_in
from samplepack.models.checkpoint import Checkpoint
from samplepack.recipe.checks import (
    ClipCheck,
    circle_problems,
    clip_problems,
    name_problems,
    sound_problems,
    timbre_names,
)
from samplepack.recipe.fields import Context
from samplepack.recipe.fits import Fit, read_fits
from samplepack.recipe.model import CheckpointField, CheckpointReference, Recipe
from samplepack.recipe.timbres import fit_problem, length_problem

_KIND = Kind(
    "recipe",
    first_line="recipe: 1",
    path_keys=frozenset(
        {"checkpoint", "path", "latent", "like", "midi", "impulse_response_filename", "path_to_plugin_file", "reads"}
    ),
)

_OUTSIDE = "lies outside the recipe's folder; write the folder that it lies in under reads:"


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe and what it stands on, all of it known to be there."""

    path: Path
    """The recipe's file."""

    text: bytes
    """What stands in it, byte for byte."""

    recipe: Recipe
    checkpoint: Checkpoint | library.MagentaCheckpoint

    def input_files(self) -> list[Path]:
        """Files beside the recipe that its sound depends on, but for latents: those are read."""
        midi = [clip.midi for clip in self.recipe.clips.values()]
        return midi + [file for effect in self.recipe.effects for file in effect.files()]

    def native_checkpoint(self) -> Checkpoint:
        """The checkpoint in samplepack's own format; one of Magenta's is converted, which imports TensorFlow.

        Raises:
            InputError: its weights are damaged, it isn't the one that the recipe's `sha256` asks for, or its latents
                have another length than those of the recipe's files.
        """
        checkpoint = library.as_native(self.checkpoint)
        told = [_pin_problem(self.recipe.checkpoint, checkpoint)]
        # The length may be known only now: some of Magenta's checkpoints don't say it.
        for name, timbre in self.recipe.timbres.items():
            if timbre.latent and (problem := length_problem(timbre.latent, checkpoint.latent_dim)):
                told.append(f"timbres.{name}.latent: {problem}")
            if timbre.like and timbre.like.fit and (problem := fit_problem(timbre.like.fit, checkpoint)):
                told.append(f"timbres.{name}.like: {problem}; run: samplepack fit {shlex.quote(str(self.path))}")
        if problems := [Problem(message, str(self.path)) for message in told if message]:
            raise InputError(*problems)
        return checkpoint


def load_recipe(
    path: Path, allow_plugins: bool = False, fits_needed: bool = True, check_clip: ClipCheck | None = None
) -> LoadedRecipe:
    """Read a recipe and check all of it, without TensorFlow and without rendering.

    Args:
        path: of the recipe.
        allow_plugins: whether effects may be programs from elsewhere.
        fits_needed: whether a timbre that is `like` a sound must have been fitted.
        check_clip: reads the MIDI file of a clip; left out, clips' files are only known to be MIDI.

    Raises:
        InputError: every problem in it at once, each with its file, line and column.
    """
    document = read_document(path, _KIND)
    problems: list[Problem] = []
    readable = _readable(document.data, path.parent)
    found = _find_checkpoint(document, path.parent, readable, problems)
    rate_hz = _rate_hz(document.data, found)
    context = Context(
        folder=path.parent,
        readable=readable,
        outside=_OUTSIDE,
        allow_plugins=allow_plugins,
        file=str(path),
        fits=_fits(path, problems),
        fits_needed=fits_needed,
        timbres=timbre_names(document.data),
        rate_hz=rate_hz,
        checkpoint=found,
    )
    recipe = None
    try:
        recipe = Recipe.model_validate(document.data, context=context)
    except ValidationError as error:
        problems += problems_in(document, error, Recipe)
    problems += name_problems(document)
    problems += circle_problems(document)
    if recipe is not None:
        problems += sound_problems(document, recipe, rate_hz)
    if found is not None and check_clip is not None:
        problems += clip_problems(document, context, found, check_clip)
    if problems or recipe is None or found is None:
        raise InputError(*sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))
    return LoadedRecipe(path, document.content, recipe, found)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    schema = Recipe.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A samplepack recipe",
    }


def _readable(data: Mapping[str, Any], folder: Path) -> list[Path]:
    """The folders that a recipe's files may lie in: its own, and those that it says."""
    reads = data.get("reads")
    return (
        [folder, *(folder / name for name in reads if isinstance(name, str) and "\0" not in name)]
        if isinstance(reads, list)
        else [folder]
    )


def _find_checkpoint(
    document: Document, folder: Path, readable: list[Path], problems: list[Problem]
) -> Checkpoint | library.MagentaCheckpoint | None:
    written = document.data.get("checkpoint", "starter")
    try:
        reference: CheckpointReference = TypeAdapter(CheckpointField).validate_python(written)
    except ValidationError:
        return None  # the recipe's own validation tells it
    if library.is_path(reference.path) and not lies_in(folder / reference.path, readable):
        message = f"checkpoint '{reference.path}' {_OUTSIDE}"
        problems.append(document.problem(("checkpoint", "path"), message))
        return None
    try:
        found = library.resolve(reference.path, folder)
    except InputError as error:
        problems += [document.problem(("checkpoint", "path"), p.message) for p in error.problems]
        return None
    if isinstance(found, Checkpoint) and (pinned := _pin_problem(reference, found)):
        problems.append(document.problem(("checkpoint", "sha256"), pinned))
    return found


def _fits(path: Path, problems: list[Problem]) -> Mapping[tuple[str, ...], Fit]:
    try:
        return read_fits(path)
    except InputError as error:
        problems += error.problems
        return {}


def _pin_problem(reference: CheckpointReference, checkpoint: Checkpoint) -> str | None:
    if reference.sha256 is None or reference.sha256.lower() == checkpoint.digest:
        return None
    return f"checkpoint '{reference.path}' has the digest {checkpoint.digest}, not {reference.sha256}"


def _rate_hz(data: Mapping[str, Any], found: Checkpoint | library.MagentaCheckpoint | None) -> int:
    sound = data.get("sound")
    written = sound.get("rate_hz") if isinstance(sound, dict) else None
    if written == "native":
        return found.rate_hz if found else 16000
    return written if written in (44100, 88200, 96000) else 48000
