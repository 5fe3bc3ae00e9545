"""The constant-Q transform: a sound in bins of equal musical width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.spectra import fast_size

LOWEST_PITCH, HIGHEST_PITCH = 36, 96
"""The range of the bins, MIDI: the keys of a clip and an octave above, as in GANSynth's own notebook."""

BINS_A_SEMITONE = 3
FRAMES_A_SECOND = 300

_BAND = 1.5
"""Half the width of a bin's band, as a multiple of the distance to the next bin."""


def constant_q(audio: Audio) -> NDArray[np.complex64]:
    """The constant-Q transform of a sound: for each bin, the band around its frequency, brought to base band.

    Args:
        audio: any number of channels; they are mixed.

    Returns:
        complex64, shape (bins, frames), 36 bins per octave from pitch 36 up to 96, 300 frames per second. The magnitude
        is that of a sine at the bin's frequency; the phase is constant where the sound has exactly that frequency.

    Source: Brown, "Calculation of a constant Q spectral transform", JASA 1991, with Hann-shaped bands in frequency.
    """
    import scipy.fft

    wave = audio.samples.mean(axis=0)
    size = fast_size(len(wave) + audio.rate_hz)  # the transform is circular: the end must not leak into the start
    spectrum = scipy.fft.rfft(wave, size)
    room = round(size * FRAMES_A_SECOND / audio.rate_hz)
    bins = (HIGHEST_PITCH - LOWEST_PITCH) * BINS_A_SEMITONE
    frames = max(1, round(len(wave) * FRAMES_A_SECOND / audio.rate_hz))
    transformed = np.empty((bins, frames), np.complex64)
    for k in range(bins):
        centre_hz = pitch_hz(LOWEST_PITCH + k / BINS_A_SEMITONE)
        half_hz = _BAND * centre_hz * (2.0 ** (1.0 / (12 * BINS_A_SEMITONE)) - 1.0)
        reach = min(int(half_hz * size / audio.rate_hz), room // 2 - 1)
        offsets = np.arange(-reach, reach + 1)
        places = round(centre_hz * size / audio.rate_hz) + offsets
        inside = places < len(spectrum)
        band = np.zeros(room, np.complex64)
        band[offsets[inside] % room] = spectrum[places[inside]] * np.hanning(2 * reach + 3)[1:-1][inside]
        transformed[k] = scipy.fft.ifft(band)[:frames] * (2.0 * room / size)
    return transformed
