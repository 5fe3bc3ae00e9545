"""Keras' backend and device: which ones are used, and starting them. Keras is imported by `start_backend` alone."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from samplepack.base.errors import InputError

Device = Literal["cpu", "gpu"]

BACKENDS = ("tensorflow", "jax")
"""The backends of Keras that may be used. PyTorch is untested, and NumPy lacks operations that the network needs."""


def backend() -> str:
    """The name of Keras' backend: `tensorflow`, or the value of the environment variable `KERAS_BACKEND`.

    Raises:
        InputError: the variable is neither `tensorflow` nor `jax`.
    """
    chosen = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if chosen not in BACKENDS:
        raise InputError(f"KERAS_BACKEND is '{chosen}'; it should be {' or '.join(BACKENDS)}, or not set")
    return chosen


def batches_at_once(device: Device) -> int:
    """How many batches a network renders at the same time, each in a thread that calls it.

    On a CPU, TensorFlow as `start_backend` starts it computes each operation in a single thread, so that a note has the
    same bits however many cores there are; several batches at once keep the cores busy. JAX and GPUs compute a single
    batch in parallel themselves.
    """
    return (os.cpu_count() or 1) if device == "cpu" and backend() == "tensorflow" else 1


def device_of(wanted: Literal["auto", "cpu", "gpu"]) -> Device:
    """The device to render on: for `auto` a GPU where the backend finds one, else the CPU.

    The backend is imported only where the machine seems to have an NVIDIA GPU, or `gpu` is wanted.

    Raises:
        InputError: `gpu` is wanted, and the backend finds none.
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


def gpu_memory_gib() -> int:
    """The memory that the backend may fill on the first GPU, GiB, rounded down to a power of two.

    JAX takes three quarters of a GPU's memory, TensorFlow what is free of it when it starts. Rounding keeps the number
    the same where other programs hold a little of it: the size of batches follows from it, and so do the last bits of
    notes.
    """
    if backend() == "jax":
        import jax

        limit_bytes = jax.devices("gpu")[0].memory_stats()["bytes_limit"]
    else:
        import tensorflow as tf

        with tf.compat.v1.Session() as session:  # nothing in TensorFlow 2 tells it
            limits = [one.memory_limit_bytes for one in session.list_devices() if one.device_type == "GPU"]
        limit_bytes = limits[0]
    return 1 << max(int(limit_bytes) >> 30, 1).bit_length() - 1


def turn_off_tf32() -> None:
    """Have the backend multiply float32 numbers on a GPU with all of their 24 bits, from now on.

    By default, GPUs since NVIDIA's Ampere round the factors to TF32, which has 11 bits, and notes would differ from
    those of a processor by more than rounding.
    """
    if backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "float32")  # type: ignore[no-untyped-call]
    else:
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)


def start_backend(threads_an_op: int = 1) -> None:
    """Import Keras and its backend, without their start-up messages on the terminal.

    TensorFlow's C++ parts write to the process' standard error before any setting could silence them, so it is
    redirected meanwhile.

    Args:
        threads_an_op: how many threads TensorFlow splits one operation among, unless it has been started before. With
            more than one, the bits of sums depend on the number.

    Raises:
        InputError: `KERAS_BACKEND` is neither `tensorflow` nor `jax`.
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
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its remarks on tracing are about no fault of a user
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def lacks_bfloat16() -> bool:
    """Whether this machine's processor is known to have no instructions for bfloat16, so that it is emulated."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:  # only Linux tells
        return False
    return not {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}.intersection(flags)


@contextmanager
def _in_environment(variable: str, value: str) -> Iterator[None]:
    """Set an environment variable within the block only, so that processes that are started later don't inherit it."""
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
    """Don't collect garbage within the block: the imports make a million objects that stay, and looking through them
    takes 0.3 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _as_if_not_installed(*modules: str) -> Iterator[None]:
    """Hide modules from imports within the block, except those that are imported already and Keras' backend.

    Keras and TensorFlow import these modules, where they are installed, for wrappers, adapters and plots that
    samplepack doesn't use; that takes seconds."""
    hidden = [module for module in modules if module not in sys.modules and module != backend()]
    for module in hidden:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in hidden:
            del sys.modules[module]
