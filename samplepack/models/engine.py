"""Families of checkpoints: a file each, reached by name so that TensorFlow is imported only when a note renders."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, did_you_mean
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


BACKENDS = ("tensorflow", "jax")
"""What Keras may run on; of its other backends PyTorch is untested, and NumPy's lacks what the network needs."""


def backend() -> str:
    """What Keras runs on: `tensorflow`, or what the environment variable `KERAS_BACKEND` says.

    Raises:
        InputError: it says something else than `tensorflow` or `jax`.
    """
    chosen = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if chosen not in BACKENDS:
        raise InputError(f"KERAS_BACKEND is '{chosen}'; it should be {' or '.join(BACKENDS)}, or not set")
    return chosen


Precision = Literal["float32", "bfloat16"]
Device = Literal["cpu", "gpu"]


NOTES_TOGETHER: dict[Device, int] = {"cpu": 1, "gpu": 64}
"""A network always sees exactly so many notes, the last one repeated where there are fewer. Convolution libraries
choose their kernels, and graph optimisers the order of sums, by the size of the batch: with another size a note would
have other last bits. On a CPU larger batches are no faster."""


def batches_at_once(device: Device) -> int:
    """How many batches a model renders at the same time, each for a thread that calls it.

    On a CPU TensorFlow does each of a note's operations within one thread, if `start_backend` started it: no core waits
    for another, and a note has the same bits however many cores there are. JAX, and a GPU, share out a single batch
    themselves.
    """
    return (os.cpu_count() or 1) if device == "cpu" and backend() == "tensorflow" else 1


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


def device_of(wanted: Literal["auto", "cpu", "gpu"]) -> Device:
    """The device that is there: `auto` is a GPU, where the backend finds one. Only a machine that seems to have one
    makes this import the backend.

    Raises:
        InputError: a GPU is asked for, and the backend finds none.
    """
    if wanted == "cpu" or (wanted == "auto" and not os.path.exists("/dev/nvidiactl")):
        return "cpu"
    start_backend()
    if backend() == "jax":
        import jax

        found = any(device.platform == "gpu" for device in jax.devices())
    else:
        import tensorflow as tf

        found = bool(tf.config.list_physical_devices("GPU"))
    if wanted == "gpu" and not found:
        raise InputError(
            f"{backend()} finds no GPU here; install samplepack[gpu] for TensorFlow's, or build on the CPU"
        )
    return "gpu" if found else "cpu"


def start_backend(threads_an_op: int = 1) -> None:
    """Import Keras and what it runs on, so that its start-up notes don't reach the terminal.

    TensorFlow's C++ parts write to the process' standard error before any setting could silence them.

    Args:
        threads_an_op: how many threads TensorFlow shares one operation among, if nothing has started it yet. With more
            than one, the bits of sums depend on the number.
    """
    os.environ["KERAS_BACKEND"] = backend()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # JAX, where it is imported first, sets it to 1
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        unneeded = ("sklearn", "pandas", "jax", "matplotlib", "IPython")
        with (
            open(os.devnull, "wb") as nowhere,
            _as_if_not_installed(*unneeded),
            _without_collections(),
            _in_environment("TF_NUM_INTRAOP_THREADS", str(threads_an_op)),
        ):
            os.dup2(nowhere.fileno(), 2)
            from keras import ops

            ops.zeros(1)
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


@contextmanager
def _in_environment(variable: str, value: str) -> Iterator[None]:
    """An environment variable is set within, and not for the processes that are started later."""
    before = os.environ.get(variable)
    os.environ[variable] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


@contextmanager
def _without_collections() -> Iterator[None]:
    """Garbage isn't collected within: of a million objects that an import makes to stay, that takes 0.3 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _as_if_not_installed(*modules: str) -> Iterator[None]:
    """Imports within don't find these modules, unless they are imported already or Keras runs on them. Keras and
    TensorFlow import them for wrappers, adapters and plots of their own wherever they happen to be installed, which
    takes seconds; those of Keras stay without them."""
    hidden = [module for module in modules if module not in sys.modules and module != backend()]
    for module in hidden:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in hidden:
            del sys.modules[module]


def load(checkpoint: Checkpoint, engine: Engine = DEFAULT_ENGINE) -> Model:
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
