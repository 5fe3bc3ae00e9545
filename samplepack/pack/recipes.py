"""Recipes that are built together: all that is wrong with any of them, known before anything renders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samplepack.base.errors import InputError, Problem
from samplepack.checkpoints.library import MagentaCheckpoint
from samplepack.clips.score import Score, read_score
from samplepack.models.checkpoint import Checkpoint
from samplepack.recipe import Clip, LoadedRecipe, load_recipe


@dataclass(frozen=True, eq=False)
class CheckedRecipe:
    """A recipe that is known to make sense, with the scores of its clips."""

    loaded: LoadedRecipe
    scores: Mapping[str, Score]
    """Clip → the notes of its MIDI file that are played."""


def check_recipe(path: Path, allow_plugins: bool = False, allow_reads: bool = False) -> CheckedRecipe:
    """Read a recipe and check all of it, the MIDI files of its clips included; each of these is read once.

    Args:
        path: path of the recipe.
        allow_plugins: whether effects may be programs from elsewhere.
        allow_reads: whether `reads` may name folders outside of the repository.

    Raises:
        InputError: every problem of the recipe, in the order of its lines.
    """
    scores: dict[str, Score] = {}

    def read_clip(name: str, clip: Clip, checkpoint: Checkpoint | MagentaCheckpoint) -> None:
        scores[name] = read_score(clip, checkpoint)

    return CheckedRecipe(load_recipe(path, allow_plugins, allow_reads, check_clip=read_clip), scores)


def check_recipes(paths: Iterable[Path], allow_plugins: bool = False, allow_reads: bool = False) -> list[CheckedRecipe]:
    """Read recipes that are built together and check all of each; see `check_recipe`.

    Returns:
        The recipes, in the order of their paths.

    Raises:
        InputError: every problem of every recipe, in the order of the files and of their lines; also packs that would
            take each other's place.
    """
    recipes: list[CheckedRecipe] = []
    problems: list[Problem] = []
    first_of: dict[str, Path] = {}
    for path in paths:
        try:
            checked = check_recipe(path, allow_plugins, allow_reads)
        except InputError as error:
            problems += error.problems
            continue
        recipes.append(checked)
        slug = checked.loaded.recipe.slug
        if slug in first_of:
            message = f"its pack would take the place of that of {first_of[slug]}: both are {slug}"
            problems.append(Problem(message, str(path)))
        first_of.setdefault(slug, path)
    if problems:
        raise InputError(*problems)
    return recipes


def check(
    recipes: str | Path | Sequence[str | Path], allow_plugins: bool = False, allow_reads: bool = False
) -> list[Problem]:
    """Every problem of recipes, each with its file, line and column; none where all are good. Renders nothing.

    Args:
        recipes: paths of recipes, or one path.
        allow_plugins: whether effects may be programs from elsewhere.
        allow_reads: whether `reads` may name folders outside of the repository.
    """
    try:
        check_recipes(paths_of(recipes), allow_plugins, allow_reads)
    except InputError as error:
        return list(error.problems)
    return []


def paths_of(recipes: str | Path | Sequence[str | Path]) -> list[Path]:
    """One path, or several, as a list."""
    return [Path(recipes)] if isinstance(recipes, str | Path) else [Path(recipe) for recipe in recipes]
