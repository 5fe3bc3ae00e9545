"""`pack.json`: the description of a pack, written by builds and read back from folders of any origin."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from samplepack.base.errors import InputError
from samplepack.base.files import read_regular, write_aside
from samplepack.documents.json_files import read_json
from samplepack.finishing.behaviour import Behaviour
from samplepack.finishing.tune import State
from samplepack.formats.instrument import VELOCITY_TRACKING_PERCENT
from samplepack.models.engine import Precision
from samplepack.recipe.model import LatentPath, Play, Sound, Velocity
from samplepack.rendering.plan import Axis
from samplepack.sound.fingerprint import is_fingerprint, split
from samplepack.sound.riff import Loop

MANIFEST = "pack.json"

VERSION: Literal[4] = 4
"""Version of the layout of `pack.json`."""

_MOST_BYTES = 512 << 20


def _relative(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path or path != pure.as_posix():
        raise ValueError("should be a path within the pack")
    return path


def _rising(frames: tuple[int, int]) -> tuple[int, int]:
    if frames[0] >= frames[1]:
        raise ValueError("should be the first and the last frame of a loop")
    return frames


def _fingerprints(text: str) -> str:
    prints = split(text)
    if not prints or " ".join(prints) != text or not all(map(is_fingerprint, prints)):
        raise ValueError("should be fingerprints of notes")
    return text


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
RelativePath = Annotated[str, AfterValidator(_relative)]
Fingerprints = Annotated[str, AfterValidator(_fingerprints)]
"""The fingerprints of the notes that a key was made from, one after another."""

Parameters = dict[str, JsonValue]
"""Names and plain values, as JSON holds them."""

EffectList = list[Annotated[dict[str, Parameters], Field(min_length=1, max_length=1)]]
"""Effects in order: each its name and all of its parameters."""

_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class PackedTuning(_Model):
    """What tuning found in a note."""

    state: State
    was_off_cents: _Number | None
    """How far the rendered note was off; None where it has no pitch."""


class PackedLoop(_Model):
    """The loop in a note's sound file, and how well it closes: see `finishing.loop.Seam`."""

    frames: Annotated[tuple[Annotated[int, Field(ge=0)], int], AfterValidator(_rising)]
    """The first and the last frame, both included."""

    step: _Number | None
    flux: _Number
    swing_db: _Number

    @property
    def loop(self) -> Loop:
        """The frames as a loop."""
        return Loop(*self.frames)


class PackedWidth(_Model):
    """How alike left and right of a note are: see `finishing.stereo.Width`."""

    correlation: _Number
    mono_db: _Number


class PackedNote(_Model):
    """One sound file of an instrument, and what was measured of it."""

    pitch: Annotated[int, Field(ge=0, le=127)]
    """The key at which it plays at its own pitch, MIDI."""

    file: RelativePath
    sha256: Sha256
    frames: Annotated[int, Field(ge=0)]
    tuning: PackedTuning | None
    """None where the recipe doesn't ask for tuning."""

    cents: _Number | None
    """How far the note is off in the pack; None where it has no pitch."""

    loop: PackedLoop | None
    why_no_loop: str | None
    render_of: Annotated[int, Field(ge=0, le=127)] | None
    """MIDI pitch of the near key whose render it is, resampled, since its own couldn't be looped; None for its own."""

    gain_db: _Number
    """The gain that matches it with other notes and instruments."""

    layer: Annotated[int, Field(ge=0)]
    """0 is the softest, or the mod wheel's lower end."""

    take: Annotated[int, Field(ge=0)] = 0
    """Its turn among the takes of its key and layer, from 0: which of several strikes plays it."""

    alike: _Number | None
    """Correlation with the next layer, by which the two crossfade; None for the last layer."""

    soft_cutoff_hz: _Number
    """Cutoff of the low-pass that would darken the note at velocity 20 as it should be; maps have those of all keys, or
    none."""

    true_peak_db: _Number
    decay_s: _Number | None
    """Of an instrument that decays: the time to 20 dB below the note's attack."""

    offset_db: _Number
    """The constant offset (DC), relative to the note's level."""

    width: PackedWidth | None
    """None for a mono note."""

    loudness_lufs: _Number | None
    """Of an instrument that decays: that of the first 0.4 s. None where the note is silent."""


class PackedInstrument(_Model):
    """One instrument of a pack."""

    name: RelativePath
    origin: str
    """The place of its timbre in latent space, in the recipe's words."""

    axis: Axis
    behaviour: Behaviour
    """Where it sustains, all of its notes have loops, unless the recipe asks for none; where it decays, none has."""

    latents: Annotated[tuple[tuple[_Number, ...], ...], Field(min_length=1)]
    """One for each layer or, by keys, for each pitch."""

    velocities: tuple[Annotated[int, Field(ge=1, le=127)], ...] = ()
    """The velocity at which the network rendered each layer; empty where it wasn't asked for any."""

    velocity_tracking_percent: Annotated[int, Field(ge=0, le=100)] = VELOCITY_TRACKING_PERCENT
    """How strongly velocity controls the volume in its maps."""

    rendered: dict[Annotated[str, Field(pattern=r"^\d{1,3}$")], Fingerprints]
    """Pitch → fingerprints of its notes, take by take, as the network made them."""

    preview: RelativePath | None = None
    """A sound file of a phrase that it plays; instruments with the same notes share one."""

    notes: Annotated[tuple[PackedNote, ...], Field(min_length=1)]


class PackedClip(_Model):
    """One clip of a pack."""

    name: RelativePath
    file: RelativePath
    how: Parameters
    """The settings that the recipe gives for it."""

    notes: Annotated[int, Field(ge=1)]
    dropped: tuple[str, ...]
    """Which notes of the MIDI file aren't played, and why."""

    length_s: _Number


class PackedWavetable(_Model):
    """One wavetable of a pack."""

    name: RelativePath
    path: LatentPath
    """As in the recipe: the timbres that it goes through, the key of its notes, and the number of its cycles."""

    files: Annotated[tuple[RelativePath, ...], Field(min_length=1)]
    """The WAV, and Surge's own format."""

    partials: Annotated[int, Field(ge=1)]
    """How many partials the cycles have, up to the last one within 80 dB of the strongest."""

    loudness_db: _Number
    """The difference in loudness of its loudest and its quietest cycle."""

    rendered: Fingerprints
    """The fingerprints of its notes, cycle by cycle."""


class PackedCheckpoint(_Model):
    """The checkpoint that rendered a pack."""

    name: str
    family: str
    digest: Sha256


class Manifest(_Model):
    """The content of `pack.json`. The order of the fields is their order in the file."""

    pack: Literal[4]
    name: str
    description: str
    author: str
    license: str
    category: str = ""
    tags: tuple[str, ...] = ()
    versions: dict[str, str]
    precision: Precision
    checkpoint: PackedCheckpoint
    inputs: Sha256
    """A hash of all that the pack was made from."""

    rate_hz: Annotated[int, Field(gt=0)]
    velocity: Velocity | None
    round_robin: Annotated[int, Field(ge=1)] = 1
    """How many takes of each key there are."""

    play: Play = Play()
    process: EffectList
    sound: Sound
    formats: tuple[str, ...]
    instruments: Annotated[tuple[PackedInstrument, ...], Field(min_length=1)]
    clips: tuple[PackedClip, ...]
    wavetables: tuple[PackedWavetable, ...] = ()
    files: dict[RelativePath, Sha256]
    """Every file of the pack but `pack.json`."""

    @model_validator(mode="after")
    def _a_latent_a_key(self) -> Manifest:
        keys = len(self.instruments[0].rendered)
        if any(one.axis == "keys" and len(one.latents) != keys for one in self.instruments):
            raise ValueError("a morph by keys should have a latent for each key")
        return self


def read_manifest(folder: Path) -> Manifest:
    """Read a pack's `pack.json`.

    Raises:
        InputError: the folder isn't there or is no pack, or its `pack.json` is damaged or of another version.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; a pack is a folder" if folder.exists() else f"{folder}: no such folder")
    if not (folder / MANIFEST).exists():
        within = sorted(path.parent for path in folder.glob(f"[!.]*/{MANIFEST}"))
        hint = f"; did you mean a pack in it, such as {within[0]}?" if within else ""
        raise InputError(f"{folder} is no pack: it has no {MANIFEST}{hint}")
    return read_json(folder / MANIFEST, Manifest, "manifest of a pack", _MOST_BYTES)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a pack's `pack.json`, on the disk before the pack takes its place: it tells which files are the pack's."""
    text = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"
    write_aside(folder / MANIFEST, text.encode())


def listed_files(folder: Path) -> set[str] | None:
    """The files of a pack of any version: those that its `pack.json` lists, and those that a killed `verify` left; None
    where a folder has no `pack.json`.

    Raises:
        InputError: its `pack.json` is damaged.
    """
    if not os.path.lexists(folder / MANIFEST):
        return None
    try:
        listed = {MANIFEST, *json.loads(read_regular(folder / MANIFEST, _MOST_BYTES))["files"].keys()}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise InputError(
            f"{folder}: its {MANIFEST} is damaged, so that its files can't be told from others; "
            "delete the folder if none of your own are in it, and build again"
        ) from None
    return listed | {path.relative_to(folder).as_posix() for path in folder.glob("Instruments/.check-*.sfz")}


def last_layer(notes: Sequence[PackedNote]) -> list[PackedNote]:
    """An instrument's notes of the hardest layer, or of the mod wheel's upper end."""
    last = max((note.layer for note in notes), default=0)
    return [note for note in notes if note.layer == last]


def middle_loudness(notes: Sequence[PackedNote]) -> float | None:
    """The loudness of an instrument, LUFS: the median over its last layer; None where all notes are silent."""
    loudness = [note.loudness_lufs for note in last_layer(notes) if note.loudness_lufs is not None]
    return median(loudness) if loudness else None
