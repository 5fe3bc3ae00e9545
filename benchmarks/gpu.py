"""What a GPU renders, and how many cores would feed it: `python -m benchmarks gpu`; see README.md.

It runs on TensorFlow or, with KERAS_BACKEND=jax, on JAX where TensorFlow isn't installed; and on a CPU, with few notes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.magenta_size import CONFIG, tensors
from benchmarks.table import median_s, row
from samplepack.checkpoints.library import STARTERS
from samplepack.models.backend import backend, batches_at_once, start_backend
from samplepack.models.checkpoint import Checkpoint, Config, read_checkpoint, write_checkpoint
from samplepack.models.config import GANSynthConfig, gansynth_config
from samplepack.models.engine import Engine, Precision, bytes_a_note, engine_on
from samplepack.models.latent import latent_from_seed
from samplepack.models.load import load_model
from samplepack.pack.build import build
from samplepack.pack.lock import AGREEMENT_DB

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
KEYS = 49


@dataclass(frozen=True)
class Effort:
    """How much is measured: less on a CPU."""

    batches: Sequence[int]
    """Sizes of batches to try, beside that of the rule."""

    keys: int
    """Notes of an instrument."""

    size: int
    """Rows of the square matrices whose product is timed."""

    runs: int
    """How often each is timed; the median counts."""


ON_GPU = Effort((16, 64, 256, 512), KEYS, 8192, 7)
ON_CPU = Effort((1, 4), KEYS, 1024, 3)


def compare(checkpoints: Mapping[str, Checkpoint], finished: Mapping[str, Checkpoint], effort: Effort) -> None:
    """Print the table.

    Args:
        checkpoints: what to render, by name.
        finished: checkpoints whose notes are finished, by name: one for each rate of the others, since the time that it
            takes depends on how many samples a note has.
        effort: how much is measured.
    """
    engine = engine_on("auto")
    start_backend()
    row("device", str(engine), _device_name(engine))
    gflops = {precision: _product_gflops(engine, precision, effort) for precision in PRECISIONS}
    for precision, rate in gflops.items():
        row(f"matrix product, {precision}", f"{rate / 1e3:.2f} TFLOP/s", f"{effort.size} x {effort.size}")
    rates: dict[tuple[str, Precision], float] = {}
    for name, checkpoint in checkpoints.items():
        for precision in PRECISIONS:
            made = Engine(precision, engine.device, engine.memory_gib)
            rates[name, precision] = _network(f"{name}, {precision}", checkpoint, made, gflops[precision], effort)
        _agreement(name, checkpoint, engine)
    for of, checkpoint in finished.items():
        note_s = finishing_s(checkpoint, effort.keys)
        row(f"finishing and encoding, {of}", f"{note_s * 1e3:.1f} ms of a core a note", "with pictures")
        for (name, precision), notes_s in rates.items():
            if checkpoints[name].rate_hz == checkpoint.rate_hz:
                row(f"cores to feed it: {name}", f"{notes_s * note_s:.1f}", precision)


def _network(name: str, checkpoint: Checkpoint, engine: Engine, gflops: float, effort: Effort) -> float:
    """Print what a network renders; return the notes a second at the size of batches that is used."""
    config = gansynth_config(checkpoint)
    model = load_model(checkpoint, engine)
    own = model.notes_together
    row(name, f"{own} notes a batch", f"{bytes_a_note(config) / 1e6:.0f} MB a note by the rule")
    notes_s: dict[int, float] = {}
    for batch in sorted({own, *effort.batches}):
        model.notes_together = batch
        try:
            of = notes(config, batch * batches_at_once(engine.device))
            seconds = median_s(partial(model.render, *of), effort.runs)
        except Exception as error:  # a larger batch than that of the rule may not fit into memory
            if batch <= own:
                raise
            row("  latents to waves", f"batches of {batch} fail", type(error).__name__)
            continue
        notes_s[batch] = len(of[0]) / seconds
        row("  latents to waves", f"{notes_s[batch]:,.1f} notes/s", f"in batches of {batch}")
    model.notes_together = own
    instrument_s = median_s(lambda: model.render(*notes(config, effort.keys)), effort.runs)
    row(f"  {effort.keys} keys", f"{instrument_s * 1e3:.1f} ms")
    whole_s, on_device_s, network_s = _profile(model, notes(config, own), effort.runs)
    row("  where the time goes, a note", f"{whole_s / own * 1e3:.3f} ms", "of one batch at a time")
    parts_s = {"network": network_s, "spectral inverse": on_device_s - network_s, "to memory": whole_s - on_device_s}
    for part, seconds in parts_s.items():
        row(f"    {part}", f"{seconds / own * 1e3:.3f} ms", f"{seconds / whole_s:.0%}")
    floor_s = gflop_a_note(config) / gflops
    row("    floor", f"{floor_s * 1e3:.3f} ms", f"{gflop_a_note(config):.1f} GFLOP at the matrix product's rate")
    return notes_s[own]


def notes(config: GANSynthConfig, count: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Latents and pitches of so many notes."""
    latents = np.stack([latent_from_seed(seed, config.latent_dim) for seed in range(1, count + 1)])
    return latents, np.linspace(*config.pitches, count).astype("int32")


def _profile(
    model: GANSynth, of: tuple[NDArray[np.float32], NDArray[np.int32]], runs: int
) -> tuple[float, float, float]:
    """Seconds of a batch: from latents to waves in memory; without copying the waves from the device; and the network
    alone. Of the last two the sum of each note's values is copied."""
    import keras
    from keras import ops

    from samplepack.models.generator import numpy_codes

    class Summed(keras.Model):  # type: ignore[misc]
        def __init__(self, network: keras.Model) -> None:
            super().__init__(dtype="float32")
            self.network = network
            self.built = True

        def call(self, inputs: dict[str, Any]) -> Any:
            output = ops.abs(self.network(inputs))
            return ops.sum(ops.reshape(output, (ops.shape(output)[0], -1)), axis=-1)

    latents, pitches = of
    labels = pitches - model.config.pitches[0]
    inputs = {"code": numpy_codes(model.config, latents, labels, np.full(len(labels), 127.0)), "label": labels}
    with keras.device(model.device):
        summed = [Summed(network) for network in (model.synthesiser, model.generator)]

        def predicted(network: Summed) -> Callable[[], Any]:
            return lambda: np.asarray(network.predict_on_batch(inputs))

        calls = (lambda: model.render(latents, pitches), *(predicted(network) for network in summed))
        # By turns and the best of each, since the differences count.
        whole_s, on_device_s, network_s = np.min([[median_s(call, 1) for call in calls] for _ in range(runs)], axis=0)
        return float(whole_s), float(on_device_s), float(network_s)


def _product_gflops(engine: Engine, precision: Precision, effort: Effort) -> float:
    """The rate at which the device multiplies square matrices at a precision, without TF32, the best of some runs."""
    import keras
    from keras import ops

    from samplepack.models.backend import turn_off_tf32

    if engine.device == "gpu":
        turn_off_tf32()
    products = 8
    with keras.device(f"{engine.device}:0"):
        random = np.random.default_rng(0).standard_normal((effort.size, effort.size)) / effort.size**0.5
        square = ops.cast(ops.convert_to_tensor(random.astype("float32")), precision)

        def multiply() -> Any:
            x = square
            for _ in range(products):
                x = ops.matmul(x, square)
            return float(ops.convert_to_numpy(ops.cast(x[0, 0], "float32")))  # waits until it is there

        best_s = min(median_s(multiply, 1) for _ in range(effort.runs))
    return float(products * 2 * effort.size**3 / best_s / 1e9)


def gflop_a_note(config: GANSynthConfig) -> float:
    """What the convolutions of a note need as they are computed on a GPU, with upsampling fused: GFLOP."""
    shapes, products, shares = config.tensor_shapes(), 0.0, config.shares()
    for block in range(1, max(shares) + 1):
        frames, bins = (size * 2 ** (block - 1) for size in config.start)
        below = shapes[f"block_{block}/conv0/kernel"][2] - config.template_channels(block)
        own = config.channels[block - 1]
        if block == 1:
            products += frames * bins * below * own
        else:
            products += (frames // 2 + 1) * (bins // 2 + 1) * 4 * below * 4 * own
        products += frames * bins * 9 * own * own
        if block in shares:
            products += frames * bins * own * 2
    return 2.0 * products / 1e9


def _agreement(name: str, checkpoint: Checkpoint, engine: Engine) -> None:
    """Print how notes in float32 agree with those that a build on the CPU renders."""
    if engine.device == "cpu":
        return
    of = notes(gansynth_config(checkpoint), 16)
    here, there = (load_model(checkpoint, one).render(*of).astype(np.float64) for one in (engine, Engine()))
    with np.errstate(divide="ignore"):
        snrs_db = 10 * np.log10(np.square(there).sum(axis=1) / np.square(here - there).sum(axis=1))
    agreeing = int(np.sum(snrs_db >= AGREEMENT_DB))
    row(
        f"{name}, beside the CPU's notes",
        f"{agreeing} of {len(snrs_db)} agree to within {AGREEMENT_DB:.0f} dB",
        f"the least to within {snrs_db.min():.0f} dB",
    )


def finishing_s(checkpoint: Checkpoint, keys: int) -> float:
    """The time of a core that a note takes beside the network, seconds: of a build whose notes are in the cache."""
    pitches = checkpoint.pitches
    first = max(pitches.start, min(36, pitches.stop - keys))
    with tempfile.TemporaryDirectory() as scratch:
        recipe = Path(scratch, "finishing.yaml")
        shutil.copytree(checkpoint.folder, Path(scratch, "network"))

        def built(mix: float) -> float:
            recipe.write_text(
                f"recipe: 1\nname: Finishing\ncheckpoint: ./network\npitches: {first}-{first + keys - 1}\n"
                f"bank: {{seeds: [2]}}\nprocess: [{{Chorus: {{mix: {mix}}}}}, {{Reverb: {{wet_level: 0.15}}}}]\n"
            )
            began = time.process_time()
            build(recipe, Path(scratch, "output"))
            return time.process_time() - began

        built(0.25)
        return built(0.3) / keys


def _device_name(engine: Engine) -> str:
    if engine.device == "cpu":
        return f"{os.cpu_count()} cores"
    if backend() == "jax":
        import jax

        return str(jax.devices("gpu")[0].device_kind)
    import tensorflow as tf

    return str(tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])["device_name"])


def main() -> None:
    """Print the table for a network of the published size and the starter."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SAMPLEPACK_HOME"] = scratch
        published = Path(scratch, "published")
        write_checkpoint(published, Config.model_validate(CONFIG), tensors())
        checkpoints = {
            "published size": read_checkpoint(published, "published"),
            "starter@2": read_checkpoint(STARTERS["starter@2"], "starter@2"),
        }
        # The published size is drawn at random, and noise takes longer to finish than notes of its length.
        finished = {name: read_checkpoint(STARTERS[name], name) for name in ("starter@1", "starter@2")}
        compare(checkpoints, finished, ON_GPU if engine_on("auto").device == "gpu" else ON_CPU)
