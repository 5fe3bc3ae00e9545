"""A score played by timbres along a path: each note has the timbre of its place in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, Problem
from samplepack.base.parallel import Map
from samplepack.base.progress import SILENT, Progress
from samplepack.checkpoints.library import MagentaCheckpoint
from samplepack.clips.score import PlayedNote, Score, read_midi
from samplepack.documents.document import read_document
from samplepack.finishing import process
from samplepack.finishing.finish import in_tune
from samplepack.finishing.levels import true_peak_db
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import Latent, latent_from_seed, slerp
from samplepack.recipe import LEAST_APART_S, Clip, LoadedRecipe, Recipe, Sound
from samplepack.rendering.plan import Note, note_key, sides, timbre_latents
from samplepack.sound.audio import Audio, Samples, db_to_gain

ATTACK_S, RELEASE_S = 0.01, 0.3
LONGEST_S = 3.0
"""How long a note is held at most: GANSynth's notes are released there."""


@dataclass(frozen=True, eq=False)
class TimbrePath:
    """Timbres in time."""

    times_s: tuple[float, ...]
    """When each is reached, rising."""

    latents: tuple[Latent, ...]
    """As many, at least one; float32, shape (latent_dim,)."""

    def along(self, time_s: float) -> float:
        """How far along the path a time is: 0 at its first timbre, 1 at its last, as much from each to the next."""
        return float(np.interp(time_s, self.times_s, np.linspace(0.0, 1.0, len(self.times_s))))

    def at(self, time_s: float) -> Latent:
        """The latent at a time: on the arc between the timbres before and after it; the first one before all of them,
        and the last one after."""
        after = int(np.searchsorted(self.times_s, time_s, side="left"))
        if after == 0:
            return self.latents[0]
        if after == len(self.times_s):
            return self.latents[-1]
        begins_s, ends_s = self.times_s[after - 1], self.times_s[after]
        return slerp(self.latents[after - 1], self.latents[after], (time_s - begins_s) / (ends_s - begins_s))


def random_path(length_s: float, seconds_per_instrument: float, seed: int, latent_dim: int) -> TimbrePath:
    """Random timbres at even distances, as many as Magenta's `get_random_instruments` takes, but one at least: the
    first at the start, the last at the end.

    Raises:
        InputError: they are to stand too near.
    """
    if not seconds_per_instrument >= LEAST_APART_S:
        raise InputError(f"random instruments stand {LEAST_APART_S} seconds apart at least")
    count = max(1, int(length_s / seconds_per_instrument))
    drawn = latent_from_seed(seed, count * latent_dim).reshape(count, latent_dim)
    return TimbrePath(tuple(np.linspace(0.0, length_s, count)), tuple(drawn))


def envelope(held_s: float, rate_hz: int) -> NDArray[np.float64]:
    """The level of a note over time: a straight attack, then full until it is released, then straight down.

    Args:
        held_s: how long the key is held; beyond 3 s the sound has ended.
        rate_hz: samples a second.

    Returns:
        Shape (n,); n covers the held time and the release.

    Source: Magenta's `generate_util.get_envelope`.
    """
    held = int(rate_hz * min(held_s, LONGEST_S))
    release = int(rate_hz * RELEASE_S)
    level = np.ones(held + release)
    attack = int(rate_hz * ATTACK_S)
    level[:attack] = np.linspace(0.0, 1.0, attack)
    level[held:] = np.linspace(1.0, 0.0, release)
    return level


def mix(notes: Iterable[tuple[PlayedNote, Samples]], length_s: float, rate_hz: int) -> NDArray[np.float64]:
    """Notes laid over each other, each under its envelope, with its largest magnitude at its velocity / 127.

    Args:
        notes: what is played, and its sound, shape (channels, n), from its onset on.
        length_s: when the last note is released.
        rate_hz: of the sounds.

    Returns:
        Shape (channels, samples), until the last release has ended.

    Source: Magenta's `generate_util.combine_notes`, which divides by the maximum, which may be smaller than the largest
    magnitude, and ends at the end of the last note in the list.
    """
    length = int(rate_hz * length_s) + int(rate_hz * RELEASE_S) + 1
    clip: NDArray[np.float64] | None = None
    for note, samples in notes:
        if clip is None:
            clip = np.zeros((len(samples), length))
        level = envelope(note.end_s - note.start_s, rate_hz)[: samples.shape[1]]
        sound = samples[:, : len(level)] * level
        loudest = float(np.max(np.abs(sound), initial=0.0)) or 1.0
        begins = int(rate_hz * note.start_s)
        clip[:, begins : begins + len(level)] += sound * (note.velocity / 127.0 / loudest)
    return np.zeros((1, length)) if clip is None else clip


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
                _score(clip, loaded.checkpoint)
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
        score = _score(clip, checkpoint)
        if clip.seconds_per_instrument:
            path = random_path(score.length_s, clip.seconds_per_instrument, clip.seed, checkpoint.latent_dim)
        else:
            times_s = tuple(fraction * score.length_s for fraction in clip.fractions())
            path = TimbrePath(times_s, tuple(latents[one.timbre] for one in clip.timbres))
        planned.append(plan_clip(name, score, path, recipe.sound, checkpoint.digest, engine))
    return tuple(planned)


def _score(clip: Clip, checkpoint: Checkpoint | MagentaCheckpoint) -> Score:
    return read_midi(clip.midi, playable(checkpoint), clip.tracks, clip.drums, clip.slow)


def playable(checkpoint: Checkpoint | MagentaCheckpoint) -> range:
    """The pitches of a clip: Magenta's 36 to 84, as far as a checkpoint knows them."""
    return range(max(36, checkpoint.pitches[0]), min(84, checkpoint.pitches[-1]) + 1)


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
