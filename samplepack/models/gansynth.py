"""GANSynth's generator: a latent and a pitch to a mel-IF spectrogram to sound.

Source: Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, and Magenta's `networks`. Images are
NHWC with H = time and W = mel frequency. Weights are stored as Magenta stores them, without the runtime scale of
equalised learning rates; it is folded in when they are loaded.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from samplepack.checkpoint import Checkpoint, Config, Tensors, config_problems, read_tensors
from samplepack.errors import InputError, Problem
from samplepack.models.spectrogram import MelToSound, Phase

Weights = NDArray[np.float32]

_NORM_EPSILON = 1e-8

NOTES_TOGETHER = 4
"""The network always sees exactly so many notes, the last one repeated where there are fewer. Convolution libraries
choose their kernels, and graph optimisers the order of sums, by the size of the batch: with another size a note would
have other last bits. On a CPU larger batches are no faster."""


class Normaliser(BaseModel):
    """How the network's outputs, -1…1, stand for what they mean: output = a · value + b."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    magnitude: tuple[float, float]
    """a and b of the natural log of mel power."""

    frequency: tuple[float, float]
    """a and b of the instantaneous frequency, in units of π a frame."""


class Decoder(BaseModel):
    """How a spectrogram becomes sound; see `MelToSound`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Phase
    floor_power: float = Field(0.0, ge=0.0)


class Templates(BaseModel):
    """Images of a harmonic tone at each pitch, shown to the later blocks beside their features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_block: int = Field(ge=2)
    """The first block that sees them."""

    channels: int = Field(gt=0)


class GANSynthConfig(Config):
    """Sizes of a GANSynth checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latent_normalisation: Literal["none", "shell"] = "none"
    """`shell`: a latent is divided by its root mean square first."""

    frames: int = Field(gt=0)
    bins: int = Field(gt=0)
    samples: int = Field(64000, gt=0)
    """Length of a note."""

    start: tuple[PositiveInt, PositiveInt]
    """Frames and bins of block 1."""

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    """Of each block."""

    progress: float | None = None
    """How far progressive growing had come, 0.0 at block 1 alone; None: the last block alone speaks."""

    templates: Templates | None = None
    normaliser: Normaliser
    decoder: Decoder

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of every tensor of such a checkpoint's `weights.safetensors`."""
        pitches = self.pitches[1] - self.pitches[0] + 1
        shapes: dict[str, tuple[int, ...]] = {}
        below = self.latent_dim + pitches
        for block, channels in enumerate(self.channels, start=1):
            extra = self.template_channels(block)
            kernel = self.start if block == 1 else (3, 3)
            for layer, shape in {
                "conv0": (*kernel, below + extra, channels),
                "conv1": (3, 3, channels, channels),
                "to_rgb": (1, 1, channels + extra, 2),
            }.items():
                shapes[f"block_{block}/{layer}/kernel"] = shape
                shapes[f"block_{block}/{layer}/bias"] = shape[-1:]
            below = channels
        if self.templates:
            shapes["templates"] = (pitches, self.templates.channels, self.bins)
        if self.instruments:
            shapes["instruments"] = (len(self.instruments), self.latent_dim)
        return shapes

    def template_channels(self, block: int) -> int:
        """How many channels of templates a block sees."""
        return self.templates.channels if self.templates and block >= self.templates.from_block else 0

    def shares(self) -> dict[int, float]:
        """Block → its share in the output, for the blocks that speak. Source: progressive GAN's fading, as in
        Magenta: max(0, min(p − (b − 2), b − p))."""
        last = len(self.channels)
        progress = last - 1 if self.progress is None else self.progress
        shares = {b: max(0.0, min(progress - (b - 2), b - progress)) for b in range(1, last + 1)}
        return {block: share for block, share in shares.items() if share > 0.0}


def load(checkpoint: Checkpoint) -> GANSynth:
    """Read a checkpoint's weights and make its network.

    Raises:
        InputError: the config lacks a size or names an unknown one, or a weight is missing, of another shape or not
            finite.
    """
    try:
        config = GANSynthConfig.model_validate(checkpoint.config.model_dump())
    except ValidationError as error:
        raise InputError(*config_problems(error, checkpoint.name)) from error
    tensors = read_tensors(checkpoint)
    problems = shape_problems(config, tensors, checkpoint.name)
    if problems:
        raise InputError(*problems)
    return GANSynth(config, tensors)


def shape_problems(config: GANSynthConfig, tensors: Tensors, name: str) -> list[Problem]:
    """Every way in which the tensors aren't what the config says, a line each."""
    problems = []
    blocks = len(config.channels)
    grown = tuple(size * 2 ** (blocks - 1) for size in config.start)
    if any(full % size for full, size in zip((config.frames, config.bins), grown, strict=True)):
        problems.append(
            f"{blocks} blocks grow {config.start[0]} x {config.start[1]} to {grown[0]} x {grown[1]}, "
            f"which doesn't divide {config.frames} x {config.bins}"
        )
    if (config.frames + 3) * (config.bins // 2) < config.samples:
        problems.append(f"{config.frames} frames of {2 * config.bins} points don't reach {config.samples} samples")
    for tensor_name, shape in config.tensor_shapes().items():
        if tensor_name not in tensors:
            problems.append(f"{tensor_name} is missing")
        elif tensors[tensor_name].shape != shape:
            problems.append(f"{tensor_name} has shape {tensors[tensor_name].shape}, should have {shape}")
    return [Problem(f"checkpoint '{name}': {problem}") for problem in problems]


class GANSynth:
    """A loaded checkpoint: latents and pitches to waves.

    Args:
        config: its sizes.
        tensors: its weights by name, float32, as `GANSynthConfig.tensor_shapes` lists them.
    """

    def __init__(self, config: GANSynthConfig, tensors: Tensors) -> None:
        self.config = config
        self.generator = Generator(config, tensors)
        self._synthesiser = Synthesiser(self.generator, config)

    def render(self, latents: NDArray[np.float32], pitches: NDArray[np.int32]) -> NDArray[np.float32]:
        """Notes as sound.

        Args:
            latents: float32, shape (n, latent_dim).
            pitches: MIDI, shape (n,).

        Returns:
            Waves, float32, shape (n, samples).
        """
        return self._in_batches(self._synthesiser, latents, pitches)

    def spectrograms(self, latents: NDArray[np.float32], pitches: NDArray[np.int32]) -> NDArray[np.float32]:
        """What the network gives before it is denormalised, shape (n, frames, bins, 2); arguments as of `render`."""
        return self._in_batches(self.generator, latents, pitches)

    def _in_batches(
        self, network: keras.Model, latents: NDArray[np.float32], pitches: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        full = -len(pitches) % NOTES_TOGETHER
        labels = np.asarray(pitches, "int32") - self.config.pitches[0]
        if np.any((labels < 0) | (labels >= self.generator.labels)):
            # NumPy would take a label below 0 from the other end: a note of another pitch, and no error.
            raise ValueError(f"pitches from {self.config.pitches[0]} to {self.config.pitches[1]} alone can be rendered")
        codes = np.pad(self._codes(np.asarray(latents, "float32"), labels), [(0, full), (0, 0)], mode="edge")
        labels = np.pad(labels, (0, full), mode="edge")
        batches = [slice(i, i + NOTES_TOGETHER) for i in range(0, len(labels), NOTES_TOGETHER)]
        results = [network.predict_on_batch({"code": codes[b], "label": labels[b]}) for b in batches]
        return np.concatenate(results)[: len(pitches)]

    def _codes(self, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
        """Latents and one-hot labels, normalised: shape (n, latent_dim + labels). In NumPy, which sums a row the same
        way in any company."""
        if self.config.latent_normalisation == "shell":
            latents = latents / np.sqrt(np.mean(np.square(latents), axis=-1, keepdims=True))
        one_hot = np.eye(self.generator.labels, dtype="float32")[labels]
        codes = np.concatenate([latents, one_hot], axis=-1)
        norm = np.sqrt(np.mean(np.square(codes), axis=-1, keepdims=True) + np.float32(_NORM_EPSILON))
        return np.asarray(codes / norm)


class Generator(keras.Model):
    """Latents and pitches to spectrograms.

    Input: a dict of `code`, float32, shape (batch, latent_dim + labels), normalised, and `label`, int32, shape
    (batch,), the pitch counted from the lowest. Output: float32, shape (batch, frames, bins, 2), within ±1.
    """

    def __init__(self, config: GANSynthConfig, tensors: Tensors) -> None:
        super().__init__(dtype="float32")
        self.config = config
        self.labels = config.pitches[1] - config.pitches[0] + 1
        self.templates = _constant(self, tensors["templates"].transpose(0, 2, 1)) if config.templates else None
        self.first = _constant(self, _dense_of_one_pixel(_scaled(tensors["block_1/conv0/kernel"])))
        self.first_bias = _constant(self, tensors["block_1/conv0/bias"])
        self.shares = config.shares()
        self.blocks = [Block(config, tensors, block) for block in range(1, max(self.shares) + 1)]

    def call(self, inputs: dict[str, Any]) -> Any:
        x = ops.matmul(inputs["code"], self.first)
        x = _activate(ops.reshape(x, (-1, *self.config.start, self.config.channels[0])) + self.first_bias)
        templates = None if self.templates is None else ops.take(self.templates, inputs["label"], axis=0)
        output: Any = 0.0
        for number, block in enumerate(self.blocks, start=1):
            x, image = block(x, templates)
            if number in self.shares:
                output = output + self.shares[number] * image
        return output


class Block(keras.layers.Layer):
    """One block: twice the size, two convolutions, and the image that it makes of its features where it speaks.

    Input: features, float32, shape (batch, frames, bins, channels of the block below), and templates, shape (batch,
    bins of the output, channels), or None. Block 1 takes its own first activation instead.
    Output: features, and the image, shape (batch, frames and bins of the output, 2).

    Upsampling by nearest neighbours and a 3×3 convolution are done as one: each of the four pixels that a small pixel
    becomes sees 2×2 small pixels, so that four 2×2 kernels on the small image give the same as one 3×3 on the large.
    """

    def __init__(self, config: GANSynthConfig, tensors: Tensors, block: int) -> None:
        super().__init__(dtype="float32")
        self.block = block
        self.channels = config.channels[block - 1]
        self.output_size = (config.frames, config.bins)
        self.size = tuple(size * 2 ** (block - 1) for size in config.start)
        self.sees_templates = config.template_channels(block) > 0

        def kernel_and_bias(layer: str) -> tuple[Weights, Any]:
            return tensors[f"block_{block}/{layer}/kernel"], _constant(self, tensors[f"block_{block}/{layer}/bias"])

        if block > 1:
            kernel, self.bias0 = kernel_and_bias("conv0")
            kernel, features = _scaled(kernel), config.channels[block - 2]
            self.kernel0 = _constant(self, _fold_upsampling(kernel[:, :, :features]))
            if self.sees_templates:
                self.template_kernel0 = _constant(self, _convolution_of_equal_rows(kernel[:, :, features:]))
        kernel, self.bias1 = kernel_and_bias("conv1")
        self.kernel1 = _constant(self, _scaled(kernel))
        self.speaks = block in config.shares()
        if self.speaks:
            kernel, self.rgb_bias = kernel_and_bias("to_rgb")
            kernel = _scaled(kernel, gain=1.0)
            self.rgb_kernel = _constant(self, kernel[:, :, : self.channels])
            if self.sees_templates:
                self.rgb_template_kernel = _constant(self, kernel[0, :, self.channels :])

    def call(self, x: Any, templates: Any = None) -> tuple[Any, Any]:
        if self.sees_templates:
            templates = self._narrowed(templates)
        if self.block > 1:
            x = self._upsample_and_convolve(x)
            if self.sees_templates:
                x = x + self._convolved_templates(templates)
            x = _activate(x + self.bias0)
        x = _convolve(x, self.kernel1, "same")
        x = _activate(x + self.bias1)
        if not self.speaks:
            return x, None
        image = _convolve(x, self.rgb_kernel, "valid") + self.rgb_bias
        if self.sees_templates:
            image = image + _convolve(templates, self.rgb_template_kernel, "valid")[:, None]
        return x, self._widened(ops.tanh(image))

    def _upsample_and_convolve(self, x: Any) -> Any:
        c = self.channels
        padded = ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        y = _convolve(padded, self.kernel0, "valid")
        top = ops.stack([y[:, :-1, :-1, :c], y[:, :-1, 1:, c : 2 * c]], axis=3)
        bottom = ops.stack([y[:, 1:, :-1, 2 * c : 3 * c], y[:, 1:, 1:, 3 * c :]], axis=3)
        return ops.reshape(ops.stack([top, bottom], axis=2), (-1, *self.size, c))

    def _narrowed(self, templates: Any) -> Any:
        """Templates averaged to the block's bins: shape (batch, bins of the block, channels)."""
        bins = self.size[1]
        return ops.mean(ops.reshape(templates, (-1, bins, self.output_size[1] // bins, templates.shape[-1])), axis=2)

    def _convolved_templates(self, templates: Any) -> Any:
        """The templates' part of the 3×3 convolution: the same for all frames but the first and the last."""
        rows = _convolve(templates, self.template_kernel0, "same")
        first, inner, last = (rows[:, None, :, i * self.channels : (i + 1) * self.channels] for i in range(3))
        return ops.concatenate([first, ops.repeat(inner, self.size[0] - 2, axis=1), last], axis=1)

    def _widened(self, image: Any) -> Any:
        """The image at the output's size, by nearest neighbours."""
        for axis in (1, 2):
            times = self.output_size[axis - 1] // self.size[axis - 1]
            if times > 1:
                image = ops.repeat(image, times, axis=axis)
        return image


class Synthesiser(keras.Model):
    """Latents and pitches to waves in one compiled program: generator, denormalisation, decoder."""

    def __init__(self, generator: Generator, config: GANSynthConfig) -> None:
        super().__init__(dtype="float32")
        self.generator = generator
        normaliser = np.array([config.normaliser.magnitude, config.normaliser.frequency], "float32")
        self.a, self.b = normaliser[:, 0], normaliser[:, 1]
        self.decoder = MelToSound(
            config.frames,
            config.bins,
            config.samples,
            config.sample_rate_hz,
            config.decoder.phase,
            config.decoder.floor_power,
            dtype="float32",
        )

    def call(self, inputs: dict[str, Any]) -> Any:
        return self.decoder((self.generator(inputs) - self.b) / self.a)


def _constant(layer: keras.layers.Layer, value: Weights) -> Any:
    """A weight of a layer, with its value."""
    return layer.add_weight(
        shape=value.shape,
        initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype),
        trainable=False,
    )


def _scaled(kernel: Weights, gain: float = 2.0) -> Weights:
    """Fold in the runtime scale of equalised learning rates, sqrt(gain / fan_in); kernel (h, w, in, out)."""
    fan_in = np.prod(kernel.shape[:3])
    return np.asarray(kernel * np.sqrt(gain / fan_in), dtype=np.float32)


def _dense_of_one_pixel(kernel: Weights) -> Weights:
    """A full convolution of a 1×1 image as a matrix: every position of the (h, w) output sees one tap of the kernel.

    Args:
        kernel: shape (h, w, in, out).

    Returns:
        shape (in, h·w·out).
    """
    flipped = kernel[::-1, ::-1]
    return np.ascontiguousarray(flipped.transpose(2, 0, 1, 3).reshape(kernel.shape[2], -1))


def _fold_upsampling(kernel: Weights) -> Weights:
    """A 3×3 kernel on an image twice as large, as four 2×2 kernels on the image itself.

    Args:
        kernel: shape (3, 3, in, out).

    Returns:
        shape (2, 2, in, 4·out): for the upper left, upper right, lower left and lower right pixel of each four. Of
        three neighbouring large pixels two fall on the same small one: their taps are summed.
    """
    sums = np.zeros((2, 2, 3), "float32")  # which of the two, small tap, large tap
    sums[0, 0, 0] = sums[0, 1, 1] = sums[0, 1, 2] = 1.0
    sums[1, 0, 0] = sums[1, 0, 1] = sums[1, 1, 2] = 1.0
    four = [np.einsum("at,bu,tuio->abio", sums[p], sums[q], kernel) for p in (0, 1) for q in (0, 1)]
    return np.concatenate(four, axis=-1)


def _convolution_of_equal_rows(kernel: Weights) -> Weights:
    """A 3×3 kernel on an image whose rows are all equal, as three kernels on one row.

    Args:
        kernel: shape (3, 3, in, out).

    Returns:
        shape (3, in, 3·out): for the first row (which has zeros above it), the inner rows and the last.
    """
    return np.concatenate([kernel[1:].sum(axis=0), kernel.sum(axis=0), kernel[:2].sum(axis=0)], axis=-1)


def _convolve(x: Any, kernel: Any, padding: str) -> Any:
    return ops.conv(x, kernel, padding=padding, data_format="channels_last")


def _activate(x: Any) -> Any:
    return _pixel_norm(ops.leaky_relu(x, 0.2))


def _pixel_norm(x: Any) -> Any:
    """Divide by the root mean square over channels. Source: Karras et al., "Progressive Growing of GANs", 2018."""
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + _NORM_EPSILON)
