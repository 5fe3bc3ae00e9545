"""Checkpoints of the size of Magenta's published ones: drawn at random, or with the first starter's sound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samplepack.models.checkpoint import Checkpoint, read_tensors

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


def sounding(starter: Checkpoint) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """The first starter's sound from a network of that size: the config and the weights by name.

    Each layer has the starter's channels and zeros beyond them: it takes as long as if all were used. What norms over
    more channels, and scales by the number of inputs, would change is made up for in the kernels.
    """
    own = read_tensors(starter)
    small = starter.config.model_dump(exclude={"digest", "provenance", "instruments"})
    pitches = own["templates"].shape[0]
    config = {**small, "latent_dim": CONFIG["latent_dim"], "channels": CONFIG["channels"]}
    made = {"templates": own["templates"]}
    of_code = np.sqrt((config["latent_dim"] + 1) / (config["latent_dim"] + pitches))
    of_code /= np.sqrt((small["latent_dim"] + 1) / (small["latent_dim"] + pitches))
    below, small_below = config["latent_dim"], small["latent_dim"]
    for block, (outputs, small_outputs) in enumerate(zip(config["channels"], small["channels"], strict=True), start=1):
        through = np.sqrt(small_outputs / outputs)
        from_below = of_code if block == 1 else np.sqrt(small_below / below)
        for layer, inputs, small_inputs, gain, out in (
            ("conv0", below, small_below, from_below, outputs),
            ("conv1", outputs, small_outputs, through, outputs),
            ("to_rgb", outputs, small_outputs, through, 2),
        ):
            kernel, bias = (own[f"block_{block}/{layer}/{part}"] for part in ("kernel", "bias"))
            more = kernel.shape[2] - small_inputs  # labels or templates, which stand behind the features
            wide = np.zeros((*kernel.shape[:2], inputs + more, out), "float32")
            wide[:, :, :small_inputs, : kernel.shape[3]] = kernel[:, :, :small_inputs] * gain
            wide[:, :, inputs:, : kernel.shape[3]] = kernel[:, :, small_inputs:] * (of_code if block == 1 else 1.0)
            made[f"block_{block}/{layer}/kernel"] = wide * np.float32(np.sqrt(wide.shape[2] / kernel.shape[2]))
            made[f"block_{block}/{layer}/bias"] = np.pad(bias, (0, out - len(bias)))
        below, small_below = outputs, small_outputs
    return config, made
