"""The lock file beside a recipe: what a pack was made from and what came of it, digest by digest."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import sha256_of_file, write_aside
from samplepack.checkpoints import library
from samplepack.documents.json_files import read_json
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import Latent
from samplepack.pack import write as pack
from samplepack.pack.manifest import MANIFEST, Fingerprints, Manifest, Sha256, Steps, read_manifest
from samplepack.recipe import LoadedRecipe
from samplepack.recipe.fits import fits_file
from samplepack.rendering.plan import Axis, make_plan
from samplepack.sound.fingerprint import difference_snr_db, split

AGREEMENT_DB, LEAST_AGREEMENT_DB = 60.0, 40.0
"""On a machine whose sums round otherwise, the difference of a note from the locked one must lie this far below it: of
99 notes in 100, and of each. (Where two spectral peaks are nearly equal, a phase follows one or the other.)"""

_AGREEING_SHARE = 0.99

_MOST_BYTES = 256 << 20

_BEGINNING = b'{\n "lock": '


def _latent(text: str) -> str:
    if not len(base64.b64decode(text, validate=True)) % 4 == 0:
        raise ValueError("should be float32 numbers in base 64")
    return text


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedCheckpoint(_Model):
    """What rendered."""

    name: str
    digest: Sha256
    source: str
    """Where it came from, in words or as an address."""


class LockedInstrument(_Model):
    """An instrument, and how its notes came out of the network."""

    origin: str
    """Where it lies, as the recipe says it."""

    axis: Axis
    latents: Annotated[tuple[Annotated[str, AfterValidator(_latent)], ...], Field(min_length=1)]
    """One for each layer, float32, little-endian, in base 64."""

    rendered: dict[str, Fingerprints] = {}
    """Pitch → fingerprints of its notes, before all processing; empty of what was never built."""

    def values(self) -> list[Latent]:
        """The latents, float32, shape (latent_dim,) each."""
        return [np.frombuffer(base64.b64decode(latent), "<f4") for latent in self.latents]


class Lock(_Model):
    """What a lock file says."""

    lock: Literal[1] = 1
    """Version of this format."""

    name: str
    """Of the pack."""

    checkpoint: LockedCheckpoint
    made_by: dict[str, str]
    """Everything else that decides bytes: versions, and the machine's kind."""

    inputs: dict[str, Sha256]
    """The recipe and every file that it names, by their paths from its folder."""

    about: dict[str, str]
    """Description, author and licence."""

    pitches: list[int]
    velocity: dict[str, Any] | None
    process: Steps
    sound: dict[str, Any]
    formats: list[str]
    instruments: dict[str, LockedInstrument]
    clips: dict[str, dict[str, Any]] = {}
    """How each is played, as the recipe says it."""

    files: dict[str, Sha256] = {}
    """Every file of the pack; empty of what was never built."""


@dataclass(frozen=True)
class Judgement:
    """How a pack agrees with a lock file."""

    files: int
    """Of the lock."""

    differing: list[str]
    """Those that the pack lacks or has otherwise, and those that the lock doesn't know."""

    foreign: list[str]
    """What rendered or processed otherwise than when the lock was written: then bytes needn't agree."""

    agreements_db: list[float]
    """Of each note as the network made it, from that which agrees least; infinite where it is the same."""

    @property
    def good(self) -> bool:
        """Whether the pack is what it should be on this machine."""
        if not self.differing:
            return True
        share = self._agreeing / max(len(self.agreements_db), 1)
        return bool(self.foreign) and share >= _AGREEING_SHARE and self.agreements_db[0] >= LEAST_AGREEMENT_DB

    @property
    def _agreeing(self) -> int:
        return sum(agreement >= AGREEMENT_DB for agreement in self.agreements_db)

    def lines(self) -> list[str]:
        """What was found, in words."""
        if not self.differing:
            return [f"every byte agrees with the lock file ({self.files} files)"]
        count = f"{len(self.differing)} of {self.files} files differ from the lock file"
        some = ", ".join(self.differing[:3]) + (", …" if len(self.differing) > 3 else "")
        if not self.foreign:
            return [f"{count}, though the same versions made them on the same kind of machine: {some}"]
        least_db, of = self.agreements_db[0], len(self.agreements_db)
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


def outline(loaded: LoadedRecipe, engine: Engine = DEFAULT_ENGINE) -> Lock:
    """What a lock file would say of a recipe before it is built on an engine.

    Raises:
        InputError: the checkpoint is damaged, or an input file can't be read.
    """
    checkpoint, recipe = loaded.native_checkpoint(), loaded.recipe
    plan = make_plan(recipe, checkpoint.latent_dim, checkpoint.digest, str(engine))
    return Lock(
        name=recipe.name,
        checkpoint=LockedCheckpoint(
            name=recipe.checkpoint.path, digest=checkpoint.digest, source=library.source(checkpoint)
        ),
        made_by={**pack.versions(str(engine), recipe), "machine": _machine()},
        inputs=_inputs(loaded),
        about={"description": recipe.description, "author": recipe.author, "license": recipe.license},
        pitches=list(recipe.pitches),
        velocity=recipe.velocity and recipe.velocity.model_dump(mode="json"),
        process=pack.described_effects(recipe, loaded.path.parent),
        sound=recipe.sound.model_dump(mode="json"),
        formats=list(recipe.formats),
        instruments={
            planned.name: LockedInstrument(
                origin=planned.origin, axis=planned.axis, latents=tuple(map(_encoded, planned.layers))
            )
            for planned in plan
        },
        clips=pack.described_clips(loaded),
    )


def completed(planned: Lock, manifest: Manifest) -> Lock:
    """The lock of what was planned (see `outline`) and of the pack that was built from it."""
    built = _lock_of_manifest(manifest)
    instruments = {
        name: instrument.model_copy(update={"rendered": built.instruments[name].rendered})
        for name, instrument in planned.instruments.items()
    }
    return planned.model_copy(update={"instruments": instruments, "files": built.files})


def lock_of_pack(folder: Path) -> Lock:
    """What a pack says of itself: all that its lock would say but the inputs and the machine.

    Raises:
        InputError: the folder holds no pack.
    """
    found = read_manifest(folder)
    if found is None:
        raise InputError(f"{folder} is no pack of this version: it has no {MANIFEST} that can be read")
    return _lock_of_manifest(found)


def _lock_of_manifest(found: Manifest) -> Lock:
    manifest = found.says
    about = manifest["checkpoint"]
    first = manifest["instruments"][0]
    return Lock(
        name=manifest["name"],
        checkpoint=LockedCheckpoint(name=about["name"], digest=about["digest"], source=""),
        made_by=manifest["versions"],
        inputs={},
        about={key: manifest[key] for key in ("description", "author", "license")},
        pitches=[int(pitch) for pitch in first["rendered"]],
        velocity=manifest["velocity"],
        process=manifest["process"],
        sound=manifest["sound"],
        formats=manifest["formats"],
        instruments={
            one["name"]: LockedInstrument(
                origin=one["origin"],
                axis=one["axis"],
                latents=tuple(_encoded(np.array(z, np.float32)) for z in one["latents"]),
                rendered=one["rendered"],
            )
            for one in manifest["instruments"]
        },
        clips={one["name"]: one["how"] for one in manifest["clips"]},
        files={**manifest["files"], MANIFEST: found.sha256},
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
    text = json.dumps(lock.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "surrogatepass")
    there = path.read_bytes() if path.exists() else None
    if there is not None and not there.startswith(_BEGINNING):
        raise OSError(errno.EEXIST, "something else is called so, which is left alone", str(path))
    if there != content:
        write_aside(path, content)


def required(loaded: Sequence[LoadedRecipe], planned: Sequence[Lock]) -> list[Lock]:
    """The lock files of recipes that may be built from nothing else; `planned` is what `outline` says of each.

    Raises:
        InputError: one isn't there, or was written for something else than its recipe and files are now.
    """
    locks, problems = [], list[Problem]()
    for one, now in zip(loaded, planned, strict=True):
        path = lock_file(one.path)
        try:
            locks.append(read_lock(path))
        except InputError as error:
            problems += error.problems
        else:
            told = _refusals(now, locks[-1])
            compare = f"; compare them: samplepack diff {shlex.quote(str(path))} {shlex.quote(str(one.path))}"
            problems += [Problem(message + compare, str(path)) for message in told]
    if problems:
        raise InputError(*problems)
    return locks


def _refusals(planned: Lock, lock: Lock) -> list[str]:
    """Why a recipe isn't the one that was locked: nothing where it is."""
    told = []
    for name in sorted({*planned.inputs, *lock.inputs}):
        if name not in lock.inputs:
            told.append(f"the lock knows no {name}")
        elif name not in planned.inputs:
            told.append(f"{name} is no longer used")
        elif planned.inputs[name] != lock.inputs[name]:
            told.append(f"{name} has changed")
    if planned.checkpoint.digest != lock.checkpoint.digest:
        locked, found = lock.checkpoint, planned.checkpoint
        told.append(f"checkpoint '{found.name}' has the digest {found.digest}, the locked one {locked.digest}")
    return told


def judge(made: Lock, lock: Lock) -> Judgement:
    """How what was made agrees with what is locked."""
    differing = [name for name in sorted({*made.files, *lock.files}) if made.files.get(name) != lock.files.get(name)]
    foreign = [
        f"{what}: {made.made_by.get(what, 'none')} here, {lock.made_by.get(what, 'none')} in the lock"
        for what in sorted({*made.made_by, *lock.made_by})
        if made.made_by.get(what) != lock.made_by.get(what)
    ]
    return Judgement(len(lock.files), differing, foreign, _agreements_db(made, lock))


def _agreements_db(made: Lock, lock: Lock) -> list[float]:
    agreements = []
    for name, locked in lock.instruments.items():
        rendered = made.instruments[name].rendered if name in made.instruments else {}
        for pitch, line in locked.rendered.items():
            one, two = split(line), split(rendered.get(pitch, ""))
            same = len(one) == len(two)
            agreements += [difference_snr_db(a, b) for a, b in zip(one, two, strict=True)] if same else [-np.inf]
    return sorted(agreements) or [-np.inf]


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
    return {loaded.path.name: hashlib.sha256(loaded.text).hexdigest(), **digests}


def _machine() -> str:
    """The kind of processor, as far as its rounding goes: its architecture and the widest vectors that it has."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return " ".join([platform.machine(), *found[-1:]])
