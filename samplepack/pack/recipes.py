"""Recipes that are built together: all that is wrong with any of them, known before anything renders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from samplepack.base.errors import InputError, Problem
from samplepack.clips.score import read_score
from samplepack.recipe import LoadedRecipe, load_recipe


def check_recipes(paths: Iterable[Path], allow_plugins: bool = False) -> list[LoadedRecipe]:
    """Read recipes and check all of each, the MIDI files of its clips included.

    Args:
        paths: of the recipes.
        allow_plugins: whether effects may be programs from elsewhere.

    Returns:
        The recipes, in the order of their paths.

    Raises:
        InputError: every problem of every recipe, in the order of the files and of their lines; also packs that would
            take each other's place.
    """
    recipes: list[LoadedRecipe] = []
    problems: list[Problem] = []
    first_of: dict[str, Path] = {}
    for path in paths:
        try:
            recipe = load_recipe(path, allow_plugins, check_clip=read_score)
        except InputError as error:
            problems += error.problems
            continue
        recipes.append(recipe)
        slug = recipe.recipe.slug
        if slug in first_of:
            message = f"its pack would take the place of that of {first_of[slug]}: both are {slug}"
            problems.append(Problem(message, str(path)))
        first_of.setdefault(slug, path)
    if problems:
        raise InputError(*problems)
    return recipes
