"""The last step of training: the level of a network's sound, brought nearest to real."""

from __future__ import annotations

import math

import keras
import numpy as np
from numpy.typing import NDArray

from samplepack.datasets.dataset import Dataset
from samplepack.evaluation.measures import log_spectral_distance_db, loud_bins_db, spectra
from samplepack.models.config import GANSynthConfig, Normaliser
from samplepack.models.gansynth import mel_to_sound

_GAINS_DB = range(7)

_LOUD_WEIGHT = 0.03
"""How many dB of distance one dB at the loud bins is worth."""


def calibrated(
    config: GANSynthConfig, dataset: Dataset, notes: NDArray[np.int64], images: NDArray[np.float32]
) -> Normaliser:
    """The normaliser with which a network's images sound most like real notes.

    A network that is taught by differences of logarithms gives the middle of what could be, which is softer than the
    mean. Only the level is changed: to stretch the range as well makes peaks louder still, but timbres less like
    themselves.

    Args:
        config: of the network, with the normaliser that it was taught with.
        dataset: which holds the real notes.
        notes: some of those that it was taught, indices.
        images: what it makes of them, shape (len(notes), frames, bins, 2), within ±1.

    Returns:
        The normaliser with the magnitude's b replaced, by one of a few gains that were tried.
    """
    real = [spectra(dataset.wave(int(note))) for note in notes]
    decode = keras.Sequential([mel_to_sound(config)])  # as a model it is compiled
    a, b = config.normaliser.magnitude
    tried = {}
    for gain_db in _GAINS_DB:
        normaliser = Normaliser(
            magnitude=(a, b - a * gain_db * math.log(10.0) / 10.0), frequency=config.normaliser.frequency
        )
        made = [spectra(wave) for wave in decode.predict_on_batch((images - normaliser.b) / normaliser.a)]
        distance_db = np.mean([log_spectral_distance_db(r, m) for r, m in zip(real, made, strict=True)])
        loud_db = np.median([loud_bins_db(r, m) for r, m in zip(real, made, strict=True)])
        tried[normaliser] = float(distance_db + _LOUD_WEIGHT * abs(loud_db))
    return min(tried, key=lambda normaliser: tried[normaliser])
