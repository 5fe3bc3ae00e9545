"""Recipes: YAML files that are read into a typed `Recipe` and checked in full before anything is rendered."""

from samplepack.recipe.clips import LEAST_APART_S, Clip
from samplepack.recipe.load import LoadedRecipe, json_schema, load_recipe
from samplepack.recipe.model import CheckpointReference, LatentPath, Play, Recipe, Sound, point_names
from samplepack.recipe.timbres import Bank, Like

__all__ = [
    "LEAST_APART_S",
    "Bank",
    "CheckpointReference",
    "Clip",
    "LatentPath",
    "Like",
    "LoadedRecipe",
    "Play",
    "Recipe",
    "Sound",
    "json_schema",
    "load_recipe",
    "point_names",
]
