"""Latents, generated notes and real notes for the comparison of a checkpoint with a prepared set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.progress import Task
from samplepack.datasets.dataset import PEAK, Dataset
from samplepack.evaluation import measures
from samplepack.evaluation.measures import Wave
from samplepack.models.checkpoint import Checkpoint, read_tensors
from samplepack.models.latent import onto_shell
from samplepack.models.load import load_model
from samplepack.sound.audio import Audio, resample

Latents = NDArray[np.float32]
"""Latents, shape (n, latent_dim)."""

Waves = NDArray[np.float32]
"""Samples of notes, shape (n, samples)."""

Indices = NDArray[np.intp]
"""Indices of notes in a prepared set, shape (n,)."""

TOGETHER = 8
"""Number of notes that are rendered together, between two reports of progress."""


class Comparison:
    """A loaded checkpoint and the prepared set that it is compared with. Imports TensorFlow.

    Attributes:
        checkpoint: the checkpoint that is evaluated.
        dataset: the set of real notes.
        rate_hz: sample rate of the checkpoint, at which notes are measured.
        data_rate_hz: sample rate of the set, at which notes are heard.
        notes: notes of the set by their indices: of each instrument and pitch the hardest one, since latents are played
            at the highest velocity.
        task: receives the number of notes rendered and measured.
        trained: latents of the instruments that the checkpoint names, shape (instruments, latent_dim).

    Raises:
        InputError: the set's sample rate is lower than the checkpoint's, the notes of one last longer than those of the
            other, they are too short to be measured, or the weights of the checkpoint are damaged.
    """

    def __init__(self, checkpoint: Checkpoint, dataset: Dataset, task: Task) -> None:
        contents, name = dataset.contents, checkpoint.name
        if contents.rate_hz < checkpoint.rate_hz:
            raise InputError(
                f"{dataset.folder}: its notes are at {contents.rate_hz} Hz, those of checkpoint '{name}' at "
                f"{checkpoint.rate_hz} Hz; prepare the set at that rate or a higher one"
            )
        task.remark("loading the network")
        model = load_model(checkpoint)
        import keras

        from samplepack.models.mel_if import MelToSound, SoundToMel

        config = model.config
        seconds, made_seconds = contents.samples / contents.rate_hz, config.samples / checkpoint.rate_hz
        if abs(seconds - made_seconds) > 1.0 / checkpoint.rate_hz:
            raise InputError(
                f"{dataset.folder}: its notes last {seconds:g} s, those of checkpoint '{name}' {made_seconds:g} s; "
                "prepare the set with that length"
            )
        if made_seconds < measures.FRAME_S:
            raise InputError(
                f"checkpoint '{name}': its notes last {made_seconds:g} s; to be judged they need {measures.FRAME_S:g} s"
            )
        self.checkpoint, self.dataset = checkpoint, dataset
        self.rate_hz, self.data_rate_hz = checkpoint.rate_hz, contents.rate_hz
        self.notes = {int(i): contents.notes[i] for i in np.unique(dataset.hardest)}
        self.task, self._model, self._config = task, model, config
        self._to_mel = SoundToMel(config)
        self._to_sound = keras.Sequential([MelToSound(config)])  # in a model the layer is compiled
        self.trained = np.zeros((0, checkpoint.latent_dim), np.float32)
        if checkpoint.config.instruments:
            self.trained = self._normalised(read_tensors(checkpoint)["instruments"])

    def real(self, index: int) -> Wave:
        """Return a note of the set at the checkpoint's rate and length, with a peak magnitude of 0.8."""
        if self.data_rate_hz == self.rate_hz and self.dataset.contents.samples == self._config.samples:
            return self.dataset.wave(index)
        wave = resample(Audio(self.dataset.wave(index)[np.newaxis], self.data_rate_hz), self.rate_hz).samples[0]
        samples = self._config.samples
        wave = np.pad(wave[:samples], (0, max(0, samples - len(wave))))
        return np.asarray(wave * (PEAK / max(float(np.abs(wave).max()), 1e-9)), np.float32)

    def heard(self, wave: Wave) -> Wave:
        """Return a note at the checkpoint's rate as one at the rate of the set."""
        return np.asarray(resample(Audio(wave[np.newaxis], self.rate_hz), self.data_rate_hz).samples[0])

    def random(self, rng: np.random.Generator, n: int) -> Latents:
        """Draw latents from the distribution that seeds give."""
        return self._normalised(rng.standard_normal((n, self.checkpoint.latent_dim)).astype(np.float32))

    def at(self, pitch: int) -> dict[str, int]:
        """Return the index of the note of each instrument of the set at a MIDI pitch."""
        return {note.instrument: i for i, note in self.notes.items() if note.pitch == pitch}

    def trained_of(self, instruments: Iterable[str]) -> Latents:
        """Return the latents of some instruments; the checkpoint must name all of them."""
        names = self.checkpoint.config.instruments
        return self.trained[[names.index(instrument) for instrument in instruments]]

    def mixed(self, rng: np.random.Generator, n: int) -> Latents:
        """Draw mixes of three trained latents in random proportions, whose norms are mixed in the same proportions."""
        mixes = []
        for _ in range(n):
            parts = self.trained[rng.choice(len(self.trained), 3)]
            shares = rng.dirichlet(np.ones(3))
            mix, length = shares @ parts, shares @ np.linalg.norm(parts, axis=1)
            mixes.append(mix * (length / np.linalg.norm(mix)))
        return np.asarray(mixes, np.float32)

    @property
    def velocities(self) -> tuple[int, int] | None:
        """The lowest and the highest velocity that the network has learned; None if it hasn't learned velocity."""
        return self._config.velocities

    def play(
        self, latents: Latents, pitches: NDArray[np.int32], velocities: NDArray[np.int64] | None = None
    ) -> Iterator[Wave]:
        """Render notes with the network, a few at a time, so that they needn't all lie in memory.

        Args:
            latents: float32, shape (n, latent_dim).
            pitches: MIDI, shape (n,).
            velocities: MIDI, shape (n,); None for the highest that the network has learned.

        Raises:
            SamplepackError: the network's output contains NaN or infinity.
        """
        for first in range(0, len(pitches), TOGETHER):
            some = slice(first, first + TOGETHER)
            waves = self._model.render(latents[some], pitches[some], None if velocities is None else velocities[some])
            if not np.isfinite(waves).all():
                raise SamplepackError(f"checkpoint '{self.checkpoint.name}': the network made NaN or infinity")
            self.task.advance(len(waves))
            yield from waves

    def round_trip(self, waves: Waves) -> Waves:
        """Convert a few waves to the network's normalised spectrograms, which are clipped to ±1, and back.

        The result is what the network would render if its output were exact.
        """
        a, b = self._config.normaliser.a, self._config.normaliser.b
        outputs = np.clip(self._to_mel(waves) * a + b, -1.0, 1.0)
        return np.asarray(self._to_sound.predict_on_batch((outputs - b) / a))

    def _normalised(self, latents: Latents) -> Latents:
        if self._config.latent_normalisation == "none":
            return latents
        return onto_shell(latents)
