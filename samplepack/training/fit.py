"""A latent that sounds like given notes: the nearest known one, then a descent through the frozen network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.checkpoint import Checkpoint, Tensors
from samplepack.datasets.one_note import OneNote
from samplepack.latent import Latent, latent_from_seed
from samplepack.models import blocks, gansynth
from samplepack.models.gansynth import GANSynthConfig
from samplepack.models.spectrogram import SoundToMel
from samplepack.training import backend

STEPS = 80
_LEARNING_RATE = 0.1
_BETAS = (0.9, 0.99)

_SEEDS = 100
"""So many are tried where a checkpoint knows no instruments."""

_MOST_NOTES = 12
"""More notes of one instrument tell little more of a latent, and take their time."""

_NOTES_TO_CHOOSE_BY = 3

_NOTES_TOGETHER = 4
"""What goes through the network at once at most: gradients through a full-size one take 250 MB a note."""

_SILENT_POWER = 1e-3
"""Mel power that counts as silence, wanted or made; the loudest place of a note has some 1e5."""

_RANGE_NATS = 13.8155
"""60 dB of power: what lies so far below a note's loudest place counts least, of frequencies not at all."""

_FREQUENCY_WEIGHT = 0.1
"""Of the instantaneous frequency in the loss; the magnitude's is 1."""

Images = NDArray[np.float32]
"""Shape (notes, frames, bins, 2), as networks give them."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of a fit."""

    latent: Latent
    """float32, shape (latent_dim,), its root mean square 1."""

    nearest: str
    """The known latent that it started from: an instrument's name, or `seed 17`."""

    nearest_db: float
    """How far that one is from the notes: the mean difference of log mel power, wherever either is less than 60 dB
    below a note's loudest place, and at least as far down as that."""

    fitted_db: float
    """How far `latent` is."""


def fit(
    checkpoint: Checkpoint, notes: Sequence[OneNote], on_step: Callable[[int, int], None] = lambda done, of: None
) -> Fitted:
    """Find the latent of a checkpoint that comes nearest to notes of one instrument.

    The known latents are compared on a few of the notes; from the nearest one, gradients of all of them lead on.
    Latents are kept on the shell that they are drawn from. The same notes give the same latent on one machine; between
    machines and backends it differs a little.

    Args:
        checkpoint: whose network, which stays as it is.
        notes: at least one, at pitches that the checkpoint can play.
        on_step: hears how many steps of how many are done.

    Raises:
        InputError: the checkpoint's weights are damaged.
    """
    config, tensors = gansynth.read(checkpoint)
    known = _known_latents(config, tensors)
    of = len(known) + STEPS
    network = _Network(config, tensors)
    wanted = _Wanted(config, _spread(notes, _MOST_NOTES))
    few = _Wanted(config, _spread(notes, _NOTES_TO_CHOOSE_BY))
    distances_db = {}
    for done, (name, latent) in enumerate(known.items(), start=1):
        distances_db[name] = few.distance_db(network.images(latent, few.pitches))
        on_step(done, of)
    nearest = min(distances_db, key=lambda name: distances_db[name])
    latent = _descend(network, wanted, known[nearest], lambda done: on_step(len(known) + done, of))
    nearest_db, fitted_db = (wanted.distance_db(network.images(z, wanted.pitches)) for z in (known[nearest], latent))
    return Fitted(latent, nearest, nearest_db, fitted_db)


def _descend(network: _Network, wanted: _Wanted, start: Latent, on_step: Callable[[int], None]) -> Latent:
    """The latent of the least loss on the way that Adam goes from `start`, its steps shrinking along half a cosine."""
    z = start.astype(np.float64)
    best, least = start, np.inf
    mean, square = np.zeros_like(z), np.zeros_like(z)
    for step in range(1, STEPS + 1):
        loss, gradient = network.loss_and_gradient(z.astype(np.float32), wanted)
        if loss < least:
            best, least = z.astype(np.float32), loss
        mean += (1.0 - _BETAS[0]) * (gradient - mean)
        square += (1.0 - _BETAS[1]) * (gradient**2 - square)
        unbiased = mean / (1.0 - _BETAS[0] ** step), square / (1.0 - _BETAS[1] ** step)
        rate = _LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * (step - 1) / STEPS))
        z = _on_shell(z - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8))
        on_step(step)
    return best


def _known_latents(config: GANSynthConfig, tensors: Tensors) -> dict[str, Latent]:
    """The latents that a fit may start from, by name, on the shell."""
    if config.instruments:
        known = dict(zip(config.instruments, tensors["instruments"], strict=True))
    else:
        known = {f"seed {seed}": latent_from_seed(seed, config.latent_dim) for seed in range(_SEEDS)}
    return {name: _on_shell(latent).astype(np.float32) for name, latent in known.items()}


def _on_shell(z: NDArray[Any]) -> NDArray[Any]:
    """A latent made as long as those that are drawn at random: its root mean square is 1."""
    return np.asarray(z / np.sqrt(np.mean(np.square(z)) + 1e-12))


def _spread(notes: Sequence[OneNote], most: int) -> list[OneNote]:
    """So many of the notes at most, spread over their pitches."""
    by_pitch = sorted(notes, key=lambda note: note.pitch)
    places = np.linspace(0, len(notes) - 1, min(most, len(notes)) + 2)[1:-1] if most < len(notes) else range(len(notes))
    return [by_pitch[round(place)] for place in places]


class _Wanted:
    """Notes as the images that a network should give.

    Args:
        config: of the network.
        notes: at least one.
    """

    def __init__(self, config: GANSynthConfig, notes: Sequence[OneNote]) -> None:
        self.pitches = np.array([note.pitch for note in notes])
        a, b = config.normaliser.magnitude
        analysis = SoundToMel(config.frames, config.bins, config.sample_rate_hz)
        spectrogram = analysis(np.stack([note.wave for note in notes]))
        scale = np.array([config.normaliser.magnitude, config.normaliser.frequency], np.float32)
        self.silence = float(a * np.log(_SILENT_POWER) + b)
        self.images: Images = np.asarray(spectrogram * scale[:, 0] + scale[:, 1], np.float32)
        self.images[..., 0] = np.maximum(self.images[..., 0], self.silence)
        self._db = 10.0 / np.log(10.0) / a

    def distance_db(self, images: Images) -> float:
        """The mean difference of log mel power, dB, where either is heard."""
        floor = self.images[..., 0].max(axis=(1, 2), keepdims=True) - 60.0 / self._db
        made, wanted = (np.maximum(image[..., 0], floor) for image in (images, self.images))
        heard = (made > floor) | (wanted > floor)
        return float(self._db * np.abs(made - wanted)[heard].mean(dtype=np.float64))


class _Network:
    """A generator that gives images of latents, and gradients by them, a few notes at a time."""

    def __init__(self, config: GANSynthConfig, tensors: Tensors) -> None:
        self.config = config
        self._labels = np.eye(config.pitches[1] - config.pitches[0] + 1, dtype=np.float32)
        self._templates = tensors["templates"].transpose(0, 2, 1) if config.templates else None
        self._folded = blocks.fold(tensors, config.channels[: max(config.shares())])
        self._images = backend.compiled(self._image)
        self._loss_and_gradient = backend.compiled(self._descent)

    def images(self, latent: Latent, pitches: NDArray[Any]) -> Images:
        """What the network makes of a latent at some pitches."""
        parts = [np.asarray(self._images(latent, *self._at(pitches[part]))) for part, _ in _parts(len(pitches))]
        return np.concatenate(parts)[: len(pitches)]

    def loss_and_gradient(self, latent: Latent, wanted: _Wanted) -> tuple[float, NDArray[np.float64]]:
        """How far what it makes is from what is wanted, a mean over notes, and that by the latent."""
        loss, gradient = 0.0, np.zeros(latent.shape)
        for part, shares in _parts(len(wanted.pitches)):
            at = self._at(wanted.pitches[part])
            loss_, gradient_ = self._loss_and_gradient(latent, *at, wanted.images[part], wanted.silence, shares)
            loss += float(loss_)
            gradient += np.asarray(gradient_, np.float64)
        return loss, gradient

    def _at(self, pitches: NDArray[Any]) -> tuple[NDArray[Any], Any, blocks.Folded]:
        labels = pitches - self.config.pitches[0]
        return self._labels[labels], None if self._templates is None else self._templates[labels], self._folded

    def _image(self, latent: Any, labels: Any, templates: Any, folded: blocks.Folded) -> Any:
        latent = latent * ops.rsqrt(ops.mean(ops.square(latent)))
        latents = ops.broadcast_to(latent, (labels.shape[0], self.config.latent_dim))
        x = blocks.first_block(folded, blocks.pixel_norm(ops.concatenate([latents, labels], -1)), self.config.start)
        shares = self.config.shares()
        spoken: Any = 0.0
        for number in range(1, max(shares) + 1):
            bins = self.config.start[1] * 2 ** (number - 1)
            seen = blocks.narrowed(templates, bins) if self.config.template_channels(number) else None
            x = x if number == 1 else blocks.block(folded, number, x, seen)
            if number in shares:
                image = blocks.image(folded, number, x, seen)
                for axis, size in ((1, self.config.frames), (2, self.config.bins)):
                    image = ops.repeat(image, size // image.shape[axis], axis=axis)
                spoken = spoken + shares[number] * image
        return spoken

    def _descent(
        self, latent: Any, labels: Any, templates: Any, folded: blocks.Folded, wanted: Any, silence: Any, shares: Any
    ) -> tuple[Any, Any]:
        def loss(tensors: blocks.Folded) -> tuple[Any, None]:
            made = self._image(tensors["latent"], labels, templates, folded)
            return ops.sum(shares * self._losses(made, wanted, silence)), None

        value, _, gradients = backend.value_and_gradients(loss, {"latent": latent})
        return value, gradients["latent"]

    def _losses(self, made: Any, wanted: Any, silence: Any) -> Any:
        """How far images are from those that are wanted, shape (notes,). Loud places count most; frequencies wrap."""
        per_nat, per_half_turn = self.config.normaliser.magnitude[0], self.config.normaliser.frequency[0]
        loudest = ops.max(wanted[..., 0], axis=(1, 2), keepdims=True)
        relative = ops.clip(1.0 + (wanted[..., 0] - loudest) / (per_nat * _RANGE_NATS), 0.0, 1.0)
        difference = ops.abs(ops.maximum(made[..., 0], silence) - wanted[..., 0])
        turn = 1.0 - ops.cos(np.pi / per_half_turn * (made[..., 1] - wanted[..., 1]))
        return _mean(difference, 0.3 + 0.7 * relative) + _FREQUENCY_WEIGHT * _mean(turn, ops.square(relative))


def _mean(images: Any, weights: Any) -> Any:
    """The weighted mean of each image."""
    return ops.sum(images * weights, axis=(1, 2)) / (ops.sum(weights, axis=(1, 2)) + 1e-6)


def _parts(notes: int) -> list[tuple[NDArray[Any], NDArray[np.float32]]]:
    """Indices of notes in parts of one size, the last one filled up with what counts nothing; and what each counts."""
    size = -(-notes // -(-notes // _NOTES_TOGETHER))
    indices = np.arange(-(-notes // size) * size).reshape(-1, size)
    return [(part.clip(max=notes - 1), np.where(part < notes, 1.0 / notes, 0.0).astype(np.float32)) for part in indices]
