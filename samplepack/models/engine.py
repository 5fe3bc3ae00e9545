"""How notes are rendered: precision, device and size of batches. Without Keras before a GPU is asked for."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from samplepack.base.errors import InputError
from samplepack.models.backend import Device, backend, device_of, gpu_memory_gib
from samplepack.models.config import GANSynthConfig

ENGINE_REVISION = 5
"""Revision of the network's arithmetic, counted up with each change. Cached notes of another revision aren't used."""


Precision = Literal["float32", "bfloat16"]

_MOST_TOGETHER = 128
"""The largest batch: that of a GPU with memory enough. At the 5,000 notes a second that a large GPU should reach, it
takes 26 ms, so that an instrument of 49 keys is there at once; and images of 128 notes leave no part of a GPU idle."""

_MEMORY_SHARE = 0.8
"""How much of a GPU's memory a batch may fill; the weights and what libraries need to convolve fit into the rest."""

_IMAGES_A_NOTE, _SPECTRA_A_NOTE = 2.3, 28
"""What a note takes while it is rendered: the network so many images of its last block, the spectral inverse so many
linear spectrograms, in float32; the larger counts. By XLA's account of its temporary memory on a processor, in batches
of 1, 4 and 8: a network of the published size 34.9 MB (2.1 images), starter@1 14.3 MB (27.2 spectrograms), starter@2
43.3 MB (27.5 spectrograms), in bfloat16 the same."""


@dataclass(frozen=True)
class Engine:
    """How notes are rendered: the precision and the device."""

    precision: Precision = "float32"
    """Number format of the convolutions; `bfloat16` is for drafts."""

    device: Device = "cpu"

    memory_gib: int = 0
    """The memory of a GPU that may be filled, as `gpu_memory_gib` gives it; 0 for the CPU."""

    def notes_together(self, config: GANSynthConfig) -> int:
        """The size of every batch that a network renders; where there are fewer notes, the last one is repeated.

        Convolution libraries choose their kernels, and graph optimisers the order of sums, by the size of the batch:
        with another size a note would have other last bits. On a CPU larger batches are no faster. On a GPU they are
        the largest power of two that its memory holds, up to 128.

        Args:
            config: sizes of the network.
        """
        if self.device == "cpu":
            return 1
        fitting = int(self.memory_gib * 2**30 * _MEMORY_SHARE / bytes_a_note(config))
        return min(1 << max(fitting, 1).bit_length() - 1, _MOST_TOGETHER)

    def __str__(self) -> str:
        """A text that changes with whatever may change the bits of a note.

        It names the revision, Keras' backend and its version, the device, the precision and the memory of a GPU, and is
        part of the key of each cached note.

        Raises:
            InputError: the backend isn't installed.
        """
        from importlib.metadata import PackageNotFoundError

        try:
            name = f"{ENGINE_REVISION} {backend()} {_version(backend())} {self.device} {self.precision}"
        except PackageNotFoundError:
            raise InputError(f"KERAS_BACKEND is '{backend()}', which is not installed") from None
        return name if self.device == "cpu" else f"{name}, {self.memory_gib} GiB"


@cache
def _version(package: str) -> str:
    """The version of an installed package. Cached, since every note's key needs it and it is read from a file."""
    from importlib.metadata import version

    return version(package)


def machine_kind() -> str:
    """The kind of processor, as far as its rounding goes: its architecture and the widest vectors that it has."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return " ".join([platform.machine(), *found[-1:]])


DEFAULT_ENGINE = Engine()


def engine_on(wanted: Literal["auto", "cpu", "gpu"], precision: Precision = "float32") -> Engine:
    """The engine on a device of this machine; `auto` is a GPU where the backend finds one, else the CPU.

    Raises:
        InputError: `gpu` is wanted, and the backend finds none.
    """
    device = device_of(wanted)
    return Engine(precision, device, gpu_memory_gib() if device == "gpu" else 0)


def bytes_a_note(config: GANSynthConfig) -> int:
    """The memory that each note of a batch takes while a network renders it on a GPU, bytes."""
    image = config.frames * config.bins * config.channels[-1]
    spectrum = config.frames * config.fft_size // 2
    return int(4 * max(_IMAGES_A_NOTE * image, _SPECTRA_A_NOTE * spectrum))
