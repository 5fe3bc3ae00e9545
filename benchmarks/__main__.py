"""One table of speeds and memory of this machine; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.magenta_size import CONFIG, sounding, tensors
from benchmarks.table import median_s, row

REPOSITORY = Path(__file__).parent.parent
PITCHES = range(36, 85)
CORES = os.cpu_count() or 1

RECIPE = """\
recipe: 1
name: Benchmark
checkpoint: ./sounding
pitches: {pitches}
bank: {{seeds: {seeds}}}
process:
  - Chorus: {{mix: {mix}}}
  - Reverb: {{room_size: 0.35, wet_level: 0.15}}
"""


def program(name: str, *arguments: str) -> list[str]:
    """A command line of one of the modules beside this one; it runs in the repository's folder."""
    return [sys.executable, "-m", f"benchmarks.{name}", *arguments]


def on_all_cores(call: Callable[[], Any]) -> Callable[[], Any]:
    """A call that does a call once in each of as many threads as there are cores: as the network is run."""
    pool = ThreadPoolExecutor(CORES)
    return lambda: [done.result() for done in [pool.submit(call) for _ in range(CORES)]]


def network(folder: Path) -> None:
    """The network within this process, in each precision, beside what its convolutions and the machine could do.

    Args:
        folder: of the checkpoint.
    """
    from samplepack.models.backend import start_backend
    from samplepack.models.engine import Engine
    from samplepack.models.load import load_model

    start_backend()
    import tensorflow as tf

    from benchmarks.convolutions import alone, gflop_a_note
    from samplepack.models.checkpoint import read_checkpoint

    rng = np.random.default_rng(0)
    square = tf.constant(rng.standard_normal((2048, 2048)), tf.float32)
    product = on_all_cores(tf.function(lambda: tf.reduce_sum(square @ square)))
    best_s = min(median_s(product, runs=1) for _ in range(10))
    machine_gflops = CORES * 2 * 2048**3 / best_s / 1e9
    row("matrix product", f"{machine_gflops:.0f} GFLOP/s", f"{CORES} cores")

    notes = 16
    latents = np.stack([np.random.RandomState(i).standard_normal(256) for i in range(notes)]).astype("float32")
    pitches = np.linspace(36, 84, notes).astype("int32")
    checkpoint = read_checkpoint(folder, "full")
    loaded = {p: load_model(checkpoint, Engine(precision=p)) for p in ("float32", "bfloat16")}
    waves = {p: model.render(latents, pitches) for p, model in loaded.items()}
    convolve = on_all_cores(alone(tensors(), batch=1))
    gflop = gflop_a_note()

    times: dict[str, list[float]] = {"alone": [], **{name: [] for name in loaded}}
    for _ in range(5):  # in turn, so that all see the same machine
        times["alone"].append(median_s(convolve, runs=1) / CORES)
        for name, model in loaded.items():
            times[name].append(median_s(partial(model.render, latents, pitches), runs=1) / notes)
    alone_s, float32_s, bfloat16_s = (float(np.median(of_name)) for of_name in times.values())
    row("convolutions alone", f"{alone_s * 1e3:.1f} ms a note, {gflop / alone_s:.0f} GFLOP/s")
    row(
        "network with inverse, float32",
        f"{float32_s * 1e3:.1f} ms a note, {gflop / float32_s:.0f} GFLOP/s",
        f"{alone_s / float32_s:.0%} of the convolutions alone, {gflop / float32_s / machine_gflops:.0%} of the product",
    )
    error = waves["bfloat16"].astype(np.float64) - waves["float32"]
    snr_db = 10 * np.log10((waves["float32"].astype(np.float64) ** 2).sum(axis=1) / (error**2).sum(axis=1))
    row(
        "network with inverse, bfloat16",
        f"{bfloat16_s * 1e3:.1f} ms a note",
        f"{float32_s / bfloat16_s:.2f} times as fast; error {np.median(snr_db):.0f} dB below, worst {snr_db.min():.0f}",
    )


@dataclass(frozen=True)
class Ran:
    """A build in a process of its own."""

    wall_s: float
    peak_mb: float
    """The most memory that it held, as Linux tells it; the operating system's own count for a child begins with what
    its parent held."""


@dataclass(frozen=True)
class Network:
    """What a process takes that does nothing but render."""

    start_s: float
    """Until the network is imported, loaded and compiled, and at the end."""

    note_s: float

    def of(self, notes: int) -> float:
        """What so many notes take, seconds."""
        return self.start_s + notes * self.note_s


def network_alone(sounding: Path) -> Network:
    """The network that the builds use, in processes that do nothing else: of one note, and of ten timbres."""

    def rendered_s(timbres: int, pitches: int) -> float:
        began = time.perf_counter()
        subprocess.run(program("render_notes", str(sounding), str(timbres), str(pitches)), cwd=REPOSITORY, check=True)
        return time.perf_counter() - began

    notes = 10 * len(PITCHES)
    one_s, ten_s = rendered_s(1, 1), rendered_s(10, len(PITCHES))
    note_s = (ten_s - one_s) / (notes - 1)
    row("network alone, 10 timbres", f"{ten_s:.1f} s", f"a process that does nothing else; of one note {one_s:.1f} s")
    return Network(one_s - note_s, note_s)


def run(arguments: list[str], home: Path) -> Ran:
    """Run a command of samplepack to its end."""
    began = time.perf_counter()
    environment = {**os.environ, "SAMPLEPACK_HOME": str(home)}
    command = program("peak_memory", *arguments)
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return Ran(time.perf_counter() - began, int(done.stdout.split()[-1]) / 1024)


def builds(folder: Path, timbres: int, of_network: Network) -> None:
    """Whole builds of so many timbres, each in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        recipe, home = Path(scratch, "benchmark.yaml"), Path(scratch, "home")
        command = ["build", str(recipe), "--quiet", "--output", f"{scratch}/output"]
        os.symlink(folder / "sounding", Path(scratch, "sounding"))

        def built(mix: float) -> Ran:
            fields = {"pitches": "36-84", "seeds": f"1-{timbres}", "mix": mix}
            recipe.write_text(RECIPE.format(**fields) + f"reads: [{json.dumps(str(folder))}]\n")
            return run(command, home)

        whole, changed, unchanged = built(0.25), built(0.3), built(0.3)
    notes = timbres * len(PITCHES)
    alone_s, without_start_s = of_network.of(notes), of_network.note_s * notes
    name = f"{timbres} timbres" if timbres > 1 else "1 timbre"
    row(
        f"build, {name}",
        f"{whole.wall_s:.1f} s, {whole.wall_s / timbres:.2f} s a timbre",
        f"{whole.wall_s / alone_s:.2f} times the network alone ({alone_s:.1f} s), "
        f"{whole.wall_s / without_start_s:.2f} times without its start; peak {whole.peak_mb:.0f} MB",
    )
    row(f"effect changed, {name}", f"{changed.wall_s:.1f} s", f"{changed.wall_s / whole.wall_s:.0%} of the build")
    row(f"unchanged, {name}", f"{unchanged.wall_s:.2f} s", f"{unchanged.wall_s / whole.wall_s:.1%} of the build")


def cold_start(folder: Path) -> None:
    """Where the time of the smallest build goes."""
    with tempfile.TemporaryDirectory() as scratch:
        recipe = Path(scratch, "benchmark.yaml")
        os.symlink(folder / "sounding", Path(scratch, "sounding"))
        fields = {"pitches": "60", "seeds": "[1]", "mix": 0.25}
        recipe.write_text(RECIPE.format(**fields) + f"reads: [{json.dumps(str(folder))}]\n")
        command = program("cold_start", str(recipe), f"{scratch}/output")
        env = {**os.environ, "SAMPLEPACK_HOME": f"{scratch}/home"}
        began = time.perf_counter()
        done = subprocess.run(command, cwd=REPOSITORY, env=env, check=True, capture_output=True, text=True)
        whole_s = time.perf_counter() - began
    parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    row(
        "cold start, one note",
        f"{whole_s:.1f} s, {whole_s - sum(parts.values()):.2f} s of it our own",
        ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items()),
    )


def magenta(python: str, folder: Path) -> None:
    """Magenta itself and ours in turn, on the same weights, latents to waves."""
    from benchmarks import magenta_speed

    for line in magenta_speed.compare(python, folder):
        row(*line)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["gpu", "many"],
        help="gpu: what the GPU, or else the CPU, renders, and how many cores would feed it; "
        "many: memory of a build of many recipes; left out: the CPU's table",
    )
    parser.add_argument("--timbres", type=int, nargs="+", default=[1, 10], help="sizes of the builds")
    parser.add_argument("--recipes", type=int, default=300, help="how many recipes `many` builds")
    parser.add_argument("--magenta-python", metavar="PATH", help="a Python that has Magenta")
    arguments = parser.parse_args()
    if arguments.what == "gpu":
        from benchmarks import gpu

        gpu.main()
        return
    if arguments.what == "many":
        from benchmarks import many

        many.main(arguments.recipes)
        return
    from samplepack.checkpoints.library import STARTERS
    from samplepack.models.checkpoint import Config, read_checkpoint, write_checkpoint

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, (config, weights) in {
            "full": (CONFIG, tensors()),
            "sounding": sounding(read_checkpoint(STARTERS["starter@1"], "starter@1")),
        }.items():
            write_checkpoint(folder / name, Config.model_validate(config), weights)
        network(folder / "full")
        if arguments.magenta_python:
            magenta(arguments.magenta_python, folder / "full")
        cold_start(folder)
        of_network = network_alone(folder / "sounding")
        for timbres in arguments.timbres:
            builds(folder, timbres, of_network)


if __name__ == "__main__":
    main()
