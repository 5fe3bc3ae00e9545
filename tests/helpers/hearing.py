"""A pitch estimator of the tests' own. It shares no code with samplepack, so that a build isn't judged by the measures
that it corrects its notes by."""

from __future__ import annotations

import numpy as np

_LOWEST_HZ, _HIGHEST_HZ = 25.0, 2400.0
_ANALYSED_S = 2.0
_FIRST_S = 0.2
_CLEAR = 0.5
"""A normalised autocorrelation below this is no pitch."""


def fundamental_hz(audio) -> float | None:
    """The fundamental frequency of a sound, whatever key it is meant for; None where it has no pitch.

    The first high peak of the normalised autocorrelation of up to 2 s after the onset.

    Args:
        audio: has `samples`, float32, shape (channels, n), and `rate_hz`.

    Source: McLeod & Wyvill, "A smarter way to find pitch", ICMC 2005.
    """
    first, last = int(_FIRST_S * audio.rate_hz), int((_FIRST_S + _ANALYSED_S) * audio.rate_hz)
    wave = audio.samples.mean(axis=0, dtype=np.float64)[first:last]
    longest = int(audio.rate_hz / _LOWEST_HZ) + 2
    if len(wave) < 2 * longest or not np.any(wave):
        return None
    # Four times the rate, so that a peak of a high note is not missed between two lags.
    finer = 4
    size = 1 << int(np.ceil(np.log2(2 * len(wave))))
    power = np.abs(np.fft.rfft(wave, size)) ** 2
    correlation = np.fft.irfft(power, size * finer)[: longest * finer] * finer
    squares = np.concatenate([[0.0], np.cumsum(wave**2)])
    lags = np.arange(longest)
    energy = squares[len(wave) - lags] + squares[-1] - squares[lags]
    energy = np.interp(np.arange(longest * finer) / finer, lags, energy)
    clarity = 2.0 * correlation / np.maximum(energy, 1e-20)
    shortest = int(finer * audio.rate_hz / _HIGHEST_HZ)
    inner = clarity[1:-1]
    peaks = np.flatnonzero((inner > clarity[:-2]) & (inner >= clarity[2:])) + 1
    peaks = peaks[peaks >= shortest]
    if not len(peaks) or clarity[peaks].max() < _CLEAR:
        return None
    lag = int(peaks[np.argmax(clarity[peaks] > 0.9 * clarity[peaks].max())])
    return float(finer * audio.rate_hz / (lag + _vertex(clarity[lag - 1 : lag + 2])))


def _vertex(values: np.ndarray) -> float:
    """Where the parabola through three neighbouring values has its vertex, relative to the middle one."""
    square, linear, _ = np.polyfit((-1.0, 0.0, 1.0), values, 2)
    return -linear / (2.0 * square)


def cents_between(frequency_hz: float, reference_hz: float) -> float:
    """How far a frequency lies above a reference, cents."""
    return float(1200.0 * np.log2(frequency_hz / reference_hz))
