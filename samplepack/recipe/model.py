"""`Recipe`: what a sound designer wrote, typed and complete."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from samplepack.documents.problems import wrong
from samplepack.finishing import process
from samplepack.finishing.effects import Effect, Step
from samplepack.finishing.finish import Finishing
from samplepack.formats import WRITERS
from samplepack.models.latent import Interpolation, Spacing
from samplepack.recipe.clips import Clip
from samplepack.recipe.fields import SEED_SCHEMA, Model, Name, ShortFor, Text, TimbreName, context_of, whole
from samplepack.recipe.timbres import Bank, Timbre


class CheckpointReference(Model):
    """`checkpoint: NAME`, `checkpoint: ./folder` or `checkpoint: {path: ./folder, sha256: …}`."""

    path: Annotated[str, Field(strict=True, min_length=1)]
    """A name (`starter`, or one that `samplepack checkpoints list` shows), or a path relative to the recipe."""

    sha256: Annotated[str | None, Field(strict=True, pattern="^[0-9a-fA-F]{64}$")] = None
    """The digest that it must have, as `samplepack checkpoints info` prints it."""


CheckpointField = Annotated[CheckpointReference, ShortFor("path", {"type": "string", "minLength": 1})]


class Velocity(Model):
    """Velocity layers: `velocity: 3`, or `velocity: {layers: 3, toward: Breath}`."""

    layers: Annotated[int, Field(strict=True, ge=2, le=8)]
    """How many, from the softest to the timbre itself."""

    toward: TimbreName | None = None
    """The timbre of the softest layer, those between on the arc to it; left out, soft layers are darker and quieter."""


VelocityField = Annotated[Velocity, ShortFor("layers", {"type": "integer", "minimum": 2, "maximum": 8})]


class LatentPath(Model):
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


def point_names(path: str, steps: int) -> list[str]:
    """What the instruments along a path are called."""
    return [f"{path} {i:0{len(str(steps))}d}" for i in range(1, steps + 1)]


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
    if checkpoint := context_of(info).get("checkpoint"):
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


class Sound(Model):
    """The pack's sound files."""

    rate_hz: Annotated[Literal[44100, 48000, 88200, 96000, "native"], BeforeValidator(whole)] = 48000
    """`native` is the checkpoint's own; samplers play files of 16000 Hz with audible images."""

    bits: Annotated[Literal[16, 24, 32], BeforeValidator(whole)] = 24
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

    def finishing(self, effects: Sequence[Effect], native_hz: int, velocity_layers: int = 1) -> Finishing:
        """The settings by which notes are finished into sound files.

        Args:
            effects: in order.
            native_hz: samples per second of the checkpoint's notes.
            velocity_layers: how many layers of brightness and level a single render becomes.
        """
        rate_hz = self.rate_for(native_hz)
        return Finishing(
            effects,
            rate_hz,
            process.tail_s(effects, rate_hz),
            self.tune,
            self.loop == "auto",
            velocity_layers,
            2 if self.channels == "stereo" else 1,
        )

    @model_validator(mode="after")
    def _possible(self) -> Sound:
        if self.bits == 32 and self.file == "flac":
            raise wrong("FLAC has no 32-bit float; write bits: 24, or file: wav")
        return self


if TYPE_CHECKING:
    Format = str
else:
    Format = Literal[tuple(WRITERS)]


class Recipe(Model):
    """A recipe, complete: what isn't written has its default."""

    recipe: Annotated[Literal[1], BeforeValidator(whole)]
    """Version of this format."""

    name: Name
    """The pack's name. Its folder is the name in lower case, with dashes."""

    description: Text = ""
    """What the pack is, for its README."""

    author: Text = ""
    """Who holds the rights in the pack's sounds, for its licence file."""

    license: Text = ""
    """What users of the pack may do with its sounds, for its licence file."""

    reads: tuple[Text, ...] = ()
    """Folders outside the recipe's own, relative to it, that files named in the recipe may lie in."""

    checkpoint: CheckpointField = CheckpointReference(path="starter")
    """The checkpoint that renders: `starter`, the name of an imported one, `./folder` or `./file.zip`."""

    pitches: Pitches = Field(_DEFAULT_PITCHES, validate_default=True)
    """The keys that are rendered, MIDI: a range `36-84`, every third key of it `36-84/3`, or a list `[36, 40, 43]`."""

    timbres: dict[Name, Annotated[Timbre, ShortFor("seed", SEED_SCHEMA)]] = {}
    """Each becomes one instrument."""

    bank: Bank | None = None
    """Many timbres in one line."""

    velocity: VelocityField | None = None
    """How instruments answer to how hard a key is struck; morphs have one layer."""

    paths: dict[Name, LatentPath] = {}
    """Ways through latent space."""

    clips: dict[Name, Clip] = {}
    """MIDI files played by the timbres, each a sound file in the pack."""

    process: tuple[Step, ...] = ()
    """Effects, in order."""

    sound: Sound = Sound()
    """How the sound files are written."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("sfz",)
    """The sampler formats that each instrument is written in."""

    @property
    def slug(self) -> str:
        """The pack's folder: the name in lower case, with dashes for all but letters and digits."""
        return re.sub(r"[\W_]+", "-", self.name.lower()).strip("-") or "pack"

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effects of `process`, in order."""
        return tuple(step.effect for step in self.process)
