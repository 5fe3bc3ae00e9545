"""Small networks and images to train with. Keras' backend must have been started."""

from __future__ import annotations

import numpy as np
from keras import ops

from samplepack.models.config import GANSynthConfig


def small(**changes):
    """A network of two blocks: 2 × 4 to 4 × 8."""
    values = {
        "family": "gansynth", "latent_dim": 3, "pitches": (60, 62), "sample_rate_hz": 16000, "samples": 10,
        "frames": 4, "bins": 8, "start": (2, 4), "channels": (6, 5),
        "normaliser": {"magnitude": (0.1, 0.2), "frequency": (0.8, 0.0)}, "decoder": {"phase": "direct"},
    }  # fmt: skip
    return GANSynthConfig.model_validate(values | changes)


def drawn(shapes, seed=1, dtype="float32"):
    random = np.random.RandomState(seed)
    return {name: ops.convert_to_tensor(random.standard_normal(shape).astype(dtype)) for name, shape in shapes.items()}


def image(shape, seed=2, dtype="float32"):
    return ops.convert_to_tensor(np.random.RandomState(seed).uniform(-1, 1, shape).astype(dtype))
