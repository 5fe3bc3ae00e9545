"""What a network is trained on: the notes of a set as spectrograms, normalised as the network gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.datasets.dataset import Dataset
from samplepack.models.config import GANSynthConfig
from samplepack.models.mel_if import SoundToMel

Images = NDArray[np.float32]

FLOOR_POWER = 1e-3
"""Mel power is clamped to this: what lies below is silence, and nothing worth a network's effort."""

_TOGETHER = 16


@dataclass(frozen=True, eq=False)
class Spectrograms:
    """A set's notes, in its order."""

    images: NDArray[np.float16]
    """Shape (notes, frames, bins, 2), on disk: magnitude and frequency, within ±1."""

    coarse: NDArray[np.float16]
    """The same at the size of a lower block."""

    loudest: NDArray[np.float32]
    """The largest magnitude of each note, shape (notes,)."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Some of many spectrograms, which may lie on disk: `selected[rows]` reads those rows alone."""

    images: NDArray[np.float16]
    chosen: NDArray[np.int64]
    """Which of them, indices."""

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        return self.images[self.chosen[rows]]


def analysed(config: GANSynthConfig, waves: NDArray[np.float32]) -> Images:
    """Waves, float32, shape (n, samples), to spectrograms as the network gives them, shape (n, frames, bins, 2)."""
    sound = SoundToMel(config.frames, config.bins, config.sample_rate_hz)(waves)
    sound[..., 0] = np.maximum(sound[..., 0], np.log(FLOOR_POWER))
    sound[:, 0, :, 1] = (sound[:, 0, :, 1] + 1.0) % 2.0 - 1.0
    return np.asarray(np.clip(sound * config.normaliser.a + config.normaliser.b, -1.0, 1.0))


def shrunk(config: GANSynthConfig, images: Images, times: int) -> Images:
    """Spectrograms at a lower block's size: magnitudes averaged, frequencies averaged as angles, the loud ones counting
    more.

    Args:
        config: whose normaliser the images are in.
        images: shape (n, frames, bins, 2).
        times: how many times smaller in both directions.
    """
    n, frames, bins, _ = images.shape

    def averaged(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(values.reshape(n, frames // times, times, bins // times, times).mean(axis=(2, 4)))

    (a, b), (p, q) = config.normaliser.magnitude, config.normaliser.frequency
    weight = np.exp(0.25 * (images[..., 0] - b) / a)
    angle = np.pi * (images[..., 1] - q) / p
    turned = np.arctan2(averaged(weight * np.sin(angle)), averaged(weight * np.cos(angle)))
    return np.stack([averaged(images[..., 0]), turned / np.pi * p + q], axis=-1)


def analyse(
    dataset: Dataset, config: GANSynthConfig, times: int, path: Path, tell: Callable[[int], None]
) -> Spectrograms:
    """Every note of a set.

    Args:
        dataset: its rate and length must be the config's.
        config: sizes and normaliser.
        times: how many times smaller the coarse images are.
        path: where the large images are kept while training runs; 2·frames·bins·2 bytes a note.
        tell: called with the number of notes done.
    """
    notes = len(dataset.contents.notes)
    size = (config.frames, config.bins, 2)
    images = np.lib.format.open_memmap(path, "w+", np.float16, (notes, *size))
    coarse = np.zeros((notes, config.frames // times, config.bins // times, 2), np.float16)
    loudest = np.zeros(notes, np.float32)
    for batch in _batches(notes):
        analysed_images = analysed(config, np.stack([dataset.wave(i) for i in range(batch.start, batch.stop)]))
        images[batch], coarse[batch] = analysed_images, shrunk(config, analysed_images, times)
        loudest[batch] = analysed_images[..., 0].max(axis=(1, 2))
        tell(batch.stop)
    images.flush()
    return Spectrograms(np.load(path, mmap_mode="r"), coarse, loudest)


def _batches(notes: int) -> Iterator[slice]:
    for first in range(0, notes, _TOGETHER):
        yield slice(first, min(first + _TOGETHER, notes))
