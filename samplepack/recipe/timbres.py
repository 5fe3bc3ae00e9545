"""Timbres: points in latent space, by seed, by name, from a file or on the way to another one; and banks of them."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from samplepack.base.errors import InputError
from samplepack.checkpoints.instruments import find_instrument
from samplepack.documents.problems import readable_path, wrong
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.latent import LARGEST_SEED, Latent, latent_from_seed
from samplepack.recipe.fields import SEED_SCHEMA, Model, Seed, Text, TimbreName, context_of, file_name
from samplepack.recipe.fits import Fit, sound_files, sounds_digest

_MOST_SEEDS = 10_000

_MOST_LATENT_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class StoredLatent:
    """A latent that is stored beside the recipe, or in the checkpoint."""

    name: str
    """The path of a file, as the recipe writes it, or the name of an instrument, as the checkpoint spells it."""

    values: Latent
    """float32, shape (latent_dim,)."""


def _read_latent(path: Any, info: ValidationInfo) -> StoredLatent:
    if not isinstance(path, str):
        raise wrong("should be the path of a .npy file")
    file = readable_path(path, info)
    if not os.path.exists(file):  # unlike Path.exists, False for a name that is too long to be one
        raise wrong(f"'{path}': no such file")
    if not os.path.isfile(file):
        raise wrong(f"'{path}': cannot be read")
    if os.path.getsize(file) > _MOST_LATENT_BYTES:
        raise wrong(f"'{path}': longer than any latent is")
    try:
        with file.open("rb") as opened:
            stored = np.lib.format.read_array(opened, allow_pickle=False)
    except OSError:
        raise wrong(f"'{path}': cannot be read") from None
    except Exception:  # NumPy lets out whatever Python's tokenizer and its own arithmetic raise on a bad header
        raise wrong(f"'{path}': not a .npy file of numbers") from None
    if stored.ndim != 1 or stored.dtype.kind not in "fiu":
        raise wrong(f"'{path}': should hold one row of numbers")
    with np.errstate(all="ignore"):
        values = stored.astype(np.float32)
    if not np.isfinite(values).all() or not values.any():
        raise wrong(f"'{path}': holds NaN or infinity, or nothing but zeros")
    latent = StoredLatent(path, values)
    checkpoint = context_of(info).get("checkpoint")
    if checkpoint and checkpoint.latent_dim and (problem := length_problem(latent, checkpoint.latent_dim)):
        raise wrong(problem)
    return latent


def _find_instrument(name: Any, info: ValidationInfo) -> StoredLatent | None:
    if not isinstance(name, str):
        raise wrong("should be the name of an instrument")
    checkpoint = context_of(info).get("checkpoint")
    if checkpoint is None:
        return StoredLatent(name, np.ones(1, np.float32))  # that there is no checkpoint is told already
    if not isinstance(checkpoint, Checkpoint):
        raise wrong(f"checkpoint '{checkpoint.name}' has no instruments with names; write a seed instead")
    try:
        return StoredLatent(*find_instrument(name, checkpoint))
    except InputError as error:
        raise wrong(str(error)) from None


@dataclass(frozen=True, eq=False)
class Like:
    """Sounds that a timbre is to be like."""

    written: tuple[str, ...]
    """As the recipe names them."""

    files: tuple[Path, ...]
    digest: str
    """Of the files, as `sounds_digest` gives it."""

    fit: Fit | None
    """What was fitted to these very sounds, for the recipe's checkpoint as far as that is known already."""


def _find_fit(value: Any, info: ValidationInfo) -> Like:
    written = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not written or not all(isinstance(name, str) for name in written):
        raise wrong("should be the path of a sound file or of a folder of them, or a list of such paths")
    context = context_of(info)
    for name in written:
        readable_path(name, info)
    try:
        files = sound_files(context.get("folder", Path()), written)
        for file in files:
            readable_path(os.path.relpath(file, context.get("folder", Path())), info)
        digest = sounds_digest(files)
    except InputError as error:
        raise wrong(str(error)) from None
    fit, checkpoint = context.get("fits", {}).get(written), context.get("checkpoint")
    if fit is None:
        why = "no latent has been fitted to it"
    elif fit.sounds != digest:
        why = "the sounds aren't those that a latent was fitted to"
    elif isinstance(checkpoint, Checkpoint) and (problem := fit_problem(fit, checkpoint)):
        why = problem
    else:
        return Like(written, files, digest, fit)
    if context.get("fits_needed", True):
        raise wrong(f"{why}; run: samplepack fit {shlex.quote(context.get('file', 'RECIPE'))}")
    return Like(written, files, digest, None)


def fit_problem(fit: Fit, checkpoint: Checkpoint) -> str | None:
    """Why a fit isn't one for a checkpoint."""
    if fit.checkpoint == checkpoint.digest and len(fit.latent) == checkpoint.latent_dim:
        return None
    return "its latent was fitted for another checkpoint"


def length_problem(latent: StoredLatent, latent_dim: int) -> str | None:
    """What is wrong with the length of a latent, for a checkpoint of another one."""
    if len(latent.values) == latent_dim:
        return None
    return f"'{latent.name}': has {len(latent.values)} numbers; a latent of this checkpoint has {latent_dim}"


class Timbre(Model):
    """A point in latent space: of a seed, of an instrument that the checkpoint knows, saved, or fitted to sounds; or
    a point on the arc from there to another timbre."""

    seed: Seed | None = None
    """The latent is what NumPy's `RandomState(seed)` draws."""

    instrument: Annotated[
        InstanceOf[StoredLatent] | None,
        BeforeValidator(_find_instrument),
        WithJsonSchema({"type": "string"}),
    ] = None
    """An instrument that the checkpoint was trained with, as `samplepack checkpoints info` names it."""

    latent: Annotated[
        InstanceOf[StoredLatent] | None,
        BeforeValidator(_read_latent),
        WithJsonSchema({"type": "string"}),
    ] = None
    """A `.npy` file with the latent, relative to the recipe."""

    like: Annotated[
        InstanceOf[Like] | None,
        BeforeValidator(_find_fit),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
    ] = None
    """A sound file, a folder of them or a list: the latent that `samplepack fit` found to be most like these notes."""

    toward: TimbreName | None = None
    """The timbre at the other end of the arc."""

    at: Annotated[float | None, Field(strict=True, ge=0.0, le=1.0)] = None
    """How far along the arc: 0.0 is this timbre's own latent, 1.0 the other timbre."""

    @model_validator(mode="after")
    def _one_origin(self) -> Timbre:
        if sum(origin is not None for origin in (self.seed, self.instrument, self.latent, self.like)) != 1:
            raise wrong("should have one of: seed, instrument, latent, like")
        if (self.toward is None) != (self.at is None):
            raise wrong("'toward' and 'at' belong together")
        return self

    @property
    def stored(self) -> StoredLatent | None:
        """Its own latent, unless that is a seed's, or is yet to be fitted."""
        if self.like and self.like.fit:
            return StoredLatent(", ".join(self.like.written), self.like.fit.values)
        return self.instrument or self.latent

    @property
    def origin(self) -> str:
        """Where it lies, as the recipe says it: `seed: 7, toward: Choir, at: 0.25`."""
        written = {
            "seed": self.seed,
            "instrument": self.instrument and self.instrument.name,
            "latent": self.latent and self.latent.name,
            "like": self.like and ", ".join(self.like.written),
            "toward": self.toward,
            "at": self.at,
        }
        return ", ".join(f"{key}: {value}" for key, value in written.items() if value is not None)

    def own_latent(self, latent_dim: int) -> Latent:
        """The latent of its own seed, instrument, file or sounds, float32, shape (latent_dim,)."""
        if self.stored is not None:
            return self.stored.values
        assert self.seed is not None
        return latent_from_seed(self.seed, latent_dim)


def _seeds(value: Any) -> tuple[int, ...]:
    match = re.fullmatch(r"\s*(\d{1,10})\s*-\s*(\d{1,10})\s*", value) if isinstance(value, str) else None
    if match:
        first, last = int(match[1]), int(match[2])
        if first > last or last > LARGEST_SEED:
            raise wrong(f"'{value}' is no range of seeds from 0 to {LARGEST_SEED}")
        if last - first >= _MOST_SEEDS:
            raise wrong(f"'{value}' is more than {_MOST_SEEDS} seeds")
        return tuple(range(first, last + 1))
    if isinstance(value, list) and value and all(type(s) is int and 0 <= s <= LARGEST_SEED for s in value):
        if len(set(value)) < len(value):
            raise wrong("a seed stands twice in the list")
        return tuple(value)
    raise wrong("should be a range such as 100-131, or a list of seeds such as [7, 1312]")


class Bank(Model):
    """Many timbres in one line, one for each seed."""

    seeds: Annotated[
        tuple[Seed, ...],
        BeforeValidator(_seeds),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": r"^\s*\d{1,10}\s*-\s*\d{1,10}\s*$"},
                    {"type": "array", "items": SEED_SCHEMA, "minItems": 1, "uniqueItems": True},
                ]
            }
        ),
    ]
    """`100-131`, or a list."""

    name: Text = "Bank {seed}"
    """What each is called; `{seed}` stands for its seed."""

    @model_validator(mode="after")
    def _names(self) -> Bank:
        if "{seed}" not in self.name:
            raise wrong("the name of a bank needs {seed} in it")
        for seed in self.seeds:
            file_name(self.timbre(seed))
        return self

    def timbre(self, seed: int) -> str:
        """The name of the timbre of a seed."""
        return self.name.replace("{seed}", str(seed))
