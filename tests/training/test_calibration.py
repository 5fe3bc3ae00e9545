"""The level of a trained network."""

import numpy as np

from samplepack.training.config import load_training
from samplepack.training.run import network_config


def test_a_network_that_is_too_soft_is_made_louder(make_training):
    from samplepack.training.calibration import calibrated
    from samplepack.training.spectrograms import analysed

    loaded = load_training(make_training())
    config, notes = network_config(loaded), np.arange(4)
    images = analysed(config, np.stack([loaded.dataset.wave(note) for note in notes]))
    as_is = calibrated(config, loaded.dataset, notes, images)
    two_db = config.normaliser.magnitude[0] * np.log(10.0) * 0.2
    images[..., 0] -= two_db
    louder = calibrated(config, loaded.dataset, notes, images)
    np.testing.assert_allclose(louder.magnitude, (as_is.magnitude[0], as_is.magnitude[1] - two_db))
    assert louder.frequency == config.normaliser.frequency
