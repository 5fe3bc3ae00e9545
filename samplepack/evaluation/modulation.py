"""Vibrato and tremolo of a note: regular changes of its pitch and of its level, 3 to 12 times a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from samplepack.evaluation.figures import Modulation
from samplepack.evaluation.measures import Wave
from samplepack.sound.pitch import pitch_hz

_FIRST_S, _LAST_S, _LEAST_S = 0.3, 2.9, 1.0
"""Part of a note that is measured, which leaves out its attack and release, and the shortest that can be."""

_HEARD_DB = -30.0
"""Level relative to the loudest at which the measured part ends, dB."""

_TRACK_HZ = 100
_WINDOW_S = 0.04
"""Values per second of pitch and level over time, and the length of the Hann window that each is an average over."""

_LOWEST_HZ, _HIGHEST_HZ = 3.0, 12.0
_RESOLUTION = 1 << 14

_CLEAR_SHARE = 0.5
"""Share of the changes at 3 to 12 Hz that one rate must hold: those of several voices or of noise have many rates."""

_LEAST_CENTS, _LEAST_DB = 5.0, 0.5
_PARTIALS = 8


def vibrato(wave: Wave, pitch: int, rate_hz: int) -> Modulation | None:
    """Measure the vibrato of a note, in the strongest of its first eight partials.

    The partial's band is brought to base band, where the change of its phase from one value to the next, weighted by
    their magnitudes, is its frequency. The band reaches 130 cents and 12 Hz to each side, but not beyond 0.45 times the
    fundamental.

    Args:
        wave: shape (samples,).
        pitch: MIDI.
        rate_hz: sample rate.

    Returns:
        The vibrato, however weak; None for a note that sounds for less than a second after its first 0.3 s.
    """
    part = _sounding(wave, rate_hz)
    if part is None:
        return None
    spectrum = scipy.fft.rfft(np.asarray(part, np.float64))
    seconds, f0_hz = len(part) / rate_hz, pitch_hz(pitch)
    bands = []
    for number in range(1, _PARTIALS + 1):
        half_hz = min(0.45 * f0_hz, 12.0 + 0.08 * number * f0_hz)
        low, high = (int((number * f0_hz + side) * seconds) for side in (-half_hz, half_hz))
        if number == 1 or high < len(spectrum):
            bands.append((float(np.sum(np.square(np.abs(spectrum[low : high + 1])))), low, high))
    _, low, high = max(bands)
    centre = (low + high) // 2
    values = max(2 * (high - low), int(2 * _TRACK_HZ * seconds))
    base_band = np.zeros(values, np.complex128)
    base_band[: high + 1 - centre] = spectrum[centre : high + 1]
    base_band[low - centre :] = spectrum[low:centre]
    partial = scipy.fft.ifft(base_band)
    turns = np.angle(_averages(partial[1:] * np.conj(partial[:-1]), values / seconds)) / (2.0 * np.pi)
    frequency_hz = (centre + turns * values) / seconds
    return _modulation(1200.0 * np.log2(frequency_hz / np.median(frequency_hz)), _LEAST_CENTS)


def tremolo(wave: Wave, rate_hz: int) -> Modulation | None:
    """Measure the tremolo of a note: of the level of all of it.

    Args:
        wave: shape (samples,).
        rate_hz: sample rate.

    Returns:
        The tremolo, however weak; None for a note that sounds for less than a second after its first 0.3 s.
    """
    part = _sounding(wave, rate_hz)
    if part is None:
        return None
    power = _averages(np.square(part, dtype=np.float64), rate_hz)
    return _modulation(10.0 * np.log10(np.maximum(power, 1e-12)), _LEAST_DB)


def _sounding(wave: Wave, rate_hz: int) -> Wave | None:
    """Return the part of a note that is measured, or None if it is too short or silent."""
    part = wave[int(_FIRST_S * rate_hz) : int(_LAST_S * rate_hz)]
    if len(part) < _LEAST_S * rate_hz or not np.any(part):
        return None
    power = _averages(np.square(part, dtype=np.float64), rate_hz)
    last = np.flatnonzero(power >= power.max() * 10.0 ** (_HEARD_DB / 10.0))[-1]
    part = part[: int((last / _TRACK_HZ + _WINDOW_S) * rate_hz)]
    return part if len(part) >= _LEAST_S * rate_hz else None


def _averages(values: NDArray[Any], values_hz: float) -> NDArray[Any]:
    """Return averages of values under a Hann window of 40 ms, 100 a second."""
    size = max(3, round(_WINDOW_S * values_hz))
    window = np.hanning(size + 2)[1:-1]
    starts = np.arange(0.0, len(values) - size + 1, values_hz / _TRACK_HZ).astype(int)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, size)[starts] @ (window / window.sum()))


def _modulation(track: NDArray[np.float64], least: float) -> Modulation:
    """Find the strongest regular change of pitch or level over time, of 100 values a second.

    The slow course of the track, a parabola, is subtracted. What the averages of `_averages` take from the depth of a
    fast change is given back.
    """
    time = np.linspace(-1.0, 1.0, len(track))
    window = np.hanning(len(track))
    rest = (track - np.polynomial.Polynomial.fit(time, track, 2)(time)) * window
    depths = np.abs(scipy.fft.rfft(rest, _RESOLUTION)) * (2.0 / window.sum())
    rates_hz = scipy.fft.rfftfreq(_RESOLUTION, 1.0 / _TRACK_HZ)
    turns = rates_hz * _WINDOW_S
    depths /= np.sinc(turns) / (1.0 - np.square(np.minimum(turns, 0.9)))
    inside = (rates_hz >= _LOWEST_HZ) & (rates_hz <= _HIGHEST_HZ)
    found = int(np.argmax(np.where(inside, depths, 0.0)))
    near = np.abs(rates_hz - rates_hz[found]) <= 2.0 * _TRACK_HZ / len(track)
    share = np.sum(np.square(depths[inside & near])) / max(float(np.sum(np.square(depths[inside]))), 1e-20)
    depth = float(depths[found])
    return Modulation(
        rate_hz=float(rates_hz[found]), depth=depth, is_clear=bool(depth >= least and share >= _CLEAR_SHARE)
    )
