"""How an instrument behaves while a key is held: it sustains or it decays, as a whole; and gains that make it decay
evenly over its keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samplepack.finishing.envelope import envelope
from samplepack.sound.audio import Audio

Behaviour = Literal["sustain", "decay"]

MOST_FALL_DB = 9.0
"""An instrument sustains if the median fall of its notes is no more: of the starter's 89 instruments, all organs,
strings, voices, brass, reeds and pipes fall by less; pianos, mallets, harps and guitars fall by more."""

DECAYED_DB = -20.0
"""The level, relative to that of the attack, at which a note counts as decayed. An instrument of layers, as a morph is,
doesn't sustain if the median note of one of them falls further: no loop could hold it."""

_ATTACK_S = 0.4
HELD_S = 2.8
"""How long the course of a note is measured: until before the end of GANSynth's notes at 3 s, with the onset that is
cut and half a window of the envelope left out."""

_END_S = 0.3
_STEP_S = 0.005

_LOOKED_BACK_S = 1.0
"""A decaying note is never louder than it was in this time before: it may beat, but not come back."""

_LONGEST = 3.0
"""No key of a decaying instrument decays more slowly than the middle one of its keys, times this."""

_SMOOTHED_S = 0.1
_FLOOR_DB, _MOST_RAISED_DB = -80.0, 12.0

_MOST_BOOST_DB = 20.0
_STEEPEST_DB_PER_S = 200.0
_NEIGHBOURS = 2
_LEFT_OCTAVES, _STEP_OCTAVES = 0.25, 0.6
"""How far, in octaves (factors of two), a decay may lie from the median of its neighbourhood, and from the decay of the
next lower key."""

NEIGHBOURS_DECAY = 2.0
"""The largest ratio of the decays of neighbouring keys; between keys that lie further apart, twice as much for each
octave."""


@dataclass(frozen=True, eq=False)
class Course:
    """The level of a note while its key is held."""

    level_db: NDArray[np.float32]
    """Relative to the highest level of the first 0.4 s, dB, each 5 ms from the start to 2.8 s, float32, shape (n,)."""

    def settled(self) -> Course:
        """The course of the note after `settled`."""
        level_db = self.level_db.copy()
        back = round(_LOOKED_BACK_S / _STEP_S)
        for i in range(round(_ATTACK_S / _STEP_S), len(level_db)):
            level_db[i] = min(level_db[i], level_db[max(i - back, 0) : i].max())
        return Course(level_db)

    @property
    def fall_db(self) -> float:
        """How far the level has fallen in the last 0.3 s; negative for one that has risen."""
        return -float(np.mean(self.level_db[-round(_END_S / _STEP_S) :]))

    @property
    def decay_s(self) -> float:
        """The time in which a level that falls evenly falls to `DECAYED_DB`, seconds, where its mean is that of this
        one: of all levels, those lower than twice `DECAYED_DB` raised to it. 5 ms to 11.2 s, where it falls by 5 dB.

        Unlike the moment at which a level passes a threshold, it changes little where the level changes little, also
        where a note falls fast and then rings on near the threshold.
        """
        length_s = len(self.level_db) * _STEP_S
        # An even fall to twice the level takes twice the time, and the area below it is half a rectangle's.
        area_s = length_s * float(np.mean(np.clip(1.0 - self.level_db / (2.0 * DECAYED_DB), 0.0, 1.0)))
        if area_s <= length_s / 2.0:
            return max(area_s, _STEP_S)
        return length_s**2 / 4.0 / max(length_s - area_s, length_s / 16.0)  # it goes on beyond the end


def course(audio: Audio) -> Course:
    """Measure the level of a note that starts with its onset."""
    return _course(Audio(audio.samples[:, : int(HELD_S * audio.rate_hz)], audio.rate_hz))


def _course(audio: Audio) -> Course:
    levels = envelope(audio.samples, audio.rate_hz)
    step = round(_STEP_S * audio.rate_hz)
    strongest = max(float(levels[: int(_ATTACK_S * audio.rate_hz)].max(initial=0.0)), 1e-10)
    level_db = 20.0 * np.log10(np.maximum(levels[step // 2 :: step], 1e-10) / strongest)
    return Course(np.asarray(level_db, dtype=np.float32))


def behaviour_of(courses: Sequence[Sequence[Course]], asked: Literal["auto", "sustain", "decay", "none"]) -> Behaviour:
    """How an instrument behaves as a whole.

    Args:
        courses: of all notes of each key, layer by layer.
        asked: the recipe's `loop`: with `auto` and `none` the instrument sustains if the median fall of its notes is
            `MOST_FALL_DB` or less, and none of its layers has decayed in the median.
    """
    if asked == "sustain" or asked == "decay":
        return asked
    falls_db = np.array([[one.settled().fall_db for one in key] for key in courses])  # what comes back has died before
    of_layers_db = np.median(falls_db, axis=0)
    return "sustain" if np.median(falls_db) <= MOST_FALL_DB and of_layers_db.max() <= -DECAYED_DB else "decay"


def even_slopes(courses: Sequence[Sequence[Course]], pitches: Sequence[int]) -> list[list[float]]:
    """Slopes that even out the decay of an instrument over its keys, layer by layer.

    Each key's decay is brought to within a factor of 1.2 of the median of its neighbourhood of five keys; then to
    within a factor of 1.5 of the next lower key's, times two for each octave between them; and to no more than three
    times the median of all keys.

    Args:
        courses: of all notes of each key, from the lowest.
        pitches: the keys, MIDI.

    Returns:
        By how much the level of each note of each key is to fall more, dB per second; negative for a decay that is
        made longer.
    """
    layers = [_even_slopes([one.settled() for one in layer], pitches) for layer in zip(*courses, strict=True)]
    return [list(key) for key in zip(*layers, strict=True)]


def _even_slopes(courses: Sequence[Course], pitches: Sequence[int]) -> list[float]:
    own = np.log2([one.decay_s for one in courses])
    run = np.array([np.median(own[max(i - _NEIGHBOURS, 0) : i + _NEIGHBOURS + 1]) for i in range(len(own))])
    wanted = np.clip(own, run - _LEFT_OCTAVES, run + _LEFT_OCTAVES)
    for i, (lower, upper) in enumerate(pairwise(pitches), start=1):
        step = _STEP_OCTAVES + (upper - lower - 1) / 12.0
        wanted[i] = np.clip(wanted[i], wanted[i - 1] - step, wanted[i - 1] + step)
    wanted = np.minimum(wanted, np.median(wanted) + np.log2(_LONGEST))
    return [_slope(one, float(2.0**octaves)) for one, octaves in zip(courses, wanted, strict=True)]


def _slope(one: Course, decay_s: float) -> float:
    """The slope by which a note gets a decay, by bisection: the decay becomes shorter as the slope rises."""
    if abs(np.log2(decay_s / one.decay_s)) < 0.01:
        return 0.0
    time_s = (np.arange(len(one.level_db)) * _STEP_S).astype(np.float32)
    low, high = -_STEEPEST_DB_PER_S, _STEEPEST_DB_PER_S
    for _ in range(20):
        middle = (low + high) / 2.0
        if Course(one.level_db + _gain_db(middle, time_s)).decay_s > decay_s:
            low = middle
        else:
            high = middle
    return high


def settled(audio: Audio) -> Audio:
    """Keep a note that decays from coming back: from 0.4 s on it is never louder than in the second before, as a
    network has a note rise again that it has learned to be silent."""
    own = _course(audio)
    gain_db = own.settled().level_db - own.level_db
    if not gain_db.any():
        return audio
    return _with_gain_db(audio, gain_db)


def sloped(audio: Audio, slope: float) -> Audio:
    """Let the level of a note fall by some dB per second more; one that is to fall less is raised by 20 dB at most."""
    if slope == 0.0:
        return audio
    time_s = (np.arange(audio.samples.shape[1]) / audio.rate_hz).astype(np.float32)
    return Audio(audio.samples * 10.0 ** (_gain_db(slope, time_s) / np.float32(20.0)), audio.rate_hz)


def decaying_together(layers: Sequence[Audio]) -> list[Audio]:
    """Let all layers of a key fall as the one that decays fastest, so that a morph between them changes the timbre and
    not the level.

    From 0.1 s on they have its course, smoothed over 0.1 s; before, each has its own attack. No layer is raised by more
    than 12 dB.

    Args:
        layers: notes that start with their onset.
    """
    courses = [course(layer).settled() for layer in layers]
    leader = np.maximum(min(courses, key=lambda one: one.decay_s).level_db, _FLOOR_DB)
    size = round(_SMOOTHED_S / _STEP_S)
    smooth = np.hanning(2 * size + 1) / np.hanning(2 * size + 1).sum()
    share = np.clip(np.arange(len(leader)) * _STEP_S / _SMOOTHED_S, 0.0, 1.0)
    together = []
    for layer, own in zip(layers, courses, strict=True):
        gain_db = np.clip(leader - np.maximum(own.level_db, _FLOOR_DB), _FLOOR_DB, _MOST_RAISED_DB)
        gain_db = share * np.convolve(np.pad(gain_db, size, mode="edge"), smooth, mode="valid")
        together.append(_with_gain_db(layer, gain_db))
    return together


def _with_gain_db(audio: Audio, gain_db: NDArray[np.floating[Any]]) -> Audio:
    """A note with gains that are given each 5 ms; after them it has the last one."""
    places = (np.arange(len(gain_db)) + 0.5) * round(_STEP_S * audio.rate_hz)
    gain_db = np.interp(np.arange(audio.samples.shape[1]), places, gain_db).astype(np.float32)
    return Audio(audio.samples * 10.0 ** (gain_db / np.float32(20.0)), audio.rate_hz)


def _gain_db(slope: float, time_s: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.minimum(np.float32(-slope) * time_s, np.float32(_MOST_BOOST_DB)))


def uneven(decays_s: Sequence[tuple[int, float]]) -> list[tuple[int, int]]:
    """The pairs of neighbouring keys of which one decays much faster than the other: see `NEIGHBOURS_DECAY`.

    Args:
        decays_s: MIDI pitch and decay of each key, from the lowest.
    """
    return [
        (lower, upper)
        for (lower, one_s), (upper, other_s) in pairwise(decays_s)
        if max(one_s / other_s, other_s / one_s) > NEIGHBOURS_DECAY * 2.0 ** ((upper - lower - 1) / 12.0)
    ]
