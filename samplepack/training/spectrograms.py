"""The images that a network is trained on: spectrograms of a data set's notes, normalised like its output."""

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
"""Mel power is clamped to this: lower power counts as silence, which a network needn't learn."""

_TOGETHER = 16
"""How many notes are analysed at a time."""


@dataclass(frozen=True, eq=False)
class Spectrograms:
    """The spectrograms of a data set's notes, in its order."""

    images: NDArray[np.float16]
    """Magnitude and frequency, within ±1, shape (notes, frames, bins, 2). The array lies on disk."""

    coarse: NDArray[np.float16]
    """The same images at the size of a lower block; see `shrunk`."""

    loudest: NDArray[np.float32]
    """The largest magnitude of each note, shape (notes,)."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Some of many spectrograms, which may lie on disk: `selected[rows]` reads those rows alone."""

    images: NDArray[np.float16]
    """All spectrograms, shape (notes, frames, bins, 2)."""

    chosen: NDArray[np.int64]
    """Indices of the selected ones."""

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        return self.images[self.chosen[rows]]


def analysed(config: GANSynthConfig, waves: NDArray[np.float32]) -> Images:
    """The spectrograms of waves, normalised like the network's output.

    Args:
        config: sizes and normaliser.
        waves: float32, shape (n, samples).

    Returns:
        float32, shape (n, frames, bins, 2), within ±1.
    """
    spectrogram = SoundToMel(config.frames, config.bins, config.sample_rate_hz)(waves)
    spectrogram[..., 0] = np.maximum(spectrogram[..., 0], np.log(FLOOR_POWER))
    spectrogram[:, 0, :, 1] = (spectrogram[:, 0, :, 1] + 1.0) % 2.0 - 1.0
    return np.asarray(np.clip(spectrogram * config.normaliser.a + config.normaliser.b, -1.0, 1.0))


def shrunk(config: GANSynthConfig, images: Images, times: int) -> Images:
    """Shrink spectrograms to the size of a lower block.

    Magnitudes are averaged. Frequencies are averaged as angles, weighted with the fourth root of mel power.

    Args:
        config: its normaliser is that of the images.
        images: shape (n, frames, bins, 2).
        times: factor by which frames and bins are reduced.

    Returns:
        Shape (n, frames / times, bins / times, 2).
    """
    n, frames, bins, _ = images.shape

    def averaged(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(values.reshape(n, frames // times, times, bins // times, times).mean(axis=(2, 4)))

    (a, b), (p, q) = config.normaliser.magnitude, config.normaliser.frequency
    weight = np.exp(0.25 * (images[..., 0] - b) / a)
    angle = np.pi * (images[..., 1] - q) / p
    mean_angle = np.arctan2(averaged(weight * np.sin(angle)), averaged(weight * np.cos(angle)))
    return np.stack([averaged(images[..., 0]), mean_angle / np.pi * p + q], axis=-1)


def analyse(
    dataset: Dataset, config: GANSynthConfig, times: int, path: Path, on_notes: Callable[[int], None]
) -> Spectrograms:
    """Compute the spectrograms of all notes of a data set.

    Args:
        dataset: the data set, with the config's sample rate and length of notes.
        config: sizes and normaliser.
        times: factor by which frames and bins of the coarse images are reduced.
        path: the `.npy` file for the images at full size, 4·frames·bins bytes a note.
        on_notes: called with the number of notes done.
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
        on_notes(batch.stop)
    images.flush()
    return Spectrograms(np.load(path, mmap_mode="r"), coarse, loudest)


def _batches(notes: int) -> Iterator[slice]:
    for first in range(0, notes, _TOGETHER):
        yield slice(first, min(first + _TOGETHER, notes))
