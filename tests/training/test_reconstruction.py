"""Training by reconstruction: what is learned, and the losses against their formulas."""

import os
import subprocess
import sys

import numpy as np
import pytest

from samplepack.training.config import load_training
from samplepack.training.run import network_config
from samplepack.training.shards import in_shards
from tests.helpers.places import REPOSITORY


@pytest.fixture
def trainer(request, make_training, tmp_path):
    """A trainer by reconstruction on the two instruments, and its state at the beginning. Its batches are of four notes,
    or of as many as the test asks for: an odd batch isn't cut in two, so that the graph of a step is half as large."""
    from samplepack.training.reconstruction import ReconstructionTrainer, coarse_block
    from samplepack.training.settings import ReconstructionSettings
    from samplepack.training.spectrograms import analyse

    loaded = load_training(make_training())
    config, notes = network_config(loaded), loaded.dataset.contents.notes
    times = 2 ** (len(config.channels) - coarse_block(config))
    spectrograms = analyse(loaded.dataset, config, times, tmp_path, lambda done: None)
    instruments = np.array([config.instruments.index(note.instrument) for note in notes])
    labels = np.array([note.pitch - 60 for note in notes])
    velocities = np.full(len(notes), 127)
    settings = ReconstructionSettings(images=64, batch=getattr(request, "param", 4), coarse_share=0.0)
    made = ReconstructionTrainer(
        config, settings, spectrograms, np.arange(len(notes)), instruments, labels, velocities, 3
    )
    return made, made.start(None)


def test_what_is_learned_on_a_crop_is_what_the_whole_network_makes_there(trainer):
    from samplepack.models.generator import fold, next_block, to_rgb

    trainer, state = trainer
    weights = {name.removeprefix("weights/"): w for name, w in state.items() if name.startswith("weights/")}
    batch = in_shards(trainer._batch(5), 4)[1]
    code = np.asarray(trainer_code(weights, batch))
    folded = fold(weights, trainer.config.channels)
    _, x = trainer._coarse(folded, code, batch)
    crop = np.asarray(trainer._crop_image(folded, x, batch))
    labels = batch["one_hot"].argmax(axis=1)
    for number in (3, 4):
        seen = trainer._templates[number][labels]
        x = next_block(folded, number, x, seen)
    whole = np.asarray(to_rgb(folded, 4, x, seen))
    cells = batch["cells"][:, 0, 0] % (4 * 32)
    judged = 0
    for note in range(len(labels)):
        frame, bin_ = cells[note] // 32 * 4, cells[note] % 32 * 4
        there = whole[note, frame : frame + crop.shape[1], bin_ : bin_ + crop.shape[2]]
        counts = batch["counts"][note] > 0
        judged += counts.sum()
        np.testing.assert_allclose(crop[note][counts], there[counts], atol=2e-5)
        real = trainer.spectrograms.pixels[np.flatnonzero(labels[note] == trainer.labels)]
        assert any(
            np.array_equal(127.0 * batch["images"][note], r[frame : frame + crop.shape[1], bin_ : bin_ + crop.shape[2]])
            for r in real
        )
    assert judged > 0


def trainer_code(weights, batch):
    """The code of a batch, in plain NumPy."""
    z = weights["mean"][batch["instrument"]] + np.exp(weights["log_sigma"][batch["instrument"]]) * batch["noise"]
    z = z / np.sqrt(np.mean(z**2, axis=-1, keepdims=True))
    code = np.concatenate([z, batch["one_hot"], batch["velocity"]], axis=-1)
    return code / np.sqrt(np.mean(code**2, axis=-1, keepdims=True) + 1e-8)


def test_the_loss_is_what_its_formula_says(trainer):
    trainer, _ = trainer
    random = np.random.RandomState(0)
    made, real = random.uniform(-1, 1, (2, 1, 5, 6, 2)).astype("float32")
    counts = np.ones((1, 5, 6), "float32")
    counts[:, 0] = counts[:, :, :2] = 0.0  # a whole frame, and the margin of all others
    frame_weights = np.array([[9.0, 4.0, 4.0, 1.0, 1.0]], "float32")
    batch = {"loudest": np.float32(0.9)}
    a, p = 0.0661371661726, 0.8
    least = 0.9 - a * 8.5 * np.log(10)
    assert (real[..., 0] < least).any() and (made[..., 0] < least).any()
    level = np.clip((real[..., 0] - 0.9) / (a * 6.5 * np.log(10)) + 1, 0, 1)
    weight = (1 + 3.0 * level**4) * counts
    apart = np.where(real[..., 0] > least, abs(made[..., 0] - real[..., 0]), np.maximum(made[..., 0] - least, 0))
    half_a_db = a * 0.05 * np.log(10)
    squares = (apart**2 * weight).sum(axis=2)[0, 1:] / weight.sum(axis=2)[0, 1:]
    magnitude = np.average(np.sqrt(squares + half_a_db**2), weights=frame_weights[0, 1:])
    turned = 1 - np.cos(np.pi * (made[..., 1] - real[..., 1]) / p)
    frequency = (turned * level**2 * counts).sum() / (level**2 * counts).sum()
    told = trainer._distance(made, real, batch, frame_weights, counts)
    np.testing.assert_allclose(told, (magnitude, frequency), rtol=1e-4)


def test_the_frames_of_the_onset_count_four_times(trainer):
    trainer, _ = trainer
    config, batch = trainer.config, trainer._batch(5)
    first_sample = config.span - config.samples
    begins = np.arange(config.frames) * config.hop
    is_onset = (begins < first_sample + config.fft_size) & (first_sample <= begins + config.fft_size)
    expected = np.where(is_onset, 4.0, 1.0)
    assert 0 < is_onset.sum() < config.frames
    cells = batch["cells"][:, 0, 0] % (trainer._cells[0] * trainer._cells[1])
    for cell, weights in zip(cells, batch["frame_weights"], strict=True):
        first = cell // trainer._cells[1] * (config.frames // trainer._cells[0])
        np.testing.assert_array_equal(weights, expected[first : first + len(weights)])
    coarse = expected.reshape(trainer._cells[0], -1).mean(axis=1)
    np.testing.assert_array_equal(trainer._coarse_frame_weights, coarse)


def test_the_frequency_of_silence_costs_nothing_and_divides_by_nothing(trainer):
    trainer, _ = trainer
    silence = np.full((1, 4, 4, 2), -0.9, "float32")
    _, frequency = trainer._distance(silence * 0.5, silence, {"loudest": np.float32(0.9)}, np.ones(4))
    assert float(frequency) == 0.0


def test_random_timbres_are_judged_by_their_energy_distance_from_instruments_at_the_same_pitch(trainer):
    from samplepack.models.generator import fold

    trainer, state = trainer
    weights = {name.removeprefix("weights/"): w for name, w in state.items() if name.startswith("weights/")}
    shard = in_shards(trainer._batch(0), 4)[0]
    label = shard["random_one_hot"].argmax(axis=1)[0]
    assert (shard["random_one_hot"].argmax(axis=1) == label).all()
    at_the_pitch = trainer.spectrograms.coarse[trainer.labels == label][..., 0].astype("float32")
    assert all(any(np.array_equal(other, note) for note in at_the_pitch) for other in shard["others"])
    folded = fold(weights, trainer.config.channels)
    z = shard["random"] / np.sqrt(np.mean(shard["random"] ** 2, axis=-1, keepdims=True))
    code = np.concatenate([z, shard["random_one_hot"]], axis=-1)
    code = code / np.sqrt(np.mean(code**2, axis=-1, keepdims=True) + 1e-8)
    images, _ = trainer._coarse(folded, code, {"templates_2": shard.get("random_templates_2")})
    made = np.asarray(images)[..., 0]

    def apart(one, other):
        return np.sqrt(np.mean((one - other) ** 2) + 1e-6)

    expected = 2 * np.mean([apart(m, o) for m in made for o in shard["others"]]) - apart(made[0], made[1])
    np.testing.assert_allclose(trainer._variety(folded, shard), expected, rtol=1e-4)


@pytest.mark.parametrize("trainer", [3], indirect=True, ids=["batch of 3"])
def test_the_loss_falls(trainer):
    trainer, state = trainer
    told = []
    for step in range(trainer.steps):
        state, terms = trainer.step(state, step)
        told.append(float(terms["magnitude"]))
    assert np.mean(told[-4:]) < 0.75 * np.mean(told[:4])


@pytest.mark.parametrize("trainer", [3], indirect=True, ids=["batch of 3"])
def test_jax_takes_the_same_step(trainer, tmp_path):
    trainer, state = trainer
    batch = trainer._batch(0)
    np.savez(tmp_path / "state.npz", **{name.replace("/", "|"): tensor for name, tensor in state.items()})
    np.savez(tmp_path / "batch.npz", **batch)
    (tmp_path / "config.json").write_text(trainer.config.model_dump_json(), encoding="utf-8")
    code = """
import sys, numpy as np
from pathlib import Path
from samplepack.models.config import GANSynthConfig
from samplepack.training.reconstruction import ReconstructionTrainer
from samplepack.training.settings import ReconstructionSettings
from samplepack.training.spectrograms import Spectrograms
folder = Path(sys.argv[1])
state = {name.replace("|", "/"): array for name, array in np.load(folder / "state.npz").items()}
batch = dict(np.load(folder / "batch.npz"))
config = GANSynthConfig.model_validate_json((folder / "config.json").read_text())
none = np.zeros(1, int)
spectrograms = Spectrograms(none, none, none)
trainer = ReconstructionTrainer(config, ReconstructionSettings(images=64, batch=3), spectrograms, none, none, none, none, 3)
state, terms = trainer._step(state, batch)
np.savez(folder / "jax.npz", **{name.replace("/", "|"): np.asarray(tensor) for name, tensor in state.items()})
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    stepped, _ = trainer._step(state, batch)
    with np.load(tmp_path / "jax.npz") as by_jax:
        for name, tensor in stepped.items():
            if name.startswith("adam/"):
                scale = np.abs(tensor).max() + 1e-12
                np.testing.assert_allclose(by_jax[name.replace("/", "|")] / scale, tensor / scale, atol=1e-3)
