"""Tuning: what is confidently measured is put in tune, in the sound itself."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio
from samplepack.sound.partials import Bands, Partial, Partials, measure_partials
from samplepack.sound.pitch import pitch_hz

_PULLED_CENTS = (0.3, 40.0)
"""A partial that is off by less is left, since nobody hears it; by more, since it may belong there."""

_PULLED_GAIN = 0.01
"""Relative to the strongest partial: weaker ones are left."""

_MOST_CENTS = 60.0
"""A note that is off by more may be another note, or no note."""

_MOST_SPREAD_CENTS = 30.0

STEADY_CENTS = 10.0
"""A note that is off by more after it was corrected has no steady pitch."""

State = Literal["corrected", "inharmonic", "noisy", "unsteady"]


@dataclass(frozen=True)
class Tuning:
    """What was found and done."""

    state: State
    """`corrected`; or left as it was, since its partials don't agree on a pitch (`inharmonic`) or there are none
    (`noisy`); or corrected in vain, since one part of the note has another pitch than the next (`unsteady`)."""

    cents: float | None
    """How far the note as a whole was off, cents; None where it is noisy."""


def measure_cents(partials: list[Partial]) -> Tuning:
    """How far a note is off: the middle of its partials, each counted by its strength.

    The strongest partials decide what one hears as the pitch, and the middle of them is not led astray by one that
    is off alone.
    """
    clear = [p for p in partials if p.is_clear and p.gain > 0.05]
    if not clear:
        return Tuning("noisy", None)
    cents = np.array([p.cents for p in clear])
    weights = np.array([p.gain for p in clear])
    middle = _weighted_median(cents, weights)
    spread = _weighted_median(np.abs(cents - middle), weights)
    agree = spread <= _MOST_SPREAD_CENTS and abs(middle) <= _MOST_CENTS
    return Tuning("corrected" if agree else "inharmonic", middle)


def tune(audio: Audio, pitch: int) -> tuple[Audio, Tuning]:
    """Put a note in tune with equal temperament, A4 = 440 Hz.

    The whole note is resampled by the middle of its partials. Then each strong partial that is still off is shifted
    into place by itself: GANSynth gives every partial a frequency of its own, and low ones come out up to 25 cents
    beside the others, so that no resampling alone could make such a note agree with itself.

    Returns:
        The note and what was done; the same `Audio` where it was left.
    """
    found = measure_cents(measure_partials(audio, pitch))
    if found.state != "corrected" or found.cents is None:
        return audio, found
    return _pull_partials(lowered(audio, found.cents), pitch), found


def lowered(audio: Audio, cents: float) -> Audio:
    """A note lowered by so many cents, and made longer by as much: resampled by soxr at its very high quality."""
    import soxr

    target_hz = audio.rate_hz * 2.0 ** (cents / 1200.0)
    resampled = soxr.resample(audio.samples.T, audio.rate_hz, target_hz, quality="VHQ").T
    return Audio(np.ascontiguousarray(resampled, dtype=np.float32), audio.rate_hz)


def _pull_partials(audio: Audio, pitch: int) -> Audio:
    low, high = _PULLED_CENTS
    off = [
        p for p in measure_partials(audio, pitch) if p.is_clear and p.gain > _PULLED_GAIN and low < abs(p.cents) < high
    ]
    if not off:
        return audio
    spectrum = Partials(audio.samples, audio.rate_hz, pitch)
    for partial in off:
        off_hz = partial.number * pitch_hz(pitch) * (1.0 - 2.0 ** (partial.cents / 1200.0))
        shift = np.exp(2j * np.pi * off_hz * spectrum.time_s)
        spectrum.turn(partial.number, functools.partial(_constantly, shift))
    return Audio(spectrum.wave(), audio.rate_hz)


def _constantly(shift: Bands, bands: Bands) -> Bands:
    return shift


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
