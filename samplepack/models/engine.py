"""What turns latents into sound, and how it is loaded: TensorFlow is imported only when a note renders."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, did_you_mean
from samplepack.models.backend import Device, backend, start_backend
from samplepack.models.checkpoint import Checkpoint

FAMILIES = {"gansynth": "samplepack.models.gansynth"}
"""Family → the module that reads its checkpoints; its `load(checkpoint)` gives a `Model`."""

ENGINE_REVISION = 5
"""Counts up whenever any family's arithmetic changes: cached notes of another revision aren't used."""


class Model(Protocol):
    """A loaded checkpoint."""

    def render(self, latents: NDArray[np.float32], pitches: NDArray[np.int32]) -> NDArray[np.float32]:
        """Latents, float32, shape (n, latent_dim), and MIDI pitches, shape (n,), to waves, shape (n, samples).

        A note's bits depend on its latent and pitch alone, not on n or on what stands beside it. Several threads may
        call it at once; `batches_at_once` of them gain by it.
        """
        ...


Precision = Literal["float32", "bfloat16"]

NOTES_TOGETHER: dict[Device, int] = {"cpu": 1, "gpu": 64}
"""A network always sees exactly so many notes, the last one repeated where there are fewer. Convolution libraries
choose their kernels, and graph optimisers the order of sums, by the size of the batch: with another size a note would
have other last bits. On a CPU larger batches are no faster."""


@dataclass(frozen=True)
class Engine:
    """What turns latents into sound."""

    precision: Precision = "float32"
    """Of the convolutions; `bfloat16` is for drafts."""

    device: Device = "cpu"

    def __str__(self) -> str:
        """In words that change when the bits of a note may: revision, Keras' backend and version, and these two.

        Raises:
            InputError: the backend isn't installed.
        """
        from importlib.metadata import PackageNotFoundError

        try:
            return f"{ENGINE_REVISION} {backend()} {_version(backend())} {self.device} {self.precision}"
        except PackageNotFoundError:
            raise InputError(f"KERAS_BACKEND is '{backend()}', which is not installed") from None


@cache
def _version(package: str) -> str:
    """Kept, since every note's key asks for it, and the answer stands in a file."""
    from importlib.metadata import version

    return version(package)


DEFAULT_ENGINE = Engine()


def load_model(checkpoint: Checkpoint, engine: Engine = DEFAULT_ENGINE) -> Model:
    """Read a checkpoint's weights and make its network. Imports TensorFlow (or what `backend` says).

    Args:
        checkpoint: what to load.
        engine: what it is to run on.

    Raises:
        InputError: the family is unknown, or the weights aren't what the config says.
    """
    family = checkpoint.config.family
    if family not in FAMILIES:
        raise InputError(
            f"checkpoint '{checkpoint.name}': unknown family '{family}'{did_you_mean(family, FAMILIES)} "
            f"(known: {', '.join(FAMILIES)})"
        )
    start_backend()
    model: Model = importlib.import_module(FAMILIES[family]).load(checkpoint, engine)
    return model
