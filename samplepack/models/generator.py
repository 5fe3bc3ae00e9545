"""The generator's arithmetic as functions of its weights, shared by rendering, fitting and training.

Weights are stored as Magenta stores them, without the runtime scale of equalised learning rates; `fold` applies it,
together with what can be computed once for the upsampling and the templates. Images are NHWC with H = time and W = mel
frequency. A block's channels, sizes and templates are read off its weights and inputs. Source: Engel et al., "GANSynth:
Adversarial Neural Audio Synthesis", ICLR 2019, and Magenta's `networks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models import winograd
from samplepack.models.config import GANSynthConfig
from samplepack.models.latent import onto_shell

Folded = dict[str, Any]
"""Name → weight, as `fold` prepares them."""

NORM_EPSILON = 1e-8

_TAPS = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], "float32")
"""Which of three neighbouring pixels of an upsampled image fall on each of two pixels of the image itself: for the
second of the two pixels that a pixel becomes, and for the first. Shape (2, 2, 3)."""

_ROWS = np.array([[0, 1, 1], [1, 1, 1], [1, 1, 0]], "float32")
"""Which rows of a 3×3 kernel lie on the image where it is centred on the first row, on an inner one and on the last."""


def fold(tensors: Mapping[str, Any], channels: tuple[int, ...], use_winograd: bool = False) -> Folded:
    """Prepare a generator's weights for the functions below.

    Args:
        tensors: `block_{b}/{conv0|conv1|to_rgb}/{kernel|bias}` as stored; kernels (h, w, in, out).
        channels: how many channels each of the blocks to prepare has, block 1 first.
        use_winograd: whether blocks of `winograd.LEAST_CHANNELS` channels or more are convolved by `winograd`, which
            changes the last bits.
    """
    folded: Folded = {
        "block_1/kernel0": _dense_of_one_pixel(scaled(tensors["block_1/conv0/kernel"])),
        "block_1/bias0": tensors["block_1/conv0/bias"],
    }
    many_channels = {own for own in channels if use_winograd and own >= winograd.LEAST_CHANNELS}
    for block, own in enumerate(channels, start=1):
        name = f"block_{block}"
        if block > 1:
            below = channels[block - 2]
            kernel = scaled(tensors[f"{name}/conv0/kernel"])
            if own in many_channels:
                folded[f"{name}/winograd_kernel0"] = winograd.fold_upsampling(kernel[:, :, :below])
                folded[f"{name}/bias0"] = tensors[f"{name}/conv0/bias"]
            else:
                folded[f"{name}/kernel0"] = _fold_upsampling(kernel[:, :, :below])
                folded[f"{name}/bias0"] = ops.tile(tensors[f"{name}/conv0/bias"], 4)
            if kernel.shape[2] > below:
                folded[f"{name}/template_kernel0"] = _convolution_of_equal_rows(kernel[:, :, below:])
        kernel = scaled(tensors[f"{name}/conv1/kernel"])
        if own in many_channels:
            folded[f"{name}/winograd_kernel1"] = winograd.fold(kernel)
        else:
            folded[f"{name}/kernel1"] = kernel
        folded[f"{name}/bias1"] = tensors[f"{name}/conv1/bias"]
        kernel = scaled(tensors[f"{name}/to_rgb/kernel"], gain=1.0)
        folded[f"{name}/rgb_kernel"] = kernel[:, :, :own]
        if kernel.shape[2] > own:
            folded[f"{name}/rgb_template_kernel"] = kernel[0, :, own:]
        folded[f"{name}/rgb_bias"] = tensors[f"{name}/to_rgb/bias"]
    return folded


def code_of(latents: Any, one_hot: Any, velocity: Any) -> Any:
    """The input of block 1, differentiable: latents on the shell, one-hot pitches and velocity, normalised together.

    Args:
        latents: shape (batch, latent_dim); they are scaled to a root mean square of 1.
        one_hot: shape (batch, pitch_count).
        velocity: as `GANSynthConfig.velocity_input` gives it, shape (batch, 1) or (batch, 0).

    Returns:
        Shape (batch, code_dim).
    """
    latents = latents * ops.rsqrt(ops.mean(ops.square(latents), axis=-1, keepdims=True))
    return pixel_norm(ops.concatenate([latents, one_hot, velocity], axis=-1))


def numpy_codes(
    config: GANSynthConfig,
    latents: NDArray[np.float32],
    labels: NDArray[np.integer],
    velocities: NDArray[Any],
) -> NDArray[np.float32]:
    """The input of block 1 in NumPy, which sums a row in the same order whatever the other rows are.

    `code_of` does the same in Keras, where gradients are needed.

    Args:
        config: the network's config, whose `latent_normalisation` is applied.
        latents: float32, shape (n, latent_dim).
        labels: pitches counted from the lowest, shape (n,).
        velocities: MIDI velocities, shape (n,), which count where the network has learned velocity.

    Returns:
        float32, shape (n, code_dim).
    """
    if config.latent_normalisation == "shell":
        latents = onto_shell(latents)
    codes = np.concatenate([latents, config.one_hot(labels), config.velocity_input(velocities)], axis=-1)
    norm = np.sqrt(np.mean(np.square(codes), axis=-1, keepdims=True) + np.float32(NORM_EPSILON))
    return np.asarray(codes / norm)


def first_block(folded: Folded, code: Any, start: tuple[int, int]) -> Any:
    """The features of block 1.

    Args:
        folded: weights, as `fold` gives them.
        code: normalised, shape (batch, code_dim).
        start: frames and bins of block 1.

    Returns:
        Shape (batch, *start, channels).
    """
    x = ops.reshape(ops.matmul(code, folded["block_1/kernel0"]), (-1, *start, folded["block_1/bias0"].shape[0]))
    return _second_half(folded, "block_1", activate(x + folded["block_1/bias0"]))


def next_block(folded: Folded, number: int, x: Any, templates: Any = None) -> Any:
    """The features of block 2 or a later one.

    Args:
        folded: weights, as `fold` gives them.
        number: the block's number.
        x: features of the block below, shape (batch, frames, bins, channels).
        templates: shape (batch, 2·bins, channels), where the block takes any.

    Returns:
        Shape (batch, 2·frames, 2·bins, channels of the block).

    Upsampling by nearest neighbours and a 3×3 convolution are done as one: each of the four pixels that a small pixel
    becomes sees 2×2 small pixels, so that four 2×2 kernels on the small image give the same as one 3×3 on the large;
    or by `winograd`.
    """
    name = f"block_{number}"
    is_unfolded = f"{name}/winograd_kernel0" in folded
    if is_unfolded:
        x = winograd.convolve_upsampled(x, folded[f"{name}/winograd_kernel0"], folded[f"{name}/bias0"])
    else:
        padded = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        x = convolve(padded, folded[f"{name}/kernel0"], "valid") + folded[f"{name}/bias0"]
    if f"{name}/template_kernel0" in folded:
        x = x if is_unfolded else unfold_upsampled(x)
        channels = x.shape[-1]
        rows = convolve(templates, folded[f"{name}/template_kernel0"], "same")
        first, inner, last = (rows[:, None, :, i * channels : (i + 1) * channels] for i in range(3))
        x = activate(x + ops.concatenate([first, ops.repeat(inner, x.shape[1] - 2, axis=1), last], axis=1))
    else:
        x = leaky(x)  # right after the convolution, so that the backend fuses the two
        x = pixel_norm(x if is_unfolded else unfold_upsampled(x))
    return _second_half(folded, name, x)


def _second_half(folded: Folded, name: str, x: Any) -> Any:
    bias = folded[f"{name}/bias1"]
    if f"{name}/winograd_kernel1" in folded:
        return activate(winograd.convolve(x, folded[f"{name}/winograd_kernel1"], bias))
    return activate(convolve(x, folded[f"{name}/kernel1"], "same") + bias)


def to_rgb(folded: Folded, number: int, x: Any, templates: Any = None) -> Any:
    """The image of a block's features.

    Args:
        folded: weights, as `fold` gives them.
        number: the block's number.
        x: the block's features, shape (batch, frames, bins, channels).
        templates: shape (batch, bins, channels), where the block takes any.

    Returns:
        Shape (batch, frames, bins, 2), within ±1.
    """
    name = f"block_{number}"
    y = convolve(x, folded[f"{name}/rgb_kernel"], "valid") + folded[f"{name}/rgb_bias"]
    if f"{name}/rgb_template_kernel" in folded:
        y = y + convolve(templates, folded[f"{name}/rgb_template_kernel"], "valid")[:, None]
    return ops.tanh(y)


def average_bins(templates: Any, bins: int) -> Any:
    """Average templates, shape (batch, all bins, channels), to `bins` bins."""
    wide, channels = templates.shape[1:]
    return templates if wide == bins else ops.mean(ops.reshape(templates, (-1, bins, wide // bins, channels)), axis=2)


def scaled(kernel: Any, gain: float = 2.0) -> Any:
    """Apply the runtime scale of equalised learning rates, sqrt(gain / fan_in), to a kernel, shape (…, in, out)."""
    return kernel * float(np.sqrt(gain / np.prod(kernel.shape[:-1])))


def convolve(x: Any, kernel: Any, padding: str) -> Any:
    """Convolve an NHWC image, or one of shape (batch, bins, channels), with stride 1; padding is `same` or `valid`."""
    return ops.conv(x, kernel, padding=padding, data_format="channels_last")


def activate(x: Any) -> Any:
    """Leaky ReLU of slope 0.2, then the norm of each pixel."""
    return pixel_norm(leaky(x))


def leaky(x: Any) -> Any:
    """Leaky ReLU of slope 0.2."""
    return ops.leaky_relu(x, 0.2)


def pixel_norm(x: Any) -> Any:
    """Divide by the root mean square over channels. Source: Karras et al., "Progressive Growing of GANs", 2018."""
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + NORM_EPSILON)


def _dense_of_one_pixel(kernel: Any) -> Any:
    """A full convolution of a 1×1 image as a matrix: every position of the (h, w) output sees one tap of the kernel.

    Args:
        kernel: shape (h, w, in, out).

    Returns:
        Shape (in, h·w·out).
    """
    flipped = ops.transpose(ops.flip(kernel, axis=(0, 1)), (2, 0, 1, 3))
    return ops.reshape(flipped, (kernel.shape[2], -1))


def _fold_upsampling(kernel: Any) -> Any:
    """A 3×3 kernel on an upsampled image, as four 2×2 kernels on the image itself.

    Args:
        kernel: shape (3, 3, in, out).

    Returns:
        Shape (2, 2, in, 4·out): for the lower right, lower left, upper right and upper left pixel of each four. Of
        three neighbouring pixels of the upsampled image two fall on the same pixel of the image: their taps are added.

    It is a product with constants, since TensorFlow adds more than two gradients of one tensor in an order that
    changes from run to run.
    """
    four = ops.einsum("pai,qbj,ijkl->abkpql", _TAPS, _TAPS, kernel)
    return ops.reshape(four, (2, 2, kernel.shape[2], -1))


def _convolution_of_equal_rows(kernel: Any) -> Any:
    """A 3×3 kernel on an image whose rows are all equal, as three kernels on one row.

    Args:
        kernel: shape (3, 3, in, out).

    Returns:
        Shape (3, in, 3·out): for the first row (which has zeros above it), the inner rows and the last.
    """
    three = ops.einsum("ri,ijkl->jkrl", _ROWS, kernel)
    return ops.reshape(three, (3, kernel.shape[2], -1))


def unfold_upsampled(x: Any) -> Any:
    """The upsampled image whose pixels the four kernels of `_fold_upsampling` gave as channels.

    Args:
        x: shape (batch, frames + 1, bins + 1, 4·channels).

    Returns:
        Shape (batch, 2·frames, 2·bins, channels).
    """
    frames, bins, channels = x.shape[1], x.shape[2], x.shape[3] // 4
    # Each pixel of x lies between four pixels of the image, and holds the nearest quarter of each of them, upsampled.
    x = ops.transpose(ops.reshape(x, (-1, bins, 2, 2 * channels)), (0, 2, 1, 3))
    x = ops.reshape(x, (-1, 2 * frames, 2 * bins, channels))
    # With `ops.slice`, since in TensorFlow its gradient is faster than that of indexing.
    return ops.slice(x, (0, 1, 1, 0), (ops.shape(x)[0], 2 * frames - 2, 2 * bins - 2, channels))
