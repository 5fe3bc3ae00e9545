"""What the values of a recipe are made of: names, numbers, shorthands, and what they are checked against."""

from __future__ import annotations

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

from samplepack.base.errors import did_you_mean
from samplepack.checkpoints import library
from samplepack.documents.problems import wrong
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.latent import LARGEST_SEED
from samplepack.recipe.fits import Fit

_LONGEST_NAME = 80
_MOST_NAME_BYTES = 200  # a file name has 255, of which a pitch, a velocity and a suffix take some
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
_FORBIDDEN = set('/\\:*?"<>|$=')


class Context(TypedDict, total=False):
    """What the values of a recipe are checked against beside themselves; `process` knows the keys that it needs."""

    folder: Path
    """The recipe's: paths in it are relative to this."""

    readable: Sequence[Path]
    """Folders that the recipe's files may lie in."""

    outside: str
    """What to answer about a file that lies elsewhere, after its name."""

    allow_plugins: bool
    """Whether effects may be programs from elsewhere."""

    file: str
    """The recipe's, as the user named it."""

    fits: Mapping[tuple[str, ...], Fit]
    """Those that are kept beside the recipe."""

    fits_needed: bool
    """Whether a fit that is missing is a problem."""

    timbres: frozenset[str]
    """Every name that `toward` and `through` may give, right or wrong as its timbre may be."""

    rate_hz: int
    """Of the pack's sound files."""

    checkpoint: Checkpoint | library.MagentaCheckpoint | None
    """None: it couldn't be found, and that's told already."""


def context_of(info: ValidationInfo) -> Context:
    """What a value is being checked against; nothing where a model is made by hand."""
    context: Context | None = info.context
    return context or {}


def file_name(name: str) -> str:
    """A name that is good as a file name on every system and in every sampler format.

    Source: the players' own failures on `$`, `<`, `//`, a leading `*` and `=`, and Windows' reserved names.
    """
    if not name.strip():
        raise wrong("a name can't be empty")
    if bad := sorted({c for c in name if c in _FORBIDDEN or not c.isprintable()}):
        shown = " ".join(c if c.isprintable() else repr(c)[1:-1] for c in bad)
        raise wrong(f"'{name}' can't be a file name: it holds {shown}")
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
        raise wrong(f"no timbre is called '{name}'{did_you_mean(name, known)}")
    return name


TimbreName = Annotated[str, Field(strict=True), AfterValidator(_known_timbre)]
Text = Annotated[str, Field(strict=True)]
Seed = Annotated[int, Field(strict=True, ge=0, le=LARGEST_SEED)]
SEED_SCHEMA = {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}


class Model(BaseModel):
    """What the mappings of a recipe have in common: a key that isn't known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class ShortFor:
    """A plain value is short for a mapping with one key."""

    key: str
    json_schema: Mapping[str, Any]
    """Of the plain value."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._in_full, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [dict(self.json_schema), handler(core)]}

    def _in_full(self, value: Any) -> Any:
        return value if isinstance(value, dict | BaseModel) else {self.key: value}


def whole(value: Any) -> Any:
    """Refuse what only compares equal to a number: to Python 1.0 and true are 1."""
    if isinstance(value, bool | float):
        raise wrong(f"should be a whole number, not {value}")
    return value
