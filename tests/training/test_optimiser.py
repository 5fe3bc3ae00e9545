"""Optimisers against those of Keras."""

import numpy as np
import pytest

from samplepack.models.backend import start_backend

start_backend()

from keras import ops  # noqa: E402

from samplepack.training.optimiser import adam_without_momentum  # noqa: E402


def test_adam_is_that_of_keras():
    import keras

    random = np.random.RandomState(11)
    start = random.standard_normal((3, 4)).astype("float32")
    theirs = keras.Variable(start)
    optimizer = keras.optimizers.Adam(0.01, beta_1=0.0, beta_2=0.99, epsilon=1e-8)
    state = {"generator": {"w": start}, "generator_squares": {"w": 0.0 * start}}
    for step in (1, 2, 3):
        gradient = random.standard_normal((3, 4)).astype("float32")
        optimizer.apply([ops.convert_to_tensor(gradient)], [theirs])
        state = adam_without_momentum(
            state, "generator", {"w": gradient}, {"generator": np.float32(0.01 * np.sqrt(1 - 0.99**step))}
        )
        assert np.asarray(state["generator"]["w"]) == pytest.approx(np.asarray(theirs), abs=1e-6)
