"""A score played by timbres along a path: each note has the timbre of its place in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.base.parallel import Map
from samplepack.base.progress import SILENT, Progress
from samplepack.clips.mix import mix
from samplepack.clips.path import TimbrePath, random_path
from samplepack.clips.score import PlayedNote, Score, read_score
from samplepack.documents.document import read_document
from samplepack.documents.problems import validation_message
from samplepack.finishing import process
from samplepack.finishing.finish import in_tune
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import Latent
from samplepack.recipe import Clip, LoadedRecipe, Recipe, Sound
from samplepack.rendering.plan import Note, note_key, origins, sides, timbre_latents
from samplepack.sound.audio import Audio, Samples, db_to_gain
from samplepack.sound.loudness import true_peak_db


@dataclass(frozen=True, eq=False)
class PlannedClip:
    """A clip to play."""

    name: str
    score: Score
    along: tuple[float, ...]
    """How far along its path of timbres each note of the score lies, 0…1."""

    notes: tuple[tuple[Note, ...], ...]
    """What the network renders of each note of the score: one, in stereo a left and a right one."""


def plan_clip(
    name: str, score: Score, path: TimbrePath, sound: Sound, digest: str, engine: Engine = DEFAULT_ENGINE
) -> PlannedClip:
    """What to render of a score.

    Args:
        name: of the clip.
        score: what is played.
        path: by which timbres.
        sound: of the recipe.
        digest: the checkpoint's.
        engine: what renders.
    """
    notes = tuple(to_render(path.at(note.start_s), note.pitch, sound, digest, engine) for note in score.notes)
    return PlannedClip(name, score, tuple(path.along(note.start_s) for note in score.notes), notes)


def to_render(z: Latent, pitch: int, sound: Sound, digest: str, engine: Engine) -> tuple[Note, ...]:
    """What the network renders of a key: one note, in stereo a left and a right one."""
    heard = sides(z) if sound.channels == "stereo" else [z]
    return tuple(Note(pitch, side, note_key(str(engine), digest, side, pitch)) for side in heard)


def check_clips(recipes: Iterable[LoadedRecipe]) -> None:
    """Read the MIDI files of recipes, so that one that can't be played is known before anything renders.

    Raises:
        InputError: every clip that can't be played, at its place in its recipe.
    """
    problems: list[Problem] = []
    for loaded in recipes:
        for name, clip in loaded.recipe.clips.items():
            try:
                read_score(clip, loaded.checkpoint)
            except InputError as error:
                document = read_document(loaded.path)
                told = (f"clips.{name}.midi: {problem.message}" for problem in error.problems)
                problems += [document.problem(("clips", name, "midi"), line) for line in told]
    if problems:
        raise InputError(*problems)


def plan_clips(recipe: Recipe, checkpoint: Checkpoint, engine: Engine = DEFAULT_ENGINE) -> tuple[PlannedClip, ...]:
    """All clips of a recipe; reads their MIDI files.

    Raises:
        InputError: one can't be played.
    """
    latents = timbre_latents(recipe, checkpoint.latent_dim)
    planned = []
    for name, clip in recipe.clips.items():
        score = read_score(clip, checkpoint)
        if clip.seconds_per_instrument:
            path = random_path(score.length_s, clip.seconds_per_instrument, clip.seed, checkpoint.latent_dim)
        else:
            times_s = tuple(fraction * score.length_s for fraction in clip.fractions())
            path = TimbrePath(times_s, tuple(latents[one.timbre] for one in clip.timbres))
        planned.append(plan_clip(name, score, path, recipe.sound, checkpoint.digest, engine))
    return tuple(planned)


def play(
    planned: PlannedClip,
    rendered: Iterator[Audio],
    rate_hz: int,
    recipe: Recipe,
    map_: Map,
    progress: Progress = SILENT,
) -> Audio:
    """A planned clip as sound.

    Args:
        planned: what is played.
        rendered: the notes that it planned, in their order, from the network.
        rate_hz: theirs.
        recipe: how they are tuned, and the clip processed and levelled.
        map_: what to tune notes with.
        progress: hears how it goes.
    """
    sounds = in_tune_side_by_side(planned.notes, rendered, recipe.sound, map_)

    def played() -> Iterator[tuple[PlayedNote, Samples]]:
        for note, sound in zip(planned.score.notes, sounds, strict=True):
            progress.done(1)
            yield note, sound.samples

    mixed = mix(played(), planned.score.length_s, rate_hz).astype(np.float32)
    return processed(Audio(mixed, rate_hz), recipe)


def in_tune_side_by_side(
    keys: Sequence[tuple[Note, ...]], rendered: Iterator[Audio], sound: Sound, map_: Map
) -> Iterator[Audio]:
    """Keys as they sound, from their onset on, tuned if the recipe says so, with all their channels.

    Args:
        keys: what was rendered of each, as `to_render` gives it.
        rendered: the notes of all keys, in their order.
        sound: of the recipe.
        map_: what to tune them with.
    """

    def one(key: tuple[int, list[Audio]]) -> Audio:
        pitch, raws = key
        (audio,), _ = in_tune(raws, pitch, sound.tune, len(raws))
        return audio

    return map_(one, ((key[0].pitch, list(islice(rendered, len(key)))) for key in keys))


def processed(audio: Audio, recipe: Recipe) -> Audio:
    """A long sound through a recipe's effects, at its rate, as loud as its `peak_db` allows; silence stays silence."""
    rate_hz = recipe.sound.rate_for(audio.rate_hz)
    done = process.finish(audio, recipe.effects, rate_hz, process.tail_s(recipe.effects, rate_hz))
    if done.peak == 0.0:
        return done
    gain = np.float32(db_to_gain(recipe.sound.peak_db - true_peak_db(done)))
    return Audio(done.samples * gain, rate_hz)


def clip_of(recipe: Recipe, midi: Path, name: str, **how: Any) -> Recipe:
    """A recipe with one clip: a MIDI file played by its timbres.

    Args:
        recipe: whose timbres play.
        midi: the file.
        name: of the clip.
        how: `timbres`, names in order (all of the recipe's where there are none), and `places`, where they stand, as
            fractions of the clip; or `seconds_per_instrument` and `seed`; and `tracks`, `drums`, `slow`, as of `Clip`.

    Raises:
        InputError: one of them is wrong.
    """
    timbres, places = how.pop("timbres"), how.pop("places")
    if not how["seconds_per_instrument"]:
        names = list(timbres) or list(origins(recipe))
        if places and len(places) != len(names):
            raise InputError(f"there are {len(names)} timbres and {len(places)} places for them")
        how["timbres"] = [{"timbre": t} | ({"at": at} if places else {}) for t, at in zip_longest(names, places)]
    elif timbres or places:
        raise InputError("timbres are either named, or random every so many seconds")
    how["tracks"] = how["tracks"] or None
    try:
        clip = Clip.model_validate({"midi": midi, **how}, context={"timbres": frozenset(origins(recipe))})
    except ValidationError as error:
        raise InputError(*(Problem(validation_message(one)) for one in error.errors())) from None
    return recipe.model_copy(update={"clips": {name: clip}})
