"""YAML → `Recipe`: what a sound designer wrote, typed, complete and known to make sense before anything renders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    InstanceOf,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from samplepack import library
from samplepack.checkpoint import Checkpoint
from samplepack.document import Document, Key, read_document
from samplepack.errors import InputError, Problem, did_you_mean
from samplepack.latent import Interpolation, Latent, Spacing, latent_from_seed
from samplepack.problems import problems_in, wrong
from samplepack.process import Effect, Step, failure

_LONGEST_NAME = 80
_MOST_NAME_BYTES = 200  # a file name has 255, of which a pitch, a velocity and a suffix take some
_MOST_TIMBRES = 10_000
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
_PICTURE = "overview"
"""What no instrument can be called, as the picture of each is called as the instrument is."""

_FORBIDDEN = set('/\\:*?"<>|$=')


class _Context(TypedDict, total=False):
    """What the values of a recipe are checked against beside themselves; `process` knows the keys that it needs."""

    folder: Path
    """The recipe's: paths in it are relative to this."""

    timbres: frozenset[str]
    """Every name that `toward` and `through` may give, right or wrong as its timbre may be."""

    rate_hz: int
    """Of the pack's sound files."""

    checkpoint: Checkpoint | library.MagentaCheckpoint | None
    """None: it couldn't be found, and that's told already."""


def _context(info: ValidationInfo) -> _Context:
    context: _Context | None = info.context
    return context or {}


def _file_name(name: str) -> str:
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


Name = Annotated[str, Field(strict=True), AfterValidator(_file_name)]


def _known_timbre(name: str, info: ValidationInfo) -> str:
    known = _context(info).get("timbres", frozenset([name]))
    if name not in known:
        raise wrong(f"no timbre is called '{name}'{did_you_mean(name, known)}")
    return name


TimbreName = Annotated[str, Field(strict=True), AfterValidator(_known_timbre)]
Text = Annotated[str, Field(strict=True)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
_SEED_SCHEMA = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class _ShortFor:
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


def _whole(value: Any) -> Any:
    """Refuse what only compares equal to a number: to Python 1.0 and true are 1."""
    if isinstance(value, bool | float):
        raise wrong(f"should be a whole number, not {value}")
    return value


class CheckpointReference(_Model):
    """`checkpoint: NAME`, `checkpoint: ./folder` or `checkpoint: {path: ./folder, sha256: …}`."""

    path: Annotated[str, Field(strict=True, min_length=1)]
    """A name (`starter`, or one that `samplepack checkpoints list` shows), or a path relative to the recipe."""

    sha256: Annotated[str | None, Field(strict=True, pattern="^[0-9a-fA-F]{64}$")] = None
    """The digest that it must have, as `samplepack checkpoints info` prints it."""


CheckpointField = Annotated[CheckpointReference, _ShortFor("path", {"type": "string", "minLength": 1})]


@dataclass(frozen=True, eq=False)
class LatentFile:
    """A latent that a recipe keeps in a file."""

    path: str
    """As the recipe gives it."""

    values: Latent
    """float32, shape (latent_dim,)."""


def _read_latent(path: Any, info: ValidationInfo) -> LatentFile:
    if not isinstance(path, str):
        raise wrong("should be the path of a .npy file")
    file = _context(info).get("folder", Path()) / path
    if not os.path.exists(file):  # unlike Path.exists, False for a name that is too long to be one
        raise wrong(f"'{path}': no such file")
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
    latent = LatentFile(path, values)
    checkpoint = _context(info).get("checkpoint")
    if checkpoint and checkpoint.latent_dim and (problem := _length_problem(latent, checkpoint.latent_dim)):
        raise wrong(problem)
    return latent


def _length_problem(latent: LatentFile, latent_dim: int) -> str | None:
    if len(latent.values) == latent_dim:
        return None
    return f"'{latent.path}': has {len(latent.values)} numbers; a latent of this checkpoint has {latent_dim}"


class Timbre(_Model):
    """A point in latent space: a seed or a saved latent, or a point on the arc from there to another timbre."""

    seed: Seed | None = None
    """The latent is what NumPy's `RandomState(seed)` draws."""

    latent: Annotated[
        InstanceOf[LatentFile] | None,
        BeforeValidator(_read_latent),
        WithJsonSchema({"type": "string"}),
    ] = None
    """A `.npy` file with the latent, relative to the recipe."""

    toward: TimbreName | None = None
    """The timbre at the other end of the arc."""

    at: Annotated[float | None, Field(strict=True, ge=0.0, le=1.0)] = None
    """How far along the arc: 0.0 is this timbre's own seed, 1.0 the other timbre."""

    @model_validator(mode="after")
    def _one_origin(self) -> Timbre:
        if (self.seed is None) == (self.latent is None):
            raise wrong("should have either a seed or a latent")
        if (self.toward is None) != (self.at is None):
            raise wrong("'toward' and 'at' belong together")
        return self

    def own_latent(self, latent_dim: int) -> Latent:
        """The latent of its own seed or file, float32, shape (latent_dim,)."""
        if self.latent is not None:
            return self.latent.values
        assert self.seed is not None
        return latent_from_seed(self.seed, latent_dim)


def _seeds(value: Any) -> tuple[int, ...]:
    match = re.fullmatch(r"\s*(\d{1,10})\s*-\s*(\d{1,10})\s*", value) if isinstance(value, str) else None
    if match:
        first, last = int(match[1]), int(match[2])
        if first > last or last > 2**32 - 1:
            raise wrong(f"'{value}' is no range of seeds from 0 to 4294967295")
        if last - first >= _MOST_TIMBRES:
            raise wrong(f"'{value}' is more than {_MOST_TIMBRES} seeds")
        return tuple(range(first, last + 1))
    if isinstance(value, list) and value and all(type(s) is int and 0 <= s < 2**32 for s in value):
        if len(set(value)) < len(value):
            raise wrong("a seed stands twice in the list")
        return tuple(value)
    raise wrong("should be a range such as 100-131, or a list of seeds such as [7, 1312]")


class Bank(_Model):
    """Many timbres in one line, one for each seed."""

    seeds: Annotated[
        tuple[Seed, ...],
        BeforeValidator(_seeds),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": r"^\s*\d{1,10}\s*-\s*\d{1,10}\s*$"},
                    {"type": "array", "items": _SEED_SCHEMA, "minItems": 1, "uniqueItems": True},
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
            _file_name(self.timbre(seed))
        return self

    def timbre(self, seed: int) -> str:
        """The name of the timbre of a seed."""
        return self.name.replace("{seed}", str(seed))


class Velocity(_Model):
    """Velocity layers: `velocity: 3`, or `velocity: {layers: 3, toward: Breath}`."""

    layers: Annotated[int, Field(strict=True, ge=2, le=8)]
    """How many, from the softest to the timbre itself."""

    toward: TimbreName | None = None
    """The timbre of the softest layer, those between on the arc to it; left out, soft layers are darker and quieter."""


VelocityField = Annotated[Velocity, _ShortFor("layers", {"type": "integer", "minimum": 2, "maximum": 8})]


class LatentPath(_Model):
    """A path through latent space."""

    through: Annotated[tuple[TimbreName, ...], Field(min_length=2)]
    """The timbres that it passes, in order."""

    steps: Annotated[int, Field(strict=True, ge=2, le=128)]
    """Points along it, both ends included."""

    spacing: Spacing = "even"
    """`even`: by arc length; `uniform`: the same number of steps in each segment."""

    interpolation: Interpolation = "slerp"
    """How to go from one timbre to the next."""

    as_: Annotated[Literal["instruments", "morph"], Field(alias="as")] = "instruments"
    """`instruments`: one for each point; `morph`: one for all, in which the mod wheel (CC1) travels the path."""


def _pitches(value: Any, info: ValidationInfo) -> tuple[int, ...]:
    if type(value) is int:
        pitches = [value]
    elif isinstance(value, list) and value and all(type(p) is int for p in value):
        pitches = sorted(value)
        if len(set(pitches)) < len(pitches):
            raise wrong("a pitch stands twice in the list")
    elif isinstance(value, str) and (
        match := re.fullmatch(r"\s*(\d{1,3})\s*-\s*(\d{1,3})(?:\s*/\s*(\d{1,2}))?\s*", value)
    ):
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        if first > last or step == 0:
            raise wrong(f"'{value}' is no range of pitches: the lower one comes first")
        pitches = list(range(first, last + 1, step))
    else:
        raise wrong("should be a range such as 36-84 or 36-84/3, or a list such as [36, 40, 43]")
    if checkpoint := _context(info).get("checkpoint"):
        playable = checkpoint.pitches
        if outside := [p for p in pitches if p not in playable]:
            raise wrong(f"{outside[0]} is outside what the checkpoint can play, {playable[0]}-{playable[-1]}")
    return tuple(pitches)


Pitches = Annotated[
    tuple[int, ...],
    BeforeValidator(_pitches),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d{1,3}\s*-\s*\d{1,3}(\s*/\s*\d{1,2})?\s*$"},
                {"type": "integer"},
                {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]


_DEFAULT_PITCHES: Any = "36-84"
"""As a recipe would write it: the checkpoint may be able to play less."""


class Sound(_Model):
    """The pack's sound files."""

    rate_hz: Annotated[Literal[44100, 48000, 88200, 96000, "native"], BeforeValidator(_whole)] = 48000
    """`native` is the checkpoint's own; samplers play files of 16000 Hz with audible images."""

    bits: Annotated[Literal[16, 24, 32], BeforeValidator(_whole)] = 24
    """32 is float."""

    file: Literal["wav", "flac"] = "wav"
    """What kind of file."""

    channels: Literal["mono", "stereo"] = "mono"
    """`stereo`: left and right are renders of two neighbouring latents, in phase, so that mono loses nothing."""

    tune: Annotated[bool, Field(strict=True)] = True
    """Correct each key to equal temperament, A4 = 440 Hz."""

    loop: Literal["auto", "none"] = "auto"
    """`auto`: a seamless loop in each note that sustains."""

    level: Literal["even", "natural"] = "even"
    """`even`: neighbouring keys within 3 dB of each other; `natural`: as the network made them."""

    peak_db: Annotated[float, Field(strict=True, ge=-60.0, le=0.0, allow_inf_nan=False)] = -1.0
    """What no true peak passes; instruments are equally loud, as loud as this allows."""

    def rate_for(self, native_hz: int) -> int:
        """The rate in Hz, for a checkpoint of a native rate."""
        return native_hz if self.rate_hz == "native" else self.rate_hz

    @model_validator(mode="after")
    def _possible(self) -> Sound:
        if self.bits == 32 and self.file == "flac":
            raise wrong("FLAC has no 32-bit float; write bits: 24, or file: wav")
        return self


Format = Literal["sfz", "multisample", "decentsampler"]


class Recipe(_Model):
    """A recipe, complete: what isn't written has its default."""

    recipe: Annotated[Literal[1], BeforeValidator(_whole)]
    """Version of this format."""

    name: Name
    """Of the pack; its folder is a slug of it."""

    description: Text = ""
    author: Text = ""
    license: Text = ""
    """What users of the pack may do with its sounds; written into the pack."""

    checkpoint: CheckpointField = CheckpointReference(path="starter")
    pitches: Pitches = Field(_DEFAULT_PITCHES, validate_default=True)
    timbres: dict[Name, Annotated[Timbre, _ShortFor("seed", _SEED_SCHEMA)]] = {}
    """Each becomes one instrument."""

    bank: Bank | None = None
    """Many timbres in one line."""

    velocity: VelocityField | None = None
    """How instruments answer to how hard a key is struck; morphs have one layer."""

    paths: dict[Name, LatentPath] = {}
    """Ways through latent space."""

    process: tuple[Step, ...] = ()
    """Effects, in order."""

    sound: Sound = Sound()
    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("sfz",)

    @property
    def slug(self) -> str:
        """The pack's folder: the name in lower case, with dashes for all but letters and digits."""
        return re.sub(r"[\W_]+", "-", self.name.lower()).strip("-") or "pack"

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effects of `process`, in order."""
        return tuple(step.effect for step in self.process)


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe and what it stands on, all of it known to be there."""

    path: Path
    """The recipe's file."""

    text: bytes
    """What stands in it, byte for byte."""

    recipe: Recipe
    checkpoint: Checkpoint | library.MagentaCheckpoint

    def input_files(self) -> list[Path]:
        """Files beside the recipe that its sound depends on."""
        latents = [self.path.parent / t.latent.path for t in self.recipe.timbres.values() if t.latent]
        return latents + [file for effect in self.recipe.effects for file in effect.files()]

    def opened_checkpoint(self) -> Checkpoint:
        """The checkpoint in samplepack's own format; one of Magenta's is converted, which imports TensorFlow.

        Raises:
            InputError: its weights are damaged, it isn't the one that the recipe's `sha256` asks for, or its latents
                have another length than those of the recipe's files.
        """
        checkpoint = library.opened(self.checkpoint)
        told = [_pin_problem(self.recipe.checkpoint, checkpoint)]
        # The length may be known only now: some of Magenta's checkpoints don't say it.
        latents = {name: timbre.latent for name, timbre in self.recipe.timbres.items() if timbre.latent}
        for name, latent in latents.items():
            if problem := _length_problem(latent, checkpoint.latent_dim):
                told.append(f"timbres.{name}.latent: {problem}")
        if problems := [Problem(message, str(self.path)) for message in told if message]:
            raise InputError(*problems)
        return checkpoint


def load_recipe(path: Path) -> LoadedRecipe:
    """Read a recipe and check all of it, without TensorFlow and without rendering.

    Raises:
        InputError: every problem in it at once, each with its file, line and column.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise InputError(document.problem((), "a recipe is a mapping that starts with: recipe: 1"))
    problems: list[Problem] = []
    found = _find_checkpoint(document, path.parent, problems)
    rate_hz = _rate_hz(document.data, found)
    context = _Context(folder=path.parent, timbres=_timbre_names(document.data), rate_hz=rate_hz, checkpoint=found)
    recipe = None
    try:
        recipe = Recipe.model_validate(document.data, context=context)
    except ValidationError as error:
        problems += problems_in(document, error, Recipe)
    problems += _name_problems(document)
    problems += _circle_problems(document)
    if recipe is not None:
        problems += _chain_problems(document, recipe, rate_hz)
        if "multisample" in recipe.formats and recipe.sound.file != "wav":
            problems.append(document.problem(("formats",), "formats: multisample holds WAV alone; write file: wav"))
    if problems or recipe is None or found is None:
        raise InputError(*sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))
    return LoadedRecipe(path, document.content, recipe, found)


def load_recipes(paths: Iterable[Path]) -> list[LoadedRecipe]:
    """Read several recipes that are built together.

    Raises:
        InputError: every problem in any of them, and packs that would take each other's place.
    """
    loaded: list[LoadedRecipe] = []
    problems: list[Problem] = []
    packs: dict[str, Path] = {}
    for path in paths:
        try:
            one = load_recipe(path)
        except InputError as error:
            problems += error.problems
            continue
        loaded.append(one)
        if one.recipe.slug in packs:
            message = f"its pack would take the place of that of {packs[one.recipe.slug]}: both are {one.recipe.slug}"
            problems.append(Problem(message, str(path)))
        packs[one.recipe.slug] = path
    if problems:
        raise InputError(*problems)
    return loaded


def json_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    schema = Recipe.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A samplepack recipe",
    }


def _find_checkpoint(
    document: Document, folder: Path, problems: list[Problem]
) -> Checkpoint | library.MagentaCheckpoint | None:
    written = document.data.get("checkpoint", "starter")
    try:
        reference: CheckpointReference = TypeAdapter(CheckpointField).validate_python(written)
    except ValidationError:
        return None  # the recipe's own validation tells it
    try:
        found = library.find(reference.path, folder)
    except InputError as error:
        problems += [document.problem(("checkpoint", "path"), p.message) for p in error.problems]
        return None
    if isinstance(found, Checkpoint) and (message := _pin_problem(reference, found)):
        problems.append(document.problem(("checkpoint", "sha256"), message))
    return found


def _pin_problem(reference: CheckpointReference, checkpoint: Checkpoint) -> str | None:
    if reference.sha256 is None or reference.sha256.lower() == checkpoint.digest:
        return None
    return f"checkpoint '{reference.path}' has the digest {checkpoint.digest}, not {reference.sha256}"


def _rate_hz(data: Mapping[str, Any], found: Checkpoint | library.MagentaCheckpoint | None) -> int:
    sound = data.get("sound")
    written = sound.get("rate_hz") if isinstance(sound, dict) else None
    if written == "native":
        return found.rate_hz if found else 16000
    return written if written in (44100, 88200, 96000) else 48000


def _timbre_names(data: Mapping[str, Any]) -> frozenset[str]:
    """Names that timbres have in the data, whether or not the timbres themselves are right."""
    return frozenset(name for name, _ in _named_timbres(data))


def _named_timbres(data: Mapping[str, Any]) -> list[tuple[str, tuple[Key, ...]]]:
    """Name and place of each timbre in the data."""
    timbres = data.get("timbres")
    named: list[tuple[str, tuple[Key, ...]]] = []
    if isinstance(timbres, dict):
        named += [(name, ("timbres", name)) for name in timbres]
    try:
        bank = Bank.model_validate(data.get("bank"))
        named += [(bank.timbre(seed), ("bank", "name")) for seed in bank.seeds]
    except ValidationError:
        pass
    return named


def point_names(path: str, steps: int) -> list[str]:
    """What the instruments along a path are called."""
    return [f"{path} {i:0{len(str(steps))}d}" for i in range(1, steps + 1)]


def _name_problems(document: Document) -> list[Problem]:
    """Two instruments of one name (on some systems a file's name has no case), or no instrument at all."""
    named = _named_timbres(document.data)
    paths = document.data.get("paths")
    for name, path in paths.items() if isinstance(paths, dict) else ():
        steps = path.get("steps") if isinstance(path, dict) else None
        if type(steps) is int and 0 < steps <= 128:
            points = [name] if path.get("as") == "morph" else point_names(name, steps)
            named += [(point, ("paths", name)) for point in points]
    if not named and not any(document.data.get(key) for key in ("timbres", "bank", "paths")):
        return [document.problem((), "nothing to build: a recipe needs timbres, a bank or paths")]
    problems, seen = [], set[str]()
    for name, location in named:
        if name.casefold() == _PICTURE:
            problems.append(document.problem_with_key(location, f"'{name}' is the name of a picture of the pack"))
        if name.casefold() in seen:
            problems.append(document.problem_with_key(location, f"two instruments would be called '{name}'"))
        seen.add(name.casefold())
    return problems


def _circle_problems(document: Document) -> list[Problem]:
    """Timbres that lie toward themselves, each circle told once."""
    timbres = document.data.get("timbres")
    if not isinstance(timbres, dict):
        return []
    toward = {name: t.get("toward") for name, t in timbres.items() if isinstance(t, dict)}
    problems, passed = [], set[str]()
    for start in toward:
        name, walked = start, list[str]()
        while isinstance(name, str) and name in toward and name not in passed:
            passed.add(name)
            walked.append(name)
            name = toward[name]
        if name in walked:
            first, *others = walked[walked.index(name) :]
            by_way = f", by way of {', '.join(others)}" if others else ""
            problems.append(document.problem(("timbres", first, "toward"), f"'{first}' lies toward itself{by_way}"))
    return problems


def _chain_problems(document: Document, recipe: Recipe, rate_hz: int) -> list[Problem]:
    """Effects that can't play at the recipe's rate."""
    problems = []
    for i, effect in enumerate(recipe.effects):
        if why := failure([effect], rate_hz):
            name = type(effect).__name__
            problems.append(document.problem(("process", i), f"process[{i}]: {name}: {why}"))
    return problems
