"""Training of the noise between partials, which a network of spectra learns last.

Its shares are those that the network's notes miss beside the real ones. They are a function of what the dense layers of
the network make of a note's code; nothing else is changed by learning it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.base.parallel import threads
from samplepack.datasets.dataset import Dataset
from samplepack.evaluation.measures import noise_of_bands_db
from samplepack.models.config import DB, GANSynthConfig
from samplepack.models.generator import numpy_codes
from samplepack.models.gradients import Tensors, compiled, value_and_gradients
from samplepack.models.mel_if import hz_to_mel, mel_to_hz
from samplepack.models.spectra import fold_spectra, noise_of
from samplepack.training.optimiser import MuonAndAdam, pace
from samplepack.training.trainer import State

MOST_NOTES = 6000
"""How many notes, spread evenly over all, noise is learned from at most: each is rendered once."""

_TOGETHER = 64
"""How many notes are rendered at a time."""

_STEPS, _BATCH = 4000, 256

_LEARNING_RATE = 2e-2

_SIGMA = 0.04
"""Standard deviation of the noise on latents, as in the training of spectra."""

_MEASURED_SHARE = np.log(2.0)
"""What `noise_of_bands_db` measures in white noise: the median of a power that is distributed exponentially."""

_LEAST = -60.0 * DB
"""The noise of a network that has learned none, natural logarithm of its share."""


def no_noise(config: GANSynthConfig, seed: int) -> dict[str, NDArray[np.float32]]:
    """The weights before the first step, of a network whose notes have no noise between partials."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in config.tensor_shapes().items() if is_of_noise(name)}
    rng = np.random.default_rng([seed, 2])
    weights["spectra/noise_1/kernel"] = rng.standard_normal(weights["spectra/noise_1/kernel"].shape).astype("float32")
    weights["spectra/noise_2/bias"] += np.float32(_LEAST)
    return weights


def is_of_noise(name: str) -> bool:
    """Whether a tensor is a weight of the noise."""
    return name.startswith("spectra/noise_")


def missing_noise(
    dataset: Dataset,
    config: GANSynthConfig,
    notes: NDArray[np.int64],
    render: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    on_notes: Callable[[int], None],
) -> NDArray[np.float32]:
    """The noise of real notes, less what is between the partials of the network's, in each band.

    Args:
        dataset: the data set that holds the real notes.
        config: the network's config, with `spectra`.
        notes: indices of the notes.
        render: the waves of some of these notes by the network without noise, shape (notes, samples).
        on_notes: called with the number of notes done.

    Returns:
        Natural logarithms of shares, -60 dB or more, float32, shape (len(notes), noise bands).
    """
    assert config.spectra is not None
    rate_hz = config.sample_rate_hz
    edges_hz = mel_to_hz(np.linspace(0.0, hz_to_mel(rate_hz / 2), config.spectra.noise_bands + 1))

    def missing(pair: tuple[np.int64, NDArray[np.float32]]) -> NDArray[np.float64]:
        note, wave = pair
        pitch = dataset.contents.notes[note].pitch
        real_db, own_db = (noise_of_bands_db(one, pitch, rate_hz, edges_hz) for one in (dataset.wave(int(note)), wave))
        share = (10.0 ** (real_db / 10.0) - 10.0 ** (own_db / 10.0)) / _MEASURED_SHARE
        return np.asarray(np.log(np.maximum(share, np.exp(_LEAST))))

    in_threads, levels = threads(os.cpu_count() or 1), list[NDArray[np.float64]]()
    for first in range(0, len(notes), _TOGETHER):
        some = notes[first : first + _TOGETHER]
        levels += in_threads(missing, zip(some, render(some), strict=True))
        on_notes(len(levels))
    return np.asarray(levels, np.float32)


def learned_noise(
    config: GANSynthConfig,
    tensors: Mapping[str, NDArray[np.float32]],
    latents: NDArray[np.float32],
    labels: NDArray[np.int64],
    velocities: NDArray[np.int64],
    levels: NDArray[np.float32],
    seed: int,
) -> dict[str, NDArray[np.float32]]:
    """The weights that give notes the noise that they miss.

    Args:
        config: the network's config, with `spectra`.
        tensors: the weights of its network of spectra; those of the noise are where learning begins.
        latents: of the notes' instruments, float32, shape (notes, latent_dim).
        labels: the notes' pitches, counted from the lowest, shape (notes,).
        velocities: the notes' MIDI velocities, shape (notes,).
        levels: the noise that they miss; see `missing_noise`.
        seed: seed of all random numbers.
    """
    fixed = {name: tensor for name, tensor in tensors.items() if not is_of_noise(name)}
    optimiser = MuonAndAdam(lambda name: name == "spectra/noise_1/kernel")

    def update(state: State, batch: Tensors) -> State:
        def loss(weights: Tensors) -> tuple[Any, None]:
            noise = noise_of(fold_spectra(config, fixed | weights), batch["code"])
            return ops.mean(ops.abs(noise - batch["levels"])), None

        weights = optimiser.weights(state)
        _, _, gradients = value_and_gradients(loss, weights)
        rates = dict.fromkeys(weights, batch["rate"] * _LEARNING_RATE)
        return optimiser.update(state, weights, gradients, rates, batch["step"], batch["keep"])

    step_of, state = compiled(update), optimiser.start({n: t for n, t in tensors.items() if is_of_noise(n)})
    for step in range(_STEPS):
        rng = np.random.default_rng([seed, 3, step])
        notes = rng.integers(len(levels), size=_BATCH)
        nearby = latents[notes] + np.float32(_SIGMA) * rng.standard_normal((_BATCH, latents.shape[1]), np.float32)
        batch: dict[str, NDArray[Any]] = {
            "code": numpy_codes(config, nearby, labels[notes], velocities[notes]),
            "levels": levels[notes],
        }
        state = step_of(state, batch | pace(step, _STEPS, warm_up=100, keep=0.998, behind=100))
    return optimiser.averages(state)
