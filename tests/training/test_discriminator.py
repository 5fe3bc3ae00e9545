"""The discriminator's layers."""

import numpy as np
import pytest

from samplepack.models.backend import start_backend

start_backend()


from samplepack.training import discriminator  # noqa: E402


def test_minibatch_deviation_is_the_mean_of_standard_deviations():
    x = np.random.RandomState(3).standard_normal((4, 3, 5, 2)).astype("float32")
    assert float(discriminator.minibatch_deviation(x)) == pytest.approx(np.sqrt(x.var(axis=0) + 1e-6).mean(), rel=1e-6)
    assert float(discriminator.minibatch_deviation(x[:1])) == pytest.approx(1e-3)
