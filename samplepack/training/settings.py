"""The settings of the ways of training, as the YAML that `samplepack train` takes holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from samplepack.documents.problems import wrong


class ReconstructionSettings(BaseModel):
    """Settings of training by reconstruction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(160_000, gt=0)
    """How many spectrograms are learned from in all."""

    batch: int = Field(8, gt=0)
    learning_rate: float = Field(1.2e-2, gt=0)
    latent_learning_rate: float = Field(4e-2, gt=0)

    coarse_share: float = Field(0.3, ge=0, le=1)
    """Share of the images, the first ones, that are learned at a quarter of the size only."""

    coarse_weight: float = Field(1.0, ge=0)
    """Weight of the loss at a quarter of the size after that; the levels of whole regions are learned there."""

    frequency_weight: float = Field(0.2, ge=0)
    """Weight of the loss on instantaneous frequency; that on magnitude has 1."""

    loud_weight: float = Field(3.0, ge=0)
    """How much more the loudest bins count than the others in the loss on magnitude."""

    divergence_weight: float = Field(1e-6, ge=0)
    """Weight of the posteriors' divergence from a normal distribution. With 2e-4, instruments blur into each other."""

    variety_weight: float = Field(0.5, ge=0)
    """Weight of the energy distance between the sounds of random latents and those of all instruments. It is left out
    where the data lacks an instrument that the network has a latent for."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of the convolutions; `bfloat16` is faster where the processor has it."""


class SpectraSettings(BaseModel):
    """Settings of the training of a network of spectra, and its sizes where the checkpoint has none yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(600_000, gt=0)
    """How many notes' levels are learned from in all."""

    batch: int = Field(128, gt=0)
    learning_rate: float = Field(1.5e-2, gt=0)

    variety_weight: float = Field(0.5, ge=0)
    """Weight of the energy distance between the spectra of random latents and those of all instruments, as in
    reconstruction."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of the convolutions; `bfloat16` is faster where the processor has it."""

    courses: PositiveInt = 32
    """How many courses over time there are, each with a spectrum of the note."""

    pitch_width_semitones: float = Field(4.0, gt=0)
    """How far a pitch shares what is learned with those beside it: the standard deviation of a bell curve."""

    hidden: PositiveInt = 256
    """Length of the two dense layers that latent, pitch and velocity pass."""

    channels: tuple[PositiveInt, ...] = Field((320, 320, 320, 224, 160, 112, 96), min_length=1)
    """How many channels each block has, block 1 first. Each block doubles the number of bins."""


class LossWeights(BaseModel):
    """The weights of the terms of the adversarial losses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    penalty: float = Field(10.0, ge=0.0)
    """Weight of the gradient penalty, which holds the score's slope at 1 between real and generated images."""

    drift: float = Field(0.001, ge=0.0)
    """Weight of the mean square of real images' scores, which keeps them near zero."""

    pitch: float = Field(10.0, ge=0.0)
    """Weight of the cross-entropy of the pitch that the discriminator finds: in real images for the discriminator, in
    generated ones for the generator."""


class AdversarialBase(LossWeights):
    """Settings that training from nothing and fine-tuning share."""

    batch: int = Field(8, ge=2)
    """Images in a step. The discriminator compares the images of a batch, so at least two."""

    discriminator_learning_rate: float = Field(8e-4, gt=0.0)

    average: float = Field(0.999, ge=0.0, lt=1.0)
    """Decay of the moving average of the generator's weights, which a checkpoint holds, per step."""


class AdversarialSettings(AdversarialBase):
    """Adversarial training from nothing, as in the paper: 11 million images, days on a GPU."""

    images: int = Field(11_000_000, gt=0)
    """Real images seen in all; those after the last block has faded in are seen at full size."""

    stable_images: int = Field(800_000, gt=0)
    """Real images seen at each size after it has faded in."""

    transition_images: int = Field(800_000, gt=0)
    """Real images seen while the next block fades in."""

    learning_rate: float = Field(8e-4, gt=0.0)
    """Learning rate of the generator."""

    def stage(self, images: int, blocks: int) -> Stage:
        """The stage of growing after so many images, for a network of so many blocks.

        Source: Magenta's `compute_progress`.
        """
        both = self.stable_images + self.transition_images
        whole, rest = divmod(min(images, blocks * both - self.transition_images - 1), both)
        if rest < self.stable_images:
            return Stage(whole + 1, None, whole * both)
        share = (rest - self.stable_images) / self.transition_images
        return Stage(whole + 2, share, whole * both + self.stable_images)


class FineTuneSettings(AdversarialBase):
    """Fine-tuning, at full size, of a generator that has been trained by another method.

    The discriminator gets a head start, since its gradients are noise at first. The generator learns at a quarter of
    the paper's rate, where reconstruction ends, too. The anchor keeps each named instrument near its timbre, since the
    discriminator judges only whether it sounds real.
    """

    images: int = Field(24_000, gt=0)
    """Real images seen in all. At the starter's sizes 1000 take some 10 minutes of one CPU core."""

    head_start: int = Field(2_000, ge=0)
    """How many of them are seen before the generator starts to change."""

    learning_rate: float = Field(2e-4, gt=0.0)
    """Learning rate of the generator."""

    anchor: float = Field(2.0, ge=0.0)
    """Weight of the distance to the generator at the start. With 1.0, a note that has become e times as powerful is
    pulled back as strongly as a discriminator of slope 1 can push."""

    own_latents: float = Field(0.5, ge=0.0, le=1.0)
    """Share of notes with the latents of instruments, where the checkpoint has any; the others' are random."""

    @model_validator(mode="after")
    def _starts(self) -> FineTuneSettings:
        if self.head_start >= self.images:
            raise wrong(f"head_start is {self.head_start}; it should be less than images, which is {self.images}")
        return self

    def stage(self, images: int, blocks: int) -> Stage:
        """All blocks, from the first image to the last."""
        return Stage(blocks, None, 0)


@dataclass(frozen=True)
class Stage:
    """How far a progressive network has grown."""

    block: int
    """The last block in use."""

    share: float | None
    """Its share in the output while it fades in; None once it has faded in."""

    since: int
    """The number of images after which this stage began."""

    @property
    def progress(self) -> float:
        """The stage as `GANSynthConfig.progress`."""
        return self.block - 1.0 if self.share is None else self.block - 2.0 + self.share
