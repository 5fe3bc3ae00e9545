"""Magenta's own GANSynth beside ours. As a program, under a Python that has Magenta: times rounds as it is told to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MAKER = Path(__file__).parent.parent / "tests" / "fixtures"
PITCHES = list(range(36, 85))
ROUNDS = 5


def compare(python: str, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Lines of the table: Magenta, and ours in each precision, 49 pitches of one latent, in turn."""
    import numpy as np

    from samplepack.models.checkpoint import read_checkpoint
    from samplepack.models.engine import Engine
    from samplepack.models.load import load_model

    loaded = {p: load_model(read_checkpoint(folder, "full"), Engine(precision=p)) for p in ("float32", "bfloat16")}
    latents = np.repeat(np.random.RandomState(1).standard_normal((1, 256)).astype("float32"), len(PITCHES), axis=0)
    process = subprocess.Popen(
        [python, __file__, str(folder.parent / "magenta")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin and process.stdout
    loading, version = "", ""
    for line in process.stdout:
        if line.startswith("ready "):
            _, version, loading = line.split()
            break
    if not loading:
        raise SystemExit(f"{python} has no Magenta that runs")
    times: dict[str, list[float]] = {"Magenta": [], **{precision: [] for precision in loaded}}
    for number in range(ROUNDS + 1):
        process.stdin.write("go\n")
        process.stdin.flush()
        line = next(line for line in process.stdout if line.startswith("took "))
        took = {"Magenta": float(line.split()[1])}
        for precision, model in loaded.items():
            began = time.perf_counter()
            model.render(latents, np.array(PITCHES, np.int32))
            took[precision] = time.perf_counter() - began
        if number:  # the first one doesn't count
            for name, seconds in took.items():
                times[name].append(seconds)
    process.stdin.close()
    process.wait()
    ms = {name: float(np.median(of_name)) * 1e3 / len(PITCHES) for name, of_name in times.items()}
    yield f"Magenta on TensorFlow {version}", f"{ms['Magenta']:.1f} ms a note", f"{float(loading):.0f} s to load"
    for name in loaded:
        ratios = sorted(m / o for m, o in zip(times["Magenta"], times[name], strict=True))
        yield f"ours, {name}", f"{ms[name]:.1f} ms a note", f"{ratios[len(ratios) // 2]:.2f} times as fast as Magenta"


def serve(folder: Path) -> None:
    """Under Magenta's Python: load, then play 49 pitches of one latent each time a line comes in."""
    sys.path.insert(0, str(MAKER))
    import make_full_golden as maker
    import numpy as np

    began = time.perf_counter()
    if not (folder / f"stage_{maker.STAGE:05d}" / "checkpoint").exists():
        maker.write_checkpoint(folder)
        began = time.perf_counter()
    tf, magenta_model = maker.import_magenta()
    from magenta.models.gansynth.lib.flags import Flags

    with tf.Graph().as_default():
        model = magenta_model.Model.load_from_path(str(folder), Flags(eval_batch_size=8))
        print(f"ready {tf.__version__} {time.perf_counter() - began:.1f}", flush=True)
        z = np.repeat(np.random.RandomState(1).standard_normal((1, 256)).astype("float32"), len(PITCHES), axis=0)
        for _ in sys.stdin:
            began = time.perf_counter()
            for first in range(0, len(PITCHES), 8):
                pitches = PITCHES[first : first + 8]
                model.generate_samples_from_z(z[: len(pitches)], pitches)
            print(f"took {time.perf_counter() - began:.4f}", flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
