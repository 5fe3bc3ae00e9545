"""Adversarial training step by step, and on a toy set."""

import os
import subprocess
import sys

import numpy as np
import pytest

from samplepack.models.backend import start_backend
from tests.helpers.places import REPOSITORY

start_backend()

from keras import ops  # noqa: E402

from samplepack.models.gansynth import GANSynth  # noqa: E402
from samplepack.training.adversarial import AdversarialTrainer  # noqa: E402
from samplepack.training.settings import AdversarialSettings, FineTuneSettings  # noqa: E402
from tests.helpers.training import drawn, image, small  # noqa: E402


def trainer_of(settings, config=None, tensors=None, seed=3):
    config = config or small()
    size = (6, config.frames, config.bins, 2)
    spectrograms = np.random.RandomState(12).uniform(-1, 1, size).astype("float16")
    return AdversarialTrainer(config, settings, spectrograms, np.arange(6, dtype="int32") % 3, np.full(6, 127), seed)


def trained(trainer, state, first, last):
    for step in range(first, last):
        state, told = trainer.step(state, step)
        assert all(np.isfinite(float(value)) for value in told.values())
    return state


def test_blocks_above_the_last_in_use_stay_as_they_were_drawn():
    trainer = trainer_of(AdversarialSettings(batch=2))
    start = trainer.start(None)
    state = trained(trainer, start, 0, 2)
    moved = {name for name in start if not np.array_equal(np.asarray(state[name]), start[name])}
    assert {n for n in moved if "block_2" in n} == set()
    assert "generator/block_1/conv0/kernel" in moved and "discriminator/score/kernel" in moved
    assert trainer.config_after(2).progress == 0.0
    assert trainer.config_after(trainer.steps).progress is None


def finish(**changes):
    config = small(latent_normalisation="shell", instruments=["One", "Two"], templates={"from_block": 2, "channels": 2})
    tensors = {name: np.asarray(tensor) for name, tensor in drawn(config.tensor_shapes(), 13).items()}
    settings = FineTuneSettings(**{"images": 12, "head_start": 4, "batch": 2} | changes)
    return trainer_of(settings, config), tensors


def test_a_finish_starts_from_the_checkpoint_and_lets_the_discriminator_learn_first():
    trainer, tensors = finish()
    state, told = trainer.step(trainer.start(tensors), 0)
    assert float(told["generator_anchor"]) < 1e-9
    state, _ = trainer.step(state, 1)
    for name, tensor in trainer.tensors(state).items():
        assert tensor == pytest.approx(tensors[name], rel=1e-6), name
    state, _ = trainer.step(state, 2)
    state, told = trainer.step(state, 3)
    assert float(told["generator_anchor"]) > 0.0
    after = trainer.tensors(state)
    assert {name: tensor.shape for name, tensor in after.items()} == trainer.config.tensor_shapes()
    assert not np.array_equal(after["block_2/to_rgb/kernel"], tensors["block_2/to_rgb/kernel"])
    for name in ("templates", "instruments"):
        assert np.array_equal(after[name], tensors[name])
    assert trainer.config_after(4) == trainer.config


@pytest.mark.parametrize(("share", "distinct"), [(0.0, 40), (1.0, 2)])
def test_a_finish_plays_instruments_own_latents_too(share, distinct):
    trainer, tensors = finish(own_latents=share, batch=40)
    codes = trainer._notes(np.random.default_rng(1), trainer.start(tensors))["code"]
    latents = codes[:, :3] / np.linalg.norm(codes[:, :3], axis=1, keepdims=True)
    assert len(np.unique(latents.round(4), axis=0)) == distinct
    if share == 1.0:
        own = tensors["instruments"] / np.linalg.norm(tensors["instruments"], axis=1, keepdims=True)
        assert np.abs(latents[:, None] - own).max(axis=2).min(axis=1).max() < 1e-4


SINES = small(
    pitches=(60, 63), frames=8, bins=32, start=(4, 16), channels=(16, 16),
    normaliser={"magnitude": (1.0, 0.0), "frequency": (1.0, 0.0)},
)  # fmt: skip
"""What learns the sines: it grows from 4 × 16 to 8 × 32."""


def sines():
    """64 tones at four pitches that die away at different rates, and their labels."""
    label = np.arange(64, dtype="int32") % 4
    bins = np.arange(32) - (4 + 8 * label)[:, None, None]
    decay = np.exp(-np.arange(8)[:, None] / np.random.RandomState(0).uniform(3, 12, (64, 1, 1)))
    peak = np.exp(-0.5 * (bins / 1.5) ** 2) * np.ones_like(decay)
    return np.stack([-0.8 + 1.6 * peak * decay, 0.5 * np.tanh(bins) * peak], axis=-1).astype("float16"), label


def sines_trainer():
    settings = AdversarialSettings(
        images=1280, stable_images=320, transition_images=320, average=0.95,
        learning_rate=5e-3, discriminator_learning_rate=5e-3,
    )  # fmt: skip
    return AdversarialTrainer(SINES, settings, *sines(), np.full(64, 127), seed=1)


RESUMED = 45
"""A step at which the second block is fading in."""


@pytest.fixture(scope="module")
def learned():
    """States by step of a run on the sines."""
    trainer = sines_trainer()
    states = {0: trainer.start(None)}
    for last in (RESUMED, RESUMED + 3, trainer.steps):
        first = max(states)
        states[last] = trained(trainer, dict(states[first]), first, last)
    return states


def test_sines_are_learned(learned):
    trainer = sines_trainer()
    latents, label = np.random.RandomState(14).standard_normal((32, 3)).astype("float32"), np.arange(32) % 4
    spectrograms, labels = sines()
    means = np.stack([spectrograms[labels == pitch].mean(axis=0) for pitch in range(4)])

    def heard(step):
        made = GANSynth(trainer.config_after(step), trainer.tensors(learned[step])).spectrograms(latents, label + 60)
        apart = np.abs(made[:, None] - means).mean(axis=(2, 3, 4))
        return (apart.argmin(axis=1) == label).mean(), apart[range(32), label].mean()

    assert heard(0)[1] > 0.6
    right, apart = heard(trainer.steps)
    assert right > 0.95 and apart < 0.25


def test_a_run_that_resumes_gives_the_same_bits(learned):
    saved = {name: np.array(ops.convert_to_numpy(tensor)) for name, tensor in learned[RESUMED].items()}
    resumed = trained(sines_trainer(), saved, RESUMED, RESUMED + 3)
    assert resumed.keys() == learned[RESUMED + 3].keys()
    for name, tensor in learned[RESUMED + 3].items():
        assert np.array_equal(ops.convert_to_numpy(tensor), ops.convert_to_numpy(resumed[name])), name


def step_of_both():
    """The state after one step in which a block that sees templates fades in, as NumPy arrays."""
    config = small(templates={"from_block": 2, "channels": 2})
    trainer = trainer_of(AdversarialSettings(batch=2, stable_images=1, transition_images=30), config)
    state, told = trainer.step(trainer.start({"templates": np.asarray(image((3, 2, 8)))}), 5)
    return {name: ops.convert_to_numpy(tensor) for name, tensor in (state | told).items()}


def test_jax_takes_the_same_step(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    code = "import sys, numpy as np, tests.training.test_adversarial as t; np.savez(sys.argv[1], **t.step_of_both())"
    command = [sys.executable, "-c", code, str(tmp_path / "jax.npz")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY)
    assert ran.returncode == 0, ran.stderr
    theirs, ours = np.load(tmp_path / "jax.npz"), step_of_both()
    assert set(theirs) == set(ours)
    for name, tensor in ours.items():
        assert theirs[name] == pytest.approx(tensor, rel=1e-3, abs=2e-5), name
