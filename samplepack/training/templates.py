"""Images of a harmonic tone at each pitch, which the later blocks take beside their features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig
from samplepack.models.mel_if import SoundToMel, linear_to_mel_matrix, mel_edges_hz
from samplepack.sound.pitch import pitch_hz
from samplepack.training.spectrograms import FLOOR_POWER

CHANNELS = 6
"""How many images each pitch has; see `harmonic_templates`."""


def harmonic_templates(config: GANSynthConfig) -> NDArray[np.float32]:
    """Templates of a steady tone with equally strong harmonics, one for each pitch.

    The channels are: the log mel magnitude, normalised like the network's output, plus 0.5 less its maximum; atanh(0.8
    · the instantaneous frequency); the cosine and the sine of 2πf/f0, which encode where a bin lies between two
    harmonics; and the cosine and the sine of πf/f0, which differ between odd and even harmonics. The last four vanish
    where harmonics lie closer than a mel bin is wide.

    Returns:
        float32, shape (pitches, CHANNELS, bins).
    """
    rate_hz = config.sample_rate_hz
    centre_hz, half_width_hz = _bands_hz(config)
    if config.analysis:  # a quarter of the frames is enough, and tones at 48 kHz have many harmonics
        config = config.model_copy(update={"frames": config.frames // 4, "samples": config.samples // 4})
    analysis = SoundToMel(config)
    time_s = np.arange(config.samples) / rate_hz
    steady = slice(config.frames * 5 // 32, config.frames * 15 // 16)
    templates = []
    for pitch in range(config.pitches[0], config.pitches[1] + 1):
        f0_hz = pitch_hz(pitch)
        phases = np.random.RandomState(pitch).uniform(0.0, 2.0 * np.pi, int((rate_hz / 2 - 10) // f0_hz))
        tone = sum(np.sin(2.0 * np.pi * f0_hz * k * time_s + phase) for k, phase in enumerate(phases, start=1))
        tone = np.asarray(tone * 0.8 / np.max(np.abs(tone)), "float32")
        spectrogram = analysis(tone[None])[0, steady].astype(np.float64)
        magnitude = config.normaliser.magnitude[0] * np.log(np.exp(spectrogram[..., 0]) + FLOOR_POWER).mean(axis=0)
        frequency = np.angle(np.exp(1j * np.pi * spectrogram[..., 1]).mean(axis=0)) / np.pi
        angle = np.pi * centre_hz / f0_hz
        seen, seen_odd = (np.square(np.sinc(half_width_hz / (times * f0_hz))) for times in (1.0, 2.0))
        templates.append(
            [
                magnitude - magnitude.max() + 0.5,
                np.arctanh(np.clip(0.8 * frequency, -0.95, 0.95)),
                seen * np.cos(2.0 * angle),
                seen * np.sin(2.0 * angle),
                seen_odd * np.cos(angle),
                seen_odd * np.sin(angle),
            ]
        )
    return np.asarray(templates, "float32")


def _bands_hz(config: GANSynthConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centre and the half width of each mel bin, both of shape (bins,).

    A sine over frequency, seen through a triangle of half width w, is weaker by the square of the normalised sinc of w
    over its period. In a spectrogram of Magenta's kind, bins count as infinitely narrow.
    """
    rate_hz, bins = config.sample_rate_hz, config.bins
    if config.analysis:
        edges_hz = mel_edges_hz(bins, rate_hz)
        return edges_hz[1:-1], (edges_hz[2:] - edges_hz[:-2]) / 2
    linear_to_mel = linear_to_mel_matrix(bins, rate_hz)
    weight = np.maximum(linear_to_mel.sum(axis=0), 1e-9)
    centre_hz = ((np.arange(bins)[:, None] * linear_to_mel).sum(axis=0) / weight + 1.0) * rate_hz / 2 / bins
    return centre_hz, np.zeros(bins)
