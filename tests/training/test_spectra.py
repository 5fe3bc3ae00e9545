"""Training of networks of spectra: the courses, the loss against its formula, what is learned and what stays."""

import numpy as np
import pytest

from samplepack.training.config import load_training
from samplepack.training.run import network_config
from samplepack.training.spectrograms import frame_weights, from_pixels
from tests.helpers.networks import random_tensors
from tests.helpers.sets import TINY

SPECTRA = """method: [reconstruction, spectra]
spectra: {{images: {images}, batch: 8, courses: {courses}, hidden: 32, channels: [16, 16, 16, 16, 16]}}
"""


@pytest.fixture
def make_trainer(make_training, tmp_path):
    """Makes a trainer with so many courses, and the state at the beginning of a network of random other weights."""
    from samplepack.training.reconstruction import coarse_block
    from samplepack.training.spectra import SpectraTrainer
    from samplepack.training.spectrograms import analyse
    from samplepack.training.templates import harmonic_templates

    def make(courses, images=64):
        loaded = load_training(make_training(TINY + SPECTRA.format(images=images, courses=courses)))
        config, notes = network_config(loaded), loaded.dataset.contents.notes
        times = 2 ** (len(config.channels) - coarse_block(config))
        pixels = analyse(loaded.dataset, config, times, tmp_path, lambda done: None).pixels
        instruments = np.array([config.instruments.index(note.instrument) for note in notes])
        labels = np.array([note.pitch - 60 for note in notes])
        velocities = np.full(len(notes), 127)
        trainer = SpectraTrainer(
            config, loaded.training.spectra, pixels, np.arange(len(notes)), instruments, labels, velocities, 3
        )
        others = random_tensors(config.model_copy(update={"spectra": None}))
        others["templates"] = harmonic_templates(config)
        return trainer, trainer.start(others), others

    return make


def test_as_many_courses_as_frames_hold_every_level(make_trainer):
    trainer, state, _ = make_trainer(16)
    trainer._batch(state, 0)
    courses, floor = state["fixed/spectra/courses"], trainer.sizes.floor
    for note, spectra in enumerate(trainer._targets):
        levels = np.maximum(from_pixels(trainer.pixels[note, ..., 0]), floor)
        np.testing.assert_allclose(floor + courses @ spectra.T.astype("float32"), levels, atol=2e-3)


def test_few_courses_hold_what_they_can_best_at_the_onset(make_trainer):
    trainer, state, _ = make_trainer(2)
    trainer._batch(state, 0)
    courses, weights = state["fixed/spectra/courses"], frame_weights(trainer.config)[:, None]
    levels = np.maximum(from_pixels(trainer.pixels[5, ..., 0]) - trainer.sizes.floor, 0)
    best = np.linalg.lstsq(np.sqrt(weights) * courses, np.sqrt(weights) * levels, rcond=None)[0]
    np.testing.assert_allclose(trainer._targets[5].T, best, atol=2e-3)


def test_the_distance_is_that_of_the_levels(make_trainer):
    trainer, state, _ = make_trainer(3)
    trainer._batch(state, 0)
    courses, random = state["fixed/spectra/courses"], np.random.RandomState(0)
    one, other = random.standard_normal((2, trainer.config.bins, 3)).astype("float32")
    weights = frame_weights(trainer.config)[:, None]
    a_db = 0.0661371661726 * np.log(10) / 10
    apart_db = np.sqrt(weights) * (courses @ (one - other).T) / a_db
    # The courses are at right angles to each other, so that the sum over courses is the sum over frames.
    expected = np.sqrt(np.mean(apart_db**2) + 0.5**2)
    assert float(trainer._distance_db(one, other)) == pytest.approx(expected, rel=1e-4)


def test_levels_are_learned_and_everything_else_stays(make_trainer):
    trainer, state, others = make_trainer(4, images=1600)
    first = last = None
    for step in range(trainer.steps):
        state, terms = trainer.step(state, step)
        last = float(terms["level_db"])
        first = first or last
    assert last < 0.3 * first
    after = trainer.tensors(state)
    assert {name: tensor.shape for name, tensor in after.items()} == trainer.config.tensor_shapes()
    for name, tensor in others.items():
        np.testing.assert_array_equal(after[name], tensor)


def test_a_state_that_was_saved_goes_on_with_the_same_bits(make_trainer):
    trainer, state, _ = make_trainer(4)
    for step in range(2):
        state, _ = trainer.step(state, step)
    saved = {name: np.array(tensor) for name, tensor in sorted(state.items())}
    straight, resumed = (trainer.step(one, 2)[0] for one in (state, saved))
    for name, tensor in straight.items():
        np.testing.assert_array_equal(np.asarray(resumed[name]), np.asarray(tensor), err_msg=name)


def test_random_timbres_are_compared_with_instruments_at_one_pitch(make_trainer):
    trainer, state, _ = make_trainer(4)
    batch = trainer._batch(state, 0)
    labels = batch["random_code"][:, 4:].argmax(axis=1)
    assert len(labels) == 16 and len(set(labels[:8])) == len(set(labels[8:])) == 1
    for label, spectra in zip(labels, batch["random_spectra"], strict=True):
        assert any(np.array_equal(spectra, trainer._targets[row]) for row in np.flatnonzero(trainer.labels == label))
