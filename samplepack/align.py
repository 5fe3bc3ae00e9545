"""Phase-aligning notes of one key, so that they can be mixed: partials of two renders of a key meet at random phases,
and where those are opposite a crossfade between the renders dips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samplepack.analysis import fast_size, pitch_hz
from samplepack.audio import Audio

_SMOOTHED_S = 0.15
"""How slowly a partial's phase is led: slower than its vibrations, faster than its drift."""

_HALF_BAND = 0.55
_EDGE = 0.1


def align(audio: Audio, reference: Audio, pitch: int) -> Audio:
    """Turn each partial of a note to the phase that the same partial has in another note.

    Each partial is cut out of the spectrum with the band halfway to its neighbours (raised-cosine edges that sum to one
    with a neighbour's), brought to base band, turned by the slowly smoothed difference in phase, and put back. Levels
    stay; what lies below the fundamental or above the last whole band is left alone.

    Args:
        audio: one channel, in tune.
        reference: one channel, in tune, of the same length and rate.
        pitch: of both, MIDI.
    """
    length, rate_hz = audio.samples.shape[1], audio.rate_hz
    size = fast_size(length + rate_hz // 10)
    spectra = np.fft.rfft(np.stack([audio.samples[0], reference.samples[0]]).astype(np.float64), size)
    result = spectra[0].copy()
    f0_bins = pitch_hz(pitch) * size / rate_hz
    width = int(2 * _HALF_BAND * f0_bins) + 2
    room = 1 << (2 * width - 1).bit_length()
    smoothing = np.hanning(max(3, round(_SMOOTHED_S * rate_hz * room / size)) + 2)
    number = 1
    while (number + 1) * f0_bins < spectra.shape[1]:
        low = int((number - _HALF_BAND) * f0_bins)
        bins = np.arange(max(low, 0), low + width)
        distance = np.abs(bins / f0_bins - number)
        window = 0.5 - 0.5 * np.cos(np.pi * np.clip((_HALF_BAND - distance) / _EDGE, 0.0, 1.0))
        band = spectra[:, bins] * window
        turned = _turned(band, room, smoothing)
        lead = (room - len(bins)) // 2
        to = np.arange(bins[0] - lead, bins[0] - lead + room)
        inside = (to >= 0) & (to < len(result))
        np.add.at(result, to[inside], turned[inside])
        result[bins] -= band[0]
        number += 1
    wave = np.fft.irfft(result, size)[:length]
    return Audio(wave[np.newaxis].astype(np.float32), rate_hz)


def _turned(band: NDArray[np.complex128], room: int, smoothing: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The spectrum of a partial with the phase of another, in the middle of `room` bins."""
    lead = (room - band.shape[1]) // 2
    wide = np.zeros((2, room), np.complex128)
    wide[:, lead : lead + band.shape[1]] = band
    own, other = np.fft.ifft(wide, axis=1)
    difference = np.convolve(own * np.conj(other), smoothing, mode="same")[:room]
    magnitude = np.abs(difference)
    turn = np.where(magnitude > 0.0, np.conj(difference) / np.maximum(magnitude, 1e-300), 1.0)
    turned: NDArray[np.complex128] = np.fft.fft(own * turn)
    return turned
