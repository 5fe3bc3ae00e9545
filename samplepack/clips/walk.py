"""Walks: one key held while the timbre wanders through latent space, note by note, each blending into the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.clips import pictures as views
from samplepack.clips.clip import in_tune_side_by_side, processed
from samplepack.clips.output import write_sound
from samplepack.clips.studio import MOST_STEPS, Studio, check_pitches, parse_seeds
from samplepack.formats import WRITERS
from samplepack.formats.instrument import Instrument, Range, Zone
from samplepack.models.latent import Latent, latent_from_seed, path_points
from samplepack.rendering.plan import timbre_latents
from samplepack.sound.audio import Audio


@dataclass(frozen=True)
class Steps:
    """How the notes of a walk follow each other.

    Raises:
        InputError: a time isn't one, or nothing would sound.
    """

    spacing_s: float
    """From one note's start to the next one's."""

    trim_s: float
    """How much of each note is heard at most."""

    attack_s: float
    sustain_s: float
    decay_s: float
    """Each note fades in, holds and fades out; what lies beyond `trim_s` is cut."""

    def __post_init__(self) -> None:
        times = (self.spacing_s, self.trim_s, self.attack_s, self.sustain_s, self.decay_s)
        if not all(0.0 <= time < math.inf for time in times):
            raise InputError("the times of a walk should be numbers of seconds, from 0 on")
        if not (self.spacing_s and self.trim_s and self.attack_s + self.sustain_s + self.decay_s):
            raise InputError("a walk whose notes have no length, or stand all at one place, is silence")


def stations(points: Sequence[Latent], steps: int) -> list[Latent]:
    """The latents of a walk: from each key point to the next in so many steps."""
    if len(points) == 1:
        return list(points)
    return path_points(points, steps * (len(points) - 1) + 1, spacing="uniform")


def blended(notes: Sequence[Audio], steps: Steps) -> Audio:
    """A walk as sound: its notes laid over each other.

    Args:
        notes: of one pitch and rate, from their onsets on.
        steps: how they follow each other.
    """
    rate_hz = notes[0].rate_hz
    level = _level(steps, rate_hz)
    spacing = int(steps.spacing_s * rate_hz)
    channels = notes[0].samples.shape[0]
    walked = np.zeros((channels, spacing * (len(notes) - 1) + len(level)))
    for i, note in enumerate(notes):
        sound = note.samples[:, : len(level)]
        loudness = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) or 1.0
        begins = i * spacing
        walked[:, begins : begins + sound.shape[1]] += sound * level[: sound.shape[1]] / loudness
    return Audio(walked.astype(np.float32), rate_hz)


def _level(steps: Steps, rate_hz: int) -> NDArray[np.float64]:
    """Of each note: rising and falling as a quarter of a sine, so that neighbours blend at an even power."""
    attack, sustain, decay = (int(s * rate_hz) for s in (steps.attack_s, steps.sustain_s, steps.decay_s))
    rise, fall = (np.sin(0.5 * np.pi * (np.arange(n) + 0.5) / max(n, 1)) for n in (attack, decay))
    return np.concatenate([rise, np.ones(sustain), fall[::-1]])[: max(1, int(steps.trim_s * rate_hz))]


def key_points(studio: Studio, seeds: str, pitch: int) -> list[Latent]:
    """The latents that a walk goes through: of seeds such as `3,17,8`, or of all timbres of the recipe.

    Raises:
        InputError: the seeds aren't any, there are no timbres, or the checkpoint can't play the pitch.
    """
    check_pitches([pitch], studio.checkpoint)
    if not seeds:
        points = list(timbre_latents(studio.recipe, studio.checkpoint.latent_dim).values())
    else:
        points = [latent_from_seed(seed, studio.checkpoint.latent_dim) for seed in parse_seeds(seeds)]
    if not points:
        raise InputError("the recipe has no timbres; give --seeds")
    return points


def write_walk(studio: Studio, latents: Sequence[Latent], pitch: int, steps: Steps, output: Path) -> Audio:
    """Walk along latents into a sound file, and draw it; errors as of `write_clip`."""
    if len(latents) > MOST_STEPS:
        raise InputError(f"a walk of {len(latents)} steps; it takes {MOST_STEPS} at most")
    keys = [studio.key(z, pitch) for z in latents]
    notes = []
    for audio in in_tune_side_by_side(keys, studio.rendered(keys), studio.recipe.sound, studio.map_):
        notes.append(audio)
        studio.progress.done(1)
    walked = processed(blended(notes, steps), studio.recipe)
    write_sound(output, walked, studio.recipe)
    views.draw_sound(output.with_suffix(".png"), output.stem, walked)
    return walked


def write_instrument(audio: Audio, pitch: int, sound: Path) -> Path:
    """Write an instrument of one long sample beside its sound file, and say where.

    Raises:
        OSError: it can't be written.
    """
    zone = Zone(f"{sound.resolve().parent.name}/{sound.name}", audio.samples.shape[1], pitch, Range(0, 127))
    suffix, write_map = WRITERS["sfz"]
    path = sound.with_suffix(suffix)
    write_aside(path, write_map(Instrument(sound.stem, (zone,)), sound.parent))
    return path
