"""How notes are rendered: precision, device and size of batches. Without Keras."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from samplepack.base.errors import InputError
from samplepack.models.backend import Device, backend

ENGINE_REVISION = 5
"""Revision of the network's arithmetic, counted up with each change. Cached notes of another revision aren't used."""


Precision = Literal["float32", "bfloat16"]

NOTES_TOGETHER: dict[Device, int] = {"cpu": 1, "gpu": 64}
"""The size of every batch that a network renders; where there are fewer notes, the last one is repeated. Convolution
libraries choose their kernels, and graph optimisers the order of sums, by the size of the batch: with another size a
note would have other last bits. On a CPU larger batches are no faster."""


@dataclass(frozen=True)
class Engine:
    """How notes are rendered: the precision and the device."""

    precision: Precision = "float32"
    """Number format of the convolutions; `bfloat16` is for drafts."""

    device: Device = "cpu"

    def __str__(self) -> str:
        """A text that changes with whatever may change the bits of a note.

        It names the revision, Keras' backend and its version, the device and the precision, and is part of the key of
        each cached note.

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
    """The version of an installed package. Cached, since every note's key needs it and it is read from a file."""
    from importlib.metadata import version

    return version(package)


DEFAULT_ENGINE = Engine()
