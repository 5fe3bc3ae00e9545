"""How notes are rendered: what names an engine, and how many notes of a batch fit into a GPU."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from samplepack.checkpoints.library import STARTERS
from samplepack.models.backend import gpu_memory_gib, turn_off_tf32
from samplepack.models.checkpoint import read_checkpoint
from samplepack.models.config import gansynth_config
from samplepack.models.engine import Engine, bytes_a_note
from tests.helpers.networks import small_config


def starter(number):
    return gansynth_config(read_checkpoint(STARTERS[f"starter@{number}"], "starter"))


def test_a_cpu_renders_note_by_note_whatever_the_network():
    assert Engine().notes_together(small_config()) == Engine("bfloat16").notes_together(starter(2)) == 1


@pytest.mark.parametrize(("memory_gib", "notes"), [(1, 16), (2, 32), (4, 64), (8, 128), (64, 128)])
def test_a_batch_is_the_largest_power_of_two_that_the_memory_of_a_gpu_holds(memory_gib, notes):
    config, engine = starter(2), Engine("float32", "gpu", memory_gib)
    assert engine.notes_together(config) == notes
    assert notes * bytes_a_note(config) <= 0.8 * memory_gib * 2**30


def test_notes_of_batches_of_another_size_have_other_keys_in_the_cache():
    engines = [Engine(), *(Engine(precision, "gpu", gib) for precision in ("float32", "bfloat16") for gib in (4, 64))]
    assert len(set(map(str, engines))) == 5
    assert str(engines[0]).endswith("cpu float32") and str(engines[2]).endswith("gpu float32, 64 GiB")


def test_the_memory_of_a_gpu_is_asked_of_its_framework(monkeypatch):
    import jax  # here, so that not every process of the tests imports it

    class Session:
        """What TensorFlow says of a machine with a GPU of 140 GB."""

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def list_devices(self):
            return [SimpleNamespace(device_type=kind, memory_limit_bytes=size) for kind, size in self.sizes.items()]

        sizes = {"CPU": 1 << 28, "GPU": 140_000_000_000}

    monkeypatch.setattr(tf.compat.v1, "Session", Session)
    assert gpu_memory_gib() == 128
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    device = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 105_000_000_000, "bytes_in_use": 1 << 30})
    monkeypatch.setattr(jax, "devices", lambda platform: [device] if platform == "gpu" else [])
    assert gpu_memory_gib() == 64


def test_tensorflow_lists_devices_with_their_memory():
    with tf.compat.v1.Session() as session:
        assert [one.device_type for one in session.list_devices() if one.memory_limit_bytes > 0] == ["CPU"]


def test_float32_is_not_rounded_to_tf32(monkeypatch):
    import jax

    try:
        turn_off_tf32()
        assert not tf.config.experimental.tensor_float_32_execution_enabled()
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    before = jax.config.jax_default_matmul_precision
    try:
        turn_off_tf32()
        image, kernel = jax.numpy.ones((1, 4, 4, 1)), jax.numpy.ones((1, 1, 1, 1))
        numbers = ("NHWC", "HWIO", "NHWC")
        program = jax.jit(lambda x: jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers))
        assert "HIGHEST" in program.lower(image).as_text()
    finally:
        jax.config.update("jax_default_matmul_precision", before)
