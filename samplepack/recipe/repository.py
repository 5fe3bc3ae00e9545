"""A folder for recipes in git, as `samplepack init` makes it."""

from __future__ import annotations

import json
from pathlib import Path

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.base.version import __version__
from samplepack.recipe import json_schema

_RECIPE = """\
# yaml-language-server: $schema=recipe.schema.json
recipe: 1
name: First
license: CC0-1.0
checkpoint: starter
pitches: 36-84/3                             # every third key; zones stretch to fill

timbres:
  Glass: 7                                   # a seed: any whole number from 0 to 4294967295 is a timbre
  Choir: 1312
  Between: {seed: 7, toward: Choir, at: 0.5} # a point on the way from seed 7 to Choir

process:                                     # Pedalboard's effects, in order
  - Reverb: {room_size: 0.4, wet_level: 0.2}
"""

_GITIGNORE = """\
# What builds and trainings make: recipes and lock files are enough to make it again.
output/
runs/
sets/
"""

_GITATTRIBUTES = """\
# The bytes of a recipe go into its pack: they are the same on every system.
*.yaml text eol=lf
*.fit.json text eol=lf
# Lock files are written by builds: told in a diff, folded in a review.
*.lock text eol=lf linguist-generated=true
*.npy binary
*.wav binary
*.flac binary
*.aif binary
*.aiff binary
*.safetensors binary
"""

_WORKFLOW = """\
name: packs
on: [push, pull_request]
jobs:
  packs:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - uses: actions/cache@v4
        with:
          path: ~/.cache/samplepack
          key: samplepack-${{{{ hashFiles('recipes/*.lock') }}}}
          restore-keys: samplepack-
      - run: pip install 'samplepack[midi]=={version}'
      - run: samplepack check recipes/*.yaml
      - run: samplepack build recipes/*.yaml --locked
      - uses: actions/upload-artifact@v4
        with: {{name: packs, path: output}}
"""

_README = """\
# Instruments

Sampler instruments from recipes, made by [samplepack](https://pypi.org/project/samplepack/).

    samplepack build recipes/first.yaml

Commit recipes, their lock files (`recipes/*.lock`) and the sounds that they name; packs are made again from them.
"""


def write_repository(folder: Path) -> list[Path]:
    """Make a folder for recipes in git; files that are there already stay as they are.

    Returns:
        The files that were written.

    Raises:
        InputError: all of them are there already.
        OSError: one can't be written.
    """
    files = {
        "recipes/first.yaml": _RECIPE,
        "recipes/recipe.schema.json": json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n",
        ".gitignore": _GITIGNORE,
        ".gitattributes": _GITATTRIBUTES,
        ".github/workflows/packs.yml": _WORKFLOW.format(version=__version__),
        "README.md": _README,
    }
    missing = {folder / name: text for name, text in files.items() if not (folder / name).exists()}
    if not missing:
        raise InputError(f"{folder} has all of it already")
    for path, text in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, text.encode())
    return list(missing)
