"""Tuning notes whose pitch can be measured reliably: the samples are corrected, not the sampler's settings."""

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
"""The deviations for which a single partial is corrected: smaller ones are inaudible, larger ones may be intended."""

_PULLED_GAIN = 0.01
"""The least gain, relative to the strongest partial, for which a single partial is corrected."""

_MOST_CENTS = 60.0
"""The largest deviation of a note that is corrected; one that deviates by more may be another note, or none."""

_MOST_SPREAD_CENTS = 30.0

STEADY_CENTS = 10.0
"""A note that deviates by more after its correction has no steady pitch."""

State = Literal["corrected", "inharmonic", "noisy", "unsteady"]


@dataclass(frozen=True)
class Tuning:
    """The measured tuning of a note, and whether it was corrected."""

    state: State
    """`corrected`; `inharmonic` (not corrected, since its partials don't agree on a pitch); `noisy` (not corrected,
    since it has no clear partials); `unsteady` (corrected without success, since its pitch changes over time)."""

    cents: float | None
    """Deviation of the uncorrected note from its pitch, cents; None for a noisy one."""


def measure_cents(partials: list[Partial]) -> Tuning:
    """The deviation of a note from its pitch: the median of its clear partials' deviations, weighted by their gains.

    The strongest partials determine the perceived pitch, and the median isn't affected by one that deviates alone.
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

    The whole note is resampled by the median deviation of its partials. Then each strong partial that still deviates is
    shifted by itself: GANSynth gives every partial a frequency of its own, and low ones deviate by up to 25 cents from
    the others, which resampling alone can't correct.

    Args:
        audio: one channel.
        pitch: MIDI.

    Returns:
        The note and its tuning; the same `Audio` object if it wasn't corrected.
    """
    found = measure_cents(measure_partials(audio, pitch))
    if found.state != "corrected" or found.cents is None:
        return audio, found
    return _pull_partials(lowered(audio, found.cents), pitch), found


def lowered(audio: Audio, cents: float) -> Audio:
    """Lower a note by some cents, and lengthen it accordingly, by resampling with soxr at its very high quality."""
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
