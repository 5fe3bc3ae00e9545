"""What Keras runs on: which backend, which device, and how it is started. Nothing here imports it before it must."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from samplepack.base.errors import InputError

Device = Literal["cpu", "gpu"]

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


def batches_at_once(device: Device) -> int:
    """How many batches a model renders at the same time, each for a thread that calls it.

    On a CPU TensorFlow does each of a note's operations within one thread, if `start_backend` started it: no core waits
    for another, and a note has the same bits however many cores there are. JAX, and a GPU, share out a single batch
    themselves.
    """
    return (os.cpu_count() or 1) if device == "cpu" and backend() == "tensorflow" else 1


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
            f"{backend()} finds no GPU here; for TensorFlow's: pip install 'tensorflow[and-cuda]'; or build on the CPU"
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
