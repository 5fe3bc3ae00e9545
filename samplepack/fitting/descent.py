"""Fitting a latent to notes: from the nearest known latent, by gradient descent through the frozen network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.datasets.one_note import OneNote
from samplepack.models import gansynth
from samplepack.models.checkpoint import Checkpoint, Tensors
from samplepack.models.config import DB, GANSynthConfig
from samplepack.models.generator import Folded, code_of
from samplepack.models.gradients import compiled, value_and_gradients
from samplepack.models.latent import Latent, latent_from_seed, onto_shell
from samplepack.models.mel_if import SoundToMel

STEPS = 80
_LEARNING_RATE = 0.3
_BETAS = (0.9, 0.99)

_SEEDS = 100
"""How many seeds' latents are tried where a checkpoint has no instruments."""

_MOST_NOTES = 12
"""How many notes are fitted at most: more of one instrument improve a latent little, and take longer."""

_NOTES_TO_CHOOSE_BY = 3

_NOTES_TOGETHER = 4
"""How many notes go through the network at once at most: gradients through a full-size one take 250 MB a note."""

_SHELL_EPSILON = 1e-12

_BANDS = 64

_RANGE_DB = 60.0
"""How far below a note's loudest bin a level counts as silence."""

_FREQUENCY_DB = 6.0
"""The loss of instantaneous frequencies that are random; those half a turn off cost twice as much."""

Images = NDArray[np.float32]
"""Shape (notes, frames, bins, 2), as networks give them."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The result of a fit."""

    latent: Latent
    """float32, shape (latent_dim,), its root mean square 1."""

    nearest: str
    """The known latent that it started from: an instrument's name, or `seed 17`."""

    nearest_db: float
    """How far that one is from the notes: the mean difference of the levels of 64 mel bands over time, dB, no level
    counting as lower than 60 dB below the note's loudest."""

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
    network = FrozenNetwork(config, tensors)
    wanted = TargetSpectrograms(config, _spread_over_pitches(notes, _MOST_NOTES))
    few = TargetSpectrograms(config, _spread_over_pitches(notes, _NOTES_TO_CHOOSE_BY))
    distances_db = {}
    for done, (name, latent) in enumerate(known.items(), start=1):
        distances_db[name] = network.distance_db(latent, few)
        on_step(done, of)
    nearest = min(distances_db, key=lambda name: distances_db[name])
    latent = _descend(network, wanted, known[nearest], lambda done: on_step(len(known) + done, of))
    nearest_db, fitted_db = (network.distance_db(z, wanted) for z in (known[nearest], latent))
    return Fitted(latent, nearest, nearest_db, fitted_db)


def _descend(
    network: FrozenNetwork, wanted: TargetSpectrograms, start: Latent, on_step: Callable[[int], None]
) -> Latent:
    """The latent of the least loss among those that Adam passes from `start`, its rate falling along half a cosine.

    In NumPy and float64, unlike the optimisers of training, since only a latent changes.
    """
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
        z = onto_shell(z - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8), _SHELL_EPSILON)
        on_step(step)
    return best


def _known_latents(config: GANSynthConfig, tensors: Tensors) -> dict[str, Latent]:
    """The latents that a fit may start from, by name, on the shell."""
    if config.instruments:
        known = dict(zip(config.instruments, tensors["instruments"], strict=True))
    else:
        known = {f"seed {seed}": latent_from_seed(seed, config.latent_dim) for seed in range(_SEEDS)}
    return {name: onto_shell(latent, _SHELL_EPSILON).astype(np.float32) for name, latent in known.items()}


def _spread_over_pitches(notes: Sequence[OneNote], most: int) -> list[OneNote]:
    """At most so many of the notes, spread evenly over their pitches."""
    by_pitch = sorted(notes, key=lambda note: note.pitch)
    most = min(most, len(notes))
    return [by_pitch[(2 * i + 1) * len(notes) // (2 * most)] for i in range(most)]


class TargetSpectrograms:
    """Notes as the images that a network should give.

    Args:
        config: the network's.
        notes: at least one.
    """

    def __init__(self, config: GANSynthConfig, notes: Sequence[OneNote]) -> None:
        self.pitches = np.array([note.pitch for note in notes])
        analysis = SoundToMel(config)
        spectrogram = analysis(np.stack([note.wave for note in notes]))
        self.images: Images = np.asarray(spectrogram * config.normaliser.a + config.normaliser.b, np.float32)


class FrozenNetwork:
    """A generator with fixed weights, its losses and their gradients by the latent, a few notes at a time."""

    def __init__(self, config: GANSynthConfig, tensors: Tensors) -> None:
        self.config = config
        self._templates = tensors["templates"].transpose(0, 2, 1) if config.templates else None
        self._folded = gansynth.fold_all(config, tensors)
        self._distance = compiled(self._distance_of_part)
        self._gradient = compiled(self._gradient_of_part)

    def distance_db(self, latent: Latent, wanted: TargetSpectrograms) -> float:
        """How far the network's notes of a latent are from the targets; see `Fitted.nearest_db`."""
        return sum(float(self._distance(latent, *part)) for part in self._parts(wanted))

    def loss_and_gradient(self, latent: Latent, wanted: TargetSpectrograms) -> tuple[float, NDArray[np.float64]]:
        """The loss of a latent, and its gradient by the latent, float64, shape (latent_dim,)."""
        loss, gradient = 0.0, np.zeros(latent.shape)
        for part in self._parts(wanted):
            loss_, gradient_ = self._gradient(latent, *part)
            loss += float(loss_)
            gradient += np.asarray(gradient_, np.float64)
        return loss, gradient

    def _parts(self, wanted: TargetSpectrograms) -> Iterator[tuple[Any, ...]]:
        """Notes in parts of one size, the last one filled up with what counts nothing: what each counts, their images,
        labels and templates; and the weights, which a compiled function should rather be given than hold."""
        notes = len(wanted.pitches)
        labels = wanted.pitches - self.config.pitches[0]
        size = -(-notes // -(-notes // _NOTES_TOGETHER))
        for first in range(0, notes, size):
            part = np.arange(first, first + size)
            counts = np.where(part < notes, 1.0 / notes, 0.0).astype(np.float32)
            part = part.clip(max=notes - 1)
            templates = None if self._templates is None else self._templates[labels[part]]
            yield counts, wanted.images[part], self.config.one_hot(labels[part]), templates, self._folded

    def _distance_of_part(self, latent: Any, counts: Any, wanted: Any, *at: Any) -> Any:
        return ops.sum(counts * self._distances_db(self._images(latent, *at), wanted))

    def _gradient_of_part(self, latent: Any, counts: Any, wanted: Any, *at: Any) -> tuple[Any, Any]:
        def loss(tensors: Folded) -> tuple[Any, None]:
            return ops.sum(counts * self._losses(self._images(tensors["latent"], *at), wanted)), None

        value, _, gradients = value_and_gradients(loss, {"latent": latent})
        return value, gradients["latent"]

    def _images(self, latent: Any, labels: Any, templates: Any, folded: Folded) -> Any:
        latents = ops.broadcast_to(latent, (labels.shape[0], self.config.latent_dim))
        hardest = self.config.velocity_input(np.full(labels.shape[0], 127.0))
        return gansynth.spectrogram(self.config, folded, code_of(latents, labels, hardest), templates)

    def _losses(self, made: Any, wanted: Any) -> Any:
        """The loss of each note: the distance, and the error of the frequencies of loud bins."""
        (a, _), (half_turn, _) = self.config.normaliser.magnitude, self.config.normaliser.frequency
        below = (wanted[..., 0] - ops.max(wanted[..., 0], axis=(1, 2), keepdims=True)) / (a * DB)
        counts = ops.square(ops.clip(1.0 + below / _RANGE_DB, 0.0, 1.0))
        turn = 1.0 - ops.cos(float(np.pi) / half_turn * (made[..., 1] - wanted[..., 1]))  # which wraps
        wrong = ops.sum(turn * counts, axis=(1, 2)) / ops.sum(counts, axis=(1, 2))
        return self._distances_db(made, wanted) + _FREQUENCY_DB * wrong

    def _distances_db(self, made: Any, wanted: Any) -> Any:
        """The mean difference of the levels of bands for each note, dB."""
        level, target = self._levels_db(made), self._levels_db(wanted)
        floor = ops.max(target, axis=(1, 2), keepdims=True) - _RANGE_DB
        return ops.mean(ops.abs(ops.maximum(level, floor) - ops.maximum(target, floor)), axis=(1, 2))

    def _levels_db(self, images: Any) -> Any:
        """Levels of bands, shape (notes, frames, bands)."""
        a, b = self.config.normaliser.magnitude
        power = ops.exp((images[..., 0] - b) / a)
        bands = _BANDS if self.config.bins % _BANDS == 0 else self.config.bins
        of_bands = ops.mean(ops.reshape(power, (-1, self.config.frames, bands, self.config.bins // bands)), axis=-1)
        return ops.log(of_bands) / DB
