"""A training run in a folder, which holds its settings, its log, pictures and sounds, and the state to resume from."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.files import locked, write_aside
from samplepack.base.progress import Progress
from samplepack.base.version import __version__
from samplepack.datasets.dataset import Dataset
from samplepack.datasets.one_note import OneNote
from samplepack.fitting.descent import fit
from samplepack.models.backend import backend
from samplepack.models.checkpoint import FAMILY, notices_of, read_tensors, write_checkpoint
from samplepack.models.config import Decoder, GANSynthConfig, Normaliser, Templates, gansynth_config
from samplepack.models.gansynth import GANSynth
from samplepack.models.gradients import be_deterministic
from samplepack.models.latent import latent_from_seed
from samplepack.sound import audio
from samplepack.sound.audio import Audio
from samplepack.training import noise, templates
from samplepack.training.adversarial import AdversarialTrainer
from samplepack.training.calibration import calibrated
from samplepack.training.card import write_card
from samplepack.training.config import LoadedTraining, Network
from samplepack.training.log import TrainingLog
from samplepack.training.pictures import draw_notes
from samplepack.training.reconstruction import ReconstructionTrainer, coarse_block
from samplepack.training.spectra import SpectraTrainer, new_sizes
from samplepack.training.spectrograms import FILES, FLOOR_POWER, Selected, analyse, analysed, spread
from samplepack.training.trainer import State, Trainer

CHECKPOINT = "checkpoint"
STATE = "state.safetensors"
SETTINGS = "run.json"

_LOGGED_STEPS = 100
"""How many steps a row of the log is the mean of."""


_SHOWN = 4
"""How many notes are shown in pictures and sounds."""

_STORED_EXACTLY = ("instruments", "spectra/courses")
"""Tensors that are stored as float32, whatever the other weights are."""

_NORMALISER, _MAGENTA_FFT_SIZE = ((0.0661371661726, 0.113718730221), (0.8, 0.0)), 2048
"""Magenta's factors and offsets of magnitude and frequency, for frames of so many points: in longer ones, powers are
larger."""


@dataclass(frozen=True)
class Trained:
    """The result of a run."""

    folder: Path
    """Folder of the checkpoint."""

    steps: int
    """How many steps this call has done: 0 where the run had been finished before."""


def train(loaded: LoadedTraining, folder: Path, save_every_s: float, progress: Progress) -> Trained:
    """Train to the end, resuming a run that was interrupted, which ends with the same weights, bit for bit.

    Args:
        loaded: the configuration, its data set, and the checkpoint that it goes on from.
        folder: the run's folder; it is created if it doesn't exist.
        save_every_s: how often the state, pictures and sounds are written, seconds.
        progress: receives how many notes are analysed, then how many images each method has seen, with the rate and
            the recent terms of its loss as its remark.

    Raises:
        InputError: the folder holds another run or other files, or the network can't be trained on the data.
        SamplepackError: the loss is no longer a number.
    """
    be_deterministic()
    config = network_config(loaded)
    digest = _digest(loaded)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _begin(folder, digest, loaded)
        if (folder / CHECKPOINT).is_dir():
            return Trained(folder / CHECKPOINT, 0)
        return _Run(loaded, config, folder, save_every_s, progress).go()


def network_config(loaded: LoadedTraining) -> GANSynthConfig:
    """The config of the network to train, with the names of its instruments.

    Raises:
        InputError: the notes of the data set haven't the network's sample rate or length.
    """
    contents = loaded.dataset.contents
    method = loaded.method
    # By adversarial training alone, no instrument gets a latent of its own.
    names = [] if method == ("adversarial",) else loaded.dataset.instruments
    if loaded.begin_with:
        config = gansynth_config(loaded.begin_with)
        new_names = [name for name in names if name not in config.instruments]
        config = config.model_copy(update={"instruments": [*config.instruments, *new_names]})
    else:
        config = _new_config(loaded.training.network, loaded.dataset, names)
    if "spectra" in method and config.spectra is None:
        config = config.model_copy(update={"spectra": new_sizes(config, loaded.training.spectra)})
    problems = []
    if config.sample_rate_hz != contents.rate_hz:
        problems.append(f"its notes have {contents.rate_hz} Hz, the checkpoint {config.sample_rate_hz} Hz")
    shortest = config.frames * config.hop // 2
    if not shortest < contents.samples <= config.span or config.samples != contents.samples:
        spans = f"the network spans {config.samples if loaded.begin_with else config.span} samples"
        problems.append(f"its notes have {contents.samples} samples, but {spans}")
    found = [loaded.document.problem(("data",), f"{loaded.dataset.folder}: {text}") for text in problems]
    if config.spectra and "spectra" not in method:
        known = "the checkpoint's levels come from a network of spectra, which this wouldn't train"
        found.append(loaded.document.problem(("method",), f"{known}; should be [reconstruction, spectra] or spectra"))
    elif config.spectra and config.spectra.bins != config.bins:
        grown = f"{len(config.spectra.channels)} blocks grow {config.spectra.start} bins to {config.spectra.bins}"
        found.append(loaded.document.problem(("spectra", "channels"), f"{grown}, which should be {config.bins}"))
    if found:
        raise InputError(*found)
    return config


def _new_config(network: Network, dataset: Dataset, instruments: list[str]) -> GANSynthConfig:
    blocks = len(network.channels)
    louder = math.log((network.analysis.fft_size if network.analysis else _MAGENTA_FFT_SIZE) / _MAGENTA_FFT_SIZE)
    (a, b), (p, q) = _NORMALISER
    frames, bins = (size * 2 ** (blocks - 1) for size in network.start)
    return GANSynthConfig(
        family=FAMILY,
        latent_dim=network.latent_dim,
        latent_normalisation="shell",
        pitches=network.pitches,
        sample_rate_hz=dataset.contents.rate_hz,
        frames=frames,
        bins=bins,
        samples=dataset.contents.samples,
        analysis=network.analysis,
        velocities=dataset.velocities,
        start=network.start,
        channels=network.channels,
        templates=Templates(from_block=max(blocks - 2, 2), channels=templates.CHANNELS) if network.templates else None,
        normaliser=Normaliser(magnitude=(a, b - 2.0 * a * louder), frequency=(p, q)),
        decoder=Decoder(phase="peak-locked", floor_power=4 * FLOOR_POWER),
        instruments=instruments,
    )


def _digest(loaded: LoadedTraining) -> str:
    """SHA-256 of all inputs that determine the weights."""
    training = loaded.training.model_dump(mode="json", exclude={"name", "license", "notices", "data"})
    inputs = {
        "training": training,
        "data": loaded.dataset.digest,
        "from": loaded.begin_with and loaded.begin_with.digest,
        "version": __version__,
        "backend": backend(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _begin(folder: Path, digest: str, loaded: LoadedTraining) -> None:
    """Write the run's settings into an empty folder, or check that the folder's are the same."""
    if not (folder / SETTINGS).is_file():
        if any(folder.iterdir()):
            raise InputError(f"{folder} holds something that isn't a training run; choose another with --output")
        write_aside(folder / "train.yaml", loaded.document.content)
        write_aside(folder / SETTINGS, json.dumps({"run": 1, "digest": digest}).encode() + b"\n")
        return
    try:
        stored_digest = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / SETTINGS} is damaged; remove the folder, or choose another with --output"
        ) from error
    if stored_digest != digest:
        raise InputError(
            f"{folder} was begun with other settings, other data or another version; remove it, or choose another "
            f"with --output"
        )


class _Run:
    """One call of `train`."""

    def __init__(
        self, loaded: LoadedTraining, config: GANSynthConfig, folder: Path, save_every_s: float, progress: Progress
    ) -> None:
        self.loaded, self.config, self.folder = loaded, config, folder
        self.save_every_s, self.progress = save_every_s, progress
        notes = loaded.dataset.contents.notes
        low, high = config.pitches
        playable = np.array([low <= note.pitch <= high for note in notes])
        self.held_out = loaded.dataset.held_out(loaded.training.held_out)
        learned = playable & ~self.held_out
        if config.velocities is None:
            learned &= loaded.dataset.hardest == np.arange(len(notes))
        self.chosen = np.flatnonzero(learned)
        self.velocities = np.array([note.velocity for note in notes])
        if not len(self.chosen):
            raise InputError(
                loaded.document.problem(
                    ("data",), f"{loaded.dataset.folder} has no note from {low} to {high} to learn from"
                )
            )
        names = {name: i for i, name in enumerate(config.instruments)}
        self.instruments = np.array([names.get(note.instrument, -1) for note in notes])
        self.labels = np.clip([note.pitch - low for note in notes], 0, high - low)
        self.seconds = 0.0
        self.steps = 0

    def go(self) -> Trained:
        """Train from the saved state, or from the start where there is none, to the end."""
        self._analyse()
        first, step, state = self._saved()
        begin_with = self.loaded.begin_with
        kept = read_tensors(begin_with) if begin_with else {}
        tensors = self._tensors_to_go_on_from(kept) if begin_with and state is None else None
        config = self.config
        for number in range(first, len(self.loaded.method)):
            trainer = self._trainer(number)
            state = self._train(trainer, number, step, trainer.start(tensors) if state is None else state)
            tensors, config = kept | trainer.tensors(state), trainer.config_after(trainer.steps)
            step, state = 0, None
        assert tensors is not None
        if config.spectra:
            tensors |= self._learned_noise(config, tensors)
        self._finish(config, tensors)
        return Trained(self.folder / CHECKPOINT, self.steps)

    def _tensors_to_go_on_from(self, tensors: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """A checkpoint's tensors to go on from; a new instrument starts with the latent that is fitted to its notes."""
        checkpoint = self.loaded.begin_with
        assert checkpoint is not None
        known = len(checkpoint.config.instruments)
        latents = list(tensors["instruments"]) if known else []
        for number in range(known, len(self.config.instruments)):
            indices = [note for note in self.chosen if self.instruments[note] == number]
            notes = [
                OneNote(int(self.labels[note]) + self.config.pitches[0], self.loaded.dataset.wave(int(note)))
                for note in indices
            ]
            name, fitted, new = self.config.instruments[number], number - known, len(self.config.instruments) - known

            def report(step: int, steps: int, fitted: int = fitted, new: int = new, name: str = name) -> None:
                self.progress(f"fitting {name} ({fitted + 1} of {new} new instruments), steps", step, steps)

            latents.append(
                fit(checkpoint, notes, report).latent if notes else np.ones(self.config.latent_dim, np.float32)
            )
        return tensors | {"instruments": np.asarray(latents, np.float32)}

    def _analyse(self) -> None:
        """Compute the spectrograms of all notes, unless the run's folder has them; it keeps them until the run ends."""
        times = 2 ** (len(self.config.channels) - coarse_block(self.config))

        def report(notes: int) -> None:
            self.progress("analysing notes", notes, len(self.labels))

        self.spectrograms = analyse(self.loaded.dataset, self.config, times, self.folder, report)

    def _trainer(self, number: int) -> Trainer:
        training = self.loaded.training
        if self.loaded.method[number] == "spectra":
            return SpectraTrainer(
                self.config,
                training.spectra,
                self.spectrograms.pixels,
                self.chosen,
                self.instruments,
                self.labels,
                self.velocities,
                training.seed,
            )
        if self.loaded.method[number] == "reconstruction":
            return ReconstructionTrainer(
                self.config.model_copy(update={"spectra": None}),
                training.reconstruction,
                self.spectrograms,
                self.chosen,
                self.instruments,
                self.labels,
                self.velocities,
                training.seed,
            )
        is_fine_tuning = number > 0 or self.loaded.begin_with is not None
        images = Selected(self.spectrograms.pixels, self.chosen)
        settings = training.finish if is_fine_tuning else training.adversarial
        return AdversarialTrainer(
            self.config, settings, images, self.labels[self.chosen], self.velocities[self.chosen], training.seed
        )

    def _train(self, trainer: Trainer, number: int, step: int, state: State) -> State:
        """Train by one method from a step to its end; returns the last state."""
        method, last = self.loaded.method[number], trainer.steps
        terms_of_steps: list[Mapping[str, Any]] = []
        log = TrainingLog(self.folder / f"{method}.csv", trainer.terms, step * trainer.images_per_step)
        saved = logged = time.monotonic()
        while step < last:
            state, terms = trainer.step(state, step)
            terms_of_steps.append(terms)
            step += 1
            self.steps += 1
            if step % _LOGGED_STEPS == 0 or step == last:
                means = _means(terms_of_steps, trainer.terms)
                now = time.monotonic()
                rate = len(terms_of_steps) * trainer.images_per_step / max(now - logged, 1e-9)
                self.seconds += now - logged
                images = step * trainer.images_per_step
                if not all(np.isfinite(mean) for mean in means.values()):
                    raise SamplepackError(
                        f"after {images} images the loss is no longer a number; try a lower learning_rate"
                    )
                log.add(images, self.seconds, rate, means)
                loss = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in means.items())
                self.progress(method, images, last * trainer.images_per_step, f"{rate:.0f} images/s; {loss}")
                terms_of_steps, logged = [], time.monotonic()
            if time.monotonic() - saved > self.save_every_s and step < last:
                self._save(number, step, state)
                self._show(trainer, state, step, log)
                saved = time.monotonic()
        log.draw()
        return state

    def _save(self, number: int, step: int, state: State) -> None:
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(ops.convert_to_numpy(tensor)) for name, tensor in state.items()}
        place = {"method": str(number), "step": str(step), "seconds": str(self.seconds)}
        write_aside(self.folder / STATE, save(arrays, place))

    def _saved(self) -> tuple[int, int, State | None]:
        """The method's number, the step and the state that were saved last; 0, 0 and None where none were."""
        from safetensors import SafetensorError, safe_open

        if not (self.folder / STATE).is_file():
            return 0, 0, None
        try:
            with safe_open(self.folder / STATE, "numpy") as file:
                place = file.metadata()
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.seconds = float(place["seconds"])
            return int(place["method"]), int(place["step"]), state
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"{self.folder / STATE} is damaged ({error}); remove it to begin again") from error

    def _show(self, trainer: Trainer, state: State, step: int, log: TrainingLog) -> None:
        """Write a picture and a sound of some notes, real and by the network as it is now."""
        log.draw()
        chosen = self.chosen[np.linspace(0, len(self.chosen) - 1, _SHOWN).astype(int)]
        tensors, config = trainer.tensors(state), trainer.config_after(step)
        network = GANSynth(config, tensors)
        if config.instruments:
            latents = tensors["instruments"][self.instruments[chosen]]
        else:
            latents = np.stack([latent_from_seed(seed, config.latent_dim) for seed in range(_SHOWN)])
        pitches = self.labels[chosen] + config.pitches[0]
        waves = network.render(latents, pitches, self.velocities[chosen])
        real = np.stack([self.loaded.dataset.played(note) for note in chosen])
        notes = self.loaded.dataset.contents.notes
        titles = [f"{notes[note].instrument} {notes[note].pitch}" for note in chosen]
        images = step * trainer.images_per_step
        draw_notes(self.folder / "notes.png", titles, analysed(config, real), analysed(config, waves), images)
        alternating = np.concatenate([part for pair in zip(real, waves, strict=True) for part in pair])
        sound = Audio(alternating[np.newaxis].clip(-1.0, 1.0).astype(np.float32), config.sample_rate_hz)
        write_aside(self.folder / "notes.wav", audio.encode(sound, "wav", 16, dither_seed=0))

    def _finish(self, config: GANSynthConfig, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """Write the checkpoint and its model card, and remove the files that only training needs."""
        loaded, training = self.loaded, self.loaded.training
        contents = loaded.dataset.contents
        if config.instruments:
            config = config.model_copy(update={"normaliser": self._calibrated(config, tensors)})
        provenance = {
            "title": training.name,
            "method": " and ".join(loaded.method),
            "trained_on": contents.title,
            "instruments": len(loaded.dataset.instruments),
            "notes": len(self.chosen),
            "dataset": loaded.dataset.digest,
            "held_out": training.held_out,
            "seed": training.seed,
            "hours": round(self.seconds / 3600.0, 2),
            "samplepack": __version__,
            "backend": backend(),
            "weights": training.weights,
        }
        if loaded.begin_with:
            provenance["from"] = loaded.begin_with.config.provenance.get("title", loaded.begin_with.digest)
        terms = [training.license or contents.license, loaded.begin_with.config.license if loaded.begin_with else ""]
        license = " ".join(dict.fromkeys(text for text in terms if text))
        config = config.model_copy(update={"provenance": provenance, "license": license, "digest": ""})
        stored = {
            name: tensor.astype("float32" if name in _STORED_EXACTLY else training.weights)
            for name, tensor in tensors.items()
        }
        notices = notices_of(loaded.begin_with.folder) if loaded.begin_with else {}
        notices |= {path.name: (loaded.path.parent / path).read_bytes() for path in training.notices}
        unmeasured = self.folder / "unmeasured"
        write_checkpoint(unmeasured, config, stored, notices)
        write_card(unmeasured, training.name, loaded.dataset)
        unmeasured.rename(self.folder / CHECKPOINT)
        for name in (STATE, *FILES):
            (self.folder / name).unlink(missing_ok=True)

    def _learned_noise(
        self, config: GANSynthConfig, tensors: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """The weights of the noise between partials; see `missing_noise` and `learned_noise`."""
        chosen, seed = spread(self.chosen, noise.MOST_NOTES), self.loaded.training.seed
        network = GANSynth(config, {**tensors, **noise.no_noise(config, seed)})

        def render(notes: NDArray[np.int64]) -> NDArray[np.float32]:
            return network.render(*self._inputs(tensors, notes))

        def report(done: int) -> None:
            self.progress("measuring noise, notes", done, len(chosen))

        levels = noise.missing_noise(self.loaded.dataset, config, chosen, render, report)
        latents, _, velocities = self._inputs(tensors, chosen)
        return noise.learned_noise(config, tensors, latents, self.labels[chosen], velocities, levels, seed)

    def _calibrated(self, config: GANSynthConfig, tensors: Mapping[str, NDArray[np.float32]]) -> Normaliser:
        """The normaliser with which some of the notes sound most like the real ones; see `calibrated`."""
        notes = spread(self.chosen, 48)
        images = GANSynth(config, tensors).spectrograms(*self._inputs(tensors, notes))
        return calibrated(config, self.loaded.dataset, notes, images)

    def _inputs(
        self, tensors: Mapping[str, NDArray[np.float32]], notes: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
        """The latents, pitches and velocities of notes, for a network to render."""
        pitches = (self.labels[notes] + self.config.pitches[0]).astype(np.int32)
        return tensors["instruments"][self.instruments[notes]], pitches, self.velocities[notes]


def _means(terms_of_steps: list[Mapping[str, Any]], names: tuple[str, ...]) -> dict[str, float]:
    """Term → its mean over the steps that have it."""
    by_name = {
        name: [float(ops.convert_to_numpy(terms[name])) for terms in terms_of_steps if name in terms] for name in names
    }
    return {name: float(np.mean(values)) for name, values in by_name.items() if values}
