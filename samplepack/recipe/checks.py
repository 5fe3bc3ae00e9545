"""Checks that compare parts of a recipe: names, timbres that refer to others, effects and formats, and clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, get_args

from pydantic import ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.checkpoints.library import MagentaCheckpoint
from samplepack.documents.document import Document, Key
from samplepack.finishing.process import failure
from samplepack.models.checkpoint import Checkpoint
from samplepack.recipe.clips import MOST_CLIPS, Clip
from samplepack.recipe.fields import Context
from samplepack.recipe.model import KEYS_OF_KINDS, PathKind, Recipe, point_names
from samplepack.recipe.timbres import Bank

ClipCheck = Callable[[str, Clip, Checkpoint | MagentaCheckpoint], None]
"""Reads the MIDI file of a clip for a checkpoint, given the clip's name; raises `InputError` if it can't be played."""

_MOST_PROBLEMS = 100
"""How many problems with names of instruments, and with circles, are listed."""

_PICTURE = "overview"
"""The name of the pack's overview picture, which no instrument can have: each instrument's picture is named after
it."""


def timbre_names(data: Mapping[str, Any]) -> frozenset[str]:
    """The names of all timbres in the data, those of wrong timbres included."""
    return frozenset(name for name, _ in _named_timbres(data))


def _named_timbres(data: Mapping[str, Any]) -> list[tuple[str, tuple[Key, ...]]]:
    """The name of each timbre and its place in the data."""
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


def name_problems(document: Document) -> list[Problem]:
    """Problems with names: two instruments, clips or wavetables whose names differ in case at most, since some file
    systems ignore case; an instrument with the name of the overview picture; and a recipe without any instrument."""
    named = _named_timbres(document.data)
    paths = document.data.get("paths")
    problems, tables = [], set[str]()
    for name, path in paths.items() if isinstance(paths, dict) else ():
        if isinstance(path, dict) and path.get("as") == "wavetable":
            if str(name).casefold() in tables:
                problems.append(document.problem_with_key(("paths", name), f"two wavetables would be called '{name}'"))
            tables.add(str(name).casefold())
            continue
        steps = path.get("steps") if isinstance(path, dict) else None
        points = point_names(name, steps) if type(steps) is int and 0 < steps <= 128 else []
        if isinstance(path, dict) and path.get("as") == "morph":
            points = [name]
        named += [(point, ("paths", name)) for point in points]
    if not named and not any(document.data.get(key) for key in ("timbres", "bank", "paths")):
        return [document.problem((), "nothing to build: a recipe needs timbres, a bank or paths")]
    seen = set[str]()
    for name, location in named:
        if name.casefold() == _PICTURE:
            problems.append(document.problem_with_key(location, f"'{name}' is the name of a picture of the pack"))
        if name.casefold() in seen:
            problems.append(document.problem_with_key(location, f"two instruments would be called '{name}'"))
        seen.add(name.casefold())
        if len(problems) >= _MOST_PROBLEMS:
            break
    clips, clip_names = document.data.get("clips"), set[str]()
    for name in clips if isinstance(clips, dict) else ():
        if str(name).casefold() in clip_names:
            problems.append(document.problem_with_key(("clips", name), f"two clips would be called '{name}'"))
        clip_names.add(str(name).casefold())
    return problems


def path_problems(document: Document) -> list[Problem]:
    """Problems with keys that only another kind of path has."""
    paths = document.data.get("paths")
    problems = []
    for name, path in paths.items() if isinstance(paths, dict) else ():
        for key, kind in KEYS_OF_KINDS.items() if isinstance(path, dict) else ():
            others = [one for one in get_args(PathKind) if one != kind]
            if key in path and path.get("as", "instruments") in others:
                message = f"paths.{name}.{key}: only a {kind} has `{key}`; write as: {kind}, or leave it out"
                problems.append(document.problem_with_key(("paths", name, key), message))
    return problems


def circle_problems(document: Document) -> list[Problem]:
    """Problems with timbres whose `toward` leads back to themselves; one problem for each circle."""
    timbres = document.data.get("timbres")
    if not isinstance(timbres, dict):
        return []
    toward = {name: t.get("toward") for name, t in timbres.items() if isinstance(t, dict)}
    problems, visited = [], set[str]()
    for start in toward:
        name, chain = start, list[str]()
        while isinstance(name, str) and name in toward and name not in visited:
            visited.add(name)
            chain.append(name)
            name = toward[name]
        if name in chain:
            first, *others = chain[chain.index(name) :]
            by_way = f", by way of {', '.join(others)}" if others else ""
            problems.append(document.problem(("timbres", first, "toward"), f"'{first}' lies toward itself{by_way}"))
        if len(problems) >= _MOST_PROBLEMS:
            break
    return problems


def sound_problems(document: Document, recipe: Recipe, rate_hz: int) -> list[Problem]:
    """Problems with effects that can't run at the recipe's rate, and with formats that can't hold its sound files."""
    problems = []
    for i, effect in enumerate(recipe.effects):
        if reason := failure([effect], rate_hz):
            name = type(effect).__name__
            problems.append(document.problem(("process", i), f"process[{i}]: {name}: {reason}"))
    if "multisample" in recipe.formats and recipe.sound.file != "wav":
        problems.append(document.problem(("formats",), "formats: multisample holds WAV alone; write file: wav"))
    return problems


def play_problems(document: Document, recipe: Recipe) -> list[Problem]:
    """Problems with velocity layers that are all the same, and with morphs: other uses of what moves them, and a single
    key, along which nothing moves."""
    morphs = {name: path.by for name, path in recipe.paths.items() if path.as_ == "morph"}
    problems = []
    timbres = len(recipe.timbres) + (len(recipe.bank.seeds) if recipe.bank else 0)
    if recipe.velocity and recipe.velocity.toward and timbres == 1:
        message = f"velocity.toward: '{recipe.velocity.toward}' is the only timbre, so that all its layers would be "
        message += "the same; name another timbre, or leave toward out"
        problems.append(document.problem(("velocity", "toward"), message))
    if recipe.velocity and morphs:
        message = f"velocity: '{next(iter(morphs))}' is a morph, which has no velocity layers of this kind; "
        message += "write it in a recipe of its own"
        problems.append(document.problem_with_key(("velocity",), message))
    by_wheel = [name for name, by in morphs.items() if by == "wheel"]
    if by_wheel and recipe.play.vibrato == "wheel":
        message = f"play.vibrato: the mod wheel moves the morph '{by_wheel[0]}'; write aftertouch or none"
        problems.append(document.problem(("play", "vibrato"), message))
    for name, by in morphs.items():
        if by == "keys" and len(recipe.pitches) == 1:
            message = f"paths.{name}.by: a morph by keys goes from the lowest to the highest; pitches has one key"
            problems.append(document.problem(("paths", name, "by"), message))
    return problems


def clip_problems(
    document: Document, context: Context, checkpoint: Checkpoint | MagentaCheckpoint, check_clip: ClipCheck
) -> list[Problem]:
    """Problems with clips whose MIDI file can't be played.

    Clips are checked even if other parts of the recipe are wrong. A clip that doesn't validate is skipped: the
    validation of the recipe reports its problems.

    Args:
        document: the recipe's document.
        context: the context of the recipe's validation.
        checkpoint: the checkpoint that plays the clips.
        check_clip: raises `InputError` for a clip that can't be played.
    """
    problems, clips = [], document.data.get("clips")
    for name, data in islice(clips.items(), MOST_CLIPS) if isinstance(clips, dict) else ():
        try:
            check_clip(name, Clip.model_validate(data, context=context), checkpoint)
        except ValidationError:
            continue
        except InputError as error:
            location = ("clips", name, "midi")
            problems += [document.problem(location, f"clips.{name}.midi: {p.message}") for p in error.problems]
    return problems
