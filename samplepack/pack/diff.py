"""What changed between two recipes, lock files, packs or revisions of them, in a musician's words."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samplepack.base.errors import InputError, Problem, SamplepackError
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.models.latent import Latent, path_points
from samplepack.pack.lock import Lock, LockedInstrument, lock_before_build, lock_of_pack, read_lock
from samplepack.recipe import load_recipe
from samplepack.recipe.model import Velocity
from samplepack.recipe.timbres import split_origin
from samplepack.rendering.plan import layers_of_keys, make_plan, take

_STILL_DEGREES = 0.05
"""A latent that moved by a smaller angle counts as unmoved."""


_AXES = {
    "none": "one layer",
    "velocity": "velocity layers",
    "velocity path": "layers along velocity",
    "wheel": "layers along the mod wheel",
    "keys": "a latent for each key",
}


@dataclass(frozen=True)
class Changes:
    """What differs, a line each, by what it is about; nothing where nothing does."""

    instruments: list[str]
    wavetables: list[str]
    clips: list[str]
    """Changes of clips and of their MIDI files."""

    effects: list[str]
    settings: list[str]
    """Changes of the sound files, formats, pitches, checkpoint and versions."""

    files: list[str]
    """Changes of the packs' files, where both sides were built."""

    notes: int
    """How many notes the network makes for the second side's instruments and wavetables."""

    to_render: int
    """How many of these notes the first side doesn't have: they have another latent or pitch, or another network."""


def diff(one: str | Path, two: str | Path, allow_plugins: bool = False, allow_reads: bool = False) -> Changes:
    """What changed from one recipe, lock file, pack or revision of them to another.

    Args:
        one, two: paths, or revisions of git as text: see `read`.
        allow_plugins: whether effects may be programs from elsewhere.
        allow_reads: whether `reads` may name folders outside of the repository.

    Raises:
        InputError: one of them isn't there, or something is wrong with it.
        SamplepackError: git can't be run.
    """
    return compare(read(str(one), allow_plugins, allow_reads), read(str(two), allow_plugins, allow_reads))


def read(what: str, allow_plugins: bool = False, allow_reads: bool = False) -> Lock:
    """Read a path, or a path in a revision of git, as a lock.

    Args:
        what: a recipe, a lock file, the folder of a pack, or `REVISION:PATH`, as git takes it: `HEAD~1:recipes/x.yaml`.
        allow_plugins: whether effects may be programs from elsewhere.
        allow_reads: whether `reads` may name folders outside of the repository.

    Raises:
        InputError: it isn't there, or something is wrong with it.
        SamplepackError: git can't be run.
    """
    revision, colon, path = what.partition(":")
    if not colon or Path(what).exists():
        return _read(Path(what), allow_plugins, allow_reads)
    if Path(path).is_absolute():
        raise InputError(f"'{what}': a path in a revision begins at the top of the repository, or with ./")
    with tempfile.TemporaryDirectory() as scratch:
        prefix = _git("rev-parse", "--show-prefix").decode().strip() if path.startswith(("./", "../")) else ""
        _check_out(revision, Path(scratch))
        (Path(scratch) / ".git").mkdir()  # a recipe may read what lies in its repository
        try:
            return _read(Path(scratch, prefix, path), allow_plugins, allow_reads)
        except InputError as error:
            problems = (Problem(str(problem).replace(f"{scratch}/", f"{revision}:")) for problem in error.problems)
            raise InputError(*problems) from None


def compare(one: Lock, two: Lock) -> Changes:
    """What differs from one lock to the other."""
    had = _sounds(one)
    same_network = one.checkpoint.digest == two.checkpoint.digest and _engine(one) == _engine(two)
    has = _sounds(two)
    return Changes(
        instruments=_instruments(one, two),
        wavetables=_wavetables(one, two),
        clips=_clips(one.clips, two.clips) + _inputs(one.inputs, two.inputs),
        effects=_effects(one.process, two.process),
        settings=_settings(one, two),
        files=_files(one.files, two.files),
        notes=len(has),
        to_render=len(has - had) if same_network else len(has),
    )


def _read(path: Path, allow_plugins: bool, allow_reads: bool) -> Lock:
    if path.is_dir():
        return lock_of_pack(path)
    if path.suffix == ".lock":
        return read_lock(path)
    loaded = load_recipe(path, allow_plugins, allow_reads)
    checkpoint = loaded.native_checkpoint()
    instruments = make_plan(loaded.recipe, checkpoint, str(DEFAULT_ENGINE))
    return lock_before_build(loaded, checkpoint, instruments, DEFAULT_ENGINE)


def _git(*arguments: str, folder: str | None = None) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise SamplepackError("a revision needs git, which isn't installed")
    done = subprocess.run([git, *arguments], cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _check_out(revision: str, folder: Path) -> None:
    """Put the whole of a revision into a folder: a recipe may name files beside it."""
    if not revision or revision.startswith("-"):
        raise InputError(f"'{revision}' is no revision of git")
    top = _git("rev-parse", "--show-toplevel").decode().strip()
    with tempfile.TemporaryDirectory() as aside:
        packed = Path(aside, "revision.zip")  # unlike tar, unpacked without links and special files
        _git("archive", "--format=zip", f"--output={packed}", revision, folder=top)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder)


def _engine(lock: Lock) -> str:
    return lock.made_by.get("engine", "")


def _sounds(lock: Lock) -> set[tuple[bytes, int, int, str]]:
    """Every note of the network; left and right are two."""
    of_wavetables = {
        (z.tobytes(), 127, locked.path.at, "")
        for locked in lock.wavetables.values()
        for z in path_points(
            [lock.instruments[name].values()[-1] for name in locked.path.through],
            locked.path.frames,
            locked.path.spacing,
            locked.path.interpolation,
        )
    }
    return of_wavetables | {
        (take(z, number).tobytes(), velocity, pitch, side)
        for number in range(lock.round_robin)
        for instrument in lock.instruments.values()
        for pitch, layers in zip(lock.pitches, _layers_of_keys(instrument, len(lock.pitches)), strict=True)
        for z, velocity in layers
        for side in (("left", "right") if lock.sound.channels == "stereo" else ("",))
    }


def _layers_of_keys(instrument: LockedInstrument, keys: int) -> list[Sequence[tuple[Latent, int]]]:
    """The latent and the velocity of each layer of each key; the hardest velocity is the same note as one that isn't
    asked for with a velocity."""
    latents = instrument.values()
    velocities = [*instrument.velocities[:-1], 127] if instrument.velocities else [127] * len(latents)
    return layers_of_keys(instrument.axis, list(zip(latents, velocities, strict=True)), keys)


def _instruments(one: Lock, two: Lock) -> list[str]:
    lines = [f"{name} is gone ({i.origin})" for name, i in one.instruments.items() if name not in two.instruments]
    for name, instrument in two.instruments.items():
        if name not in one.instruments:
            lines.append(f"{name} is new ({instrument.origin})")
        elif moved := _moved(one.instruments[name], instrument):
            lines.append(f"{name} {moved}")
    return lines


def _wavetables(one: Lock, two: Lock) -> list[str]:
    """Those that are gone, new or have another path. Where timbres of a path moved, the instruments say so."""
    had, has = one.wavetables, two.wavetables
    lines = [f"{name} is gone" for name in had if name not in has]
    lines += [f"{name} is new" for name in has if name not in had]
    return lines + [
        f"{name}: {line}"
        for name in has
        if name in had
        for line in _values(had[name].path.model_dump(by_alias=True), has[name].path.model_dump(by_alias=True))
    ]


def _moved(one: LockedInstrument, two: LockedInstrument) -> str:
    from_, to = one.values(), two.values()
    (place, moves), (new_place, new_moves) = split_origin(one.origin), split_origin(two.origin)
    amounts = {name: new_moves.get(name, 0.0) - moves.get(name, 0.0) for name in {**moves, **new_moves}}
    words = ", ".join(f"{name} {abs(by):.4g} {'more' if by > 0.0 else 'less'}" for name, by in amounts.items() if by)
    origin = (f": {words}" if words else "") + ("" if place == new_place else f" ({place} → {new_place})")
    if one.axis != two.axis:
        return f"has {_AXES[two.axis]}, not {_AXES[one.axis]}{origin}"
    if len(from_) != len(to):
        what = "keys" if two.axis == "keys" else "layers"
        return f"has {len(to)} {what}, not {len(from_)}{origin}"
    if len(from_[0]) != len(to[0]):
        return f"lies in another latent space{origin}"
    degrees = max(_degrees(a, b) for a, b in zip(from_, to, strict=True))
    if degrees < _STILL_DEGREES:
        return f"is the same, written otherwise{origin}" if origin else ""
    return f"moved by {degrees:.1f}° (two seeds lie some 90° apart){origin}"


def _degrees(a: Latent, b: Latent) -> float:
    """The angle between two latents, since their direction is what sounds."""
    cosine = float(np.dot(a, b)) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _clips(one: Mapping[str, Mapping[str, Any]], two: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [f"{name} is gone" for name in one if name not in two] + [
        f"{name} is new" for name in two if name not in one
    ]
    return lines + [f"{name}: {line}" for name in two if name in one for line in _values(one[name], two[name])]


def _inputs(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    return [
        f"{name} has changed"
        for name in two
        if name in one and name.endswith((".mid", ".midi")) and one[name] != two[name]
    ]


def _effects(one: Sequence[Mapping[str, Any]], two: Sequence[Mapping[str, Any]]) -> list[str]:
    """By name and order: effects that are gone, new, or have other parameters."""
    from difflib import SequenceMatcher

    names, others = [next(iter(step)) for step in one], [next(iter(step)) for step in two]
    lines = []
    for what, i1, i2, j1, j2 in SequenceMatcher(a=names, b=others, autojunk=False).get_opcodes():
        if what == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                lines += [f"{names[i]}: {line}" for line in _values(one[i][names[i]], two[j][others[j]])]
            continue
        lines += [f"{name} is gone" for name in names[i1:i2]]
        for j in range(j1, j2):
            where = f"after {others[j - 1]}" if j else "first"
            lines.append(f"{others[j]} is new, {where}")
    return lines


def _settings(one: Lock, two: Lock) -> list[str]:
    lines = [] if one.name == two.name else [f"name: {one.name} → {two.name}"]
    if one.checkpoint.digest != two.checkpoint.digest:
        a, b = (f"{lock.checkpoint.name} ({lock.checkpoint.digest[:12]})" for lock in (one, two))
        lines.append(f"checkpoint: {a} → {b}")
    lines += _values(one.about, two.about)
    lines += [f"sound.{line}" for line in _values(one.sound.model_dump(), two.sound.model_dump())]
    if one.velocity and two.velocity:
        lines += [f"velocity.{line}" for line in _values(one.velocity.model_dump(), two.velocity.model_dump())]
    elif one.velocity or two.velocity:
        lines.append(f"velocity: {_layers(one.velocity)} → {_layers(two.velocity)}")
    lines += [f"play.{line}" for line in _values(one.play.model_dump(), two.play.model_dump())]
    if one.round_robin != two.round_robin:
        lines.append(f"round_robin: {one.round_robin} → {two.round_robin}")
    lines += [f"formats: {', '.join(one.formats)} → {', '.join(two.formats)}"] * (one.formats != two.formats)
    lines += [f"pitches: {_range(one.pitches)} → {_range(two.pitches)}"] * (one.pitches != two.pitches)
    shared = one.made_by.keys() & two.made_by.keys()
    return lines + _values({k: one.made_by[k] for k in shared}, {k: two.made_by[k] for k in shared})


def _layers(velocity: Velocity | None) -> str:
    return f"{velocity.layers} layers" if velocity else "one layer"


def _range(pitches: Sequence[int]) -> str:
    return f"{len(pitches)} from {pitches[0]} to {pitches[-1]}" if len(pitches) > 8 else ", ".join(map(str, pitches))


def _values(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    keys = [*two, *(key for key in one if key not in two)]
    return [f"{key}: {one.get(key)} → {two.get(key)}" for key in sorted(keys) if one.get(key) != two.get(key)]


def _files(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    if not one or not two:
        return []
    gone, new = one.keys() - two.keys(), two.keys() - one.keys()
    other = [name for name in one.keys() & two.keys() if one[name] != two[name]]
    counts = ((len(new), "new"), (len(gone), "gone"), (len(other), "other bytes"))
    return [f"{number} {what}" for number, what in counts if number]
