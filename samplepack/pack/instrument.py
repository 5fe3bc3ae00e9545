"""Finishing an instrument: its keys together, since how it behaves depends on them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from samplepack.base.parallel import Map
from samplepack.base.progress import Task
from samplepack.finishing.behaviour import (
    Behaviour,
    Course,
    behaviour_of,
    course,
    decaying_together,
    even_slopes,
    sloped,
)
from samplepack.finishing.finish import FinishedNote, Finishing, finish_key
from samplepack.finishing.tune import lowered
from samplepack.pack.pictures import Column, spectrogram
from samplepack.pack.plan import PackPlan
from samplepack.pack.write import SpooledKey, SpooledNote
from samplepack.rendering.plan import Note, PlannedInstrument
from samplepack.sound.audio import Audio
from samplepack.sound.fingerprint import fingerprint
from samplepack.sound.loudness import attack_loudness_lufs, loudness_lufs

_FARTHEST = 12
"""The largest distance, in semitones, of the key whose render is resampled for one that can't be looped."""


@dataclass(frozen=True)
class FinishedKey:
    """A finished key: its notes wait on disk until all levels are known."""

    spooled: SpooledKey
    columns: tuple[Column, ...]
    """The spectrogram of each layer, for the pack's pictures."""

    @property
    def is_looped(self) -> bool:
        """Whether all of its layers have loops."""
        return all(note.finished.looped.loop for note in self.spooled.layers)


@dataclass(frozen=True)
class FinishedInstrument:
    """An instrument whose sounds are finished."""

    behaviour: Behaviour
    keys: list[FinishedKey]
    """From the lowest, and the takes of each."""


def finish_instrument(
    plan: PackPlan,
    planned: PlannedInstrument,
    settings: Finishing,
    rendered: Iterator[tuple[Note, Audio]],
    spool: Path,
    map_: Map,
    finish_map: Map,
    task: Task,
) -> FinishedInstrument:
    """Finish the keys of an instrument once all of them are rendered: how it behaves depends on them all.

    Args:
        plan: of its recipe.
        planned: the instrument.
        settings: by which the recipe's notes are finished.
        rendered: yields its notes, with those of other instruments after them.
        spool: the folder for the finished samples.
        map_: measures keys side by side.
        finish_map: finishes keys side by side, on whichever machine.
        task: counts the notes that are rendered.
    """
    recipe = plan.loaded.recipe
    raws = [spool / f"raw-{number}" for number in range(len(planned.keys))]

    def measure(of: tuple[Path, list[Audio]]) -> tuple[list[Course], str]:
        raw, sounds = of
        raw.write_bytes(np.concatenate([sound.samples for sound in sounds]).tobytes())
        return [course(sound) for sound in sounds], " ".join(fingerprint(sound.samples[0]) for sound in sounds)

    courses, fingerprints = list[list[Course]](), list[str]()
    of_keys = ((raw, [next(rendered)[1] for _ in key]) for raw, key in zip(raws, planned.keys, strict=True))
    with closing(map_(measure, of_keys)) as measured:
        for key, (courses_of_key, fingerprints_of_key) in zip(planned.keys, measured, strict=True):
            courses.append(courses_of_key)
            fingerprints.append(fingerprints_of_key)
            task.advance(len(key))
    pitches = [key[0].pitch for key in planned.keys]
    behaviour = behaviour_of(courses, recipe.sound.loop)
    slopes = [[0.0] * len(key) for key in planned.keys]
    if behaviour == "decay":
        slopes = even_slopes(courses, pitches)

    def unfinished(number: int, of: int) -> _Unfinished:
        """What a key is finished from, if it plays the render of a key that may be another one."""
        samples = np.fromfile(raws[of], "<f4").reshape(len(slopes[of]), 1, -1)
        return _Unfinished(
            [Audio(wave, plan.checkpoint.rate_hz) for wave in samples],
            slopes[of],
            behaviour == "decay" and planned.axis == "wheel",
            100.0 * (pitches[of] - pitches[number]),
            pitches[number],
        )

    def spooled(number: int, of: int, finished: _Finished) -> FinishedKey:
        layers = []
        for note in finished.notes:
            file = spool / f"{planned.name}-{number}-{note.layer}"
            file.write_bytes(note.looped.audio.samples.astype("<f4").tobytes())
            layers.append(SpooledNote(note.without_samples(), file, None if of == number else pitches[of]))
        return FinishedKey(SpooledKey(tuple(layers), fingerprints[number], finished.quieter_db), finished.columns)

    finish = partial(_finish, settings, behaviour, bool(planned.velocities))
    with closing(finish_map(finish, (unfinished(number, number) for number in range(len(raws))))) as finished:
        results = [spooled(number, number, one) for number, one in enumerate(finished)]
    if behaviour == "sustain" and settings.loop:
        looped = [number for number, result in enumerate(results) if result.is_looped]
        for number in set(range(len(raws))) - set(looped):
            # A key that can't be looped plays the render of the nearest one that can, resampled; the lower of two.
            take = number % planned.takes
            near = [n for n in looped if abs(pitches[n] - pitches[number]) <= _FARTHEST and n % planned.takes == take]
            for other in sorted(near, key=lambda n: (abs(pitches[n] - pitches[number]), n)):
                borrowed = finish(unfinished(number, other))
                if all(note.looped.loop for note in borrowed.notes):
                    results[number] = spooled(number, other, borrowed)
                    break
    return FinishedInstrument(behaviour, results)


@dataclass(frozen=True)
class _Unfinished:
    """What a key is finished from."""

    sounds: list[Audio]
    """As the network rendered them."""

    slopes: list[float]
    """By how much each is to fall more, dB per second."""

    decays_together: bool
    """Whether they are layers that all decay as the fastest of them."""

    lower_cents: float
    """How far the key whose render it is lies above this one."""

    pitch: int


@dataclass(frozen=True)
class _Finished:
    """What finishing makes of the sounds of a key."""

    notes: list[FinishedNote]
    columns: tuple[Column, ...]
    quieter_db: float | None


def _finish(settings: Finishing, behaviour: Behaviour, has_velocities: bool, key: _Unfinished) -> _Finished:
    """Finish the sounds of a key. It may run on another machine, so that it reads no files of this one but those of
    effects."""
    sounds = [sloped(sound, slope) for sound, slope in zip(key.sounds, key.slopes, strict=True)]
    if key.decays_together:
        sounds = decaying_together(sounds)
    if key.lower_cents:
        sounds = [lowered(sound, key.lower_cents) for sound in sounds]
    notes = finish_key(sounds, key.pitch, settings, behaviour)
    columns = tuple(spectrogram(note.looped.audio) for note in notes)
    quieter_db = _quieter_db(sounds[0], sounds[-settings.channels], behaviour) if has_velocities else None
    return _Finished(notes, columns, quieter_db)


def _quieter_db(softest: Audio, hardest: Audio, behaviour: Behaviour) -> float | None:
    """By how much one note is quieter than another; None where one is silent."""
    loudness = loudness_lufs if behaviour == "sustain" else attack_loudness_lufs
    soft, hard = loudness(softest), loudness(hardest)
    return None if soft is None or hard is None else hard - soft
