"""Clips: a score played by timbres along a path, each note with the timbre of its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.base.parallel import Map
from samplepack.base.progress import Task
from samplepack.clips.mix import mix
from samplepack.clips.path import TimbrePath, random_path
from samplepack.clips.score import PlayedNote, Score
from samplepack.documents.problems import validation_message
from samplepack.finishing import process
from samplepack.finishing.finish import in_tune
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import Latent
from samplepack.recipe import Clip, Recipe, Sound
from samplepack.rendering.plan import Note, note_key, origins, sides, timbre_latents
from samplepack.sound.audio import Audio, Samples, db_to_gain
from samplepack.sound.loudness import true_peak_db


@dataclass(frozen=True, eq=False)
class PlannedClip:
    """A clip that is ready to be rendered and played."""

    name: str
    score: Score
    path_positions: tuple[float, ...]
    """For each note of the score its position along the path of timbres, 0…1."""

    notes: tuple[tuple[Note, ...], ...]
    """For each note of the score what the network renders: one note, or in stereo one for each side."""

    timbres: tuple[tuple[float, str], ...] = ()
    """When each timbre is reached, seconds, and its name; empty for random ones."""


def plan_clip(
    name: str, score: Score, path: TimbrePath, sound: Sound, digest: str, engine: Engine = DEFAULT_ENGINE
) -> PlannedClip:
    """Plan which notes the network renders for a score.

    Args:
        name: name of the clip.
        score: the notes to play.
        path: the timbres that play them.
        sound: the recipe's settings of sound; stereo takes two renders a note.
        digest: digest of the checkpoint.
        engine: what the notes are rendered on.
    """
    notes = tuple(key_notes(path.at(note.start_s), note.pitch, sound, digest, engine) for note in score.notes)
    return PlannedClip(name, score, tuple(path.position(note.start_s) for note in score.notes), notes)


def key_notes(z: Latent, pitch: int, sound: Sound, digest: str, engine: Engine) -> tuple[Note, ...]:
    """The notes to render for one key: one, or in stereo a left and a right one.

    Args:
        z: the timbre, float32, shape (latent_dim,).
        pitch: MIDI.
        sound: the recipe's settings of sound.
        digest: digest of the checkpoint.
        engine: what the notes are rendered on.
    """
    latents = sides(z) if sound.channels == "stereo" else [z]
    return tuple(Note(pitch, side, None, note_key(str(engine), digest, side, pitch)) for side in latents)


def plan_clips(
    recipe: Recipe, checkpoint: Checkpoint, scores: Mapping[str, Score], engine: Engine
) -> tuple[PlannedClip, ...]:
    """Plan all clips of a recipe.

    Args:
        recipe: has the clips and their timbres.
        checkpoint: renders the notes.
        scores: clip → what of its MIDI file is played, as `read_score` gives it.
        engine: what the notes are rendered on.
    """
    latents = timbre_latents(recipe, checkpoint.latent_dim)
    planned = []
    for name, clip in recipe.clips.items():
        score = scores[name]
        if clip.seconds_per_instrument:
            path = random_path(score.length_s, clip.seconds_per_instrument, clip.seed, checkpoint.latent_dim)
        else:
            times_s = tuple(fraction * score.length_s for fraction in clip.fractions())
            path = TimbrePath(times_s, tuple(latents[place.timbre] for place in clip.timbres))
        clip_planned = plan_clip(name, score, path, recipe.sound, checkpoint.digest, engine)
        names = (place.timbre for place in clip.timbres)
        planned.append(replace(clip_planned, timbres=tuple(zip(path.times_s, names, strict=False))))
    return tuple(planned)


def play(
    planned: PlannedClip,
    rendered: Iterator[Audio],
    rate_hz: int,
    recipe: Recipe,
    map_: Map,
    task: Task,
) -> Audio:
    """Play a planned clip.

    Args:
        planned: the clip.
        rendered: its notes as the network renders them, in the order of `planned.notes`, one channel each.
        rate_hz: samples per second of those notes.
        recipe: says how notes are tuned, and how the clip is processed and levelled.
        map_: tunes notes side by side.
        task: counts the notes that are mixed.

    Returns:
        The clip at the recipe's rate, with a true peak of the recipe's `peak_db`.
    """
    sounds = tune_keys(planned.notes, rendered, recipe.sound, map_)

    def played_notes() -> Iterator[tuple[PlayedNote, Samples]]:
        for note, sound in zip(planned.score.notes, sounds, strict=True):
            task.advance(1)
            yield note, sound.samples

    mixed = mix(played_notes(), planned.score.length_s, rate_hz).astype(np.float32)
    return process_and_level(Audio(mixed, rate_hz), recipe)


def tune_keys(keys: Sequence[tuple[Note, ...]], rendered: Iterator[Audio], sound: Sound, map_: Map) -> Iterator[Audio]:
    """Cut rendered keys at their onset, and tune them if the recipe asks for it.

    Args:
        keys: the notes that were rendered for each key, as `key_notes` gives them.
        rendered: the sounds of all these notes, in their order, one channel each.
        sound: the recipe's settings of sound.
        map_: tunes keys side by side.

    Yields:
        Each key as one sound, with a channel for each of its notes.
    """

    def tune_key(key: tuple[int, list[Audio]]) -> Audio:
        pitch, raws = key
        (audio,), _ = in_tune(raws, pitch, sound.tune, len(raws))
        return audio

    return map_(tune_key, ((key[0].pitch, list(islice(rendered, len(key)))) for key in keys))


def process_and_level(audio: Audio, recipe: Recipe) -> Audio:
    """Send a long sound through a recipe's effects and bring its true peak to the recipe's `peak_db`, at the recipe's
    rate; silence stays silence."""
    rate_hz = recipe.sound.rate_for(audio.rate_hz)
    processed = process.apply_chain(audio, recipe.effects, rate_hz, process.tail_s(recipe.effects, rate_hz))
    if processed.peak == 0.0:
        return processed
    gain = np.float32(db_to_gain(recipe.sound.peak_db - true_peak_db(processed)))
    return Audio(processed.samples * gain, rate_hz)


def recipe_with_clip(recipe: Recipe, midi: Path, name: str, **settings: Any) -> Recipe:
    """A recipe with one clip: a MIDI file played by its timbres.

    Args:
        recipe: has the timbres.
        midi: the MIDI file.
        name: name of the clip.
        settings: `timbres`, names in order (empty for all of the recipe's), and `places`, the position of each as a
            fraction of the clip (empty for even distances); or `seconds_per_instrument` and `seed` for random timbres;
            and `tracks`, `drums` and `slow` as in `Clip`.

    Raises:
        InputError: one of the settings is wrong.
    """
    timbres, places = settings.pop("timbres"), settings.pop("places")
    if not settings["seconds_per_instrument"]:
        names = list(timbres) or list(origins(recipe))
        if places and len(places) != len(names):
            raise InputError(f"there are {len(names)} timbres and {len(places)} places for them")
        settings["timbres"] = [{"timbre": t} | ({"at": at} if places else {}) for t, at in zip_longest(names, places)]
    elif timbres or places:
        raise InputError("timbres are either named, or random every so many seconds")
    settings["tracks"] = settings["tracks"] or None
    try:
        clip = Clip.model_validate({"midi": midi, **settings}, context={"timbres": frozenset(origins(recipe))})
    except ValidationError as error:
        raise InputError(*(Problem(validation_message(details)) for details in error.errors())) from None
    return recipe.model_copy(update={"clips": {name: clip}})
