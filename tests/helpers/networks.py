"""Small networks of random weights, and one that only plays tones."""

from __future__ import annotations

from threading import Lock

import numpy as np

from samplepack.models.config import GANSynthConfig
from tests.helpers.notes import tone


def small_config(**changes):
    """A small network: 16 × 32 at the end, so that the plain formulas take no time."""
    values = {
        "family": "gansynth", "latent_dim": 5, "pitches": (60, 62), "sample_rate_hz": 16000, "samples": 100,
        "frames": 16, "bins": 32, "start": (2, 4), "channels": (6, 5, 4, 3),
        "normaliser": {"magnitude": (0.1, 0.2), "frequency": (0.8, 0.0)}, "decoder": {"phase": "direct"},
    }  # fmt: skip
    return GANSynthConfig.model_validate(values | changes)


def random_tensors(sizes, seed=1):
    random = np.random.RandomState(seed)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in sizes.tensor_shapes().items()}


class Tones:
    """In place of a loaded network where a test is about no network: decaying tones, whose partials the latent sets.

    Args:
        seconds: length of a note.
    """

    def __init__(self, seconds=4.0):
        self.seconds, self.rendered = seconds, 0
        self._lock = Lock()

    def render(self, latents, pitches, velocities=None):
        with self._lock:  # several threads render
            self.rendered += len(pitches)
        made = [
            tone(pitch, self.seconds, partials=2 + int(abs(z[0]) * 100) % 7)
            for z, pitch in zip(latents, pitches, strict=True)
        ]
        return np.stack(made)
