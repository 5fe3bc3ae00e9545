"""GANSynth's generator: from a latent and a pitch to a mel-IF spectrogram, and from that to sound.

Source: Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, and Magenta's `networks`. Images are
NHWC with H = time and W = mel frequency. Weights are stored as Magenta stores them, without the runtime scale of
equalised learning rates; it is folded in when they are loaded.
"""

from __future__ import annotations

from threading import Semaphore
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.parallel import threads
from samplepack.models.backend import batches_at_once
from samplepack.models.checkpoint import Checkpoint, Tensors, read_tensors
from samplepack.models.config import GANSynthConfig, gansynth_config, shape_problems
from samplepack.models.engine import DEFAULT_ENGINE, Engine, Precision
from samplepack.models.generator import Folded, average_bins, first_block, fold, next_block, numpy_codes, to_rgb
from samplepack.models.mel_if import MelToSound
from samplepack.models.spectra import fold_spectra, levels_of, noise_of


def read(checkpoint: Checkpoint) -> tuple[GANSynthConfig, Tensors]:
    """Read a checkpoint's config, and its weights by name.

    Raises:
        InputError: the config isn't one of GANSynth, or a weight is missing, of another shape or not finite.
    """
    config = gansynth_config(checkpoint)
    tensors = read_tensors(checkpoint)
    problems = shape_problems(config, tensors, checkpoint.name)
    if problems:
        raise InputError(*problems)
    return config, tensors


class GANSynth:
    """A loaded network: latents and pitches to waves.

    Args:
        config: sizes, normaliser and decoder.
        tensors: weights by name, float32, as `GANSynthConfig.tensor_shapes` lists them.
        engine: precision and device.
    """

    def __init__(self, config: GANSynthConfig, tensors: Tensors, engine: Engine = DEFAULT_ENGINE) -> None:
        self.config = config
        self.notes_together = engine.notes_together(config)
        self._map = threads(batches_at_once(engine.device))
        self._room = Semaphore(batches_at_once(engine.device))  # several threads of the caller may render at once
        self.device = f"{engine.device}:0"
        with keras.device(self.device):
            self.generator = Generator(config, tensors, engine)
            self.synthesiser = Synthesiser(self.generator, config)
        for network in (self.generator, self.synthesiser):
            network.make_predict_function()  # here, since threads that call it first would each make one

    def render(
        self,
        latents: NDArray[np.float32],
        pitches: NDArray[np.int32],
        velocities: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Render notes as sound.

        A note's bits depend on its latent, pitch and velocity alone, not on n or on the other notes. Several threads
        may call it at once; up to `batches_at_once` of them render faster together.

        Args:
            latents: float32, shape (n, latent_dim).
            pitches: MIDI, shape (n,).
            velocities: MIDI, shape (n,), where the network has learned velocity, else without effect; None: the highest
                that it has learned.

        Returns:
            Waves, float32, shape (n, samples).

        Raises:
            ValueError: a pitch lies outside `config.pitches`.
        """
        return self._in_batches(self.synthesiser, latents, pitches, velocities)

    def spectrograms(
        self,
        latents: NDArray[np.float32],
        pitches: NDArray[np.int32],
        velocities: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """The network's outputs before they are denormalised, float32, shape (n, frames, bins, 2), within ±1.

        Arguments and errors are those of `render`.
        """
        return self._in_batches(self.generator, latents, pitches, velocities)

    def features(self, latents: NDArray[np.float32], pitches: NDArray[np.int32], block: int) -> NDArray[np.float32]:
        """The features of an early block, of notes at the highest velocity.

        Args:
            latents: float32, shape (n, latent_dim).
            pitches: MIDI, shape (n,).
            block: number of the block, from 1; it and those below it take no templates.

        Returns:
            float32, shape (n, frames·bins·channels of the block).
        """
        labels = np.asarray(pitches, "int32") - self.config.pitches[0]
        codes = numpy_codes(self.config, latents, labels, np.full(len(labels), 127.0))
        with keras.device(self.device):
            x = first_block(self.generator.folded, ops.cast(codes, self.generator.precision), self.config.start)
            for number in range(2, block + 1):
                x = next_block(self.generator.folded, number, x)
            return np.asarray(ops.cast(x, "float32")).reshape(len(labels), -1)

    def _in_batches(
        self,
        network: keras.Model,
        latents: NDArray[np.float32],
        pitches: NDArray[np.int32],
        velocities: NDArray[Any] | None,
    ) -> NDArray[np.float32]:
        size = self.notes_together
        padding = -len(pitches) % size
        labels = np.asarray(pitches, "int32") - self.config.pitches[0]
        if np.any((labels < 0) | (labels >= self.config.pitch_count)):
            # For a label below 0 NumPy would index from the end, and return another pitch instead of an error.
            raise ValueError(f"pitches from {self.config.pitches[0]} to {self.config.pitches[1]} alone can be rendered")
        if velocities is None:
            velocities = np.full(len(labels), 127.0)
        codes = numpy_codes(self.config, np.asarray(latents, "float32"), labels, velocities)
        codes = np.pad(codes, [(0, padding), (0, 0)], mode="edge")
        labels = np.pad(labels, (0, padding), mode="edge")
        batches = [slice(i, i + size) for i in range(0, len(labels), size)]

        def predict(batch: slice) -> NDArray[np.float32]:
            with self._room, keras.device(self.device):
                return np.asarray(network.predict_on_batch({"code": codes[batch], "label": labels[batch]}))

        # A single batch runs in the calling thread, since convolutions are prepared anew for each new thread.
        results = [predict(batches[0])] if len(batches) == 1 else list(self._map(predict, batches))
        return np.concatenate(results)[: len(pitches)]


class Generator(keras.Model):
    """Latents and pitches to spectrograms.

    Input: a dict of `code`, float32, shape (batch, code_dim), normalised, and `label`, int32, shape
    (batch,), the pitch counted from the lowest. Output: float32, shape (batch, frames, bins, 2), within ±1.
    """

    def __init__(self, config: GANSynthConfig, tensors: Tensors, engine: Engine = DEFAULT_ENGINE) -> None:
        super().__init__(dtype="float32")
        self.config, self.precision = config, engine.precision
        templates = tensors["templates"].transpose(0, 2, 1) if config.templates else None
        self.templates = None if templates is None else _constant(self, templates, engine.precision)
        # A GPU has algorithms of its own, and in bfloat16 Winograd's sums would be too rough.
        use_winograd = engine == Engine("float32", "cpu")
        folded = fold_all(config, tensors, use_winograd)
        self.folded = {name: _constant(self, weight, engine.precision) for name, weight in folded.items()}
        self.built = True  # else Keras would trace `call` once more to build it

    def call(self, inputs: dict[str, Any]) -> Any:
        """Codes and labels to spectrograms; see `spectrogram`."""
        templates = None if self.templates is None else ops.take(self.templates, inputs["label"], axis=0)
        return spectrogram(self.config, self.folded, ops.cast(inputs["code"], self.precision), templates)

    def noise(self, code: Any) -> Any:
        """The noise of notes with these codes, as `noise_of` gives it; None where the network gives none."""
        return noise_of(self.folded, ops.cast(code, self.precision)) if self.config.spectra else None


def fold_all(config: GANSynthConfig, tensors: Tensors, use_winograd: bool = False) -> Folded:
    """Prepare all weights that `spectrogram` needs; see `fold` and `fold_spectra`."""
    return fold(tensors, config.channels[: max(config.shares())], use_winograd) | fold_spectra(config, tensors)


def spectrogram(config: GANSynthConfig, folded: Folded, code: Any, templates: Any) -> Any:
    """The output of the whole network.

    Args:
        config: sizes of the network.
        folded: weights, as `fold_all` gives them.
        code: normalised latents, labels and velocities, shape (batch, code_dim).
        templates: the templates of each note's pitch, shape (batch, bins, channels); None where the network has none.

    Returns:
        float32, shape (batch, frames, bins, 2), within ±1.
    """
    shares = config.shares()
    x = first_block(folded, code, config.start)
    output: Any = 0.0
    for number in range(1, max(shares) + 1):
        block_templates = None
        if config.template_channels(number):
            block_templates = average_bins(templates, config.start[1] * 2 ** (number - 1))
        if number > 1:
            x = next_block(folded, number, x, block_templates)
        if number in shares:
            image = ops.cast(to_rgb(folded, number, x, block_templates), "float32")
            for axis, size in ((1, config.frames), (2, config.bins)):
                if size > image.shape[axis]:  # by nearest neighbours
                    image = ops.repeat(image, size // image.shape[axis], axis=axis)
            output = output + shares[number] * image
    if config.spectra:
        levels = levels_of(config.spectra, folded, code, templates)
        output = ops.concatenate([levels[..., None], output[..., 1:]], axis=-1)
    return output


class Synthesiser(keras.Model):
    """Latents and pitches to waves in one compiled program: generator, denormalisation, decoder."""

    def __init__(self, generator: Generator, config: GANSynthConfig) -> None:
        super().__init__(dtype="float32")
        self.generator = generator
        self.a, self.b = config.normaliser.a, config.normaliser.b
        self.decoder = MelToSound(config)
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        """Codes and labels to waves."""
        noise = self.generator.noise(inputs["code"])
        return self.decoder((self.generator(inputs) - self.b) / self.a, noise, inputs["label"])


def _constant(layer: keras.layers.Layer, value: Any, precision: Precision) -> Any:
    """Add a weight that isn't trained to a layer, with the given value."""
    return layer.add_weight(
        shape=value.shape,
        dtype=precision,
        autocast=False,
        initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype),
        trainable=False,
    )
