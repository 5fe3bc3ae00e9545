"""Stereo that a sum to mono keeps: how alike left and right are, and sounds made narrower where they aren't enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio, gain_to_db

Array = NDArray[np.float64]

LEAST_CORRELATION, MOST_MONO_LOSS_DB = 0.5, 1.5
"""Limits of a sound's `Width`."""

_AIM = 0.6
"""Correlation to which a wider sound is brought: a loop that is made afterwards changes it a little."""

_STRETCH_S, _AUDIBLE_DB = 1.0, 30.0
"""Length of the stretches that are measured, half of it apart, and the range below the loudest in which they count. A
key that is held repeats its loop for good, so that no part of a sound may be wider than the limits."""


@dataclass(frozen=True)
class Width:
    """How alike left and right are, in the second of a sound where they are least so."""

    correlation: float
    """1 where left and right are the same, 0 where they have nothing in common."""

    mono_db: float
    """Level of the sum to mono, (left + right) / 2, relative to the mean power of left and right, dB."""


def measure_width(audio: Audio) -> Width | None:
    """Measure how alike left and right are; None for a sound that is mono or silent."""
    if len(audio.samples) != 2 or audio.peak == 0.0:
        return None
    left, right, both = _products(audio)
    correlation = both / np.maximum(np.sqrt(left * right), 1e-30)
    mono = (left + right + 2.0 * both) / 4.0 / ((left + right) / 2.0)
    return Width(float(correlation.min()), gain_to_db(float(np.sqrt(max(mono.min(), 0.0)))))


def narrowed(audio: Audio) -> Audio:
    """Make a stereo sound as narrow as it has to be: its side signal, (left - right) / 2, gets the gain at which left
    and right correlate by 0.6 or more, so that a sum to mono loses 1 dB at most. A narrower sound stays as it is."""
    if len(audio.samples) != 2:
        return audio
    left, right, both = _products(audio)
    mid, side = (left + right + 2.0 * both) / 4.0, (left + right - 2.0 * both) / 4.0
    most = mid * (1.0 - _AIM) / (1.0 + _AIM)
    too_wide = side > most
    if not too_wide.any():
        return audio
    gain = np.sqrt(np.min(most[too_wide] / side[too_wide]))
    middle = audio.samples.mean(axis=0, keepdims=True)
    return Audio(middle + (audio.samples - middle) * np.float32(gain), audio.rate_hz)


def _products(audio: Audio) -> tuple[Array, Array, Array]:
    """Mean squares of left and of right, and the means of their product, in each stretch, shape (stretches,)."""
    left, right = audio.samples.astype(np.float64)
    half = max(min(round(_STRETCH_S / 2.0 * audio.rate_hz), len(left) // 2), 1)
    starts = np.arange(0, max(len(left) - half + 1, 1), half)
    products = []
    for product in (left**2, right**2, left * right):
        halves = np.add.reduceat(product, starts)
        products.append(halves[:-1] + halves[1:] if len(halves) > 1 else halves)
    power = products[0] + products[1]
    audible = power >= power.max() * 10.0 ** (-_AUDIBLE_DB / 10.0)
    return products[0][audible], products[1][audible], products[2][audible]
