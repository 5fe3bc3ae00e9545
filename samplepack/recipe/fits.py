"""Fits: the latents that `samplepack fit` found, in a file beside the recipe. Builds read them, so that they stay
exact."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from samplepack.base.errors import InputError
from samplepack.base.files import sha256_of_file, write_aside
from samplepack.documents.json_files import read_json
from samplepack.models.latent import Latent
from samplepack.sound.audio import SOUND_SUFFIXES

_MOST_FILES = 200
_MOST_BYTES = 100_000_000


class Fit(BaseModel):
    """A latent that was fitted to sounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    like: tuple[str, ...]
    """The paths of the sounds, as the recipe writes them."""

    sounds: str
    """The digest of the sounds at the time of the fit, from `sounds_digest`."""

    checkpoint: str
    """The digest of the checkpoint that the latent was fitted for."""

    nearest: str
    """The known latent that the fit started from: an instrument's name, or `seed 17`."""

    nearest_db: float
    """Distance of the nearest known latent from the sounds: mean difference of mel power, dB."""

    fitted_db: float
    """Distance of the fitted latent from the sounds: mean difference of mel power, dB."""

    latent: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field(min_length=1)
    """The fitted latent, latent_dim numbers."""

    @property
    def values(self) -> Latent:
        """The latent, float32, shape (latent_dim,)."""
        return np.array(self.latent, np.float32)


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: int = Field(1, ge=1, le=1)
    """Version of the file's format."""

    fits: tuple[Fit, ...]


def fits_file(recipe: Path) -> Path:
    """The path of the file with a recipe's fits: `bells.fit.json` beside `bells.yaml`."""
    return recipe.with_name(f"{recipe.stem}.fit.json")


def read_fits(recipe: Path) -> dict[tuple[str, ...], Fit]:
    """The stored fits of a recipe, by the paths of their sounds as the recipe writes them; empty if the file is
    missing.

    Raises:
        InputError: the file can't be read or is damaged.
    """
    file = fits_file(recipe)
    if not os.path.lexists(file):
        return {}
    contents = read_json(file, _Contents, "file of fits", _MOST_BYTES, "delete it and fit anew")
    return {fit.like: fit for fit in contents.fits}


def write_fits(recipe: Path, fits: Iterable[Fit]) -> None:
    """Write the file with a recipe's fits, in place of an earlier one. Of fits to the same sounds, the last is kept.

    Raises:
        OSError: the file can't be written.
    """
    unique = {fit.like: fit.model_dump(mode="json") for fit in fits}.values()
    # One line for each key, so that a latent takes one line of a diff.
    texts = [
        ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in fit.items()) for fit in unique
    ]
    text = '{"fit": 1, "fits": [{\n' + "\n}, {\n".join(texts) + "\n}]}\n"
    write_aside(fits_file(recipe), text.encode("utf-8", "surrogatepass"))


def sound_files(folder: Path, like: Sequence[str]) -> tuple[Path, ...]:
    """The sound files of a timbre's `like`.

    Args:
        folder: the folder that the paths are relative to.
        like: paths of files, and of folders that stand for the sound files in them.

    Returns:
        The paths of the files; those of a folder are sorted.

    Raises:
        InputError: a path doesn't exist, a folder can't be read or holds no sound files, or there are too many files.
    """
    files: list[Path] = []
    for name in like:
        path = folder / name
        if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long to be one
            raise InputError(f"'{name}': no such file or folder")
        if not path.is_dir():
            files.append(path)
            continue
        try:
            within = sorted(
                f for f in path.iterdir() if f.suffix.lower() in SOUND_SUFFIXES and not f.name.startswith(".")
            )
        except OSError as error:
            raise InputError(f"'{name}': cannot be read: {error.strerror}") from error
        if not within:
            raise InputError(f"'{name}': holds no sound files ({', '.join(SOUND_SUFFIXES)})")
        files += within
    if len(files) > _MOST_FILES:
        raise InputError(f"{len(files)} sound files; a dozen notes are enough, {_MOST_FILES} the most")
    return tuple(files)


def sounds_digest(files: Sequence[Path]) -> str:
    """SHA-256 over the names of sound files, since names may state pitches, and over their bytes.

    Raises:
        InputError: a file can't be read, or is longer than a note may be.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            if not file.is_file():
                raise InputError(f"'{file.name}': not a regular file")
            if file.stat().st_size > _MOST_BYTES:
                raise InputError(f"'{file.name}': longer than {_MOST_BYTES // 1_000_000} MB, which no note is")
            digest.update(f"{file.name}\n{sha256_of_file(file)}\n".encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise InputError(f"'{file.name}': cannot be read: {error.strerror}") from error
    return digest.hexdigest()
