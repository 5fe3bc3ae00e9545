"""The lock file beside a recipe: what a pack was made from and what came of it, digest by digest."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import read_regular, sha256_of_file, write_aside
from samplepack.checkpoints import library
from samplepack.documents.json_files import read_json
from samplepack.models.checkpoint import DIRECTIONS, Checkpoint
from samplepack.models.engine import Engine, machine_kind
from samplepack.models.latent import Latent
from samplepack.pack.identity import plain_clips, plain_effects, versions
from samplepack.pack.manifest import (
    MANIFEST,
    EffectList,
    Fingerprints,
    Manifest,
    Parameters,
    Sha256,
    read_manifest,
)
from samplepack.recipe import LoadedRecipe, Play, Recipe, Sound
from samplepack.recipe.fits import fits_file
from samplepack.recipe.model import LatentPath, Velocity
from samplepack.rendering.plan import Axis, PlannedInstrument
from samplepack.sound.fingerprint import difference_snr_db, split

AGREEMENT_DB, LEAST_AGREEMENT_DB = 60.0, 20.0
"""On a machine whose sums round otherwise, the difference of a note from the locked one must lie this far below it: of
99 notes in 100, and of each. Where two spectral peaks are nearly equal, a phase follows one or the other: of the 392
notes of First Light, on two kinds of Intel processors (AVX512_ICL and AVX512_SPR), 389 agree to within 60 dB and the
least to within 24 dB. Notes of different timbres of it agree to within 4 dB at most."""

_AGREEING_SHARE = 0.99

_MOST_BYTES = 256 << 20

LOCK_VERSION: Literal[1] = 1
"""Version of the format of lock files."""

_BEGINNING = re.compile(rb'\s*\{\s*"lock":\s*(\d+)')
"""The beginning of every lock file, also of one that was cut off, and the version of its format."""


def _latent(text: str) -> str:
    if not len(base64.b64decode(text, validate=True)) % 4 == 0:
        raise ValueError("should be float32 numbers in base 64")
    return text


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedCheckpoint(_Model):
    """The checkpoint that rendered the pack."""

    name: str
    digest: Sha256
    source: str
    """Where it came from, in words or as an address."""


class LockedInstrument(_Model):
    """An instrument, and how its notes came out of the network."""

    origin: str
    """The place of its timbre in latent space, in the recipe's words."""

    axis: Axis
    latents: Annotated[tuple[Annotated[str, AfterValidator(_latent)], ...], Field(min_length=1)]
    """One for each layer or, by keys, for each pitch: float32, little-endian, in base 64."""

    velocities: tuple[int, ...] = ()
    """The velocity at which the network renders each layer; empty where it isn't asked for any."""

    rendered: dict[str, Fingerprints] = {}
    """Pitch → fingerprints of its notes, before all processing; empty of what was never built."""

    def values(self) -> list[Latent]:
        """The latents, float32, shape (latent_dim,) each."""
        return [np.frombuffer(base64.b64decode(latent), "<f4") for latent in self.latents]


class LockedWavetable(_Model):
    """A wavetable, and how its notes came out of the network. Its latents follow from its path and the latents of the
    instruments that the path goes through."""

    path: LatentPath
    """As in the recipe."""

    rendered: Fingerprints | None = None
    """Fingerprints of its notes, before all processing; None of what was never built."""


class Lock(_Model):
    """The content of a lock file."""

    lock: Literal[1] = LOCK_VERSION
    """Version of this format."""

    name: str
    """Name of the pack."""

    checkpoint: LockedCheckpoint
    made_by: dict[str, str]
    """Everything else that decides bytes: versions, and the machine's kind."""

    inputs: dict[str, Sha256]
    """The recipe and every file that it names, by their paths from its folder; and `directions.json`, which stands for
    the steps of those directions of the checkpoint that timbres are moved along."""

    about: dict[str, str]
    """Description, author, licence, category and tags."""

    pitches: list[int]
    velocity: Velocity | None
    round_robin: int = 1
    play: Play = Play()
    process: EffectList
    sound: Sound
    formats: list[str]
    instruments: dict[str, LockedInstrument]
    clips: dict[str, Parameters] = {}
    """Clip → the settings that the recipe gives for it."""

    wavetables: dict[str, LockedWavetable] = {}
    files: dict[str, Sha256] = {}
    """Every file of the pack; empty of what was never built."""

    @model_validator(mode="after")
    def _a_latent_a_key(self) -> Lock:
        if any(one.axis == "keys" and len(one.latents) != len(self.pitches) for one in self.instruments.values()):
            raise ValueError("a morph by keys should have a latent for each of pitches")
        return self


@dataclass(frozen=True)
class LockComparison:
    """How a pack agrees with a lock file."""

    files: int
    """How many files the lock names."""

    differing: list[str]
    """Files that the pack lacks or has with other bytes, and files that the lock doesn't name."""

    foreign: list[str]
    """Versions and kinds of machine that differ from those of the lock, or that a GPU rendered both: then bytes needn't
    agree."""

    snrs_db: list[float]
    """How far below each note of the network its difference from the locked one lies, from the least; infinite where
    the note is the same."""

    @property
    def good(self) -> bool:
        """Whether the pack is what it should be on this machine."""
        if not self.differing:
            return True
        share = self._agreeing / max(len(self.snrs_db), 1)
        return bool(self.foreign) and share >= _AGREEING_SHARE and self.snrs_db[0] >= LEAST_AGREEMENT_DB

    @property
    def _agreeing(self) -> int:
        return sum(snr_db >= AGREEMENT_DB for snr_db in self.snrs_db)

    def lines(self) -> list[str]:
        """What was found, in words."""
        if not self.differing:
            return [f"every byte agrees with the lock file ({self.files} files)"]
        count = f"{len(self.differing)} of {self.files} files differ from the lock file"
        some = ", ".join(self.differing[:3]) + (", …" if len(self.differing) > 3 else "")
        if not self.foreign:
            return [f"{count}, though the same versions made them on the same kind of machine: {some}"]
        least_db, of = self.snrs_db[0], len(self.snrs_db)
        notes = "the network's notes are the same"
        if least_db < np.inf:
            verdict = "rounding" if self.good else "more than rounding"
            notes = f"{self._agreeing} of {of} notes of the network agree to within {AGREEMENT_DB:.0f} dB"
            notes += f", the least to within {max(least_db, 0.0):.0f} dB: {verdict}"
        return [
            f"{count}, and they need not agree, since what made them differs: {'; '.join(self.foreign)}",
            f"{notes}; what is made of them (tuning, loops, effects) was not compared",
        ]


def lock_file(recipe: Path) -> Path:
    """Where the lock of a recipe lies: `glass-choir.lock` beside `glass-choir.yaml`."""
    return recipe.with_suffix(".lock")


def lock_before_build(
    loaded: LoadedRecipe, checkpoint: Checkpoint, instruments: Sequence[PlannedInstrument], engine: Engine
) -> Lock:
    """What a lock file would say of a recipe before it is built.

    Args:
        loaded: the recipe.
        checkpoint: the recipe's.
        instruments: what was planned of it.
        engine: what the notes are rendered on.

    Raises:
        InputError: an input file can't be read.
    """
    recipe = loaded.recipe
    return Lock(
        name=recipe.name,
        checkpoint=LockedCheckpoint(
            name=recipe.checkpoint.path, digest=checkpoint.digest, source=library.source(checkpoint)
        ),
        made_by={**versions(engine, recipe), "machine": machine_kind()},
        inputs=_inputs(loaded),
        about=_about(recipe),
        pitches=list(recipe.pitches),
        velocity=recipe.velocity,
        round_robin=recipe.round_robin,
        play=recipe.play,
        process=plain_effects(loaded),
        sound=recipe.sound,
        formats=list(recipe.formats),
        instruments={
            planned.name: LockedInstrument(
                origin=planned.origin,
                axis=planned.axis,
                latents=tuple(map(_encoded, planned.latents)),
                velocities=planned.velocities,
            )
            for planned in instruments
        },
        clips=plain_clips(loaded),
        wavetables={name: LockedWavetable(path=path) for name, path in recipe.paths.items() if path.as_ == "wavetable"},
    )


def lock_after_build(before: Lock, folder: Path, manifest: Manifest) -> Lock:
    """The lock of a pack that was built.

    Args:
        before: what `lock_before_build` returned.
        folder: the pack's folder.
        manifest: the pack's.
    """
    built = _lock_of_manifest(folder, manifest)
    instruments = {
        name: instrument.model_copy(update={"rendered": built.instruments[name].rendered})
        for name, instrument in before.instruments.items()
    }
    update = {"instruments": instruments, "wavetables": built.wavetables, "files": built.files}
    return before.model_copy(update=update)


def lock_of_pack(folder: Path) -> Lock:
    """The lock of a pack from its own `pack.json`, which has no inputs and no machine.

    Raises:
        InputError: the folder holds no pack.
    """
    return _lock_of_manifest(folder, read_manifest(folder))


def _about(source: Recipe | Manifest) -> dict[str, str]:
    """What a pack says of itself."""
    about = {"description": source.description, "author": source.author, "license": source.license}
    more = {"category": source.category, "tags": ", ".join(source.tags)}
    return about | {key: text for key, text in more.items() if text}


def _lock_of_manifest(folder: Path, manifest: Manifest) -> Lock:
    return Lock(
        name=manifest.name,
        checkpoint=LockedCheckpoint(name=manifest.checkpoint.name, digest=manifest.checkpoint.digest, source=""),
        made_by=manifest.versions,
        inputs={},
        about=_about(manifest),
        pitches=[int(pitch) for pitch in manifest.instruments[0].rendered],
        velocity=manifest.velocity,
        round_robin=manifest.round_robin,
        play=manifest.play,
        process=manifest.process,
        sound=manifest.sound,
        formats=list(manifest.formats),
        instruments={
            packed.name: LockedInstrument(
                origin=packed.origin,
                axis=packed.axis,
                latents=tuple(_encoded(np.array(z, np.float32)) for z in packed.latents),
                velocities=packed.velocities,
                rendered=packed.rendered,
            )
            for packed in manifest.instruments
        },
        clips={clip.name: clip.how for clip in manifest.clips},
        wavetables={
            packed.name: LockedWavetable(path=packed.path, rendered=packed.rendered) for packed in manifest.wavetables
        },
        files={**manifest.files, MANIFEST: sha256_of_file(folder / MANIFEST)},
    )


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        InputError: it isn't there, or isn't one.
    """
    return read_json(path, Lock, "lock file", _MOST_BYTES)


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file, whole or not at all, unless it is there already.

    Raises:
        OSError: it can't be written, or something stands there that is no lock file.
    """
    text = json.dumps(lock.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "surrogatepass")
    there = read_regular(path, _MOST_BYTES) if path.exists() else b""
    version = _BEGINNING.match(there)
    if there and not version:
        raise OSError(errno.EEXIST, "something else is called so, which is left alone", str(path))
    if version and int(version[1]) > LOCK_VERSION:
        raise OSError(errno.EEXIST, f"it has version {int(version[1])} of the format, of a later samplepack", str(path))
    if there != content:
        write_aside(path, content)


@dataclass(frozen=True)
class KeptLock:
    """What became of the lock file beside a recipe after a build."""

    written: bool
    """Whether the file holds the lock of this very build; one of another machine may state the same bytes."""

    remarks: list[str]
    """Why the file wasn't written, and what to do to have it written; or which version of the starter it was made with
    before."""


def keep_lock(path: Path, lock: Lock, update: bool) -> KeptLock:
    """Write the lock file of a build beside its recipe.

    One of the same inputs that was written with other versions or on another kind of machine stays as it is, unless
    it is to be updated: bytes may differ there by rounding, and which ones are kept is its owner's decision.

    Args:
        path: the lock file.
        lock: the lock of the pack that was built.
        update: write it in any case.
    """
    earlier = _readable_lock(path)
    if earlier and not update and not _refusals(lock, earlier):
        comparison = compare_to_lock(lock, earlier)
        if comparison.foreign and not comparison.differing:
            return KeptLock(False, [])
        if comparison.foreign:
            remarks = [f"{path.name} stays as it is: {line}" for line in comparison.lines()[:1]]
            remarks += [*comparison.lines()[1:], f"to write {path.name} for this machine: build with --update-lock"]
            return KeptLock(False, remarks)
    try:
        write_lock(path, lock)
    except OSError as error:  # the pack is there, and counts
        return KeptLock(False, [f"{path} can't be written: {error.strerror}"])
    if earlier and earlier.checkpoint.name == lock.checkpoint.name:
        before = library.starter_with(earlier.checkpoint.digest)
        if before and earlier.checkpoint.digest != lock.checkpoint.digest:
            return KeptLock(True, [f"{path.name} was made with {before}; to build with that one: checkpoint: {before}"])
    return KeptLock(True, [])


def _readable_lock(path: Path) -> Lock | None:
    """The lock file at a path; None where there is none, or a damaged one."""
    try:
        return read_lock(path)
    except InputError:
        return None


def read_required_locks(paths: Sequence[Path], planned: Sequence[Lock]) -> list[Lock]:
    """Read the lock files of recipes that may be built from nothing else.

    Args:
        paths: paths of the recipes.
        planned: what `lock_before_build` returned for each.

    Raises:
        InputError: one isn't there, or was written for something else than its recipe and files are now.
    """
    locks, problems = [], list[Problem]()
    for recipe, now in zip(paths, planned, strict=True):
        path = lock_file(recipe)
        try:
            locks.append(read_lock(path))
        except InputError as error:
            problems += error.problems
        else:
            compare = f"; compare them: samplepack diff {shlex.quote(str(path))} {shlex.quote(str(recipe))}"
            problems += [Problem(message + compare, str(path)) for message in _refusals(now, locks[-1])]
    if problems:
        raise InputError(*problems)
    return locks


def _refusals(planned: Lock, lock: Lock) -> list[str]:
    """Why a recipe isn't the one that was locked: nothing where it is."""
    refusals = []
    for name in sorted({*planned.inputs, *lock.inputs}):
        if name not in lock.inputs:
            refusals.append(f"the lock knows no {name}")
        elif name not in planned.inputs:
            refusals.append(f"{name} is no longer used")
        elif planned.inputs[name] != lock.inputs[name]:
            refusals.append(f"{name} has changed")
    if planned.checkpoint.digest != lock.checkpoint.digest:
        locked, found = lock.checkpoint, planned.checkpoint
        message = f"checkpoint '{found.name}' has the digest {found.digest}, the locked one {locked.digest}"
        if starter := library.starter_with(locked.digest):
            message += f", which is {starter}: write checkpoint: {starter} to build with that one"
        refusals.append(message)
    return refusals


def compare_to_lock(made: Lock, lock: Lock) -> LockComparison:
    """How a pack that was built agrees with a lock file.

    Args:
        made: the lock of the pack.
        lock: the content of the lock file.
    """
    differing = [name for name in sorted({*made.files, *lock.files}) if made.files.get(name) != lock.files.get(name)]
    foreign = [
        f"{what}: {made.made_by.get(what, 'none')} here, {lock.made_by.get(what, 'none')} in the lock"
        for what in sorted({*made.made_by, *lock.made_by})
        if made.made_by.get(what) != lock.made_by.get(what)
    ]
    if not foreign and " gpu " in lock.made_by.get("engine", ""):
        foreign = ["the kernels that a GPU's libraries choose by timing, from run to run"]
    return LockComparison(len(lock.files), differing, foreign, _snrs_db(made, lock))


def _snrs_db(made: Lock, lock: Lock) -> list[float]:
    snrs_db = []
    here = _fingerprints(made)
    for what, line in _fingerprints(lock).items():
        one, two = split(line), split(here.get(what, ""))
        same = len(one) == len(two)
        snrs_db += [difference_snr_db(a, b) for a, b in zip(one, two, strict=True)] if same else [-np.inf]
    return sorted(snrs_db) or [-np.inf]


def _fingerprints(lock: Lock) -> dict[tuple[str, str], str]:
    """The fingerprints of all notes, by instrument and pitch, and by wavetable."""
    found = {(name, pitch): line for name, i in lock.instruments.items() for pitch, line in i.rendered.items()}
    return found | {(name, "wavetable"): table.rendered or "" for name, table in lock.wavetables.items()}


def _encoded(latent: NDArray[np.float32]) -> str:
    return base64.b64encode(latent.astype("<f4").tobytes()).decode()


def _inputs(loaded: LoadedRecipe) -> dict[str, str]:
    folder, timbres = loaded.path.parent, loaded.recipe.timbres.values()
    files = loaded.input_files()
    files += [folder / timbre.latent.name for timbre in timbres if timbre.latent]
    files += [file for timbre in timbres if timbre.like for file in timbre.like.files]
    if any(timbre.like for timbre in timbres):
        files.append(fits_file(loaded.path))
    try:
        digests = {Path(os.path.relpath(file, folder)).as_posix(): sha256_of_file(file) for file in sorted(files)}
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    steps = {name: step for timbre in timbres for name, step in timbre.steps.items()}
    if steps:
        digests[DIRECTIONS] = hashlib.sha256(
            b"".join(name.encode() + b"\0" + steps[name].astype("<f4").tobytes() for name in sorted(steps))
        ).hexdigest()
    return {loaded.path.name: hashlib.sha256(loaded.text).hexdigest(), **digests}
