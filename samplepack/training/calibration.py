"""The last step of training: the range of a network's magnitudes, stretched so that its sound comes nearest to real."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from numpy.typing import NDArray

from samplepack.datasets.prepared import Dataset
from samplepack.evaluation.measures import log_spectral_distance_db, loud_bins_db, spectra
from samplepack.models.gansynth import GANSynthConfig, Normaliser, mel_to_sound

_SLOPES = (1.06, 1.12, 1.18)
_PIVOTS = (0.2, 0.35, 0.5)
"""Of the stretch: by how much, and around which value of the network's output."""

_LOUD_WEIGHT = 0.03
"""How many dB of distance one dB at the loud bins is worth."""


def calibrated(
    config: GANSynthConfig, dataset: Dataset, notes: NDArray[np.int64], images: NDArray[np.float32]
) -> Normaliser:
    """The normaliser with which a network's images sound most like real notes.

    A network that is taught by differences stays short of the extremes: peaks a little low, silence a little noisy.

    Args:
        config: of the network, with the normaliser that it was taught with.
        dataset: which holds the real notes.
        notes: some of those that it was taught, indices.
        images: what it makes of them, shape (len(notes), frames, bins, 2), within ±1.

    Returns:
        The normaliser with the magnitude's a and b replaced, of a few stretches that were tried.
    """
    real = [spectra(dataset.wave(int(note))) for note in notes]
    decode = keras.Sequential([mel_to_sound(config)])  # as a model it is compiled
    a, b = config.normaliser.magnitude
    tried = {}
    for slope, pivot in [(1.0, 0.0), *itertools.product(_SLOPES, _PIVOTS)]:
        normaliser = Normaliser(
            magnitude=(a / slope, (b - pivot * (1.0 - slope)) / slope), frequency=config.normaliser.frequency
        )
        scale = np.array([normaliser.magnitude, normaliser.frequency], "float32")
        made = [spectra(wave) for wave in decode.predict_on_batch((images - scale[:, 1]) / scale[:, 0])]
        distance_db = np.mean([log_spectral_distance_db(r, m) for r, m in zip(real, made, strict=True)])
        loud_db = np.median([loud_bins_db(r, m) for r, m in zip(real, made, strict=True)])
        tried[normaliser] = float(distance_db + _LOUD_WEIGHT * abs(loud_db))
    return min(tried, key=lambda normaliser: tried[normaliser])
