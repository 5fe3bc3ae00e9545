"""What must agree between the parts of a recipe: names, timbres toward others, effects and formats, clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.checkpoints.library import MagentaCheckpoint
from samplepack.documents.document import Document, Key
from samplepack.finishing.process import failure
from samplepack.models.checkpoint import Checkpoint
from samplepack.recipe.clips import Clip
from samplepack.recipe.fields import Context
from samplepack.recipe.model import Recipe, point_names
from samplepack.recipe.timbres import Bank

ClipCheck = Callable[[str, Clip, Checkpoint | MagentaCheckpoint], None]
"""Reads the MIDI file of a clip for a checkpoint; raises `InputError` where it can't be played."""

_PICTURE = "overview"
"""What no instrument can be called, as the picture of each is called as the instrument is."""


def timbre_names(data: Mapping[str, Any]) -> frozenset[str]:
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


def name_problems(document: Document) -> list[Problem]:
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
    clips, heard = document.data.get("clips"), set[str]()
    for name in clips if isinstance(clips, dict) else ():
        if str(name).casefold() in heard:
            problems.append(document.problem_with_key(("clips", name), f"two clips would be called '{name}'"))
        heard.add(str(name).casefold())
    return problems


def circle_problems(document: Document) -> list[Problem]:
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


def sound_problems(document: Document, recipe: Recipe, rate_hz: int) -> list[Problem]:
    """Effects that can't play at the recipe's rate, and a format that can't hold its sound files."""
    problems = []
    for i, effect in enumerate(recipe.effects):
        if why := failure([effect], rate_hz):
            name = type(effect).__name__
            problems.append(document.problem(("process", i), f"process[{i}]: {name}: {why}"))
    if "multisample" in recipe.formats and recipe.sound.file != "wav":
        problems.append(document.problem(("formats",), "formats: multisample holds WAV alone; write file: wav"))
    return problems


def clip_problems(
    document: Document, context: Context, checkpoint: Checkpoint | MagentaCheckpoint, check_clip: ClipCheck
) -> list[Problem]:
    """Clips that can't be played, whatever else is wrong with the recipe; those that are wrong themselves are left to
    its validation.

    Args:
        document: the recipe's.
        context: what its values are checked against.
        checkpoint: which plays.
        check_clip: raises `InputError` of a clip that can't be played.
    """
    problems, clips = [], document.data.get("clips")
    for name, data in clips.items() if isinstance(clips, dict) else ():
        try:
            check_clip(name, Clip.model_validate(data, context=context), checkpoint)
        except ValidationError:
            continue
        except InputError as error:
            where = ("clips", name, "midi")
            problems += [document.problem(where, f"clips.{name}.midi: {p.message}") for p in error.problems]
    return problems
