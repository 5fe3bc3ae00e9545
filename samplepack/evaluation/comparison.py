"""A checkpoint and a set side by side: latents, notes made and notes real."""

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
"""Shape (n, latent_dim)."""

Waves = NDArray[np.float32]
"""Shape (n, samples)."""

Indices = NDArray[np.intp]
"""Rows of a set."""

_TOGETHER = 8
"""How many notes are rendered between two reports of progress."""


class Comparison:
    """What all measurements need. Imports TensorFlow.

    Raises:
        InputError: the set's rate or length of notes isn't the checkpoint's, its notes are too short to be measured, or
            its weights are damaged.
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
        self._to_sound = keras.Sequential([mel_to_sound(config)])  # as a model it is compiled
        self.trained = np.zeros((0, checkpoint.latent_dim), np.float32)
        """Latents of the instruments that the checkpoint names; none where it names none."""
        if checkpoint.config.instruments:
            self.trained = self._normalised(read_tensors(checkpoint)["instruments"])

    def random(self, rng: np.random.Generator, n: int) -> Latents:
        """Latents as seeds give them."""
        return self._normalised(rng.standard_normal((n, self.checkpoint.latent_dim)).astype(np.float32))

    def trained_of(self, notes: Indices) -> Latents:
        """The latents of the instruments of some notes of the set, all of which the checkpoint names."""
        names = self.checkpoint.config.instruments
        return self.trained[[names.index(self.dataset.contents.notes[i].instrument) for i in notes]]

    def mixed(self, rng: np.random.Generator, n: int) -> Latents:
        """Mixes of three trained latents each, in random shares, as long as those are."""
        mixes = []
        for _ in range(n):
            parts = self.trained[rng.choice(len(self.trained), 3)]
            shares = rng.dirichlet(np.ones(3))
            mix, length = shares @ parts, shares @ np.linalg.norm(parts, axis=1)
            mixes.append(mix * (length / np.linalg.norm(mix)))
        return np.asarray(mixes, np.float32)

    def play(self, latents: Latents, pitches: NDArray[np.int32]) -> Waves:
        """Notes as the network makes them.

        Raises:
            SamplepackError: it made NaN or infinity.
        """
        made = []
        for first in range(0, len(pitches), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            waves = self._model.render(latents[some], pitches[some])
            if not np.isfinite(waves).all():
                raise SamplepackError(f"checkpoint '{self.checkpoint.name}': the network made NaN or infinity")
            made.append(waves)
            self.task.advance(len(waves))
        return np.concatenate(made)

    def round_trip(self, waves: Waves) -> Waves:
        """Waves as they'd sound if the network made their spectrograms exactly: through its normalised outputs, which
        lie within ±1, and back."""
        a, b = self._config.normaliser.a, self._config.normaliser.b
        back = []
        for first in range(0, len(waves), _TOGETHER):
            outputs = np.clip(self._to_mel(waves[first : first + _TOGETHER]) * a + b, -1.0, 1.0)
            back.append(self._to_sound.predict_on_batch((outputs - b) / a))
        return np.concatenate(back)

    def _normalised(self, latents: Latents) -> Latents:
        if self._config.latent_normalisation == "none":
            return latents
        return onto_shell(latents)
