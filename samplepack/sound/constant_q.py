"""The constant-Q transform: a sound in bins of equal musical width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.spectra import fast_size

LOWEST_PITCH = 24
"""Where the bins begin, MIDI: at the lowest key that GANSynth has learned from NSynth."""

_LEAST_PITCH, _MOST_PITCH = 96, 135
"""The limits of where the bins end: an octave above the keys of a clip, as in GANSynth's own notebook, and 20 kHz."""

_HEARD_DB = -70.0
"""The least power of a semitone, relative to that of the strongest one, that counts as part of a sound."""

BINS_A_SEMITONE = 3
FRAMES_A_SECOND = 300

_BAND = 1.5
"""Half the width of a bin's band, as a multiple of the distance to the next bin."""


def highest_pitch(audio: Audio) -> int:
    """Where the bins of a sound end, MIDI: the end of the octave in which its power falls below -70 dB, from 96 to 135,
    and below half of its rate."""
    import scipy.fft

    wave = audio.samples.mean(axis=0)
    size = fast_size(max(len(wave), audio.rate_hz))
    power = np.abs(scipy.fft.rfft(wave, size)) ** 2
    most = min(_MOST_PITCH, int(69 + 12 * np.log2(audio.rate_hz / 2 / 440)))
    edges_hz = [pitch_hz(pitch - 0.5) for pitch in range(LOWEST_PITCH, most + 1)]
    semitones = np.add.reduceat(power, [round(hz * size / audio.rate_hz) for hz in edges_hz])[:-1]
    heard = np.flatnonzero(semitones > semitones.max() * 10.0 ** (_HEARD_DB / 10.0))
    above = LOWEST_PITCH + int(heard[-1]) + 1 if len(heard) else _LEAST_PITCH
    return min(max(_LEAST_PITCH, -(-above // 12) * 12), most)


def constant_q(audio: Audio, end_pitch: int) -> NDArray[np.complex64]:
    """The constant-Q transform of a sound: for each bin, the band around its frequency, brought to base band.

    Args:
        audio: any number of channels; they are mixed.
        end_pitch: where the bins end, MIDI, not included, such as `highest_pitch` gives it.

    Returns:
        complex64, shape (bins, frames), 36 bins per octave from pitch 24 on, 300 frames per second. The magnitude is
        that of a sine at the bin's frequency; the phase is constant where the sound has exactly that frequency.

    Source: Brown, "Calculation of a constant Q spectral transform", JASA 1991, with Hann-shaped bands in frequency.
    """
    import scipy.fft

    wave = audio.samples.mean(axis=0)
    size = fast_size(len(wave) + audio.rate_hz)  # the transform is circular: the end must not leak into the start
    spectrum = scipy.fft.rfft(wave, size)
    room = round(size * FRAMES_A_SECOND / audio.rate_hz)
    bins = (end_pitch - LOWEST_PITCH) * BINS_A_SEMITONE
    frames = max(1, round(len(wave) * FRAMES_A_SECOND / audio.rate_hz))
    transformed = np.empty((bins, frames), np.complex64)
    for k in range(bins):
        centre_hz = pitch_hz(LOWEST_PITCH + k / BINS_A_SEMITONE)
        half_hz = _BAND * centre_hz * (2.0 ** (1.0 / (12 * BINS_A_SEMITONE)) - 1.0)
        reach = int(half_hz * size / audio.rate_hz)
        finer = -(-2 * (reach + 1) // room)  # a band wider than the frame rate has more frames, of which some are kept
        offsets = np.arange(-reach, reach + 1)
        places = round(centre_hz * size / audio.rate_hz) + offsets
        inside = places < len(spectrum)
        band = np.zeros(room * finer, np.complex64)
        band[offsets[inside] % len(band)] = spectrum[places[inside]] * np.hanning(2 * reach + 3)[1:-1][inside]
        transformed[k] = scipy.fft.ifft(band)[: frames * finer : finer] * (2.0 * len(band) / size)
    return transformed
