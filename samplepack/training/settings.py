"""The settings of the ways of training, as the YAML that `samplepack train` takes holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from samplepack.documents.problems import wrong


class ReconstructionSettings(BaseModel):
    """Settings of training by reconstruction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(160_000, gt=0)
    """How many spectrograms are seen in all."""

    batch: int = Field(8, gt=0)
    learning_rate: float = Field(1.2e-2, gt=0)
    latent_learning_rate: float = Field(4e-2, gt=0)

    coarse_share: float = Field(0.3, ge=0, le=1)
    """The first share of the images is learned at a quarter of the size alone."""

    coarse_weight: float = Field(1.0, ge=0)
    """Of the loss at a quarter of the size, after that. What is not yet right in a timbre is right there, or not at
    all: levels of whole regions."""

    frequency_weight: float = Field(0.2, ge=0)
    """Of the loss on instantaneous frequency, beside that on magnitude."""

    loud_weight: float = Field(3.0, ge=0)
    """Of the loudest bins, which are few, beside that of the others in the loss on magnitude."""

    divergence_weight: float = Field(1e-6, ge=0)
    """Of the posteriors' divergence from a normal distribution. With 2e-4, instruments blur into each other."""

    variety_weight: float = Field(0.5, ge=0)
    """Of how differently the sounds of random latents and those of all instruments are spread. Left out where the
    notes aren't of all instruments that the network knows."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the convolutions; `bfloat16` is faster where the processor has it."""


class LossWeights(BaseModel):
    """How much each term of the losses counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    penalty: float = Field(10.0, ge=0.0)
    """Of the gradient penalty: that the score's slope be 1 between real images and made ones."""

    drift: float = Field(0.001, ge=0.0)
    """Of the mean square of real images' scores, which keeps them near zero."""

    pitch: float = Field(10.0, ge=0.0)
    """Of the cross-entropy of the pitch that the discriminator hears: in real images, for the discriminator to learn
    it, and in made ones, for the generator."""


class AdversarialBase(LossWeights):
    """What both ways of adversarial training have in common."""

    batch: int = Field(8, ge=2)
    """Images of a step. The discriminator compares the images of a batch, so that one is not enough."""

    discriminator_learning_rate: float = Field(8e-4, gt=0.0)

    average: float = Field(0.999, ge=0.0, lt=1.0)
    """How much of itself the moving average of the generator, which is what a checkpoint holds, keeps each step."""


class AdversarialSettings(AdversarialBase):
    """Adversarial training from nothing, as in the paper: 11 million images, days on a GPU."""

    images: int = Field(11_000_000, gt=0)
    """Real images seen in all; what is left after the last block has faded in is spent at full size."""

    stable_images: int = Field(800_000, gt=0)
    """Real images seen at each size."""

    transition_images: int = Field(800_000, gt=0)
    """Real images seen while the next block fades in."""

    learning_rate: float = Field(8e-4, gt=0.0)
    """The generator's."""

    def stage(self, images: int, blocks: int) -> Stage:
        """Where growing has come to after so many images, of so many blocks. Source: Magenta's `compute_progress`."""
        both = self.stable_images + self.transition_images
        whole, rest = divmod(min(images, blocks * both - self.transition_images - 1), both)
        if rest < self.stable_images:
            return Stage(whole + 1, None, whole * both)
        share = (rest - self.stable_images) / self.transition_images
        return Stage(whole + 2, share, whole * both + self.stable_images)


class FineTuneSettings(AdversarialBase):
    """A finish at full size of a generator that has been trained by another method.

    The discriminator knows nothing at first, and what it would teach then is noise: it gets a head start. The
    generator is good already and learns at a quarter of the paper's rate, where reconstruction ends, too. The anchor
    keeps each named instrument the one that it was, since the discriminator cares only that it sounds real.
    """

    images: int = Field(24_000, gt=0)
    """Real images seen in all. At the starter's sizes 1000 take some 10 minutes of one CPU core."""

    head_start: int = Field(2_000, ge=0)
    """Of these, images seen before the generator starts to change."""

    learning_rate: float = Field(2e-4, gt=0.0)
    """The generator's."""

    anchor: float = Field(2.0, ge=0.0)
    """How strongly the generator is held to where it started. With 1.0, a note that has become e times as powerful
    is pulled back as strongly as a discriminator of slope 1 can push."""

    own_latents: float = Field(0.5, ge=0.0, le=1.0)
    """Share of notes made with instruments' own latents, where the checkpoint has any; the others' are random."""

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
    """How far a network has grown."""

    block: int
    """The last block in use."""

    share: float | None
    """While it fades in, its share in the output; None: it has faded in."""

    since: int
    """After how many images this stage began."""

    @property
    def progress(self) -> float:
        """As `GANSynthConfig.progress`."""
        return self.block - 1.0 if self.share is None else self.block - 2.0 + self.share
