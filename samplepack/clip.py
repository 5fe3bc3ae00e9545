"""A score played by timbres along a path: each note has the timbre of its place in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samplepack import process
from samplepack.audio import Audio, Samples, db_to_gain
from samplepack.cache import Cache
from samplepack.checkpoint import Checkpoint
from samplepack.finish import in_tune
from samplepack.latent import Latent, latent_from_seed, slerp
from samplepack.levels import true_peak_db
from samplepack.models import DEFAULT_ENGINE, Engine
from samplepack.parallel import Map
from samplepack.plan import Note, note_key, sides
from samplepack.progress import SILENT, Progress
from samplepack.recipe import Recipe
from samplepack.render import render
from samplepack.score import PlayedNote, Score

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
    first at the start, the last at the end."""
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


def play(
    score: Score,
    path: TimbrePath,
    recipe: Recipe,
    checkpoint: Checkpoint,
    cache: Cache,
    map_: Map,
    progress: Progress = SILENT,
    engine: Engine = DEFAULT_ENGINE,
) -> Audio:
    """A score as sound.

    Args:
        score: what is played.
        path: by which timbres.
        recipe: how it is tuned, processed and levelled.
        checkpoint: what renders.
        cache: where rendered notes are kept.
        map_: what to tune notes with.
        progress: hears how it goes.
        engine: what they are rendered on.

    Raises:
        InputError: the checkpoint's weights are damaged.
        SamplepackError: the network made NaN or infinity.
    """
    channels = 2 if recipe.sound.channels == "stereo" else 1
    progress.started(len(score.notes))
    planned = [
        Note(note.pitch, z, note_key(str(engine), checkpoint.digest, z, note.pitch))
        for note in score.notes
        for z in _heard(path.at(note.start_s), channels)
    ]
    rendered = (audio for _, audio in render(planned, checkpoint, cache, engine, on_start=progress.loading))
    raws = ((note, list(islice(rendered, channels))) for note in score.notes)

    def sounding(one: tuple[PlayedNote, list[Audio]]) -> tuple[PlayedNote, Samples]:
        note, audios = one
        (sound,), _ = in_tune(audios, note.pitch, recipe.sound.tune, channels)
        return note, sound.samples

    def counted() -> Iterator[tuple[PlayedNote, Samples]]:
        for one in map_(sounding, raws):
            progress.done(1)
            yield one

    mixed = mix(counted(), score.length_s, checkpoint.rate_hz)
    return processed(Audio(mixed.astype(np.float32), checkpoint.rate_hz), recipe)


def processed(audio: Audio, recipe: Recipe) -> Audio:
    """A clip through a recipe's effects, at its rate, as loud as its `peak_db` allows; silence stays silence."""
    rate_hz = recipe.sound.rate_for(audio.rate_hz)
    done = process.finish(audio, recipe.effects, rate_hz, process.tail_s(recipe.effects, rate_hz))
    if done.peak == 0.0:
        return done
    gain = np.float32(db_to_gain(recipe.sound.peak_db - true_peak_db(done)))
    return Audio(done.samples * gain, rate_hz)


def _heard(z: Latent, channels: int) -> Sequence[Latent]:
    return sides(z) if channels == 2 else [z]
