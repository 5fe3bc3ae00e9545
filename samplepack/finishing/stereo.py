"""Stereo that a sum to mono keeps: how alike left and right are, and sounds made narrower where they aren't enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samplepack.sound.audio import Audio, gain_to_db

LEAST_CORRELATION, MOST_MONO_LOSS_DB = 0.5, 1.5
"""Limits of a sound's `Width`."""

_AIM = 0.6
"""Correlation to which a wider sound is brought: a loop that is made afterwards changes it a little."""


@dataclass(frozen=True)
class Width:
    """How alike left and right are."""

    correlation: float
    """1 where left and right are the same, 0 where they have nothing in common."""

    mono_db: float
    """Level of the sum to mono, (left + right) / 2, relative to the mean power of left and right, dB."""


def measure_width(audio: Audio) -> Width | None:
    """Measure how alike left and right are; None for a sound that is mono or silent."""
    if len(audio.samples) != 2 or audio.peak == 0.0:
        return None
    left, right, both = _products(audio)
    correlation = both / max(np.sqrt(left * right), 1e-30)
    mono = (left + right + 2.0 * both) / 4.0 / ((left + right) / 2.0)
    return Width(float(correlation), gain_to_db(float(np.sqrt(max(mono, 0.0)))))


def narrowed(audio: Audio) -> Audio:
    """Make a stereo sound as narrow as it has to be: its side signal, (left - right) / 2, gets the gain at which left
    and right correlate by 0.6 or more, so that a sum to mono loses 1 dB at most. A narrower sound stays as it is."""
    if len(audio.samples) != 2:
        return audio
    left, right, both = _products(audio)
    mid, side = (left + right + 2.0 * both) / 4.0, (left + right - 2.0 * both) / 4.0
    most = mid * (1.0 - _AIM) / (1.0 + _AIM)
    if side <= most:
        return audio
    middle = audio.samples.mean(axis=0, keepdims=True)
    return Audio(middle + (audio.samples - middle) * np.float32(np.sqrt(most / side)), audio.rate_hz)


def _products(audio: Audio) -> tuple[float, float, float]:
    """Mean squares of left and of right, and the mean of their product."""
    left, right = audio.samples.astype(np.float64)
    return float(np.mean(left**2)), float(np.mean(right**2)), float(np.mean(left * right))
