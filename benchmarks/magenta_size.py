"""A checkpoint of the size of Magenta's published ones, its weights drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIG: dict[str, Any] = {
    "family": "gansynth",
    "latent_dim": 256,
    "pitches": (24, 84),
    "sample_rate_hz": 16000,
    "samples": 64000,
    "frames": 128,
    "bins": 1024,
    "start": (2, 16),
    "channels": [256, 256, 256, 256, 128, 64, 32],
    "progress": 6.0,
    "normaliser": {"magnitude": (0.0661371661726, 0.113718730221), "frequency": (0.8, 0.0)},
    "decoder": {"phase": "direct"},
}


def tensors() -> dict[str, NDArray[np.float32]]:
    """Its weights by name."""
    rng = np.random.default_rng(0)
    inputs, made = CONFIG["latent_dim"] + 61, {}
    for block, outputs in enumerate(CONFIG["channels"], start=1):
        first = CONFIG["start"] if block == 1 else (3, 3)
        for layer, shape in (
            ("conv0", (*first, inputs, outputs)),
            ("conv1", (3, 3, outputs, outputs)),
            ("to_rgb", (1, 1, outputs, 2)),
        ):
            made[f"block_{block}/{layer}/kernel"] = rng.standard_normal(shape).astype("float32")
            made[f"block_{block}/{layer}/bias"] = (0.1 * rng.standard_normal(shape[-1])).astype("float32")
        inputs = outputs
    return made
