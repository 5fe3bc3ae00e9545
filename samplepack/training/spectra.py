"""Training of a network of spectra: it learns the levels of a network's notes, whose frequencies and latents stay.

First the courses are found, which are the same for all notes: those that hold most of the levels of some notes, by
their covariance over time. Then the network learns each note's spectra, which are its levels seen through the courses.
The noise between partials is learned last; see `samplepack.training.noise`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import DB, GANSynthConfig, Spectra
from samplepack.models.generator import numpy_codes
from samplepack.models.gradients import Tensors, compiled, value_and_gradients
from samplepack.models.spectra import fold_spectra, spectra_of
from samplepack.training.noise import is_of_noise, no_noise
from samplepack.training.optimiser import MuonAndAdam, pace
from samplepack.training.settings import SpectraSettings
from samplepack.training.shards import in_shards, mean_of, shard_size
from samplepack.training.spectrograms import FLOOR_POWER, Pixels, frame_weights, from_pixels, spread
from samplepack.training.trainer import State
from samplepack.training.variety import energy_distance, notes_at_one_pitch

Array = NDArray[np.float32]

_NOISE_BANDS = 24
"""How many bands a new network has a share of noise in."""

_NOTES_FOR_COURSES = 400
"""How many notes, spread evenly over all, the courses are found from."""

_SIGMA = 0.04
"""Standard deviation of the noise on latents, whose root mean square is 1, so that those in between sound as well."""

_RANDOM_LATENTS = 8
"""How many random latents each part of a batch has for the loss on variety."""

_SMOOTHING_DB = 0.5
"""The gradient of a note's distance falls off where the distance is smaller."""

_PITCH_GAIN = 4.0
"""How much larger the weights of pitches are at first than those of latents."""


def new_sizes(config: GANSynthConfig, settings: SpectraSettings) -> Spectra:
    """The sizes of a new network of spectra for a network without one; see `shape_problems` for those that can't be."""
    a, b = config.normaliser.magnitude
    return Spectra(
        courses=settings.courses,
        hidden=settings.hidden,
        start=max(config.bins // 2 ** (len(settings.channels) - 1), 1),
        channels=settings.channels,
        floor=max(a * math.log(FLOOR_POWER) + b, -1.0),
        pitch_width_semitones=settings.pitch_width_semitones,
        noise_bands=min(_NOISE_BANDS, config.bins),
    )


class SpectraTrainer:
    """Trains the network of spectra of a network that was trained by reconstruction; a `Trainer`.

    Args:
        config: the network's config, with `spectra`.
        settings: settings of this training.
        pixels: the spectrograms of all notes; see `Spectrograms`.
        chosen: indices of the notes to learn from.
        instruments: the number of each note's instrument, int, shape (notes,).
        labels: each note's pitch, counted from the lowest, int, shape (notes,).
        velocities: each note's MIDI velocity, int, shape (notes,).
        seed: seed of all random numbers.
    """

    terms: tuple[str, ...] = ("level_db", "variety_db")

    def __init__(
        self,
        config: GANSynthConfig,
        settings: SpectraSettings,
        pixels: Pixels,
        chosen: NDArray[np.int64],
        instruments: NDArray[np.int64],
        labels: NDArray[np.int64],
        velocities: NDArray[np.int64],
        seed: int,
    ) -> None:
        assert config.spectra is not None
        self.config, self.sizes, self.settings, self.pixels, self.seed = config, config.spectra, settings, pixels, seed
        self.chosen, self.instruments, self.labels, self.velocities = chosen, instruments, labels, velocities
        self.images_per_step = settings.batch
        self.steps = -(-settings.images // settings.batch)
        self._has_variety = settings.variety_weight > 0 and len(np.unique(instruments)) == len(config.instruments)
        self._frame_weights = np.sqrt(frame_weights(config))[:, None]
        self._targets: NDArray[np.float16] | None = None  # known with the courses, at the first step
        self._optimiser = MuonAndAdam(_is_kernel)
        self._step = compiled(self._update)

    def start(self, tensors: Mapping[str, NDArray[np.float32]] | None) -> State:
        """See `Trainer.start`. The `tensors` of the other parts, which stay, are needed."""
        assert tensors is not None
        shapes = self.config.tensor_shapes()
        fixed = [name for name in shapes if name in tensors and not _is_weight(name)]
        state: State = {f"fixed/{name}": np.asarray(tensors[name]) for name in fixed}
        if "spectra/courses" in tensors:
            weights = {name: np.array(tensors[name]) for name in shapes if _is_weight(name)}
        else:
            courses, mean = self._courses()
            state["fixed/spectra/courses"] = courses
            state |= {f"fixed/{name}": tensor for name, tensor in no_noise(self.config, self.seed).items()}
            weights = self._initial_weights() | {"spectra/output/bias": mean}
        return state | self._optimiser.start(weights)

    def step(self, state: State, step: int) -> tuple[State, dict[str, Any]]:
        """See `Trainer.step`."""
        learned = {name: tensor for name, tensor in state.items() if not name.startswith("fixed/")}
        fixed = {name: tensor for name, tensor in state.items() if name.startswith("fixed/")}
        new, terms = self._step(learned, self._batch(state, step))
        return new | fixed, terms

    def tensors(self, state: State) -> dict[str, NDArray[np.float32]]:
        """See `Trainer.tensors`."""
        fixed = {
            name.removeprefix("fixed/"): np.asarray(ops.convert_to_numpy(tensor), "float32")
            for name, tensor in state.items()
            if name.startswith("fixed/")
        }
        return fixed | self._optimiser.averages(state)

    def config_after(self, steps: int) -> GANSynthConfig:
        """See `Trainer.config_after`. The config is the same after every step."""
        return self.config

    def _initial_weights(self) -> dict[str, Array]:
        """The weights of a new network: kernels drawn from a normal distribution, biases of zero; at first the output
        is the same for all notes, and the code has no effect on scales."""
        rng = np.random.default_rng([self.seed, 0])
        weights = {}
        for name, shape in self.config.tensor_shapes().items():
            if _is_weight(name):
                is_drawn = name.endswith("/kernel") and name not in ("spectra/scale/kernel", "spectra/output/kernel")
                weights[name] = rng.standard_normal(shape).astype("float32") if is_drawn else np.zeros(shape, "float32")
        latent_dim = self.config.latent_dim
        weights["spectra/dense_1/kernel"][latent_dim : latent_dim + self.config.pitch_count] *= _PITCH_GAIN
        return weights

    def _courses(self) -> tuple[Array, Array]:
        """The courses, shape (frames, courses), with which spectra deviate by 1 on average, and the mean of the notes'
        spectra, shape (bins, courses)."""
        notes = spread(self.chosen, _NOTES_FOR_COURSES)
        covariance = np.zeros((self.config.frames, self.config.frames))
        for note in notes:
            levels = self._frame_weights * self._levels(note)
            covariance += levels @ levels.T
        across = np.linalg.eigh(covariance)[1][:, ::-1][:, : self.sizes.courses].astype(np.float32)
        spectra = np.stack([(across.T @ (self._frame_weights * self._levels(note))).T for note in notes])
        deviation = np.maximum(spectra.std(axis=(0, 1)), 1e-6)
        return across / self._frame_weights * deviation, np.asarray(spectra.mean(axis=0) / deviation)

    def _levels(self, note: np.int64) -> Array:
        """A note's levels above the floor, shape (frames, bins)."""
        return np.asarray(np.maximum(from_pixels(self.pixels[note, :, :, 0]) - np.float32(self.sizes.floor), 0.0))

    def _spectra_of_notes(self, courses: Array) -> tuple[NDArray[np.float16], Array]:
        """The spectra that all chosen notes should have, shape (chosen, bins, courses), and what a difference of 1 in
        each course changes of a note's levels, dB, shape (courses,)."""
        weighted = self._frame_weights * courses
        through = (np.linalg.pinv(weighted) * self._frame_weights.T).astype(np.float32)
        spectra = np.zeros((len(self.chosen), self.config.bins, self.sizes.courses), np.float16)
        for i, note in enumerate(self.chosen):
            spectra[i] = (through @ self._levels(note)).T
        sizes = np.sqrt(np.mean(np.square(weighted), axis=0)) / (self.config.normaliser.magnitude[0] * DB)
        return spectra, sizes.astype(np.float32)

    def _batch(self, state: State, step: int) -> dict[str, NDArray[Any]]:
        """All arrays that a step needs besides the state."""
        if self._targets is None:
            self._targets, self._course_sizes_db = self._spectra_of_notes(np.asarray(state["fixed/spectra/courses"]))
        batch, n = self.settings.batch, len(self.chosen)
        rng = np.random.default_rng([self.seed, 1, step])
        rows = rng.integers(n, size=batch)
        notes = self.chosen[rows]
        latents = np.asarray(state["fixed/instruments"])[self.instruments[notes]]
        latents = latents + _SIGMA * rng.standard_normal(latents.shape).astype("float32")
        arrays = self._notes(state, rows, latents) | pace(step, self.steps, warm_up=100, keep=0.998, behind=100)
        if self._has_variety:
            parts = self.settings.batch // shard_size(self.settings.batch)
            labels, velocities = self.labels[self.chosen], self.velocities[self.chosen]
            others = notes_at_one_pitch(rng, labels, velocities, parts, _RANDOM_LATENTS)
            random = rng.standard_normal((len(others), self.config.latent_dim)).astype("float32")
            arrays |= {f"random_{name}": array for name, array in self._notes(state, others, random).items()}
        return arrays

    def _notes(self, state: State, rows: NDArray[np.int64], latents: Array) -> dict[str, NDArray[Any]]:
        """The arrays of notes with the pitches, velocities and spectra of some chosen ones, and any latents."""
        assert self._targets is not None
        labels, velocities = self.labels[self.chosen[rows]], self.velocities[self.chosen[rows]]
        arrays: dict[str, NDArray[Any]] = {
            "code": numpy_codes(self.config, latents, labels, velocities),
            "spectra": self._targets[rows].astype("float32"),
        }
        if self.config.templates:
            arrays["templates"] = np.asarray(state["fixed/templates"])[labels].transpose(0, 2, 1)
        return arrays

    def _update(self, state: State, batch: Tensors) -> tuple[State, dict[str, Any]]:
        weights = self._optimiser.weights(state)
        parts = [
            value_and_gradients(lambda w, shard=shard: self._loss(w, shard), weights)
            for shard in in_shards(batch, self.settings.batch)
        ]
        terms, gradients = (mean_of([part[i] for part in parts]) for i in (1, 2))
        rates = dict.fromkeys(weights, batch["rate"] * self.settings.learning_rate)
        return self._optimiser.update(state, weights, gradients, rates, batch["step"], batch["keep"]), terms

    def _loss(self, weights: Tensors, batch: Tensors) -> tuple[Any, dict[str, Any]]:
        """The root mean square of a note's differences of level, and the loss on variety; see `energy_distance`."""
        folded = fold_spectra(self.config, weights)
        folded = {name: ops.cast(weight, self.settings.precision) for name, weight in folded.items()}
        inputs = {name: batch[name] for name in ("code", "templates") if name in batch}
        if "random_code" in batch:
            inputs = {name: ops.concatenate([tensor, batch[f"random_{name}"]]) for name, tensor in inputs.items()}
        inputs = {name: ops.cast(tensor, self.settings.precision) for name, tensor in inputs.items()}
        all_spectra = spectra_of(self.sizes, folded, inputs["code"], inputs.get("templates"))
        all_spectra = ops.cast(all_spectra, "float32")
        notes = batch["code"].shape[0]
        loss = ops.mean(self._distance_db(all_spectra[:notes], batch["spectra"]))
        terms = {"level_db": loss}
        if "random_code" in batch:
            terms["variety_db"] = energy_distance(all_spectra[notes:], batch["random_spectra"], self._distance_db)
            loss = loss + self.settings.variety_weight * terms["variety_db"]
        return loss, terms

    def _distance_db(self, a: Any, b: Any) -> Any:
        """The root mean square of the differences of two notes' levels, where each course counts by its size.

        Args:
            a, b: spectra, shape (..., bins, courses).

        Returns:
            Shape (...), dB.
        """
        squares = ops.square((a - b) * self._course_sizes_db)
        return ops.sqrt(ops.sum(squares, axis=(-2, -1)) / self.config.bins + _SMOOTHING_DB**2)


def _is_weight(name: str) -> bool:
    """Whether a tensor is learned here."""
    return name.startswith("spectra/") and name != "spectra/courses" and not is_of_noise(name)


def _is_kernel(name: str) -> bool:
    """Whether a weight is a kernel that `Muon` changes: all but the last layer's."""
    return name.endswith("/kernel") and name != "spectra/output/kernel"
