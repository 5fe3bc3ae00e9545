"""Phase-aligning notes of one key, so that they can be mixed: partials of two renders of a key meet at random phases,
and where those are opposite a crossfade between the renders dips."""

from __future__ import annotations

import numpy as np

from samplepack.sound.audio import Audio
from samplepack.sound.partials import Bands, Partials

_SMOOTHED_S = 0.15
"""How slowly a partial's phase is led: slower than its vibrations, faster than its drift."""


def align(audio: Audio, reference: Audio, pitch: int) -> Audio:
    """Turn each partial of a note to the phase that the same partial has in another note.

    The difference in phase is smoothed over time; levels stay. What lies below the fundamental or above the last whole
    band is left alone.

    Args:
        audio: one channel, in tune.
        reference: one channel, in tune, of the same length and rate.
        pitch: of both, MIDI.
    """
    partials = Partials(np.concatenate([audio.samples, reference.samples]), audio.rate_hz, pitch)
    smoothing = np.hanning(max(3, round(_SMOOTHED_S / partials.time_s[1])) + 2)

    def toward_reference(bands: Bands) -> Bands:
        difference = np.convolve(bands[0] * np.conj(bands[1]), smoothing, mode="same")[: bands.shape[1]]
        magnitude = np.abs(difference)
        return np.where(magnitude > 0.0, np.conj(difference) / np.maximum(magnitude, 1e-300), 1.0)

    for number in partials.numbers():
        partials.turn(number, toward_reference)
    return Audio(partials.wave(), audio.rate_hz)
