"""What a pack's bytes depend on: versions, digests, and descriptions of a recipe as plain data."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from samplepack.base.errors import InputError
from samplepack.base.files import sha256_of_file
from samplepack.base.version import __version__, library_versions
from samplepack.clips.score import NO_READER
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import Engine
from samplepack.pack.manifest import VERSION, EffectList, Parameters
from samplepack.recipe import LoadedRecipe, Recipe

_MIDI_LIBRARIES = ("note_seq", "pretty_midi", "mido")
"""Libraries whose versions decide the bytes of clips."""


def versions(engine: Engine, recipe: Recipe) -> dict[str, str]:
    """Everything whose version decides a pack's bytes, beside recipe and checkpoint.

    Raises:
        InputError: the recipe has clips, and nothing is installed that reads them.
    """
    try:
        midi = {name: version(name) for name in _MIDI_LIBRARIES if recipe.clips}
    except PackageNotFoundError:
        raise InputError(NO_READER) from None
    return {"samplepack": __version__, "engine": str(engine), **library_versions(), **midi}


def inputs_digest(loaded: LoadedRecipe, checkpoint: Checkpoint, engine: Engine) -> str:
    """A hash of all that a pack is made from: two builds with the same one are the same pack."""
    digest = hashlib.sha256(
        json.dumps([VERSION, versions(engine, loaded.recipe), checkpoint.digest, checkpoint.config.license]).encode()
    )
    digest.update(hashlib.sha256(loaded.text).digest())
    for timbre in loaded.recipe.timbres.values():
        if timbre.stored:
            digest.update(timbre.stored.values.astype("<f4").tobytes())
        for step in timbre.steps.values():
            digest.update(step.astype("<f4").tobytes())
    for file in loaded.input_files():
        digest.update(bytes.fromhex(sha256_of_file(file)))
    return digest.hexdigest()


def plain_clips(loaded: LoadedRecipe) -> dict[str, Parameters]:
    """How each of a recipe's clips is played, as plain data; files by their path from the recipe's folder."""
    return {
        name: clip.model_dump(mode="json") | {"midi": _relative(clip.midi, loaded.path.parent)}
        for name, clip in loaded.recipe.clips.items()
    }


def plain_effects(loaded: LoadedRecipe) -> EffectList:
    """A recipe's effects with all of their parameters, as plain data; files by their path from the recipe's folder."""

    def plain(value: Any) -> Any:
        return _relative(value, loaded.path.parent) if isinstance(value, Path) else value

    return [{type(effect).__name__: {key: plain(value) for key, value in effect}} for effect in loaded.recipe.effects]


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
