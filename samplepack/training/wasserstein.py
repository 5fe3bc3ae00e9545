"""The losses of generator and discriminator, as functions of their weights.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017; Odena et al., "Conditional Image Synthesis with
Auxiliary Classifier GANs", 2017; weighted as in Engel et al., "GANSynth", ICLR 2019, and Magenta's `model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from samplepack.models.config import GANSynthConfig
from samplepack.models.generator import average_bins, first_block, fold, next_block, to_rgb
from samplepack.models.gradients import Tensors, value_and_gradients
from samplepack.training.discriminator import downscaled, judge
from samplepack.training.settings import LossWeights

SLOPE_EPSILON = 1e-10

ANCHOR_CELL = 8
"""Frames and bins of the cells whose mean levels the anchor compares. A cell lasts a quarter of a second, so that
noise, attacks and vibrato within it are free to change."""


@dataclass(frozen=True)
class Losses:
    """The losses of both networks, grown to a block.

    Weights are dicts by the names of `GANSynthConfig.tensor_shapes` and `discriminator.tensor_shapes`; those of blocks
    above `block` aren't needed. Notes are dicts of `code`, normalised latents and labels, shape (batch, latent_dim +
    pitch_count), and `label`, pitches counted from the lowest, shape (batch,).
    """

    config: GANSynthConfig
    weights: LossWeights

    block: int
    """The last block in use."""

    share: Any = None
    """While it fades in, its share in the output, 0…1, else None."""

    templates: Any = None
    """Templates, shape (pitches, channels, bins), where the generator sees any."""

    @property
    def scales(self) -> tuple[int, int]:
        """How many frames and bins at full size make one at the block's size."""
        times = 2 ** (self.block - 1)
        return self.config.frames // (self.config.start[0] * times), self.config.bins // (self.config.start[1] * times)

    def generated(self, generator: Tensors, notes: Tensors) -> Any:
        """The generator's images of notes, at the block's size."""
        config, block = self.config, self.block
        folded = fold(generator, config.channels[:block])
        rows: Any = None
        if self.templates is not None:
            rows = ops.transpose(ops.take(self.templates, notes["label"], axis=0), (0, 2, 1))

        def block_templates(number: int) -> Any:
            has_templates = config.template_channels(number) > 0
            return average_bins(rows, config.start[1] * 2 ** (number - 1)) if has_templates else None

        x = below = first_block(folded, notes["code"], config.start)
        for number in range(2, block + 1):
            below, x = x, next_block(folded, number, x, block_templates(number))
        images = to_rgb(folded, block, x, block_templates(block))
        return (
            images
            if self.share is None
            else self._mixed(images, to_rgb(folded, block - 1, below, block_templates(block - 1)))
        )

    def real(self, spectrograms: Any) -> Any:
        """Real images at the block's size; `spectrograms` are of full size, shape (batch, frames, bins, 2)."""
        images = downscaled(spectrograms, *self.scales)
        return images if self.share is None else self._mixed(images, downscaled(images, 2, 2))

    def generator_loss(
        self, generator: Tensors, discriminator: Tensors, notes: Tensors, anchor: Any = None, pull: float = 0.0
    ) -> tuple[Any, Tensors]:
        """The generator's loss, and its terms by name.

        Args:
            generator, discriminator: weights.
            notes: a batch.
            anchor: weights of a generator whose images it is held to, or None.
            pull: weight of the distance to them.
        """
        images = self.generated(generator, notes)
        score, logits = judge(discriminator, images, self.block, self.share)
        terms = {"score": -ops.mean(score), "pitch": cross_entropy(logits, notes["label"])}
        loss = terms["score"] + self.weights.pitch * terms["pitch"]
        if anchor is not None:
            terms["anchor"] = distance(images, self.generated(anchor, notes), self.config.normaliser.magnitude[0])
            loss = loss + pull * terms["anchor"]
        right = ops.cast(ops.argmax(logits, axis=-1), "int32") == ops.cast(notes["label"], "int32")
        return loss, terms | {"pitch_right": ops.mean(ops.cast(right, "float32"))}

    def discriminator_loss(
        self, discriminator: Tensors, real: Any, real_label: Any, fake: Any, mixing: Any
    ) -> tuple[Any, Tensors]:
        """The discriminator's loss, and its terms by name.

        Args:
            discriminator: weights.
            real, fake: images, shape (batch, frames, bins, 2).
            real_label: pitches of the real ones, counted from the lowest.
            mixing: where between a real and a fake one the slope is measured, 0…1, shape (batch, 1, 1, 1).
        """
        real_score, logits = judge(discriminator, real, self.block, self.share)
        fake_score, _ = judge(discriminator, fake, self.block, self.share)
        slope = self.slopes(discriminator, real + mixing * (fake - real))
        terms = {
            "score": ops.mean(fake_score) - ops.mean(real_score),
            "penalty": ops.mean(ops.square(slope - 1.0)),
            "drift": ops.mean(ops.square(real_score)),
            "pitch": cross_entropy(logits, real_label),
        }
        w = self.weights
        return terms["score"] + w.penalty * terms["penalty"] + w.drift * terms["drift"] + w.pitch * terms[
            "pitch"
        ], terms

    def slopes(self, discriminator: Tensors, images: Any) -> Any:
        """The norm of the score's gradient at each image, shape (batch,).

        As in Magenta, the gradient is by spectrograms of full size before they are normalised: by the natural log of
        mel power and by the frequency in units of π.
        """

        def total(at: Tensors) -> tuple[Any, Tensors]:
            return ops.sum(judge(discriminator, at["images"], self.block, self.share)[0]), {}

        units = np.array([self.config.normaliser.magnitude[0], self.config.normaliser.frequency[0]])
        units = units / np.sqrt(np.prod(self.scales))
        gradients = value_and_gradients(total, {"images": images})[2]["images"]
        gradients = gradients * ops.convert_to_tensor(units, gradients.dtype)
        return ops.sqrt(ops.sum(ops.square(gradients), axis=(1, 2, 3)) + SLOPE_EPSILON)

    def _mixed(self, images: Any, below: Any) -> Any:
        """The sum of images of the block and, doubled by nearest neighbours, of the one below, each with its share."""
        return self.share * images + (1.0 - self.share) * ops.repeat(ops.repeat(below, 2, axis=1), 2, axis=2)


def cross_entropy(logits: Any, label: Any) -> Any:
    """The batch's mean cross-entropy of logits, shape (batch, pitches), and labels, shape (batch,), nats."""
    return ops.mean(ops.sparse_categorical_crossentropy(label, logits, from_logits=True))


def distance(images: Any, others: Any, magnitude_unit: float) -> Any:
    """The distance of two batches of images by their coarse levels.

    Half the mean square difference of log mel power between cells of `ANCHOR_CELL` frames and bins, times the root of
    the number of values: its gradient then has the norm of the root mean square difference, whatever the size.

    Args:
        images, others: shape (batch, frames, bins, 2).
        magnitude_unit: the factor that log mel power was multiplied by.
    """
    cell = (min(ANCHOR_CELL, images.shape[1]), min(ANCHOR_CELL, images.shape[2]))
    apart = downscaled(images[..., :1] - others[..., :1], *cell) / magnitude_unit
    return 0.5 * float(np.sqrt(images.shape[1] * images.shape[2])) * ops.mean(ops.square(apart))
