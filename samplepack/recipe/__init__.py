"""Recipes: YAML → `Recipe`, typed, complete and known to make sense before anything renders."""

from samplepack.recipe.clips import LEAST_APART_S, Clip
from samplepack.recipe.load import LoadedRecipe, json_schema, load_recipe
from samplepack.recipe.model import CheckpointReference, Recipe, Sound, point_names
from samplepack.recipe.timbres import Bank, Like

__all__ = [
    "LEAST_APART_S",
    "Bank",
    "CheckpointReference",
    "Clip",
    "Like",
    "LoadedRecipe",
    "Recipe",
    "Sound",
    "json_schema",
    "load_recipe",
    "point_names",
]
