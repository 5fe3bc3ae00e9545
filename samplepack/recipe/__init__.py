"""Recipes: YAML → `Recipe`, typed, complete and known to make sense before anything renders."""

from samplepack.recipe.load import LoadedRecipe, json_schema, load_recipe, load_recipes, point_names
from samplepack.recipe.model import Recipe, Sound
from samplepack.recipe.timbres import Like

__all__ = ["Like", "LoadedRecipe", "Recipe", "Sound", "json_schema", "load_recipe", "load_recipes", "point_names"]
