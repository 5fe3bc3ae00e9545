"""The images that a network is trained on: spectrograms of a data set's notes, normalised like its output."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.files import write_aside
from samplepack.base.parallel import threads
from samplepack.datasets.dataset import Dataset
from samplepack.models.config import GANSynthConfig
from samplepack.models.mel_if import SoundToMel

Images = NDArray[np.float32]

Pixels = NDArray[np.int8]
"""Images on disk, in steps of 1/127, half a dB, at half the size of float16: 20,000 of 256 × 384 are 4 GB."""

FLOOR_POWER = 1e-3
"""Mel power is clamped to this: lower power counts as silence, which a network needn't learn."""

_ONSET_WEIGHT = 4.0
"""How much more the frames of the onset count in training, without whose weight attacks come out too slow."""

FILES = ("spectrograms.npy", "coarse.npy", "loudest.npy")
"""The files of a run's folder that hold the spectrograms, the last one written last."""

_TOGETHER = 4
"""How many notes are analysed at a time."""


@dataclass(frozen=True, eq=False)
class Spectrograms:
    """The spectrograms of a data set's notes, in its order."""

    pixels: Pixels
    """Magnitude and frequency, shape (notes, frames, bins, 2). The array lies on disk; see `from_pixels`."""

    coarse: NDArray[np.float16]
    """The same images at the size of a lower block; see `shrunk`. The array lies on disk, too."""

    loudest: NDArray[np.float32]
    """The largest magnitude of each note, shape (notes,)."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Some of many spectrograms, which may lie on disk: `selected[rows]` reads those rows alone."""

    pixels: Pixels
    """All spectrograms, shape (notes, frames, bins, 2)."""

    chosen: NDArray[np.int64]
    """Indices of the selected ones."""

    def __getitem__(self, rows: NDArray[np.int64]) -> Images:
        return from_pixels(self.pixels[self.chosen[rows]])


def spread(notes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Some of these notes, at most so many, spread evenly over all."""
    return np.asarray(notes[np.linspace(0, len(notes) - 1, min(most, len(notes))).astype(int)])


def from_pixels(pixels: Pixels) -> Images:
    """Images as the network gives them, float32, within ±1, from those on disk."""
    return np.asarray(pixels.astype(np.float32) / np.float32(127.0))


def analysed(config: GANSynthConfig, waves: NDArray[np.float32]) -> Images:
    """The spectrograms of waves, normalised like the network's output.

    Args:
        config: sizes and normaliser.
        waves: float32, shape (n, samples).

    Returns:
        float32, shape (n, frames, bins, 2), within ±1.
    """
    spectrogram = SoundToMel(config)(waves)
    spectrogram[..., 0] = np.maximum(spectrogram[..., 0], np.log(FLOOR_POWER))
    spectrogram[:, 0, :, 1] = (spectrogram[:, 0, :, 1] + 1.0) % 2.0 - 1.0
    return np.asarray(np.clip(spectrogram * config.normaliser.a + config.normaliser.b, -1.0, 1.0))


def frame_weights(config: GANSynthConfig) -> NDArray[np.float32]:
    """How much each frame counts in training, shape (frames,): those of the onset, which begin within the length of a
    frame of the sound's first sample, count `_ONSET_WEIGHT` times."""
    begin = np.arange(config.frames) * config.hop - (config.span - config.samples)
    is_onset = (-config.fft_size <= begin) & (begin < config.fft_size)
    return np.where(is_onset, _ONSET_WEIGHT, 1.0).astype("float32")


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
    dataset: Dataset, config: GANSynthConfig, times: int, folder: Path, on_notes: Callable[[int], None]
) -> Spectrograms:
    """Compute the spectrograms of all notes of a data set, or read those that the folder has already.

    Args:
        dataset: the data set, with the config's sample rate and length of notes.
        config: sizes and normaliser.
        times: factor by which frames and bins of the coarse images are reduced.
        folder: where `FILES` lie, 2·frames·bins bytes a note and some more. They are complete if the last one is there.
        on_notes: called with the number of notes done.
    """
    pixels_path, coarse_path, loudest_path = (folder / name for name in FILES)
    if not loudest_path.is_file():
        notes = len(dataset.contents.notes)
        pixels = np.lib.format.open_memmap(pixels_path, "w+", np.int8, (notes, config.frames, config.bins, 2))
        coarse_size = (notes, config.frames // times, config.bins // times, 2)
        coarse = np.lib.format.open_memmap(coarse_path, "w+", np.float16, coarse_size)
        loudest = np.zeros(notes, np.float32)

        def of_batch(batch: slice) -> tuple[slice, Images]:
            return batch, analysed(config, np.stack([dataset.played(i) for i in range(batch.start, batch.stop)]))

        for batch, images in threads(os.cpu_count() or 1)(of_batch, _batches(notes)):
            pixels[batch], coarse[batch] = np.rint(127.0 * images), shrunk(config, images, times)
            loudest[batch] = images[..., 0].max(axis=(1, 2))
            on_notes(batch.stop)
        pixels.flush()
        coarse.flush()
        content = io.BytesIO()
        np.save(content, loudest)
        write_aside(loudest_path, content.getvalue())
    return Spectrograms(np.load(pixels_path, mmap_mode="r"), np.load(coarse_path, mmap_mode="r"), np.load(loudest_path))


def _batches(notes: int) -> Iterator[slice]:
    for first in range(0, notes, _TOGETHER):
        yield slice(first, min(first + _TOGETHER, notes))
