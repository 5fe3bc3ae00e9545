"""Phase alignment of notes of one key, so that they can be mixed.

The partials of two renders of a key have random phases; where these are opposite, a crossfade between the renders dips.
"""

from __future__ import annotations

import numpy as np

from samplepack.sound.audio import Audio
from samplepack.sound.partials import Bands, Partials
from samplepack.sound.pitch import pitch_hz

_SMOOTHED_S, _SMOOTHED_PERIODS = 0.03, 2.0
"""The least length of the window that smooths a phase difference, in seconds and in periods of the fundamental: short
enough to follow partials that beat."""


def align(audio: Audio, reference: Audio, pitch: int) -> Audio:
    """Rotate the phase of each partial of a note to that of the same partial in another note.

    The phase difference is smoothed over time, and levels are kept. Frequencies below the fundamental's band and above
    the last whole band stay as they are.

    Args:
        audio: the note to align; one channel, in tune.
        reference: the note to align with; one channel, in tune, of the same length and rate.
        pitch: the key of both, MIDI.
    """
    partials = Partials(np.concatenate([audio.samples, reference.samples]), audio.rate_hz, pitch)
    smoothed_s = max(_SMOOTHED_S, _SMOOTHED_PERIODS / pitch_hz(pitch))
    smoothing = np.hanning(max(3, round(smoothed_s / partials.time_s[1])) + 2)

    def toward_reference(bands: Bands) -> Bands:
        difference = np.convolve(bands[0] * np.conj(bands[1]), smoothing, mode="same")[: bands.shape[1]]
        magnitude = np.abs(difference)
        return np.where(magnitude > 0.0, np.conj(difference) / np.maximum(magnitude, 1e-300), 1.0)

    for number in partials.numbers():
        partials.turn(number, toward_reference)
    return Audio(partials.wave(), audio.rate_hz)
