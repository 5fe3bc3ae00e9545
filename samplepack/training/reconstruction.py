"""Training by reconstruction: each instrument has a latent, from which the network learns to reproduce its notes.

Source: Bojanowski et al., "Optimizing the Latent Space of Generative Networks", ICML 2018, with a posterior for each
instrument instead of a point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import DB, GANSynthConfig
from samplepack.models.generator import Folded, code_of, first_block, fold, next_block, to_rgb
from samplepack.models.gradients import Tensors, compiled, value_and_gradients
from samplepack.models.latent import onto_shell
from samplepack.training.optimiser import MuonAndAdam, clipped, pace
from samplepack.training.settings import ReconstructionSettings
from samplepack.training.shards import in_shards, mean_of, shard_size
from samplepack.training.spectrograms import Spectrograms, frame_weights, from_pixels
from samplepack.training.templates import harmonic_templates
from samplepack.training.trainer import State
from samplepack.training.variety import energy_distance, notes_at_one_pitch

_MARGIN = 2
"""How many cells around a crop are computed, but not counted in the loss, where its edge isn't that of the image."""

_RANDOM_LATENTS, _STEPS_PER_VARIETY = 2, 2
"""How many random latents each part of a batch has for the loss on variety, and in every how many steps that is
computed: it takes a third of a coarse step's time."""

_SIGMA = 0.04
"""Standard deviation of the posteriors at the start, where that of their means is 1."""

_LOUD_RANGE = 65.0 * DB
"""Over this range below a note's loudest bin, levels count more the higher they are."""

_RANGE = 85.0 * DB
"""Levels further below a note's loudest bin count as silence. By a model of hearing, real notes with a floor at -85 dB
are as good as without one, at -75 dB they lose 0.2 of 5 points and at -65 dB a whole point."""

_SMOOTHING = 0.5 * DB
"""The gradient of a frame's distance falls off where the distance is smaller."""


def initial_weights(config: GANSynthConfig, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """The weights of a new generator, by name: kernels drawn from a normal distribution, biases of zero.

    The rows of the first kernel for pitches are four times larger, so that the pitch is audible from the start. The
    images of blocks with templates are the templates themselves at first, harmonic tones at the right pitch.
    """
    weights = {}
    for name, shape in config.tensor_shapes().items():
        if name.startswith("block_"):
            is_kernel = name.endswith("/kernel")
            weights[name] = rng.standard_normal(shape).astype("float32") if is_kernel else np.zeros(shape, "float32")
    weights["block_1/conv0/kernel"][:, :, config.latent_dim : config.latent_dim + config.pitch_count] *= 4.0
    for number, channels in enumerate(config.channels, start=1):
        if config.template_channels(number):
            kernel = weights[f"block_{number}/to_rgb/kernel"]
            kernel *= 0.3
            kernel[:, :, channels:] = 0.0
            kernel[:, :, channels, 0] = kernel[:, :, channels + 1, 1] = math.sqrt(kernel.shape[2])
    return weights


class ReconstructionTrainer:
    """Trains a generator and its instruments' latents by reconstruction; a `Trainer`.

    Args:
        config: the network's config, with `instruments`.
        settings: settings of training by reconstruction.
        spectrograms: those of all notes, the coarse ones at the size of `coarse_block`.
        chosen: indices of the notes to learn from.
        instruments: the number of each note's instrument, int, shape (notes,).
        labels: each note's pitch, counted from the lowest, int, shape (notes,).
        velocities: each note's MIDI velocity, int, shape (notes,).
        seed: seed of all random numbers.
    """

    terms: tuple[str, ...] = (
        "magnitude",
        "frequency",
        "coarse_magnitude",
        "coarse_frequency",
        "variety",
        "divergence",
    )

    def __init__(
        self,
        config: GANSynthConfig,
        settings: ReconstructionSettings,
        spectrograms: Spectrograms,
        chosen: NDArray[np.int64],
        instruments: NDArray[np.int64],
        labels: NDArray[np.int64],
        velocities: NDArray[np.int64],
        seed: int,
    ) -> None:
        self.config, self.settings, self.spectrograms, self.seed = config, settings, spectrograms, seed
        self.chosen, self.instruments, self.labels, self.velocities = chosen, instruments, labels, velocities
        self.images_per_step = settings.batch
        self.steps = -(-settings.images // settings.batch)
        self._has_variety = settings.variety_weight > 0 and len(np.unique(instruments)) == len(config.instruments)
        self._shard = shard_size(settings.batch)
        self.coarse_block = coarse_block(config)
        size = [size * 2 ** (self.coarse_block - 1) for size in config.start]
        self._cells = (size[0], size[1])
        self._crop = (max(size[0] // 2, 1), max(size[1] // 4, 1))
        self._window = tuple(min(c + 2 * _MARGIN, n) for c, n in zip(self._crop, size, strict=True))
        self._stored_templates = harmonic_templates(config) if config.templates else None
        templates = None if self._stored_templates is None else self._stored_templates.transpose(0, 2, 1)
        self._templates = (
            {}
            if templates is None
            else {
                b: _averaged(templates, size[1] * 2 ** (b - self.coarse_block))
                for b in range(1, len(config.channels) + 1)
                if config.template_channels(b)
            }
        )
        self._frame_weights = frame_weights(config)
        self._coarse_frame_weights = self._frame_weights.reshape(size[0], -1).mean(axis=1)
        self._optimiser = MuonAndAdam(_is_kernel)
        self._step = compiled(self._update)

    def start(self, tensors: Mapping[str, NDArray[np.float32]] | None) -> State:
        """See `Trainer.start`. Without `tensors`, the instruments' latents are drawn at random."""
        rng = np.random.default_rng([self.seed, 0])
        weights = initial_weights(self.config, rng)
        shape = (len(self.config.instruments), self.config.latent_dim)
        weights["mean"] = rng.standard_normal(shape).astype("float32")
        if tensors is not None:
            weights.update({name: np.array(tensors[name]) for name in weights if name in tensors})
            weights["mean"] = np.array(tensors["instruments"])
        weights["log_sigma"] = np.full(shape, math.log(_SIGMA), "float32")
        return self._optimiser.start(weights)

    def step(self, state: State, step: int) -> tuple[State, dict[str, Any]]:
        """See `Trainer.step`."""
        return self._step(state, self._batch(step))  # type: ignore[no-any-return]

    def tensors(self, state: State) -> dict[str, NDArray[np.float32]]:
        """See `Trainer.tensors`."""
        averaged = self._optimiser.averages(state)
        del averaged["log_sigma"]
        mean = averaged.pop("mean")
        averaged["instruments"] = onto_shell(mean)
        if self._stored_templates is not None:
            averaged["templates"] = self._stored_templates
        return averaged

    def config_after(self, steps: int) -> GANSynthConfig:
        """See `Trainer.config_after`. The config is the same after every step."""
        return self.config

    def _batch(self, step: int) -> dict[str, NDArray[Any]]:
        """All arrays that a step needs besides the state. A term of the loss whose arrays are missing is left out."""
        settings, batch, n = self.settings, self.settings.batch, len(self.chosen)
        rng = np.random.default_rng([self.seed, 1, step])
        positions = np.arange(step * batch, (step + 1) * batch)
        order = {
            epoch: np.random.default_rng([self.seed, 2, epoch]).permutation(n)
            for epoch in sorted({int(position) for position in positions // n})
        }
        notes = self.chosen[[order[position // n][position % n] for position in positions]]
        labels = self.labels[notes]
        progress = step / self.steps
        arrays: dict[str, NDArray[Any]] = {
            "instrument": self.instruments[notes].astype("int32"),
            "noise": rng.standard_normal((batch, self.config.latent_dim)).astype("float32"),
            "loudest": self.spectrograms.loudest[notes][:, None, None],
            "coarse": self.spectrograms.coarse[notes].astype("float32"),
            "divergence": np.float32(settings.divergence_weight * min(1.0, progress / 0.2)),
        } | pace(step, self.steps, warm_up=150, keep=0.9988, behind=800)
        arrays |= self._pitch_arrays(labels) | {"velocity": self.config.velocity_input(self.velocities[notes])}
        if self._has_variety and step % _STEPS_PER_VARIETY == 0:
            arrays |= self._variety_arrays(rng)
        if step >= settings.coarse_share * self.steps:
            arrays |= self._crops(rng, notes, labels)
        return arrays

    def _variety_arrays(self, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Random latents, and notes of random instruments to compare them with. A part of the batch has one pitch."""
        parts = self.settings.batch // self._shard
        labels, velocities = self.labels[self.chosen], self.velocities[self.chosen]
        others = self.chosen[notes_at_one_pitch(rng, labels, velocities, parts, _RANDOM_LATENTS)]
        pitch_arrays = {f"random_{name}": array for name, array in self._pitch_arrays(self.labels[others]).items()}
        return pitch_arrays | {
            "random": rng.standard_normal((len(others), self.config.latent_dim)).astype("float32"),
            "random_velocity": self.config.velocity_input(self.velocities[others]),
            "others": self.spectrograms.coarse[others][..., 0].astype("float32"),
        }

    def _pitch_arrays(self, labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The coarse network's arrays for pitches: one-hot labels, and templates by block."""
        templates = {f"templates_{b}": t[labels] for b, t in self._templates.items() if b <= self.coarse_block}
        return templates | {"one_hot": self.config.one_hot(labels)}

    def _crops(
        self, rng: np.random.Generator, notes: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """The arrays for a crop of each note at full size: its place, the real images, and the weight of each pixel.

        Low bins, which hold most of the sound, are cropped more often.
        """
        n = len(notes)
        times = 2 ** (len(self.config.channels) - self.coarse_block)
        places = [cells - window + 1 for cells, window in zip(self._cells, self._window, strict=True)]
        t0 = rng.integers(0, places[0], n)
        f0 = np.floor(places[1] * rng.random(n) ** 1.4).astype(int)
        frames, bins = (np.arange(size) for size in self._window)
        cells = (t0[:, None, None] + frames[:, None]) * self._cells[1] + f0[:, None, None] + bins
        of_shard = np.arange(n) % self._shard
        cells = cells + of_shard[:, None, None] * (self._cells[0] * self._cells[1])
        images = np.stack(
            [
                self.spectrograms.pixels[
                    note, t * times : (t + len(frames)) * times, f * times : (f + len(bins)) * times
                ]
                for note, t, f in zip(notes, t0, f0, strict=True)
            ]
        )
        counts = np.ones(images.shape[:3], "float32")
        for axis, first, window, size in ((1, t0, len(frames), self._cells[0]), (2, f0, len(bins), self._cells[1])):
            along = np.moveaxis(counts, axis, 1)
            for i in range(n):
                if first[i] > 0:
                    along[i, : _MARGIN * times] = 0.0
                if first[i] + window < size:
                    along[i, -_MARGIN * times :] = 0.0
        arrays: dict[str, NDArray[Any]] = {
            "cells": cells.astype("int32"),
            "images": from_pixels(images),
            "counts": counts,
            "frame_weights": self._frame_weights[t0[:, None] * times + np.arange(len(frames) * times)],
        }
        for block, templates in self._templates.items():
            if block > self.coarse_block:
                larger = 2 ** (block - self.coarse_block)
                bins_of_block = f0[:, None] * larger + np.arange(len(bins) * larger)
                arrays[f"templates_{block}"] = templates[labels[:, None], bins_of_block]
        return arrays

    def _update(self, state: State, batch: Tensors) -> tuple[State, dict[str, Any]]:
        weights = self._optimiser.weights(state)
        parts = [
            value_and_gradients(lambda w, shard=shard: self._loss(w, shard), weights)
            for shard in in_shards(batch, self.settings.batch)
        ]
        terms, gradients = (mean_of([part[i] for part in parts]) for i in (1, 2))
        network = [name for name in weights if name.startswith("block_")]
        gradients |= clipped({name: gradients[name] for name in network}, 1.0)
        rates = {
            name: batch["rate"]
            * (self.settings.learning_rate if name in network else self.settings.latent_learning_rate)
            for name in weights
        }
        return self._optimiser.update(state, weights, gradients, rates, batch["step"], batch["keep"]), terms

    def _loss(self, weights: Tensors, batch: Tensors) -> tuple[Any, dict[str, Any]]:
        mean = ops.take(weights["mean"], batch["instrument"], axis=0)
        log_sigma = ops.take(weights["log_sigma"], batch["instrument"], axis=0)
        sigma = ops.exp(log_sigma)
        divergence = ops.mean(ops.sum(0.5 * (mean**2 + sigma**2 - 1.0) - log_sigma, axis=-1))
        code = code_of(mean + sigma * batch["noise"], batch["one_hot"], batch["velocity"])
        folded = {name: self._cast(weight) for name, weight in fold(weights, self.config.channels).items()}
        coarse, x = self._coarse(folded, code, batch)
        distances = self._distance(coarse, batch["coarse"], batch, self._coarse_frame_weights)
        terms = dict(zip(("coarse_magnitude", "coarse_frequency"), distances, strict=True))
        loss = terms["coarse_magnitude"] + self.settings.frequency_weight * terms["coarse_frequency"]
        if "images" in batch:
            y = self._crop_image(folded, x, batch)
            magnitude, frequency = self._distance(y, batch["images"], batch, batch["frame_weights"], batch["counts"])
            terms |= {"magnitude": magnitude, "frequency": frequency}
            loss = magnitude + self.settings.frequency_weight * frequency + self.settings.coarse_weight * loss
        if "random" in batch:
            terms["variety"] = self._variety(folded, batch)
            loss = loss + self.settings.variety_weight * terms["variety"]
        terms["divergence"] = divergence
        return loss + batch["divergence"] * divergence, terms

    def _coarse(self, folded: Folded, code: Any, batch: Tensors) -> tuple[Any, Any]:
        x = first_block(folded, self._cast(code), self.config.start)
        for number in range(2, self.coarse_block + 1):
            x = next_block(folded, number, x, self._block_templates(batch, number))
        return to_rgb(folded, self.coarse_block, x, self._block_templates(batch, self.coarse_block)), x

    def _crop_image(self, folded: Folded, x: Any, batch: Tensors) -> Any:
        x = ops.take(ops.reshape(x, (-1, x.shape[-1])), batch["cells"], axis=0)
        last = len(self.config.channels)
        for number in range(self.coarse_block + 1, last + 1):
            x = next_block(folded, number, x, self._block_templates(batch, number))
        return to_rgb(folded, last, x, self._block_templates(batch, last))

    def _variety(self, folded: Folded, batch: Tensors) -> Any:
        """The loss on variety, by the coarse levels; see `energy_distance`."""
        inputs = {name.removeprefix("random_"): t for name, t in batch.items() if name.startswith("random_")}
        images, _ = self._coarse(folded, code_of(batch["random"], inputs["one_hot"], inputs["velocity"]), inputs)

        def distance(a: Any, b: Any) -> Any:
            return ops.sqrt(ops.mean(ops.square(a - b), axis=(2, 3)) + 1e-6)

        return energy_distance(ops.cast(images[..., 0], "float32"), batch["others"], distance)

    def _block_templates(self, batch: Tensors, block: int) -> Any:
        return self._cast(batch[f"templates_{block}"]) if block in self._templates else None

    def _cast(self, tensor: Any) -> Any:
        return ops.cast(tensor, self.settings.precision)

    def _distance(
        self, images: Any, real: Any, batch: Tensors, frame_weights: Any, counts: Any = 1.0
    ) -> tuple[Any, Any]:
        """The distances of images from the real ones: that of magnitudes, and that of frequencies.

        The distance of magnitudes is the root mean square over a frame's bins, averaged over frames as in the
        log-spectral distance. Loud bins count more, and differences below the audible level don't count. That of
        frequencies is one minus the cosine of their difference as angles, averaged over bins weighted by level.
        """
        a, p = self.config.normaliser.magnitude[0], self.config.normaliser.frequency[0]
        magnitude, frequency = ops.unstack(ops.cast(images, "float32"), 2, axis=-1)
        level = ops.clip((real[..., 0] - batch["loudest"]) / (a * _LOUD_RANGE) + 1.0, 0.0, 1.0)
        floor = batch["loudest"] - a * _RANGE
        difference = ops.where(real[..., 0] > floor, magnitude - real[..., 0], ops.maximum(magnitude - floor, 0.0))
        weight = (1.0 + self.settings.loud_weight * level**4) * counts
        bins_weight = ops.sum(weight, axis=-1)
        squares = ops.sum(ops.square(difference) * weight, axis=-1) / (bins_weight + 1e-6)
        frame_weights = frame_weights * ops.cast(bins_weight > 0.0, "float32")
        distance = ops.sum(ops.sqrt(squares + (a * _SMOOTHING) ** 2) * frame_weights) / ops.sum(frame_weights)
        weight = level**2 * counts
        turn = 1.0 - ops.cos((math.pi / p) * (frequency - real[..., 1]))
        return distance, ops.sum(turn * weight) / (ops.sum(weight) + 1e-6)


def coarse_block(config: GANSynthConfig) -> int:
    """The block whose images have a quarter of the full frames and bins, or block 1 of a small network."""
    return max(len(config.channels) - 2, 1)


def _averaged(templates: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    pitches, wide, channels = templates.shape
    return np.asarray(templates.reshape(pitches, bins, wide // bins, channels).mean(axis=2))


def _is_kernel(name: str) -> bool:
    """Whether a weight is a kernel that `Muon` changes: those of the blocks' convolutions, without `to_rgb`."""
    return re.fullmatch(r"block_\d+/conv\d/kernel", name) is not None
