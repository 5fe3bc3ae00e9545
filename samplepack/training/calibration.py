"""The last step of training: setting the level of a network's sound to that of real notes."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from samplepack.datasets.dataset import Dataset
from samplepack.evaluation.measures import log_spectral_distance_db, loud_bins_db, spectra
from samplepack.models.config import DB, GANSynthConfig, Normaliser
from samplepack.models.mel_if import MelToSound

_GAINS_DB = range(7)
"""The gains that are tried."""

_LOUD_WEIGHT = 0.03
"""Weight of the level difference at the loud bins, beside the log-spectral distance, both in dB."""


def calibrated(
    config: GANSynthConfig, dataset: Dataset, notes: NDArray[np.int64], images: NDArray[np.float32]
) -> Normaliser:
    """The normaliser with which a network's images sound most like real notes.

    A network that is trained on differences of logarithms gives the middle of the likely levels, which is softer than
    their mean. Only the level is changed: stretching the range as well makes peaks louder still, but timbres less like
    the real ones.

    Args:
        config: the network's config, with the normaliser that it was trained with.
        dataset: the data set that holds the real notes.
        notes: indices of some of the notes that it was trained on.
        images: the network's images of these notes, shape (len(notes), frames, bins, 2), within ±1.

    Returns:
        The normaliser for the best of a few gains; only the magnitude's b differs.
    """
    real = [spectra(dataset.played(int(note)), config.sample_rate_hz) for note in notes]
    decode = keras.Sequential([MelToSound(config)])  # as a model it is compiled
    a, b = config.normaliser.magnitude
    costs = {}
    for gain_db in _GAINS_DB:
        normaliser = Normaliser(magnitude=(a, b - a * gain_db * DB), frequency=config.normaliser.frequency)
        generated = [
            spectra(wave, config.sample_rate_hz)
            for wave in decode.predict_on_batch((images - normaliser.b) / normaliser.a)
        ]
        distance_db = np.mean([log_spectral_distance_db(r, g) for r, g in zip(real, generated, strict=True)])
        loud_db = np.median([loud_bins_db(r, g) for r, g in zip(real, generated, strict=True)])
        costs[normaliser] = float(distance_db + _LOUD_WEIGHT * abs(loud_db))
    return min(costs, key=lambda normaliser: costs[normaliser])
