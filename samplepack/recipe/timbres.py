"""Timbres: points in latent space, given by seed, instrument, file or sounds; and banks of them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from samplepack.base.errors import InputError
from samplepack.checkpoints.directions import Direction, moved
from samplepack.checkpoints.instruments import find_instrument
from samplepack.checkpoints.library import starter_with
from samplepack.documents.problems import readable_path, wrong
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.models.latent import LARGEST_SEED, Latent, latent_from_seed
from samplepack.recipe.fields import (
    SEED_SCHEMA,
    Amount,
    DirectionName,
    Model,
    Seed,
    Text,
    TimbreName,
    context_of,
    file_name,
)
from samplepack.recipe.fits import Fit, sound_files, sounds_digest

_MOST_SEEDS = 10_000

_MOST_LATENT_BYTES = 1 << 20

_AMOUNT = r"[a-z0-9_-]+: -?\d+(\.\d+)?(e-?\d+)?"
_MOVE = re.compile(rf"(?P<place>.*), move: \{{(?P<amounts>{_AMOUNT}(, {_AMOUNT})*)\}}", re.DOTALL)
"""An origin that ends in `move: {…}`, as `Timbre.origin` writes it."""


@dataclass(frozen=True, eq=False)
class StoredLatent:
    """A latent from a file beside the recipe, or of an instrument of the checkpoint."""

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
        raise wrong(f"'{path}': larger than 1 MiB, the most that a latent may have")
    try:
        with file.open("rb") as opened:
            stored = np.lib.format.read_array(opened, allow_pickle=False)
    except OSError:
        raise wrong(f"'{path}': cannot be read") from None
    except Exception:  # on a bad header, NumPy may raise any error of Python's tokenizer or of arithmetic
        raise wrong(f"'{path}': not a .npy file of numbers") from None
    if stored.ndim != 1 or stored.dtype.kind not in "fiu":
        raise wrong(f"'{path}': should hold one row of numbers")
    with np.errstate(all="ignore"):
        values = stored.astype(np.float32)
    checkpoint = context_of(info).get("checkpoint")
    # Networks that divide latents by their length can't play one of zeros; Magenta's can.
    needs_direction = isinstance(checkpoint, Checkpoint) and gansynth_config(checkpoint).latent_normalisation == "shell"
    if not np.isfinite(values).all() or (needs_direction and not values.any()):
        raise wrong(f"'{path}': holds NaN or infinity, or nothing but zeros")
    latent = StoredLatent(path, values)
    if checkpoint and checkpoint.latent_dim and (problem := length_problem(latent, checkpoint.latent_dim)):
        raise wrong(problem)
    return latent


def _find_instrument(name: Any, info: ValidationInfo) -> StoredLatent | None:
    if not isinstance(name, str):
        raise wrong("should be the name of an instrument")
    checkpoint = context_of(info).get("checkpoint")
    if checkpoint is None:
        return StoredLatent(name, np.ones(1, np.float32))  # the missing checkpoint is reported elsewhere
    if not isinstance(checkpoint, Checkpoint):
        raise wrong(f"checkpoint '{checkpoint.name}' has no instruments with names; write a seed instead")
    try:
        return StoredLatent(*find_instrument(name, checkpoint))
    except InputError as error:
        raise wrong(str(error)) from None


@dataclass(frozen=True, eq=False)
class Like:
    """The sounds that a timbre is fitted to."""

    written: tuple[str, ...]
    """The paths of the sounds, as the recipe writes them."""

    files: tuple[Path, ...]
    """The sound files, those of folders included."""

    digest: str
    """The digest of the files, from `sounds_digest`."""

    fit: Fit | None
    """The fit to exactly these sounds; None if there is none. It is for the recipe's checkpoint, unless that is one of
    Magenta's, which must be converted first."""


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
        reason = "no latent has been fitted to it"
    elif fit.sounds != digest:
        reason = "the sounds aren't those that a latent was fitted to"
    elif isinstance(checkpoint, Checkpoint) and (problem := fit_problem(fit, checkpoint)):
        reason = problem
    else:
        return Like(written, files, digest, fit)
    if context.get("fits_needed", True):
        raise wrong(f"{reason}; run: samplepack fit {shlex.quote(context.get('file', 'RECIPE'))}")
    return Like(written, files, digest, None)


def fit_problem(fit: Fit, checkpoint: Checkpoint) -> str | None:
    """A message about a fit that was made for another checkpoint; None if it is for this one."""
    if fit.checkpoint == checkpoint.digest and len(fit.latent) == checkpoint.latent_dim:
        return None
    return f"its latent was fitted for {starter_with(fit.checkpoint) or 'another checkpoint'}"


def length_problem(latent: StoredLatent, latent_dim: int) -> str | None:
    """A message about a latent whose length isn't `latent_dim`; None if it is."""
    if len(latent.values) == latent_dim:
        return None
    return f"'{latent.name}': has {len(latent.values)} numbers; a latent of this checkpoint has {latent_dim}"


class Timbre(Model):
    """A point in latent space, given by exactly one of `seed`, `instrument`, `latent` and `like`; with `toward` and
    `at`, the point lies on the arc from there to another timbre; with `move`, it is moved along directions."""

    seed: Seed | None = None
    """Seed of a random latent, which NumPy's `RandomState(seed)` draws: the same on every machine."""

    instrument: Annotated[
        InstanceOf[StoredLatent] | None,
        BeforeValidator(_find_instrument),
        WithJsonSchema({"type": "string"}),
    ] = None
    """Name of an instrument that the checkpoint was trained with; `samplepack checkpoints info` lists them. Case
    doesn't matter."""

    latent: Annotated[
        InstanceOf[StoredLatent] | None,
        BeforeValidator(_read_latent),
        WithJsonSchema({"type": "string"}),
    ] = None
    """Path of a `.npy` file with the latent, relative to the recipe."""

    like: Annotated[
        InstanceOf[Like] | None,
        BeforeValidator(_find_fit),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
    ] = None
    """Path of a sound file or of a folder of them, relative to the recipe, or a list of such paths: the latent is the
    one that `samplepack fit` found to sound most like these notes."""

    toward: TimbreName | None = None
    """Name of the timbre at the other end of the arc; needs `at`."""

    at: Annotated[float | None, Field(strict=True, ge=0.0, le=1.0)] = None
    """Position on the arc: 0.0 is this timbre's own latent, 1.0 the timbre of `toward`."""

    move: Annotated[dict[DirectionName, Amount] | None, Field(min_length=1, max_length=64)] = None
    """How far to move along directions of the checkpoint, from the point that the other keys give:
    `{brightness: 1.5, pc3: -0.8}`. The units are standard deviations: of the figure that a named direction moves, such
    as brightness; for `pc1` and so on, of the principal component of the network's features. `samplepack directions`
    lists them."""

    _directions: Mapping[str, Direction] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _with_directions(self, info: ValidationInfo) -> Timbre:
        known = context_of(info).get("directions") or {}
        self._directions = {name: known[name] for name in self.move or () if name in known}
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> Timbre:
        if sum(origin is not None for origin in (self.seed, self.instrument, self.latent, self.like)) != 1:
            raise wrong("should have one of: seed, instrument, latent, like")
        if (self.toward is None) != (self.at is None):
            raise wrong("'toward' and 'at' belong together")
        return self

    @property
    def stored(self) -> StoredLatent | None:
        """The timbre's own latent; None if it comes from a seed, or from sounds without a fit."""
        if self.like and self.like.fit:
            return StoredLatent(", ".join(self.like.written), self.like.fit.values)
        return self.instrument or self.latent

    @property
    def origin(self) -> str:
        """The timbre's place in latent space, in the words of the recipe: `seed: 7, toward: Choir, at: 0.25`."""
        written = {
            "seed": self.seed,
            "instrument": self.instrument and self.instrument.name,
            "latent": self.latent and self.latent.name,
            "like": self.like and ", ".join(self.like.written),
            "toward": self.toward,
            "at": self.at,
            "move": self.move and f"{{{', '.join(f'{name}: {amount}' for name, amount in self.move.items())}}}",
        }
        return ", ".join(f"{key}: {value}" for key, value in written.items() if value is not None)

    @property
    def steps(self) -> dict[str, Latent]:
        """Direction → what it adds to a latent for one unit, for the directions that the timbre is moved along."""
        return {name: direction.values for name, direction in self._directions.items()}

    def moved(self, point: Latent) -> Latent:
        """A point in latent space, moved by `move`: float32, shape (latent_dim,)."""
        return moved(point, self._directions, self.move) if self.move else point

    def own_latent(self, latent_dim: int) -> Latent:
        """The timbre's own latent, regardless of `toward` and `move`: float32, shape (latent_dim,)."""
        if self.stored is not None:
            return self.stored.values
        assert self.seed is not None
        return latent_from_seed(self.seed, latent_dim)


def split_origin(origin: str) -> tuple[str, dict[str, float]]:
    """A timbre's origin without its `move`, and the amounts of that, none where it isn't moved."""
    match = _MOVE.fullmatch(origin)
    if not match:
        return origin, {}
    amounts = (part.split(": ") for part in match["amounts"].split(", "))
    return match["place"], {name: float(amount) for name, amount in amounts}


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
    """Seeds of the timbres: a range such as `100-131`, both ends included, or a list."""

    name: Text = "Bank {seed}"
    """Name of each timbre, in which `{seed}` stands for its seed."""

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
