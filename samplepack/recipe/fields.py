"""Types of the values in a recipe: names, numbers and short forms; and the context that they are validated with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema, core_schema

from samplepack.checkpoints import library
from samplepack.checkpoints.directions import Direction
from samplepack.documents.problems import unknown, wrong
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.latent import LARGEST_SEED
from samplepack.recipe.fits import Fit

_LONGEST_NAME = 80
_MOST_NAME_BYTES = 200  # of the 255 that a file name may have: pitch, layer and suffix take the others
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
_FORBIDDEN = set('/\\:*?"<>|$=')


class Context(TypedDict, total=False):
    """The context of a recipe's validation. Effects, too, read those of its keys that they need."""

    folder: Path
    """The recipe's folder, which paths in the recipe are relative to."""

    readable: Sequence[Path]
    """Folders that files named in the recipe may lie in."""

    outside: str
    """The message about a file that lies in none of these folders, as it follows the file's path."""

    allow_plugins: bool
    """Whether effects may be plugins, which are programs."""

    file: str
    """The path of the recipe, as the user wrote it."""

    fits: Mapping[tuple[str, ...], Fit]
    """The fits in the file beside the recipe, by the paths of their sounds."""

    fits_needed: bool
    """Whether a missing fit is a problem."""

    timbres: frozenset[str]
    """The names that `toward` and `through` may refer to, those of wrong timbres included."""

    rate_hz: int
    """Sampling rate of the pack's sound files, Hz."""

    checkpoint: Checkpoint | library.MagentaCheckpoint | None
    """The recipe's checkpoint; None if it wasn't found, which is reported elsewhere."""

    directions: Mapping[str, Direction] | None
    """The directions of the checkpoint that `move` may name; None if there are none, which is reported elsewhere."""


def context_of(info: ValidationInfo) -> Context:
    """The context of a validation; empty if a model is constructed without one."""
    context: Context | None = info.context
    return context or {}


def file_name(name: str) -> str:
    """The name itself, if it can be a file name on every system and in every sampler format.

    Refused are `$`, `<`, `/`, `*`, `=` and other characters on which players or systems failed, and names that Windows
    reserves.

    Raises:
        PydanticCustomError: the name can't be a file name.
    """
    if not name.strip():
        raise wrong("a name can't be empty")
    if bad := sorted({c for c in name if c in _FORBIDDEN or not c.isprintable()}):
        shown = " ".join(c if c.isprintable() else repr(c)[1:-1] for c in bad)
        raise wrong(f"'{name}' can't be a file name: it holds {shown}")
    if match := re.search(r"#\s*(include|define)", name, re.IGNORECASE):
        raise wrong(f"'{name}' can't be a file name: players take {match[0]} for a directive of the map")
    if name != name.strip(" .") or name.split(".")[0].strip().lower() in _RESERVED:
        raise wrong(f"'{name}' can't be a file name on every system")
    if len(name) > _LONGEST_NAME:
        raise wrong(f"a name has {_LONGEST_NAME} characters at most; this one has {len(name)}")
    if (size := len(name.encode())) > _MOST_NAME_BYTES:
        raise wrong(f"a name takes {_MOST_NAME_BYTES} bytes of UTF-8 at most; this one takes {size}")
    return name


Name = Annotated[str, Field(strict=True), AfterValidator(file_name)]


def _known_timbre(name: str, info: ValidationInfo) -> str:
    known = context_of(info).get("timbres", frozenset([name]))
    if name not in known:
        raise unknown(f"no timbre is called '{name}'", name, known)
    return name


def _known_direction(name: str, info: ValidationInfo) -> str:
    known = context_of(info).get("directions")
    if known is not None and name not in known:
        raise unknown(f"no direction is called '{name}' (the checkpoint has {', '.join(known)})", name, known)
    return name


DirectionName = Annotated[str, Field(strict=True), AfterValidator(_known_direction)]

Amount = Annotated[float, Field(strict=True, ge=-10.0, le=10.0)]
"""How far to move along a direction, units of it."""

TimbreName = Annotated[str, Field(strict=True), AfterValidator(_known_timbre)]
Text = Annotated[str, Field(strict=True)]
Seed = Annotated[int, Field(strict=True, ge=0, le=LARGEST_SEED)]
SEED_SCHEMA = {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}


class Model(BaseModel):
    """Base class of the mappings in a recipe, which refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class ShortFor:
    """Annotation of a mapping for which a plain value can stand: the value of one of its keys."""

    key: str
    """The key whose value the plain value is."""

    json_schema: Mapping[str, Any]
    """The JSON Schema of the plain value."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._in_full, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [dict(self.json_schema), handler(core)]}

    def _in_full(self, value: Any) -> Any:
        return value if isinstance(value, dict | BaseModel) else {self.key: value}


def whole_number(value: Any) -> Any:
    """Refuse floats and booleans in place of whole numbers: in Python, 1.0 and True equal 1."""
    if isinstance(value, bool | float):
        raise wrong(f"should be a whole number, not {value}")
    return value
