"""Families of checkpoints: a file each, reached by name so that TensorFlow is imported only when a note renders."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from samplepack.checkpoint import Checkpoint
from samplepack.errors import InputError, did_you_mean

FAMILIES = {"gansynth": "samplepack.models.gansynth"}
"""Family → the module that reads its checkpoints; its `load(checkpoint)` gives a `Model`."""

ENGINE_REVISION = 2
"""Counts up whenever any family's arithmetic changes: cached notes of another revision aren't used."""


class Model(Protocol):
    """A loaded checkpoint."""

    def render(self, latents: NDArray[np.float32], pitches: NDArray[np.int32]) -> NDArray[np.float32]:
        """Latents, float32, shape (n, latent_dim), and MIDI pitches, shape (n,), to waves, shape (n, samples).

        A note's bits depend on its latent and pitch alone, not on n or on what stands beside it.
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


def engine() -> str:
    """What turns latents into sound, in words that change when its bits may: revision, Keras' backend and version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{ENGINE_REVISION} {backend()} {version(backend())}"
    except PackageNotFoundError:
        raise InputError(f"KERAS_BACKEND is '{backend()}', which is not installed") from None


def start_backend(threads_an_op: int | None = None) -> None:
    """Import Keras and what it runs on, so that its start-up notes don't reach the terminal.

    TensorFlow's C++ parts write to the process' standard error before any setting could silence them.

    Args:
        threads_an_op: how many threads TensorFlow shares one operation among, if this is the first call; all cores
            where left out. With one, sums have a fixed order.
    """
    os.environ["KERAS_BACKEND"] = backend()
    if threads_an_op is not None:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads_an_op)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # JAX, where it is imported first, sets it to 1
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        from keras import ops

        ops.zeros(1)
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def load(checkpoint: Checkpoint) -> Model:
    """Read a checkpoint's weights and make its network. Imports TensorFlow (or what `backend` says).

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
    model: Model = importlib.import_module(FAMILIES[family]).load(checkpoint)
    return model
