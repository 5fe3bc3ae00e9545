"""A small training, and the notes that it learns from."""

from __future__ import annotations

import numpy as np

from samplepack.sound.pitch import pitch_hz

SAMPLES, RATE_HZ = 1200, 16000
"""Notes as short as a network of four blocks spans."""


RECONSTRUCTION = "images: 160, batch: 4, coarse_share: 0.5"
"""How `TINY` is trained, in four kinds of steps of two parts each: coarse or whole images, with or without random
timbres. Each kind is a graph of its own; a test that isn't about them takes less time with fewer, and with an odd batch,
which isn't cut in two."""


TINY = f"""train: 1
name: tiny
data: set
network: {{latent_dim: 4, channels: [8, 8, 8, 8], pitches: [60, 84]}}
reconstruction: {{{RECONSTRUCTION}}}
"""


TIMBRES = {"Dark": 2.0, "Bright": 0.5}
"""Name → how fast the harmonics fall."""


def tone(pitch, tilt):
    """A note whose harmonics fall with their number, float32."""
    time_s = np.arange(SAMPLES) / RATE_HZ
    harmonics = range(1, int(7900 / pitch_hz(pitch)) + 1)
    return sum(np.sin(2 * np.pi * pitch_hz(pitch) * k * time_s) / k**tilt for k in harmonics).astype("float32")
