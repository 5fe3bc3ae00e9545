"""Reading recipes: from a YAML file to a checked `Recipe`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.checkpoints import library
from samplepack.checkpoints.directions import Direction, read_directions
from samplepack.documents.document import Document, Kind, read_document
from samplepack.documents.problems import lies_in, messages_in, problems_in
from samplepack.models.checkpoint import Checkpoint
from samplepack.recipe.checks import (
    ClipCheck,
    circle_problems,
    clip_problems,
    name_problems,
    path_problems,
    play_problems,
    sound_problems,
    timbre_names,
)
from samplepack.recipe.fields import SEED_SCHEMA, Context, Name, ShortFor
from samplepack.recipe.fits import Fit, read_fits
from samplepack.recipe.model import CheckpointField, CheckpointReference, Recipe
from samplepack.recipe.timbres import Timbre, fit_problem, length_problem

_KIND = Kind(
    "recipe",
    first_line="recipe: 1",
    path_keys=frozenset(
        {"checkpoint", "path", "latent", "like", "midi", "impulse_response_filename", "path_to_plugin_file", "reads"}
    ),
)

_NOT_ALLOWED = "lies outside the recipe's repository; if you trust the recipe with it, give --allow-reads"

_OUTSIDE = "lies outside the recipe's folder; write the folder that it lies in under reads:"


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe that was read and checked, with its checkpoint."""

    path: Path
    """The path of the recipe."""

    text: bytes
    """The bytes of the recipe's file."""

    recipe: Recipe
    checkpoint: Checkpoint | library.MagentaCheckpoint
    context: Context = field(default_factory=Context)
    """What the recipe was validated with, so that more timbres can be read as if they stood in it."""

    def input_files(self) -> list[Path]:
        """The MIDI files and the files of effects that the recipe's sound depends on. Files of latents aren't among
        them, since the recipe holds their values."""
        midi = [clip.midi for clip in self.recipe.clips.values()]
        return midi + [file for effect in self.recipe.effects for file in effect.files()]

    def native_checkpoint(self) -> Checkpoint:
        """The checkpoint in samplepack's own format. One of Magenta's is converted, which imports TensorFlow.

        Raises:
            InputError: the checkpoint's weights are damaged, its digest isn't the recipe's `sha256`, or latents in the
                recipe's files don't belong to it.
        """
        checkpoint = library.as_native(self.checkpoint)
        messages = [_pin_problem(self.recipe.checkpoint, checkpoint)]
        # Some of Magenta's checkpoints don't state the length of their latents before they are converted.
        for name, timbre in self.recipe.timbres.items():
            if timbre.latent and (problem := length_problem(timbre.latent, checkpoint.latent_dim)):
                messages.append(f"timbres.{name}.latent: {problem}")
            if timbre.like and timbre.like.fit and (problem := fit_problem(timbre.like.fit, checkpoint)):
                messages.append(f"timbres.{name}.like: {problem}; run: samplepack fit {shlex.quote(str(self.path))}")
        if problems := [Problem(message, str(self.path)) for message in messages if message]:
            raise InputError(*problems)
        return checkpoint


def load_recipe(
    path: Path,
    allow_plugins: bool = False,
    allow_reads: bool = False,
    fits_needed: bool = True,
    check_clip: ClipCheck | None = None,
    content: bytes | None = None,
) -> LoadedRecipe:
    """Read a recipe and check all of it, without TensorFlow and without rendering.

    Args:
        path: the path of the recipe.
        allow_plugins: whether effects may be plugins, which are programs.
        allow_reads: whether `reads` may name folders outside of the repository.
        fits_needed: whether each timbre with `like` must have been fitted.
        check_clip: checks that the MIDI file of a clip can be played; None checks only that it is a MIDI file.
        content: what to read in place of the file's bytes, such as a recipe that is being edited.

    Raises:
        InputError: the recipe is wrong; it holds all problems, each with file, line and column.
    """
    document = read_document(path, _KIND, content)
    problems: list[Problem] = []
    readable = _readable(document, path.parent, allow_reads, problems)
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
        directions=_directions(document, path.parent, found, problems),
    )
    recipe = None
    try:
        recipe = Recipe.model_validate(document.data, context=context)
    except ValidationError as error:
        problems += problems_in(document, error, Recipe)
    problems += name_problems(document)
    problems += path_problems(document)
    problems += circle_problems(document)
    if recipe is not None:
        problems += sound_problems(document, recipe, rate_hz)
        problems += play_problems(document, recipe)
    if found is not None and check_clip is not None:
        problems += clip_problems(document, context, found, check_clip)
    if problems or recipe is None or found is None:
        raise InputError(*sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))
    return LoadedRecipe(path, document.content, recipe, found, context)


def with_timbre(loaded: LoadedRecipe, name: str, written: Any) -> Recipe:
    """A recipe with one timbre more, or another one in its place, and with no paths and clips.

    Args:
        loaded: the recipe.
        name: the name of the timbre.
        written: the timbre, as a recipe writes it: a seed, or a mapping such as `{seed: 7, toward: Choir, at: 0.25}`.

    Raises:
        InputError: the timbre is wrong, lies toward itself, or moves along directions that nobody has found yet.
    """
    context = loaded.context
    if isinstance(written, dict) and written.get("move") and isinstance(loaded.checkpoint, Checkpoint):
        found = read_directions(loaded.checkpoint)
        if found is None:
            raise InputError(
                f"no directions of checkpoint '{loaded.checkpoint.name}' have been found yet; "
                f"run: samplepack directions {shlex.quote(loaded.checkpoint.name)}"
            )
        context = Context(**{**context, "directions": found.named()})  # a recipe that moves nothing hasn't read them
    try:
        timbre: Timbre = _TIMBRE.validate_python(written, context=context)
        name = TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise InputError(*messages_in(error, Timbre)) from None
    others = {known: other for known, other in loaded.recipe.timbres.items() if known != name}
    recipe = loaded.recipe.model_copy(update={"timbres": {name: timbre, **others}, "paths": {}, "clips": {}})
    reached = name
    while (here := recipe.timbres.get(reached)) is not None and here.toward is not None:
        reached = here.toward
        if reached == name:
            raise InputError(f"'{name}' lies toward itself")
    return recipe


_TIMBRE: TypeAdapter[Timbre] = TypeAdapter(Annotated[Timbre, ShortFor("seed", SEED_SCHEMA)])


def json_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    schema = Recipe.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A samplepack recipe",
    }


def _readable(document: Document, folder: Path, allow_reads: bool, problems: list[Problem]) -> list[Path]:
    """The folders that files named in a recipe may lie in: the recipe's own and those of `reads`."""
    reads, repository = document.data.get("reads"), _repository(folder)
    readable = [folder]
    for i, name in enumerate(reads[:64]) if isinstance(reads, list) else ():
        if isinstance(name, str) and "\0" not in name:
            readable.append(folder / name)
            if not allow_reads and not lies_in(folder / name, [repository]):
                problems.append(document.problem(("reads", i), f"reads[{i}]: '{name}' {_NOT_ALLOWED}"))
    return readable


def _repository(folder: Path) -> Path:
    """The git repository that a folder lies in; the folder itself if it lies in none."""
    real = folder.resolve()
    return next((parent for parent in (real, *real.parents) if (parent / ".git").exists()), real)


def _find_checkpoint(
    document: Document, folder: Path, readable: list[Path], problems: list[Problem]
) -> Checkpoint | library.MagentaCheckpoint | None:
    written = document.data.get("checkpoint", "starter")
    try:
        reference: CheckpointReference = TypeAdapter(CheckpointField).validate_python(written)
    except ValidationError:
        return None  # the validation of the recipe reports this problem
    if library.is_path(reference.path) and not lies_in(folder / reference.path, readable):
        message = f"checkpoint '{reference.path}' {_OUTSIDE}"
        problems.append(document.problem(("checkpoint", "path"), message))
        return None
    try:
        found = library.resolve(reference.path, folder)
    except InputError as error:
        problems += [document.problem(("checkpoint", "path"), p.message) for p in error.problems]
        return None
    for file in sorted((folder / reference.path).rglob("*")) if library.is_path(reference.path) else ():
        if not lies_in(file, readable):  # a link
            message = f"checkpoint '{reference.path}': its file {file.name} {_OUTSIDE}"
            problems.append(document.problem(("checkpoint", "path"), message))
    if isinstance(found, Checkpoint) and (pinned := _pin_problem(reference, found)):
        problems.append(document.problem(("checkpoint", "sha256"), pinned))
    return found


def _directions(
    document: Document, folder: Path, found: Checkpoint | library.MagentaCheckpoint | None, problems: list[Problem]
) -> Mapping[str, Direction] | None:
    """The directions of a recipe's checkpoint, if a timbre is moved along any."""
    timbres = document.data.get("timbres")
    each = timbres.items() if isinstance(timbres, dict) else ()
    moved = [name for name, timbre in each if isinstance(timbre, dict) and timbre.get("move")]
    if not moved or found is None:
        return None
    messages = []
    try:
        if isinstance(found, Checkpoint) and (directions := read_directions(found)):
            return directions.named()
        reference = (
            os.path.join(".", os.path.normpath(folder / found.name)) if library.is_path(found.name) else found.name
        )
        command = f"samplepack directions {shlex.quote(reference)}"
        messages.append(f"no directions of checkpoint '{found.name}' have been found yet; run: {command}")
    except InputError as error:
        messages += [str(problem) for problem in error.problems]
    problems += [document.problem(("timbres", moved[0], "move"), f"timbres.{moved[0]}.move: {m}") for m in messages]
    return None


def _fits(path: Path, problems: list[Problem]) -> Mapping[tuple[str, ...], Fit]:
    try:
        return read_fits(path)
    except InputError as error:
        problems += error.problems
        return {}


def _pin_problem(reference: CheckpointReference, checkpoint: Checkpoint) -> str | None:
    if reference.sha256 is None or reference.sha256.lower() == checkpoint.digest:
        return None
    pinned = library.starter_with(reference.sha256.lower())
    which = f", which is {pinned}" if pinned else ""
    return f"checkpoint '{reference.path}' has the digest {checkpoint.digest}, not {reference.sha256}{which}"


def _rate_hz(data: Mapping[str, Any], found: Checkpoint | library.MagentaCheckpoint | None) -> int:
    sound = data.get("sound")
    written = sound.get("rate_hz") if isinstance(sound, dict) else None
    if written == "native":
        return found.rate_hz if found else 16000
    return written if written in (44100, 88200, 96000) else 48000
