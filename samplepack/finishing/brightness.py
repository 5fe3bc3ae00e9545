"""How far samplers darken a note that is played softly, by the note's own spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio, db_to_gain
from samplepack.sound.pitch import pitch_hz

OPEN_HZ = 20_000.0
"""The highest cutoff, which changes nothing."""

_DARKER = 1.7
"""How much lower the spectral centroid of a soft note is."""

_LEAST_DARKER = 1.15

_MOST_LOSS_DB = 9.0
"""The most that the filter makes a soft note quieter: in a dark one little lies above the fundamental."""

_LOWEST_HZ = 150.0
_FROM_S, _TO_S = 0.2, 1.4
_BANDS_PER_OCTAVE = 24


def soft_cutoff_hz(audio: Audio) -> float:
    """The cutoff of a low-pass of 12 dB per octave that makes a note as dark as it should be when struck softly.

    It is the highest cutoff that lowers the spectral centroid of the note, from 0.2 to 1.4 s, by a factor of 1.7; where
    that would cost more than 9 dB, the lowest that doesn't. A note with hardly any overtones, whose centroid that
    would not lower by a factor of 1.15, isn't darkened at all.

    Args:
        audio: a note that starts with its onset.

    Returns:
        Hz, from 150 to 20,000.
    """
    start, stop = (int(s * audio.rate_hz) for s in (_FROM_S, _TO_S))
    heard = audio.samples[:, start:stop] if audio.samples.shape[1] > 2 * start else audio.samples
    power = np.sum(np.abs(np.fft.rfft(heard * np.hanning(heard.shape[1]))) ** 2, axis=0)
    hz = np.fft.rfftfreq(heard.shape[1], 1.0 / audio.rate_hz)
    above = hz > 20.0
    band = np.floor(_BANDS_PER_OCTAVE * np.log2(hz[above] / 20.0)).astype(int)
    powers = np.bincount(band, power[above]).astype(np.float64)
    centres = 20.0 * 2.0 ** ((np.arange(len(powers)) + 0.5) / _BANDS_PER_OCTAVE)
    if not powers.any():
        return OPEN_HZ
    centroid = _centroid(powers, centres)
    wanted = centroid / _DARKER
    steps = int(_BANDS_PER_OCTAVE * np.log2(OPEN_HZ / _LOWEST_HZ))
    cutoff = OPEN_HZ
    for step in range(steps + 1):
        lower = OPEN_HZ * 2.0 ** (-step / _BANDS_PER_OCTAVE)
        # The response of a resonant low-pass with a quality factor of 1, as samplers have it at a resonance of 0 dB.
        ratio = (centres / lower) ** 2
        passed = powers / ((1.0 - ratio) ** 2 + ratio)
        if passed.sum() < powers.sum() * db_to_gain(-_MOST_LOSS_DB) ** 2:
            break
        cutoff, centroid = lower, _centroid(passed, centres)
        if centroid <= wanted:
            break
    return cutoff if centroid <= wanted * _DARKER / _LEAST_DARKER else OPEN_HZ


def even_cutoffs_hz(cutoffs_hz: Sequence[float], pitches: Sequence[int]) -> list[float]:
    """Cutoffs by which all keys of an instrument are darkened, or none.

    A filter that darkens a note makes it quieter as well: soft keys would lie up to 9 dB apart where some are darkened
    and their neighbours aren't. Keys without a cutoff of their own get that of the next keys below and above that have
    one, interpolated over the keys as a multiple of the fundamental; if most have none, none is darkened.

    Args:
        cutoffs_hz: of the keys, as `soft_cutoff_hz` gives them.
        pitches: the keys, MIDI, from the lowest.
    """
    is_open = np.array(cutoffs_hz) >= OPEN_HZ
    if is_open.mean() > 0.5:
        return [OPEN_HZ] * len(cutoffs_hz)
    fundamentals_hz = np.array([pitch_hz(pitch) for pitch in pitches])
    octaves = np.log2(np.array(cutoffs_hz) / fundamentals_hz)
    octaves = np.interp(pitches, np.array(pitches)[~is_open], octaves[~is_open])
    between_hz = np.minimum(fundamentals_hz * 2.0**octaves, OPEN_HZ)
    return [float(hz) for hz in np.where(is_open, between_hz, cutoffs_hz)]


def _centroid(powers: NDArray[np.float64], hz: NDArray[np.float64]) -> float:
    return float(powers @ hz / powers.sum())
