"""The `config.json` of a GANSynth checkpoint: sizes of the network, normaliser, decoder, templates. Without Keras."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from samplepack.base.errors import InputError, Problem
from samplepack.documents.problems import wrong
from samplepack.models.checkpoint import Checkpoint, Config, Tensors, config_problems

DB = math.log(10.0) / 10.0
"""A decibel of power, in natural logarithms."""

Phase = Literal["direct", "peak-locked"]
"""How a spectrogram's frequencies become phases; see `MelToSound`."""


class Normaliser(BaseModel):
    """The linear map from spectrograms to the network's outputs, which lie within ±1: output = a · value + b."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    magnitude: tuple[float, float]
    """a and b for the natural log of mel power."""

    frequency: tuple[float, float]
    """a and b for the instantaneous frequency, in units of π per frame."""

    @property
    def a(self) -> NDArray[np.float32]:
        """The factors of magnitude and frequency, float32, shape (2,)."""
        return np.array([self.magnitude[0], self.frequency[0]], np.float32)

    @property
    def b(self) -> NDArray[np.float32]:
        """The offsets of magnitude and frequency, float32, shape (2,)."""
        return np.array([self.magnitude[1], self.frequency[1]], np.float32)


class Analysis(BaseModel):
    """The Fourier transform under a spectrogram, where it isn't that of Magenta's networks; see `SoundToMel`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fft_size: int = Field(gt=0, le=1 << 16, multiple_of=2)
    """Length of a frame, samples."""

    hop: int = Field(gt=0)
    """Distance from one frame to the next, samples: a quarter of `fft_size`, or another whole part that is smaller."""

    @model_validator(mode="after")
    def _overlapping(self) -> Analysis:
        if self.fft_size % self.hop or self.fft_size < 4 * self.hop:
            raise wrong(
                f"hop is {self.hop}; fft_size, {self.fft_size}, should be four or more times as large, a multiple"
            )
        return self


class Decoder(BaseModel):
    """Settings of `MelToSound`, which turns a spectrogram into sound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Phase
    floor_power: float = Field(0.0, ge=0.0)
    """Mel power that counts as silence."""


class Templates(BaseModel):
    """Images of a harmonic tone at each pitch, which the later blocks take beside their features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_block: int = Field(ge=2)
    """The first block that takes templates."""

    channels: int = Field(gt=0)
    """How many images each pitch has."""


class Spectra(BaseModel):
    """Sizes of a network of spectra, which gives the levels in place of the blocks, and noise between partials; see
    `samplepack.models.spectra`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    courses: int = Field(gt=0, le=1 << 10)
    """How many courses over time there are, and spectra of a note."""

    hidden: int = Field(gt=0, le=1 << 14)
    """Length of the two dense layers that the code passes."""

    start: int = Field(gt=0, le=1 << 14)
    """Bins of block 1."""

    channels: tuple[PositiveInt, ...] = Field(min_length=1, max_length=32)
    """How many channels each block has, block 1 first. Each block has twice the bins of the one below."""

    floor: float = Field(ge=-1.0, le=1.0)
    """The level of silence, normalised, from which levels are counted."""

    pitch_width_semitones: float = Field(gt=0.0)
    """How far a pitch shares what is learned with those beside it: the standard deviation of the bell curve that takes
    the place of the single 1 in the one-hot pitch."""

    noise_bands: int = Field(gt=0, le=1 << 10)
    """How many bands, all as wide in mel, have a share of noise between partials each."""

    @property
    def noise_hidden(self) -> int:
        """Length of the dense layer between the two of the code and the shares of noise."""
        return -(-self.hidden // 2)

    @property
    def bins(self) -> int:
        """Bins of the last block."""
        return self.start << (len(self.channels) - 1)

    def takes_templates(self, block: int) -> bool:
        """Whether a block takes the templates, where there are any: the last three do."""
        return block > len(self.channels) - 3


class GANSynthConfig(Config):
    """Sizes of a GANSynth checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latent_normalisation: Literal["none", "shell"] = "none"
    """`shell`: each latent is divided by its root mean square before it enters the network."""

    frames: int = Field(gt=0, le=1 << 14)
    """Frames of the spectrogram at full size."""

    bins: int = Field(gt=0, le=1 << 14)
    """Mel bins of the spectrogram at full size."""

    samples: int = Field(64000, gt=0, le=1 << 24)
    """Length of a note, samples."""

    analysis: Analysis | None = None
    """The Fourier transform; None: that of Magenta's networks, 2·bins long, with a hop of bins/2."""

    start: tuple[PositiveInt, PositiveInt]
    """Frames and bins of block 1."""

    channels: tuple[PositiveInt, ...] = Field(min_length=1, max_length=32)
    """How many channels each block has, block 1 first."""

    progress: float | None = None
    """How far progressive growing has come, 0.0 at block 1 alone; None: the output is the last block's alone."""

    templates: Templates | None = None

    spectra: Spectra | None = None
    """The network that gives the levels; None: the blocks give them, as in Magenta's networks."""

    normaliser: Normaliser
    decoder: Decoder

    @property
    def fft_size(self) -> int:
        """Length of a spectrogram's frame, samples."""
        return self.analysis.fft_size if self.analysis else 2 * self.bins

    @property
    def hop(self) -> int:
        """Distance from one frame of a spectrogram to the next, samples."""
        return self.analysis.hop if self.analysis else self.bins // 2

    @property
    def span(self) -> int:
        """The samples that a spectrogram's frames cover, `samples` and the silence in front of them."""
        return (self.frames - 1) * self.hop + self.fft_size

    @property
    def code_dim(self) -> int:
        """Length of the network's input: a latent, a one-hot pitch and, where it is learned, the velocity."""
        return self.latent_dim + self.pitch_count + (self.velocities is not None)

    @property
    def pitch_count(self) -> int:
        """How many pitches the network has a label for."""
        return self.pitches[1] - self.pitches[0] + 1

    def one_hot(self, labels: NDArray[np.integer]) -> NDArray[np.float32]:
        """Pitches as one-hot vectors, which the network takes.

        Args:
            labels: pitches counted from the lowest, shape (n,).

        Returns:
            float32, shape (n, pitch_count), 1.0 at each label, else 0.0.
        """
        return np.asarray(np.eye(self.pitch_count, dtype=np.float32)[labels])

    def velocity_input(self, velocities: NDArray[Any]) -> NDArray[np.float32]:
        """MIDI velocities as the network takes them: -1.0 at the lowest that it has learned, 1.0 at the highest.

        Args:
            velocities: shape (n,); those outside the learned ones count as the nearest.

        Returns:
            float32, shape (n, 1); shape (n, 0) where the network hasn't learned velocity.
        """
        if self.velocities is None:
            return np.zeros((len(velocities), 0), np.float32)
        low, high = self.velocities
        return np.asarray(2.0 * (np.clip(velocities, low, high) - low) / (high - low) - 1.0, np.float32)[:, np.newaxis]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of every tensor in the `weights.safetensors` of a checkpoint with this config."""
        shapes: dict[str, tuple[int, ...]] = {}
        below = self.code_dim
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
        if self.spectra:
            shapes |= self._spectra_shapes(self.spectra)
        if self.templates:
            shapes["templates"] = (self.pitch_count, self.templates.channels, self.bins)
        if self.instruments:
            shapes["instruments"] = (len(self.instruments), self.latent_dim)
        return shapes

    def _spectra_shapes(self, sizes: Spectra) -> dict[str, tuple[int, ...]]:
        extra = self.templates.channels if self.templates else 0
        first, last = sizes.channels[0], sizes.channels[-1]
        kernels: dict[str, tuple[int, ...]] = {
            "dense_1": (self.code_dim, sizes.hidden),
            "dense_2": (sizes.hidden, sizes.hidden),
            "scale": (sizes.hidden, 2 * sum(sizes.channels)),
            "start": (sizes.hidden, sizes.start * first),
            "noise_1": (sizes.hidden, sizes.noise_hidden),
            "noise_2": (sizes.noise_hidden, sizes.noise_bands),
        }
        below = 0
        for block, channels in enumerate(sizes.channels, start=1):
            if block > 1:
                kernels[f"block_{block}/conv0"] = (3, below + extra * sizes.takes_templates(block), channels)
            kernels[f"block_{block}/conv1"] = (3, channels, channels)
            below = channels
        kernels["output"] = (1, last + extra, sizes.courses)
        shapes = {f"spectra/{layer}/kernel": shape for layer, shape in kernels.items()}
        shapes |= {f"spectra/{layer}/bias": shape[-1:] for layer, shape in kernels.items()}
        return shapes | {
            "spectra/output/bias": (self.bins, sizes.courses),
            "spectra/courses": (self.frames, sizes.courses),
        }

    def template_channels(self, block: int) -> int:
        """How many channels of templates a block takes: 0 for blocks that take none."""
        return self.templates.channels if self.templates and block >= self.templates.from_block else 0

    def shares(self) -> dict[int, float]:
        """Block → its share in the output, for the blocks whose share isn't zero.

        Source: fading in a progressive GAN, as in Magenta: max(0, min(p − (b − 2), b − p)).
        """
        last = len(self.channels)
        progress = last - 1 if self.progress is None else self.progress
        shares = {b: max(0.0, min(progress - (b - 2), b - progress)) for b in range(1, last + 1)}
        return {block: share for block, share in shares.items() if share > 0.0}


def gansynth_config(checkpoint: Checkpoint) -> GANSynthConfig:
    """A checkpoint's config as that of a GANSynth network.

    Raises:
        InputError: it lacks a key or has an unknown one, or a value is out of bounds.
    """
    try:
        return GANSynthConfig.model_validate(checkpoint.config.model_dump())
    except ValidationError as error:
        raise InputError(*config_problems(error, checkpoint.name)) from error


def shape_problems(config: GANSynthConfig, tensors: Tensors, name: str) -> list[Problem]:
    """Every contradiction between a config and tensors, or between the sizes in the config.

    Args:
        config: sizes of the network.
        tensors: weights by name.
        name: the checkpoint's name, for the messages.
    """
    problems = []
    blocks = len(config.channels)
    grown = tuple(size * 2 ** (blocks - 1) for size in config.start)
    if any(full % size for full, size in zip((config.frames, config.bins), grown, strict=True)):
        problems.append(
            f"{blocks} blocks grow {config.start[0]} x {config.start[1]} to {grown[0]} x {grown[1]}, "
            f"which doesn't divide {config.frames} x {config.bins}"
        )
    if config.spectra and config.spectra.bins != config.bins:
        problems.append(f"the blocks of spectra grow to {config.spectra.bins} bins, which should be {config.bins}")
    if config.span < config.samples:
        problems.append(f"{config.frames} frames of {config.fft_size} points don't reach {config.samples} samples")
    for tensor_name, shape in config.tensor_shapes().items():
        if tensor_name not in tensors:
            problems.append(f"{tensor_name} is missing")
        elif tensors[tensor_name].shape != shape:
            problems.append(f"{tensor_name} has shape {tensors[tensor_name].shape}, should have {shape}")
    return [Problem(f"checkpoint '{name}': {problem}") for problem in problems]
