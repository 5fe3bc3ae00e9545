"""Applying chains of effects to sounds: with room for their tails, at the final rate, cut and faded at both ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pedalboard

from samplepack.finishing.effects import Effect
from samplepack.sound.audio import Audio, Samples, db_to_gain, gain_to_db, resample

SILENCE_DB = -80.0
"""Level relative to a note's peak below which its end, or the end of an effect's tail, counts as silence."""

_START_DB = -60.0
"""Level relative to a note's peak below which its start is cut."""

_SILENCED_DB = -100.0

_FADE_MS = 2.0

MOST_OFFSET_DB = -36.0
"""The largest constant offset of a sound, relative to its level."""

_OFFSET_HZ, _KEPT_OFFSET_DB = 5.0, -43.0
"""Cutoff of the high-pass that removes a constant offset, far below the lowest key; and the largest offset that is left
as it is."""

_MOST_TAIL_S = 12.0
"""The longest tail of a chain; one that rings for longer (a frozen reverb) is cut and faded there."""


def apply(effects: Sequence[Effect], audio: Audio) -> Audio:
    """Apply a chain of effects to a sound; the length stays."""
    board = pedalboard.Pedalboard([effect.plugin() for effect in effects])
    return Audio(np.asarray(board(audio.samples, audio.rate_hz), dtype=np.float32), audio.rate_hz)


def _without_offset(audio: Audio) -> Audio:
    """Remove the constant offset (DC) that effects such as distortions add, by a high-pass of 6 dB per octave; a sound
    that has none stays as it is."""
    if offset_db(audio) <= _KEPT_OFFSET_DB:
        return audio
    samples = pedalboard.HighpassFilter(_OFFSET_HZ)(audio.samples, audio.rate_hz)
    return Audio(np.asarray(samples, dtype=np.float32), audio.rate_hz)


def offset_db(audio: Audio) -> float:
    """The constant offset (DC) of a sound relative to its level, dB: the mean of its samples over their root mean
    square, of the channel where it is largest; -200 for silence."""
    means = np.abs(np.mean(audio.samples, axis=1, dtype=np.float64))
    levels = np.sqrt(np.mean(np.square(audio.samples, dtype=np.float64), axis=1))
    return max(gain_to_db(float(mean / level)) if level else -200.0 for mean, level in zip(means, levels, strict=True))


def failure(effects: Sequence[Effect], rate_hz: int) -> str | None:
    """The reason why a chain can't be played at a rate, tested with a short noise; None if it can."""
    noise = np.random.RandomState(0).uniform(-0.5, 0.5, (1, rate_hz // 20)).astype(np.float32)
    try:
        played = apply(effects, Audio(noise, rate_hz))
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        return " ".join(str(error).split())
    if not np.isfinite(played.samples).all():
        return "it turns sound into NaN or infinity"
    return "it turns sound into silence" if played.peak < db_to_gain(_SILENCED_DB) else None


def tail_s(effects: Sequence[Effect], rate_hz: int, down_to_db: float = SILENCE_DB) -> float:
    """The time for which a chain sounds after its input has ended, seconds, 12 s at most.

    It is measured with a burst of noise.

    Args:
        effects: in order.
        rate_hz: rate of the sound.
        down_to_db: level relative to the loudest output at which the tail counts as over.
    """
    if not effects:
        return 0.0
    burst = rate_hz // 4
    samples = np.zeros((1, burst + int(_MOST_TAIL_S * rate_hz)), np.float32)
    samples[:, :burst] = np.random.RandomState(0).uniform(-0.5, 0.5, burst)
    rung = _without_offset(apply(effects, Audio(samples, rate_hz)))
    return max(0, _end_of_sound(rung.samples, down_to_db) - burst) / rate_hz


def apply_chain(audio: Audio, effects: Sequence[Effect], rate_hz: int, tail_s: float) -> Audio:
    """Apply effects to a note at its final rate, with their tail.

    The note is resampled and padded with silence for the tail, the effects are applied, a constant offset is removed,
    silence at the end is cut, and both ends are faded over 2 ms.

    Args:
        audio: a note that starts with its onset.
        effects: the chain, in order; may be empty.
        rate_hz: rate of the result.
        tail_s: length of the padding, seconds; see the function `tail_s`.
    """
    room = Audio(np.pad(resample(audio, rate_hz).samples, [(0, 0), (0, math.ceil(tail_s * rate_hz))]), rate_hz)
    samples = _without_offset(apply(effects, room) if effects else room).samples
    samples = samples[:, : _end_of_sound(samples)].copy()
    _fade(samples, rate_hz)
    return Audio(samples, rate_hz)


def onset(audio: Audio) -> int:
    """The first frame above -60 dB relative to the peak; the sound before it is cut, so that a key sounds at once."""
    loud = np.max(np.abs(audio.samples), axis=0)
    return int(np.argmax(loud > loud.max(initial=0.0) * db_to_gain(_START_DB)))


def darkened(audio: Audio, cutoff_hz: float) -> Audio:
    """Apply a low-pass of 6 dB per octave."""
    samples = pedalboard.LowpassFilter(cutoff_hz)(audio.samples, audio.rate_hz)
    return Audio(np.asarray(samples, dtype=np.float32), audio.rate_hz)


def _end_of_sound(samples: Samples, silence_db: float = SILENCE_DB) -> int:
    """The frame after the last one above a level relative to the peak; the whole length of a sound that is silent."""
    loud = np.max(np.abs(samples), axis=0)
    sounding = np.flatnonzero(loud > loud.max(initial=0.0) * db_to_gain(silence_db))
    return int(sounding[-1]) + 1 if len(sounding) else samples.shape[1]


def _fade(samples: Samples, rate_hz: int) -> None:
    """Fade a sound in and out over 2 ms, in place."""
    n = min(int(_FADE_MS * 1e-3 * rate_hz), samples.shape[1])
    ramp = np.linspace(0.0, 1.0, n, endpoint=False, dtype=np.float32)
    samples[:, :n] *= ramp
    samples[:, samples.shape[1] - n :] *= ramp[::-1]
