"""The discriminator's arithmetic as functions of its weights: the mirror of the generator in `models.generator`.

It gives an image a score, higher the more it looks like a real one, and the logits of its pitch. Weights are stored as
Magenta stores them, without the runtime scale of equalised learning rates, which is applied here. Images are NHWC with
H = time and W = mel frequency. Source: Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, and
Magenta's `networks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from samplepack.models.config import GANSynthConfig
from samplepack.models.generator import convolve, scaled

VARIANCE_EPSILON = 1e-6


def tensor_shapes(config: GANSynthConfig) -> dict[str, tuple[int, ...]]:
    """Name → shape of every weight of the discriminator for a generator of these sizes.

    The last layer is as wide as block 1. Kernels are (h, w, in, out), those of the two heads (in, out).
    """
    last = config.channels[0]
    shapes: dict[str, tuple[int, ...]] = {}
    for block, channels in enumerate(config.channels, start=1):
        below = config.channels[max(block - 2, 0)]
        deviation = 1 if block == 1 else 0
        for layer, shape in {
            "from_rgb": (1, 1, 2, channels),
            "conv0": (3, 3, channels + deviation, channels),
            "conv1": (*(config.start if block == 1 else (3, 3)), channels, below),
        }.items():
            shapes[f"block_{block}/{layer}/kernel"] = shape
            shapes[f"block_{block}/{layer}/bias"] = shape[-1:]
    for head, size in {"score": 1, "pitch": config.pitch_count}.items():
        shapes[f"{head}/kernel"] = (last, size)
        shapes[f"{head}/bias"] = (size,)
    return shapes


def judge(weights: Mapping[str, Any], images: Any, number: int, share: Any = None) -> tuple[Any, Any]:
    """Scores, shape (batch,), and pitch logits, shape (batch, pitches), of a batch of images.

    Args:
        weights: by name, as `tensor_shapes` lists them; those of blocks above `number` may be missing.
        images: shape (batch, frames, bins, 2), of the size of block `number`.
        number: the first block that the images pass.
        share: the share of that block while it fades in, 0.0 to 1.0; the rest comes from the block below it, which
            takes the images at half their size. None: the block has faded in.
    """
    x = _from_rgb(weights, number, images)
    for block in range(number, 1, -1):
        x = downscaled(_convolve(weights, f"block_{block}/conv1", _convolve(weights, f"block_{block}/conv0", x)), 2, 2)
        if block == number and share is not None:
            x = share * x + (1.0 - share) * _from_rgb(weights, block - 1, downscaled(images, 2, 2))
    x = ops.concatenate([x, ops.ones_like(x[..., :1]) * minibatch_deviation(x)], axis=-1)
    x = _convolve(weights, "block_1/conv1", _convolve(weights, "block_1/conv0", x), "valid")
    x = ops.reshape(x, (-1, x.shape[-1]))
    score, pitch = (
        ops.matmul(x, scaled(weights[f"{head}/kernel"], gain=1.0)) + weights[f"{head}/bias"]
        for head in ("score", "pitch")
    )
    return score[:, 0], pitch


def minibatch_deviation(x: Any) -> Any:
    """How much the images of a batch differ: the standard deviation over the batch, averaged over all else; a scalar.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 3, with Magenta's 1e-6 under the root.
    """
    variance = ops.mean(ops.square(x - ops.mean(x, axis=0, keepdims=True)), axis=0)
    return ops.mean(ops.sqrt(variance + VARIANCE_EPSILON))


def downscaled(images: Any, frames: int, bins: int) -> Any:
    """Average images over rectangles of so many frames and bins."""
    if (frames, bins) == (1, 1):
        return images
    size = (frames, bins)  # given as the strides, too: the default fails under JAX
    return ops.average_pool(images, size, size, padding="valid", data_format="channels_last")


def _from_rgb(weights: Mapping[str, Any], block: int, images: Any) -> Any:
    return _convolve(weights, f"block_{block}/from_rgb", images)


def _convolve(weights: Mapping[str, Any], layer: str, x: Any, padding: str = "same") -> Any:
    """A convolution, its bias and leaky ReLU, without the norm of each pixel that the generator has."""
    y = convolve(x, scaled(weights[f"{layer}/kernel"]), padding) + weights[f"{layer}/bias"]
    return ops.leaky_relu(y, 0.2)
