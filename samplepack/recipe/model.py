"""The model of a recipe: its keys with their types and defaults."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticKnownError

from samplepack.documents.problems import wrong
from samplepack.finishing import process
from samplepack.finishing.effects import Effect, Step
from samplepack.formats import WRITERS
from samplepack.formats.instrument import Playing, VelocityCurve, VibratoSource
from samplepack.models.latent import Interpolation, Spacing
from samplepack.recipe.clips import MOST_CLIPS, Clip
from samplepack.recipe.fields import SEED_SCHEMA, Model, Name, ShortFor, Text, TimbreName, context_of, whole_number
from samplepack.recipe.timbres import Bank, Timbre

if TYPE_CHECKING:
    from samplepack.finishing.finish import Finishing


class CheckpointReference(Model):
    """The checkpoint that renders: `checkpoint: NAME`, `checkpoint: ./folder` or
    `checkpoint: {path: ./folder, sha256: …}`."""

    path: Annotated[str, Field(strict=True, min_length=1)]
    """Name of a checkpoint, as `samplepack checkpoints list` shows it (`starter` is the newest version of the starter,
    `starter@1` always the first), or its path relative to the recipe."""

    sha256: Annotated[str | None, Field(strict=True, pattern="^[0-9a-fA-F]{64}$")] = None
    """Digest that the checkpoint must have, as `samplepack checkpoints info` prints it; without it, any is accepted."""


CheckpointField = Annotated[CheckpointReference, ShortFor("path", {"type": "string", "minLength": 1})]


class Velocity(Model):
    """Velocity layers: `velocity: 3`, or `velocity: {layers: 3, toward: Breath}`."""

    layers: Annotated[int, Field(strict=True, ge=2, le=8)]
    """Number of layers; the loudest is the instrument's own timbre."""

    toward: TimbreName | None = None
    """Timbre of the softest layer; the layers between lie on the arc to the instrument's own timbre. All layers of that
    timbre itself are the same, so it can't be the only one. Without it, the network renders the layers at velocities
    from the softest that it has learned to the hardest; where it has learned none, softer layers are darker and quieter
    versions of the same sound, made by a low-pass filter."""


VelocityField = Annotated[Velocity, ShortFor("layers", {"type": "integer", "minimum": 2, "maximum": 8})]


MorphAxis = Literal["wheel", "velocity", "keys"]
"""What moves a morph along its path."""


PathKind = Literal["instruments", "morph", "wavetable"]
"""What a path becomes."""

KEYS_OF_KINDS: dict[str, PathKind] = {"by": "morph", "at": "wavetable", "frames": "wavetable"}
"""Key of a path → the value of `as` that it belongs to. A recipe has it nowhere else, not even with its default;
manifests and lock files hold it of every path."""


class LatentPath(Model):
    """A path through latent space."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentSchemas": {
                key: {"properties": {"as": {"const": kind}}, "required": ["as"]} for key, kind in KEYS_OF_KINDS.items()
            }
        }
    )

    through: Annotated[tuple[TimbreName, ...], Field(min_length=2, max_length=128)]
    """Names of the timbres on the path, in order; two to 128."""

    as_: Annotated[PathKind, Field(alias="as")] = "instruments"
    """`instruments` makes one instrument for each point; `morph` makes one instrument that moves along the path;
    `wavetable` makes files of single cycles for synthesizers."""

    by: MorphAxis = "wheel"
    """Of a morph, what moves it along the path: the mod `wheel` (CC1), also under held notes; `velocity`, from soft to
    hard; or the `keys`, from the lowest rendered one to the highest, each with its own point of the path."""

    steps: Annotated[int | None, Field(strict=True, ge=2, le=128, validate_default=True)] = None
    """Number of points along the path, both ends included; 16 at most for a morph. A morph by keys has no `steps`,
    since it has a point for each key, nor has a wavetable, which has `frames`; all else needs them."""

    spacing: Spacing = "even"
    """`even` puts points at equal distances along the path; `uniform` gives every segment between two timbres the same
    share of the points, however long it is."""

    interpolation: Interpolation = "slerp"
    """Curve between two timbres: `slerp` is the arc, `linear` the straight line."""

    at: Annotated[int, Field(strict=True, ge=0, le=127, validate_default=True)] = 48
    """Of a wavetable: the key whose notes become its cycles, MIDI. A lower key has more partials."""

    frames: Annotated[int, Field(strict=True, ge=2, le=256)] = 64
    """Of a wavetable: number of cycles along the path, both ends included."""

    @field_validator("steps")
    @classmethod
    def _playable(cls, steps: int | None, info: ValidationInfo) -> int | None:
        if "as_" not in info.data or "by" not in info.data:
            return steps  # one of them is wrong, which is reported
        is_morph, by = info.data["as_"] == "morph", info.data["by"]
        if info.data["as_"] == "wavetable":
            if steps is not None:
                raise wrong("a wavetable has `frames` instead of `steps`")
            return None
        if is_morph and by == "keys":
            if steps is not None:
                raise wrong("a morph by keys has a point of the path for each key; leave steps out")
        elif steps is None:
            if by != "keys":  # which is reported where there is no morph
                raise PydanticKnownError("missing")
        elif is_morph and steps > _MOST_LAYERS:
            raise wrong(f"a morph has a layer for each step; it has {_MOST_LAYERS} at most")
        return steps

    @field_validator("at")
    @classmethod
    def _in_reach(cls, at: int, info: ValidationInfo) -> int:
        checkpoint = context_of(info).get("checkpoint")
        if info.data.get("as_") == "wavetable" and checkpoint and at not in checkpoint.pitches:
            low, high = checkpoint.pitches[0], checkpoint.pitches[-1]
            raise wrong(f"{at} is outside what the checkpoint can play, {low}-{high}")
        return at


_MOST_LAYERS = 16
"""The largest number of steps of a morph by wheel or velocity. By the wheel, each takes a voice for each note, and
samplers have 64 of them or more."""


def point_names(path: str, steps: int) -> list[str]:
    """The names of the instruments along a path, from its start."""
    return [f"{path} {i:0{len(str(steps))}d}" for i in range(1, steps + 1)]


class _Default(str):
    """A default in the form that a recipe writes; what the checkpoint can't play of it is left out."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(str)


_DEFAULT_PITCHES: Any = _Default("36-84")
"""The keys that checkpoints are measured at: see `evaluate`."""


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
        outside = [p for p in pitches if p not in playable]
        if isinstance(value, _Default) and len(outside) < len(pitches):
            return tuple(p for p in pitches if p in playable)
        if outside:
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


class Sound(Model):
    """Format and processing of the pack's sound files."""

    rate_hz: Annotated[Literal[44100, 48000, 88200, 96000, "native"], BeforeValidator(whole_number)] = 48000
    """Sampling rate of the sound files, Hz; `native` is the checkpoint's own. Samplers play files of 16000 Hz with
    audible images."""

    bits: Annotated[Literal[16, 24, 32], BeforeValidator(whole_number)] = 24
    """Bits per sample: 16 and 24 are integers, 32 is floating point (WAV only)."""

    file: Literal["wav", "flac"] = "wav"
    """Type of the sound files; `.multisample` holds `wav` only."""

    channels: Literal["mono", "stereo"] = "mono"
    """`stereo` renders left and right from two neighbouring latents and aligns them in phase, so that a sum to mono
    loses nothing."""

    tune: Annotated[bool, Field(strict=True)] = True
    """Whether each key is tuned to equal temperament, A4 = 440 Hz."""

    loop: Literal["auto", "sustain", "decay", "none"] = "auto"
    """Each instrument sustains or decays as a whole: where it sustains, all notes have seamless loops; where it decays,
    none has, and it decays evenly over the keys. `auto` decides by how far the notes of an instrument fall in the
    median: it decays if that is more than 9 dB in 2.8 s. `sustain` and `decay` make all instruments do so. `none` is
    `auto` without loops."""

    level: Literal["even", "natural"] = "even"
    """`even` brings the loudness of neighbouring keys within 3 dB of each other; `natural` keeps the differences that
    the network rendered."""

    peak_db: Annotated[float, Field(strict=True, ge=-60.0, le=0.0, allow_inf_nan=False)] = -1.0
    """Highest true peak of any sound, dBTP."""

    loudness_lufs: Annotated[float, Field(strict=True, ge=-60.0, le=0.0, allow_inf_nan=False)] = -18.0
    """Loudness of each instrument, LUFS: that of a whole note where it sustains, that of the first 0.4 s where it
    decays; median over its keys. An instrument whose peaks would exceed `peak_db` is quieter, but the attacks of
    sustained notes are limited instead."""

    def rate_for(self, native_hz: int) -> int:
        """The rate of the sound files, Hz, for a checkpoint whose own rate is `native_hz`."""
        return native_hz if self.rate_hz == "native" else self.rate_hz

    def finishing(self, effects: Sequence[Effect], native_hz: int, velocity_layers: int = 1) -> Finishing:
        """The settings by which notes are finished into sound files.

        Args:
            effects: in order.
            native_hz: samples per second of the checkpoint's notes.
            velocity_layers: how many layers of brightness and level a single render becomes.
        """
        from samplepack.finishing.finish import Finishing

        rate_hz = self.rate_for(native_hz)
        return Finishing(
            effects,
            rate_hz,
            process.tail_s(effects, rate_hz),
            self.tune,
            self.loop != "none",
            velocity_layers,
            2 if self.channels == "stereo" else 1,
        )

    @model_validator(mode="after")
    def _possible(self) -> Sound:
        if self.bits == 32 and self.file == "flac":
            raise wrong("FLAC has no 32-bit float; write bits: 24, or file: wav")
        return self


class Play(Model):
    """How the instruments answer to the hands of a player."""

    attack_s: Annotated[float, Field(strict=True, ge=0.0, le=10.0)] = 0.0
    """Time until a note is at full level, seconds."""

    release_s: Annotated[float | None, Field(strict=True, ge=0.0, le=60.0)] = None
    """Release time after key-up, seconds. Without it, 0.8 s where an instrument sustains, 0.3 s where it decays, or
    twice the tail of the effects where that is longer."""

    velocity_curve: VelocityCurve = "normal"
    """How level follows velocity: `normal`; `soft` or `hard` for a soft or a hard touch; `fixed` plays all notes at
    full level."""

    bend_range: Annotated[int, Field(strict=True, ge=0, le=48)] = 2
    """How far the pitch wheel bends, up and down, semitones."""

    vibrato: VibratoSource = "aftertouch"
    """What brings vibrato in: channel `aftertouch`, the mod `wheel` or `none`."""

    vibrato_cents: Annotated[float, Field(strict=True, ge=0.0, le=200.0)] = 30.0
    """Depth of the vibrato: from the pitch to either side, cents."""

    stretch_keys: Annotated[int, Field(strict=True, ge=0, le=127)] = 12
    """How many keys beyond the lowest and the highest rendered one are played, by these sounds; 127 plays them all."""

    def playing(self, tail_s: float) -> Playing:
        """The settings for formats.

        Args:
            tail_s: the time in which the tail of the effects falls by 60 dB, seconds.
        """
        return Playing(
            self.attack_s,
            self.release_s,
            round(_RELEASES_A_TAIL * tail_s, 1),
            self.velocity_curve,
            self.bend_range,
            self.vibrato,
            self.vibrato_cents,
        )


_RELEASES_A_TAIL = 2.0
"""How many times as long as the tail of the effects the release is. Samplers let a sound fall by about 80 dB in the
time of the release, so after the time of the tail it has lost 40 dB at most."""


if TYPE_CHECKING:
    Format = str
else:
    Format = Literal[tuple(WRITERS)]


class Recipe(Model):
    """A recipe; keys that its file leaves out have their defaults."""

    recipe: Annotated[Literal[1], BeforeValidator(whole_number)]
    """Version of the recipe format."""

    name: Name
    """Name of the pack. Its folder has this name in lower case, with dashes for all but letters and digits."""

    description: Text = ""
    """Description of the pack, for its README."""

    author: Text = ""
    """Author of the pack's sounds, for its licence file."""

    category: Text = ""
    """Kind of the instruments, such as `Pads` or `Keys`, for the fields that formats have for it."""

    tags: tuple[Text, ...] = ()
    """Words to find the instruments by, for the fields that formats have for them."""

    license: Text = ""
    """Licence of the pack's sounds, for its licence file: what users may do with them."""

    reads: Annotated[tuple[Text, ...], Field(max_length=64)] = ()
    """Folders outside the recipe's own, relative to it, that files named in the recipe may lie in. For those outside
    its git repository, commands need `--allow-reads`."""

    checkpoint: CheckpointField = CheckpointReference(path="starter")
    """The checkpoint that renders: `starter` (the newest version of it), `starter@1` (always that version), the name of
    an imported one, or a path relative to the recipe, such as `./folder` or `./file.zip`."""

    pitches: Pitches = Field(_DEFAULT_PITCHES, validate_default=True)
    """The keys to render, as MIDI note numbers: a range `36-84`, every third key of it `36-84/3`, a number or a list
    `[36, 40, 43]`. The sampler stretches each sound over its neighbours. Without it, those of 36-84 that the checkpoint
    was trained at."""

    timbres: dict[Name, Annotated[Timbre, ShortFor("seed", SEED_SCHEMA)]] = {}
    """Points in latent space by name, each of which becomes an instrument; a whole number is a seed."""

    bank: Bank | None = None
    """Many timbres in one line, one for each seed."""

    velocity: VelocityField | None = None
    """Velocity layers of all instruments; a whole number is the number of layers. Without it, there is one layer, and
    samplers darken soft notes by a filter. A recipe with morphs has no `velocity`."""

    round_robin: Annotated[int, Field(strict=True, ge=1, le=8)] = 1
    """How many renders of each key take turns when it is struck again and again: the timbre itself and neighbours of
    it. Of all instruments; 1 is one render at each strike."""

    paths: dict[Name, LatentPath] = {}
    """Paths through latent space by name, each of which becomes several instruments, one morph or one wavetable."""

    clips: Annotated[dict[Name, Clip], Field(max_length=MOST_CLIPS)] = {}
    """MIDI files that timbres play, by name; each becomes a sound file in the pack's `Clips` folder."""

    process: Annotated[tuple[Step, ...], Field(max_length=64)] = ()
    """Effects that all sounds of the pack are sent through, in order."""

    play: Play = Play()
    """How the instruments answer to the hands of a player."""

    sound: Sound = Sound()
    """Format and processing of the sound files."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("sfz",)
    """The sampler formats that each instrument is written in."""

    def playing(self, native_hz: int) -> Playing:
        """How the instruments answer to a player's hands, with a release that outlasts the tail of the effects.

        Args:
            native_hz: samples per second of the checkpoint's notes.
        """
        tail_s = process.tail_s(self.effects, self.sound.rate_for(native_hz), down_to_db=-60.0)
        return self.play.playing(tail_s)

    @property
    def remarks(self) -> list[str]:
        """What its author should know, though nothing is wrong: that some of the usual keys are left out, and that all
        velocity layers of an instrument are the same."""
        remarks, keys = [], f"{self.pitches[0]}-{self.pitches[-1]}"
        if "pitches" not in self.model_fields_set and keys != _DEFAULT_PITCHES:
            remarks.append(f"pitches: {keys}, which is what the checkpoint can play of {_DEFAULT_PITCHES}")
        if self.velocity and (softest := self.velocity.toward):
            remarks.append(f"velocity: the layers of '{softest}' itself are all the same, since they lie toward it")
        return remarks

    @property
    def slug(self) -> str:
        """The name of the pack's folder: `name` in lower case, with dashes for all but letters and digits."""
        return re.sub(r"[\W_]+", "-", self.name.lower()).strip("-") or "pack"

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effects of `process`, in order."""
        return tuple(step.effect for step in self.process)
