"""Walks: one key held while its timbre moves through latent space, a sequence of notes that fade into each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.clips import pictures
from samplepack.clips.clip import process_and_level, tune_keys
from samplepack.clips.output import write_sound
from samplepack.clips.studio import MOST_NOTES, Studio, check_pitches, parse_seeds
from samplepack.formats import WRITERS, sfz
from samplepack.formats.instrument import Instrument, Range, Zone
from samplepack.models.latent import Latent, latent_from_seed, path_points
from samplepack.rendering.plan import timbre_latents
from samplepack.sound.audio import Audio


@dataclass(frozen=True)
class GrainEnvelope:
    """The envelope of the notes of a walk, its grains, and the time between them. All times are in seconds.

    Raises:
        InputError: a time is negative, infinite or NaN, or the walk would be silent.
    """

    spacing_s: float
    """From the start of one note to the start of the next."""

    trim_s: float
    """The longest part of a note that sounds; its envelope is cut there."""

    attack_s: float
    """How long a note fades in."""

    sustain_s: float
    """How long it then holds its level."""

    decay_s: float
    """How long it then fades out."""

    def __post_init__(self) -> None:
        times = (self.spacing_s, self.trim_s, self.attack_s, self.sustain_s, self.decay_s)
        if not all(0.0 <= time < math.inf for time in times):
            raise InputError("the times of a walk should be numbers of seconds, from 0 on")
        if not (self.spacing_s and self.trim_s and self.attack_s + self.sustain_s + self.decay_s):
            raise InputError("a walk whose notes have no length, or stand all at one place, is silence")


def walk_latents(points: Sequence[Latent], steps: int) -> list[Latent]:
    """The latents of a walk through key points, float32, shape (latent_dim,) each.

    Args:
        points: the key points, at least one.
        steps: steps from each key point to the next.
    """
    if len(points) == 1:
        return list(points)
    return path_points(points, steps * (len(points) - 1) + 1, spacing="uniform")


def overlap_grains(notes: Sequence[Audio], envelope: GrainEnvelope) -> Audio:
    """Sum the notes of a walk, each at the same root mean square, under the envelope and after the one before.

    Args:
        notes: at least one; all of one pitch, one rate and one number of channels, each starting with its onset.
        envelope: the envelope of each, and the time between them.
    """
    rate_hz = notes[0].rate_hz
    level = _level(envelope, rate_hz)
    spacing = int(envelope.spacing_s * rate_hz)
    channels = notes[0].samples.shape[0]
    walked = np.zeros((channels, spacing * (len(notes) - 1) + len(level)))
    for i, note in enumerate(notes):
        sound = note.samples[:, : len(level)]
        rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) or 1.0
        begins = i * spacing
        walked[:, begins : begins + sound.shape[1]] += sound * level[: sound.shape[1]] / rms
    return Audio(walked.astype(np.float32), rate_hz)


def _level(envelope: GrainEnvelope, rate_hz: int) -> NDArray[np.float64]:
    """The gain of a note over time, shape (n,). It rises and falls as a quarter of a sine, so that the powers of two
    neighbours that cross add up to a constant."""
    attack, sustain, decay = (int(s * rate_hz) for s in (envelope.attack_s, envelope.sustain_s, envelope.decay_s))
    rise, fall = (np.sin(0.5 * np.pi * (np.arange(n) + 0.5) / max(n, 1)) for n in (attack, decay))
    return np.concatenate([rise, np.ones(sustain), fall[::-1]])[: max(1, int(envelope.trim_s * rate_hz))]


def key_points(studio: Studio, seeds: str, pitch: int) -> list[Latent]:
    """The latents that a walk goes through, float32, shape (latent_dim,) each.

    Args:
        studio: has the recipe and the checkpoint.
        seeds: a list such as `3,17,8`, or empty for all timbres of the recipe.
        pitch: the pitch of the walk, MIDI.

    Raises:
        InputError: the seeds can't be read, the recipe has no timbres, or the checkpoint can't play the pitch.
    """
    check_pitches([pitch], studio.checkpoint)
    if not seeds:
        points = list(timbre_latents(studio.recipe, studio.checkpoint.latent_dim).values())
    else:
        points = [latent_from_seed(seed, studio.checkpoint.latent_dim) for seed in parse_seeds(seeds)]
    if not points:
        raise InputError("the recipe has no timbres; give --seeds")
    return points


def write_walk(studio: Studio, latents: Sequence[Latent], pitch: int, envelope: GrainEnvelope, output: Path) -> Audio:
    """Play a walk, write it as a sound file, and draw it beside that as a PNG.

    Args:
        studio: plays it.
        latents: the timbre of each note, float32, shape (latent_dim,).
        pitch: MIDI.
        envelope: the envelope of each note, and the time between them.
        output: the sound file.

    Raises:
        InputError: there are more than 1000 notes, or the file's name ends in neither .wav nor .flac.
        OSError: a file can't be written.
    """
    if len(latents) > MOST_NOTES:
        raise InputError(f"a walk of {len(latents)} steps; it takes {MOST_NOTES} at most")
    keys = [studio.key(z, pitch) for z in latents]
    notes = []
    for audio in tune_keys(keys, studio.render(keys), studio.recipe.sound, studio.map_):
        notes.append(audio)
        studio.task.advance(1)
    walked = process_and_level(overlap_grains(notes, envelope), studio.recipe)
    write_sound(output, walked, studio.recipe)
    pictures.draw_sound(output.with_suffix(".png"), output.stem, walked)
    return walked


def write_walk_instrument(audio: Audio, pitch: int, sound: Path) -> Path:
    """Write an SFZ that plays a walk on every key, beside the walk's sound file.

    Args:
        audio: the walk.
        pitch: the pitch that it was rendered at, MIDI.
        sound: its sound file.

    Returns:
        The SFZ's path.

    Raises:
        OSError: it can't be written.
    """
    zone = Zone(sound.name, audio.samples.shape[1], pitch, Range(0, 127))
    path = sound.with_suffix(WRITERS["sfz"][0])
    # Both lie in one folder, and stay together when that is moved.
    write_aside(path, sfz.write(Instrument(sound.stem, (zone,), "decay"), sound.parent, root=""))
    return path
