"""Adversarial training: a generator and a discriminator that learn from each other, growing block by block.

One trainer does both: training from nothing, as GANSynth was trained, and fine-tuning a generator that was trained by
reconstruction, which brings back noise, attacks and vibrato that an average of all likely notes has lost. Source:
Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, and Magenta's `model` and `train_util`;
Karras et al., "Progressive Growing of GANs", 2018; Gulrajani et al., "Improved Training of Wasserstein GANs", 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig
from samplepack.models.generator import numpy_codes
from samplepack.models.gradients import Tensors, compiled, value_and_gradients
from samplepack.training import discriminator
from samplepack.training.optimiser import SQUARES_DECAY, adam_without_momentum
from samplepack.training.settings import AdversarialSettings, FineTuneSettings
from samplepack.training.spectrograms import Selected
from samplepack.training.templates import harmonic_templates
from samplepack.training.trainer import State
from samplepack.training.wasserstein import Losses

Array = NDArray[np.float32]


class AdversarialTrainer:
    """Trains a generator against a discriminator; a `Trainer`.

    Args:
        config: the generator's sizes.
        settings: for training from nothing, or for fine-tuning.
        spectrograms: real images, within ±1, shape (n, frames, bins, 2), of any float type; may lie on disk.
        labels: their pitches, counted from the lowest, shape (n,).
        seed: of all random numbers.
    """

    terms: tuple[str, ...] = (
        "generator_score",
        "generator_pitch",
        "generator_pitch_right",
        "generator_anchor",
        "discriminator_score",
        "discriminator_penalty",
        "discriminator_drift",
        "discriminator_pitch",
    )

    def __init__(
        self,
        config: GANSynthConfig,
        settings: AdversarialSettings | FineTuneSettings,
        spectrograms: NDArray[Any] | Selected,
        labels: NDArray[np.int32],
        velocities: NDArray[np.int64],
        seed: int,
    ) -> None:
        self.config, self.settings = config, settings
        self.spectrograms, self.labels, self.velocities, self.seed = spectrograms, labels, velocities, seed
        self.images_per_step = settings.batch
        self.steps = -(-settings.images // settings.batch)
        self._program: tuple[tuple[int, bool], Callable[..., Any]] | None = None

    def start(self, tensors: Mapping[str, NDArray[np.float32]] | None) -> State:
        """The state before the first step; weights that `tensors` lacks are drawn at random."""
        random = np.random.default_rng([self.seed, self.steps])  # a step beyond the last
        given = tensors or {}
        state: State = {}
        for name, shape in self.config.tensor_shapes().items():
            if not name.startswith("block_"):
                fixed = given[name] if name in given else harmonic_templates(self.config)
                state[f"fixed/{name}"] = np.asarray(fixed, np.float32)
                continue
            weight = np.asarray(given[name], np.float32) if name in given else _draw_weight(random, name, shape)
            state |= {f"{part}/{name}": weight for part in ("generator", "average")}
            state[f"generator_squares/{name}"] = np.zeros(shape, np.float32)
            if isinstance(self.settings, FineTuneSettings):
                state[f"anchor/{name}"] = weight
        for name, shape in discriminator.tensor_shapes(self.config).items():
            state[f"discriminator/{name}"] = _draw_weight(random, name, shape)
            state[f"discriminator_squares/{name}"] = np.zeros(shape, np.float32)
        return state

    def step(self, state: State, step: int) -> tuple[State, dict[str, Any]]:
        """The generator learns from a batch, then the discriminator from another."""
        settings, images = self.settings, step * self.images_per_step
        stage = settings.stage(images, len(self.config.channels))
        random = np.random.default_rng([self.seed, step])
        batch = {
            "generator_notes": self._notes(random, state),
            "discriminator_notes": self._notes(random, state),
            **self._real(random),
            "share": np.array(1.0 if stage.share is None else stage.share, np.float32),
        }
        # Adam starts anew with each stage, as in Magenta: the new blocks' squares are as young as the old ones'.
        steps = step - -(-stage.since // self.images_per_step) + 1
        learns = not isinstance(settings, FineTuneSettings) or images >= settings.head_start
        unbiased = np.sqrt(1.0 - SQUARES_DECAY**steps)
        rates = {
            "generator": np.array(settings.learning_rate * unbiased * learns, np.float32),
            "discriminator": np.array(settings.discriminator_learning_rate * unbiased, np.float32),
        }
        if steps == 1:
            state = {name: 0.0 * t if "_squares/" in name else t for name, t in state.items()}
        used = _by_part({name: tensor for name, tensor in state.items() if _block_of(name) <= stage.block})
        key = (stage.block, stage.share is not None)
        if self._program is None or self._program[0] != key:
            self._program = (key, compiled(self._update(*key)))
        updated, terms = self._program[1](used, batch, rates)
        new = {f"{part}/{name}": tensor for part, tensors in updated.items() for name, tensor in tensors.items()}
        return state | new, terms

    def tensors(self, state: State) -> dict[str, NDArray[np.float32]]:
        """The tensors of a checkpoint: the moving average of the generator, its templates and instruments."""
        return {
            name: ops.convert_to_numpy(state[f"{'average' if name.startswith('block_') else 'fixed'}/{name}"])
            for name in self.config.tensor_shapes()
        }

    def config_after(self, steps: int) -> GANSynthConfig:
        """The config of a checkpoint after so many steps: its `progress` is how far growing has come."""
        last = max(steps - 1, 0) * self.images_per_step
        stage = self.settings.stage(last, len(self.config.channels))
        finished = stage.progress == len(self.config.channels) - 1
        return self.config.model_copy(update={"progress": None if finished else stage.progress})

    def _update(self, block: int, fades: bool) -> Callable[..., Any]:
        """One step as a pure function, for networks that have grown to a block, which may be fading in."""
        config, settings = self.config, self.settings
        pull = settings.anchor if isinstance(settings, FineTuneSettings) else 0.0

        def update(state: dict[str, Tensors], batch: dict[str, Any], rates: Tensors) -> Any:
            templates = state.get("fixed", {}).get("templates")
            losses = Losses(config, settings, block, batch["share"] if fades else None, templates)

            def generator_loss(weights: Tensors) -> Any:
                return losses.generator_loss(
                    weights, state["discriminator"], batch["generator_notes"], state.get("anchor"), pull
                )

            _, generator_terms, gradients = value_and_gradients(generator_loss, state["generator"])
            updated = adam_without_momentum(state, "generator", gradients, rates)
            keep, generator = settings.average, updated["generator"]
            updated["average"] = {n: keep * old + (1.0 - keep) * generator[n] for n, old in state["average"].items()}

            real, fake = losses.real(batch["real"]), losses.generated(generator, batch["discriminator_notes"])

            def discriminator_loss(weights: Tensors) -> Any:
                return losses.discriminator_loss(weights, real, batch["real_label"], fake, batch["mixing"])

            _, discriminator_terms, gradients = value_and_gradients(discriminator_loss, state["discriminator"])
            updated |= adam_without_momentum(state, "discriminator", gradients, rates)
            terms = {f"generator_{name}": value for name, value in generator_terms.items()}
            return updated, terms | {f"discriminator_{name}": value for name, value in discriminator_terms.items()}

        return update

    def _notes(self, random: np.random.Generator, state: State) -> dict[str, NDArray[Any]]:
        """A batch of notes for the generator: `code`, normalised latents and pitches, and `label`, as common as in the
        data."""
        config, settings, size = self.config, self.settings, self.images_per_step
        notes = random.integers(len(self.labels), size=size)
        label = self.labels[notes].astype(np.int32)
        latents = random.standard_normal((size, config.latent_dim), np.float32)
        if isinstance(settings, FineTuneSettings) and config.instruments:
            own = ops.convert_to_numpy(state["fixed/instruments"])[random.integers(len(config.instruments), size=size)]
            latents = np.where(random.random((size, 1)) < settings.own_latents, own, latents)
        return {"code": numpy_codes(config, latents, label, self.velocities[notes]), "label": label}

    def _real(self, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """A batch of real images with labels, and the places between real and generated ones where slopes are taken."""
        rows = random.integers(len(self.labels), size=self.images_per_step)
        return {
            "real": np.asarray(self.spectrograms[rows], np.float32),
            "real_label": self.labels[rows].astype(np.int32),
            "mixing": random.random((len(rows), 1, 1, 1), np.float32),
        }


def _draw_weight(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    """An initial weight: kernels from a standard normal distribution, biases zero."""
    return random.standard_normal(shape, np.float32) if name.endswith("kernel") else np.zeros(shape, np.float32)


def _block_of(name: str) -> int:
    """The block that a tensor of the state belongs to, 0 for none."""
    _, found, rest = name.partition("/block_")
    return int(rest.split("/")[0]) if found else 0


def _by_part(state: State) -> dict[str, Tensors]:
    """`part/name` → tensor, as part → name → tensor."""
    parts: dict[str, Tensors] = {}
    for path, tensor in state.items():
        part, _, name = path.partition("/")
        parts.setdefault(part, {})[name] = tensor
    return parts
