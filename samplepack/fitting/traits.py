"""Traits of a note: the figures that named directions move, each a number that rises with what its name says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samplepack.evaluation.measures import Wave, attack_ms, centroid_hz, noise_db
from samplepack.evaluation.modulation import vibrato
from samplepack.finishing.behaviour import course
from samplepack.sound.audio import Audio
from samplepack.sound.partials import measure_partials
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.spectra import fast_size, hann

_LEAST_GAIN = 10.0 ** (-40.0 / 20.0)
"""Partials below this gain count as having it: weaker ones aren't heard beside the strongest."""

_HOLLOW_PARTIALS = 7

_LEAST_CENTS = 0.1
_WIDTH_CENTS = 60.0
_STEADY_S = (0.25, 2.75)
_DETUNED_PARTIALS = 8


@dataclass(frozen=True)
class Trait:
    """A figure of a note by which a direction is found."""

    figure: str
    """What it is, and in what it is measured."""

    measure: Callable[[Wave, int, int], float]
    """Its value in a note, given the wave, the MIDI pitch and the sample rate; NaN where the note has none."""


def _brightness(wave: Wave, pitch: int, rate_hz: int) -> float:
    return float(np.log2(max(centroid_hz(wave, rate_hz), 1.0)))


def _hollowness(wave: Wave, pitch: int, rate_hz: int) -> float:
    """How far the even partials lie below the middle of their two odd neighbours, dB."""
    partials = measure_partials(Audio(wave[np.newaxis], rate_hz), pitch)[:_HOLLOW_PARTIALS]
    if len(partials) < 3:
        return np.nan
    level_db = 20.0 * np.log10([max(partial.gain, _LEAST_GAIN) for partial in partials])
    even = range(1, len(level_db) - 1, 2)  # the partials 2, 4, 6
    return float(np.mean([(level_db[i - 1] + level_db[i + 1]) / 2.0 - level_db[i] for i in even]))


def _attack(wave: Wave, pitch: int, rate_hz: int) -> float:
    return float(np.log2(max(attack_ms(wave, rate_hz), 1.0)))


def _decay(wave: Wave, pitch: int, rate_hz: int) -> float:
    return float(np.log2(course(Audio(wave[np.newaxis], rate_hz)).decay_s))


def _noise(wave: Wave, pitch: int, rate_hz: int) -> float:
    return noise_db(wave, pitch, rate_hz)


def _vibrato(wave: Wave, pitch: int, rate_hz: int) -> float:
    found = vibrato(wave, pitch, rate_hz)
    return float(np.log2(max(found.depth, _LEAST_CENTS))) if found else np.nan


def _detune(wave: Wave, pitch: int, rate_hz: int) -> float:
    """How wide the partials are: root mean square distance of their power from their centre, octaves of cents."""
    import scipy.fft

    part = wave[slice(*(int(s * rate_hz) for s in _STEADY_S))]
    size = fast_size(2 * len(part))
    power = np.square(np.abs(scipy.fft.rfft(part * hann(len(part)), size)), dtype=np.float64)
    f0_bins = pitch_hz(pitch) * size / rate_hz
    widths, weights = [], []
    for number in range(1, _DETUNED_PARTIALS + 1):
        low, high = (int(number * f0_bins * 2.0 ** (side * _WIDTH_CENTS / 1200.0)) for side in (-1, 1))
        band = power[low : high + 1]
        if high >= len(power) or not band.any():
            break
        cents = 1200.0 * np.log2(np.arange(low, high + 1) / (number * f0_bins))
        centre = band @ cents / band.sum()
        widths.append(float(np.sqrt(band @ np.square(cents - centre) / band.sum())))
        weights.append(float(np.sqrt(band.sum())))
    return float(np.log2(max(np.average(widths, weights=weights), _LEAST_CENTS))) if widths else np.nan


TRAITS = {
    "brightness": Trait("spectral centroid, octaves", _brightness),
    "hollowness": Trait("level of even partials below their odd neighbours, dB", _hollowness),
    "attack": Trait("time of the attack, octaves", _attack),
    "decay": Trait("time of the decay by 20 dB, octaves", _decay),
    "noise": Trait("noise between the partials relative to the whole, dB", _noise),
    "vibrato": Trait("depth of the vibrato, octaves", _vibrato),
    "detune": Trait("width of the partials, octaves", _detune),
}
"""Named directions and what they move, in the order in which they are listed."""
