"""The training configuration: the YAML file that `samplepack train` takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator, model_validator

from samplepack.base.errors import InputError, Problem
from samplepack.checkpoints import library
from samplepack.datasets.dataset import Dataset, read_dataset
from samplepack.documents.document import Document, Kind, read_document
from samplepack.documents.problems import problems_in, wrong
from samplepack.models.checkpoint import Checkpoint, PitchRange
from samplepack.models.config import Analysis, gansynth_config
from samplepack.models.latent import LARGEST_SEED
from samplepack.training.settings import AdversarialSettings, FineTuneSettings, ReconstructionSettings, SpectraSettings

_KIND = Kind("training", first_line="train: 1", path_keys=frozenset({"data", "from", "notices"}))

Method = Literal["reconstruction", "spectra", "adversarial"]

_METHODS: tuple[tuple[Method, ...], ...] = (
    ("reconstruction",),
    ("reconstruction", "spectra"),
    ("reconstruction", "adversarial"),
    ("spectra",),
    ("adversarial",),
)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Network(_Settings):
    """Sizes of a new network, which is a generator of GANSynth's kind."""

    latent_dim: PositiveInt = 32
    """Length of a latent."""

    channels: tuple[PositiveInt, ...] = Field((128, 128, 128, 64, 32, 24, 12), min_length=1)
    """How many channels each block has, block 1 first. Each block doubles the size of the spectrogram."""

    start: tuple[PositiveInt, PositiveInt] = (2, 16)
    """Frames and bins of block 1."""

    analysis: Analysis | None = None
    """Length and distance of the spectrogram's frames. Without it they are those of Magenta's networks, 2·bins and
    bins/2; at 48 kHz, 3072 and 768 are good."""

    pitches: PitchRange = (24, 84)
    """The lowest and the highest pitch that it can play, MIDI."""

    templates: bool = True
    """Whether the last three blocks take templates, images of a harmonic tone at each pitch. A network learns pitch
    and timbre sooner with them; the paper's network has none."""


class Training(_Settings):
    """The keys of a training configuration."""

    train: Literal[1]
    """Version of this format."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")
    """Name of the checkpoint, and of the run's folder."""

    data: Path
    """Folder of a data set that `samplepack dataset` has prepared, relative to this file."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of all random numbers."""

    begin_with: str | None = Field(None, alias="from")
    """Checkpoint to go on from, as in a recipe; its network keeps its sizes. Without it, a new network is trained."""

    network: Network = Network()
    """Sizes of the network, where it is a new one."""

    held_out: float = Field(0.05, ge=0.0, le=0.5)
    """Share of the pairs of instrument and pitch that are held out from training, to evaluate the checkpoint with."""

    method: tuple[Method, ...] | None = None
    """How the network is trained: by `reconstruction`, after which may come `spectra`, which learns the levels anew in
    finer detail, or `adversarial`; by `adversarial` alone; or, with `from`, by `spectra` alone. Without it: by
    `reconstruction`, and by `spectra` if the checkpoint that `from` names was."""

    reconstruction: ReconstructionSettings = ReconstructionSettings()
    """Settings of training by reconstruction."""

    spectra: SpectraSettings = SpectraSettings()
    """Settings of the training of a network of spectra, which gives the levels."""

    adversarial: AdversarialSettings = AdversarialSettings()
    """Settings of adversarial training of a new network, where `method` is `adversarial` alone."""

    finish: FineTuneSettings = FineTuneSettings()
    """Settings of adversarial training after reconstruction, or of a checkpoint that `from` names."""

    weights: Literal["float16", "float32"] = "float16"
    """Number format of the weights in the checkpoint."""

    license: str = ""
    """Terms of the weights; without it, those of the data set."""

    notices: tuple[Path, ...] = ()
    """Files that are copied into the checkpoint, such as licences, relative to this file."""

    @field_validator("method", mode="before")
    @classmethod
    def _one_or_more(cls, method: Any) -> Any:
        return (method,) if isinstance(method, str) else method

    @field_validator("method")
    @classmethod
    def _in_order(cls, method: tuple[Method, ...] | None) -> tuple[Method, ...] | None:
        if method is not None and method not in _METHODS:
            known = [names[0] if len(names) == 1 else f"[{', '.join(names)}]" for names in _METHODS]
            raise wrong(f"should be {', '.join(known[:-1])} or {known[-1]}")
        return method

    @model_validator(mode="after")
    def _one_network(self) -> Training:
        if self.begin_with is not None and "network" in self.model_fields_set:
            raise wrong("`network` is the sizes of a new network; with `from`, those of the checkpoint hold")
        if self.begin_with is None and self.method == ("spectra",):
            raise wrong("the method `spectra` needs a network that was trained before: name it with `from`")
        return self


@dataclass(frozen=True)
class LoadedTraining:
    """A training configuration, its data set, and the checkpoint that it goes on from."""

    path: Path
    """The YAML file."""

    document: Document
    """The YAML file's content, which locates problems."""

    training: Training
    dataset: Dataset

    begin_with: Checkpoint | None
    """The checkpoint to go on from; None for a new network."""

    @property
    def method(self) -> tuple[Method, ...]:
        """How the network is trained, by default in the same way as the checkpoint that it goes on from."""
        if self.training.method is not None:
            return self.training.method
        has_spectra = self.begin_with is not None and gansynth_config(self.begin_with).spectra is not None
        return ("reconstruction", "spectra") if has_spectra else ("reconstruction",)


def load_training(path: Path) -> LoadedTraining:
    """Read a training configuration, its data set and the checkpoint that it goes on from.

    Raises:
        InputError: all problems of the three, each with its place in the file.
    """
    document = read_document(path, _KIND)
    try:
        training = Training.model_validate(document.data)
    except ValidationError as error:
        raise InputError(*problems_in(document, error, Training)) from error
    problems: list[Problem] = []
    dataset, begin_with = None, None
    try:
        dataset = read_dataset(path.parent / training.data)
    except InputError as error:
        problems += [document.problem(("data",), problem.message) for problem in error.problems]
    if training.begin_with is not None:
        try:
            begin_with = library.as_native(library.resolve(training.begin_with, path.parent))
        except InputError as error:
            problems += [document.problem(("from",), problem.message) for problem in error.problems]
    for i, notice in enumerate(training.notices):
        if not (path.parent / notice).is_file():
            problems.append(document.problem(("notices", i), f"there is no file {notice}"))
    if problems or dataset is None:
        raise InputError(*problems)
    return LoadedTraining(path, document, training, dataset, begin_with)
