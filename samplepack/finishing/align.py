"""Phase alignment of notes of one key, so that they can be mixed.

The partials of two renders of a key have random phases; where these are opposite, a crossfade between the renders dips.
"""

from __future__ import annotations

import numpy as np

from samplepack.sound.audio import Audio
from samplepack.sound.partials import Bands, Partials
from samplepack.sound.pitch import pitch_hz

CLOSELY_S, LOOSELY_S = 0.03, 0.15
"""Lengths of the window that smooths a phase difference. The shorter one follows partials that beat, for layers that
players mix; the longer one leaves differences that change quickly, which make left and right wide."""

_LEAST_PERIODS = 2.0
"""The window is at least as long, in periods of the fundamental."""


def align(audio: Audio, reference: Audio, pitch: int, smoothed_s: float = CLOSELY_S) -> Audio:
    """Rotate the phase of each partial of a note to that of the same partial in another note.

    The phase difference is smoothed over time, and levels are kept. Frequencies below the fundamental's band and above
    the last whole band stay as they are.

    Args:
        audio: the note to align; one channel, in tune.
        reference: the note to align with; one channel, in tune, of the same length and rate.
        pitch: the key of both, MIDI.
        smoothed_s: length of the window that smooths the difference, seconds.
    """
    partials = Partials(np.concatenate([audio.samples, reference.samples]), audio.rate_hz, pitch)
    window_s = max(smoothed_s, _LEAST_PERIODS / pitch_hz(pitch))
    smoothing = np.hanning(max(3, round(window_s / partials.time_s[1])) + 2)

    def toward_reference(bands: Bands) -> Bands:
        difference = np.convolve(bands[0] * np.conj(bands[1]), smoothing, mode="same")[: bands.shape[1]]
        magnitude = np.abs(difference)
        return np.where(magnitude > 0.0, np.conj(difference) / np.maximum(magnitude, 1e-300), 1.0)

    for number in partials.numbers():
        partials.turn(number, toward_reference)
    return Audio(partials.wave(), audio.rate_hz)
