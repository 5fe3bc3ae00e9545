"""The network's convolutions and nothing else, in plain TensorFlow: what the network is measured against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.magenta_size import CONFIG
from samplepack.models.generator import fold

CHANNELS: list[int] = CONFIG["channels"]


def _sizes() -> list[tuple[int, int]]:
    return [(CONFIG["start"][0] * 2**b, CONFIG["start"][1] * 2**b) for b in range(len(CHANNELS))]


def gflop_a_note() -> float:
    """What the network's convolutions need as they are written, without the upsampling fused: 18.3."""
    flop, inputs = 0.0, CONFIG["latent_dim"] + 61
    for block, (outputs, (frames, bins)) in enumerate(zip(CHANNELS, _sizes(), strict=True)):
        first = frames * bins * inputs if block == 0 else frames * bins * 9 * inputs
        flop += 2.0 * outputs * (first + frames * bins * 9 * outputs)
        inputs = outputs
    flop += 2.0 * 2 * inputs * np.prod(_sizes()[-1])
    return float(flop / 1e9)


def alone(tensors: Mapping[str, NDArray[np.float32]], batch: int) -> Callable[[], Any]:
    """A call that does every convolution of a batch once, each on features of its own that are there already."""
    folded = {name: tf.constant(np.asarray(w)) for name, w in fold(tensors, tuple(CHANNELS)).items()}
    rng = np.random.default_rng(0)

    def features(frames: int, bins: int, channels: int) -> Any:
        return tf.constant(rng.standard_normal((batch, frames, bins, channels)), tf.float32)

    code = features(1, 1, CONFIG["latent_dim"] + 61)
    jobs = []
    for block, (frames, bins) in enumerate(_sizes(), start=1):
        if block > 1:
            below = features(frames // 2 + 2, bins // 2 + 2, CHANNELS[block - 2])
            jobs.append((below, folded[f"block_{block}/kernel0"], "VALID"))
        jobs.append((features(frames, bins, CHANNELS[block - 1]), folded[f"block_{block}/kernel1"], "SAME"))
    jobs.append((features(*_sizes()[-1], CHANNELS[-1]), folded[f"block_{len(CHANNELS)}/rgb_kernel"], "SAME"))
    images = [image for image, _, _ in jobs]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def convolve(images: list[Any], code: Any) -> list[Any]:
        dense = tf.matmul(tf.reshape(code, (batch, -1)), folded["block_1/kernel0"])
        return [
            dense,
            *(
                tf.nn.conv2d(image, kernel, 1, padding)
                for image, (_, kernel, padding) in zip(images, jobs, strict=True)
            ),
        ]

    return lambda: convolve(images, code)
