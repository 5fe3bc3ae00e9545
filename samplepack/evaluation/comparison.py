"""Latents, generated notes and real notes for the comparison of a checkpoint with a prepared set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.progress import Task
from samplepack.datasets.dataset import Dataset
from samplepack.evaluation import measures
from samplepack.models.checkpoint import Checkpoint, read_tensors
from samplepack.models.latent import onto_shell
from samplepack.models.load import load_model

Latents = NDArray[np.float32]
"""Latents, shape (n, latent_dim)."""

Waves = NDArray[np.float32]
"""Samples of notes, shape (n, samples)."""

Indices = NDArray[np.intp]
"""Indices of notes in a prepared set, shape (n,)."""

_TOGETHER = 8
"""Number of notes that are rendered together, between two reports of progress."""


class Comparison:
    """A loaded checkpoint and the prepared set that it is compared with. Imports TensorFlow.

    Attributes:
        checkpoint: the checkpoint that is evaluated.
        dataset: the set of real notes.
        rate_hz: sample rate of the checkpoint and the set.
        task: receives the number of notes rendered and measured.
        trained: latents of the instruments that the checkpoint names, shape (instruments, latent_dim).

    Raises:
        InputError: sample rate or length of notes differ between set and checkpoint, the notes are too short to be
            measured, or the weights of the checkpoint are damaged.
    """

    def __init__(self, checkpoint: Checkpoint, dataset: Dataset, task: Task) -> None:
        contents, name = dataset.contents, checkpoint.name
        if contents.rate_hz != checkpoint.rate_hz:
            raise InputError(
                f"{dataset.folder}: its notes are at {contents.rate_hz} Hz, those of checkpoint '{name}' at "
                f"{checkpoint.rate_hz} Hz; prepare the set at that rate"
            )
        task.remark("loading the network")
        model = load_model(checkpoint)
        import keras

        from samplepack.models.gansynth import mel_to_sound
        from samplepack.models.mel_if import SoundToMel

        config = model.config
        if contents.samples != config.samples:
            raise InputError(
                f"{dataset.folder}: its notes have {contents.samples} samples, those of checkpoint '{name}' "
                f"{config.samples}; prepare the set with that length"
            )
        if config.samples < measures.FRAME:
            raise InputError(
                f"checkpoint '{name}': its notes have {config.samples} samples; to be judged they need {measures.FRAME}"
            )
        self.checkpoint, self.dataset, self.rate_hz = checkpoint, dataset, checkpoint.rate_hz
        self.task, self._model, self._config = task, model, config
        self._to_mel = SoundToMel(config.frames, config.bins, self.rate_hz)
        self._to_sound = keras.Sequential([mel_to_sound(config)])  # in a model the layer is compiled
        self.trained = np.zeros((0, checkpoint.latent_dim), np.float32)
        if checkpoint.config.instruments:
            self.trained = self._normalised(read_tensors(checkpoint)["instruments"])

    def random(self, rng: np.random.Generator, n: int) -> Latents:
        """Draw latents from the distribution that seeds give."""
        return self._normalised(rng.standard_normal((n, self.checkpoint.latent_dim)).astype(np.float32))

    def trained_of(self, notes: Indices) -> Latents:
        """Return the latents of the instruments of some notes of the set; the checkpoint must name all of them."""
        names = self.checkpoint.config.instruments
        return self.trained[[names.index(self.dataset.contents.notes[i].instrument) for i in notes]]

    def mixed(self, rng: np.random.Generator, n: int) -> Latents:
        """Draw mixes of three trained latents in random proportions, whose norms are mixed in the same proportions."""
        mixes = []
        for _ in range(n):
            parts = self.trained[rng.choice(len(self.trained), 3)]
            shares = rng.dirichlet(np.ones(3))
            mix, length = shares @ parts, shares @ np.linalg.norm(parts, axis=1)
            mixes.append(mix * (length / np.linalg.norm(mix)))
        return np.asarray(mixes, np.float32)

    def play(self, latents: Latents, pitches: NDArray[np.int32]) -> Waves:
        """Render notes with the network.

        Raises:
            SamplepackError: the network's output contains NaN or infinity.
        """
        rendered = []
        for first in range(0, len(pitches), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            waves = self._model.render(latents[some], pitches[some])
            if not np.isfinite(waves).all():
                raise SamplepackError(f"checkpoint '{self.checkpoint.name}': the network made NaN or infinity")
            rendered.append(waves)
            self.task.advance(len(waves))
        return np.concatenate(rendered)

    def round_trip(self, waves: Waves) -> Waves:
        """Convert waves to the network's normalised spectrograms, which are clipped to ±1, and back.

        The result is what the network would render if its output were exact.
        """
        a, b = self._config.normaliser.a, self._config.normaliser.b
        restored = []
        for first in range(0, len(waves), _TOGETHER):
            outputs = np.clip(self._to_mel(waves[first : first + _TOGETHER]) * a + b, -1.0, 1.0)
            restored.append(self._to_sound.predict_on_batch((outputs - b) / a))
        return np.concatenate(restored)

    def _normalised(self, latents: Latents) -> Latents:
        if self._config.latent_normalisation == "none":
            return latents
        return onto_shell(latents)
