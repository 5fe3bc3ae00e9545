"""Directions of a checkpoint: ways through its latent space, each with what it does to the sound. Without Keras.

`samplepack directions` finds them once and writes them to a file, in the checkpoint's folder where that can be written.
A recipe moves its timbres along them, so what it makes depends on the numbers in that file and on nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from samplepack.base.errors import InputError
from samplepack.base.files import user_folder, write_aside
from samplepack.documents.json_files import read_json
from samplepack.documents.problems import wrong
from samplepack.models.checkpoint import DIRECTIONS, Checkpoint
from samplepack.models.latent import Latent

_MOST_BYTES = 16 << 20

_AUDIBLE = 0.2

_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Effect(_Model):
    """What moving along a direction does, measured on notes of latents that took no part in finding it."""

    notes: int = Field(ge=1)
    """How many latents were moved, each to either side."""

    by: _Number
    """How far they were moved, units."""

    correlation: _Number | None = None
    """Correlation of the change of the direction's own figure with the movement; None for a principal direction."""

    follows: _Number | None = None
    """Share of the movements with which the direction's own figure rose or fell as it should; None for a principal
    direction."""

    moves: dict[str, _Number]
    """Figure → how far one unit of movement moves it, in standard deviations of the figure; negative where it falls."""

    timbre_db: _Number
    """Distance in timbre between a note and the moved one: the mean difference of the levels of mel bands over time,
    dB, median of the notes."""

    def strongest(self, besides: str) -> list[tuple[str, float]]:
        """The figures that a direction moves by a fifth of a deviation or more, the most moved first.

        Args:
            besides: the direction's name, whose own figure isn't listed.
        """
        others = [(name, by) for name, by in self.moves.items() if name != besides and abs(by) >= _AUDIBLE]
        return sorted(others, key=lambda moved: -abs(moved[1]))


class Direction(_Model):
    """A direction through latent space."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,39}$")]
    """`brightness`, or `pc1` for the first of the principal directions."""

    step: Annotated[tuple[_Number, ...], Field(min_length=1)]
    """What is added to a latent for one unit of movement, latent_dim numbers. One unit is one standard deviation: of
    the figure for a named direction, of the features' component for a principal one."""

    figure: str = ""
    """What a named direction moves, in words, and in what it is measured."""

    deviation: _Number | None = None
    """The standard deviation of that figure over random latents, in its own unit."""

    share: _Number | None = None
    """Share of the variance of the network's features that a principal direction has."""

    effect: Effect | None = None
    """What it does; None where nobody has measured it."""

    @property
    def values(self) -> Latent:
        """What is added to a latent for one unit of movement, float32, shape (latent_dim,)."""
        return np.array(self.step, np.float32)

    @property
    def unit_vector(self) -> Latent:
        """The direction alone, of length 1, float32, shape (latent_dim,)."""
        return np.asarray(self.values / np.linalg.norm(self.values), np.float32)


class Directions(_Model):
    """The directions of a checkpoint, as their file holds them."""

    directions: Literal[1]
    """Version of the file's format."""

    checkpoint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Digest of the checkpoint."""

    made_by: str = ""
    """What found them."""

    pitches: tuple[int, ...] = ()
    """The pitches of the notes that were measured, MIDI."""

    found: tuple[Direction, ...]
    """The named ones, then the principal ones by their share."""

    @field_validator("found")
    @classmethod
    def _distinct(cls, found: tuple[Direction, ...]) -> tuple[Direction, ...]:
        names = [direction.name for direction in found]
        if len(set(names)) < len(names):
            raise wrong("two directions have the same name")
        if len({len(direction.step) for direction in found}) > 1:
            raise wrong("the steps have different lengths")
        with np.errstate(over="ignore"):
            usable = all(np.isfinite(direction.values).all() and direction.values.any() for direction in found)
        if not usable:
            raise wrong("a step is nothing but zeros, or beyond what float32 can hold")
        return found

    def named(self) -> dict[str, Direction]:
        """The directions by their names, in their order."""
        return {direction.name: direction for direction in self.found}


def moved(z: Latent, directions: Mapping[str, Direction], amounts: Mapping[str, float]) -> Latent:
    """A latent moved along directions.

    The sum is taken in float64, number by number and in the order of the directions' names, so that it has the same
    bits on every machine and in whatever order the amounts are written.

    Args:
        z: float32, shape (latent_dim,).
        directions: by name, as `Directions.named` gives them.
        amounts: name → how far to move, in units of the direction; negative for the opposite way.

    Returns:
        float32, shape (latent_dim,).

    Raises:
        KeyError: there is no direction of one of the names.
    """
    at = z.astype(np.float64)
    for name in sorted(amounts):
        at = at + amounts[name] * directions[name].values.astype(np.float64)
    return at.astype(np.float32)


def directions_file(checkpoint: Checkpoint) -> Path | None:
    """The file of a checkpoint's directions: in its folder or, where that could not be written, in the user's folder;
    None if there is none."""
    return next((file for file in _places(checkpoint) if os.path.lexists(file)), None)


def _places(checkpoint: Checkpoint) -> tuple[Path, Path]:
    return checkpoint.folder / DIRECTIONS, user_folder("directions") / f"{checkpoint.digest}.json"


def read_directions(checkpoint: Checkpoint) -> Directions | None:
    """Read the directions of a checkpoint; None if nobody has found any yet.

    Raises:
        InputError: their file is damaged, or belongs to another checkpoint.
    """
    file = directions_file(checkpoint)
    return None if file is None else read_directions_file(file, checkpoint)


def read_directions_file(file: Path, checkpoint: Checkpoint) -> Directions:
    """Read directions from a file and check that they are those of a checkpoint.

    Raises:
        InputError: the file can't be read, is damaged, or belongs to another checkpoint.
    """
    remedy = f"find them anew: samplepack directions {checkpoint.name} --again"
    directions = read_json(file, Directions, "file of directions", _MOST_BYTES, remedy)
    if directions.checkpoint != checkpoint.digest:
        raise InputError(f"{file}: the directions of another checkpoint ({directions.checkpoint[:12]}…); {remedy}")
    if any(len(direction.step) != checkpoint.latent_dim for direction in directions.found):
        raise InputError(f"{file}: a step should have {checkpoint.latent_dim} numbers, as a latent has; {remedy}")
    return directions


def write_directions(directions: Directions, checkpoint: Checkpoint) -> Path:
    """Write the file of a checkpoint's directions, in place of an earlier one.

    Returns:
        The file: in the checkpoint's folder, or in the user's folder where that one can't be written.

    Raises:
        OSError: neither can be written.
    """
    # One line for each key of a direction, so that a diff shows which of them changed.
    data = directions.model_dump(mode="json", exclude_none=True)
    each = [
        ",\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in one.items())
        for one in data.pop("found")
    ]
    head = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in data.items())
    text = f'{{{head}, "found": [{{\n' + "\n}, {\n".join(each) + "\n}]}\n"
    own, users = _places(checkpoint)
    try:
        write_aside(own, text.encode())
    except OSError:
        users.parent.mkdir(parents=True, exist_ok=True)
        write_aside(users, text.encode())
        return users
    users.unlink(missing_ok=True)
    return own
