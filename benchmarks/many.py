"""Memory of a build of many recipes in one call: `python -m benchmarks many`; see README.md."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from unittest import mock

from benchmarks.table import row
from samplepack.models.load import load_model
from samplepack.pack.archive import write_index
from samplepack.pack.build import Built, build

_RECIPE = """\
recipe: 1
name: Many {number:04d}
checkpoint: starter@1
pitches: [48, 60]
bank: {{seeds: [{number}]}}
process: [{{Reverb: {{wet_level: 0.15}}}}]
"""

_FROM = 20
"""The pack from which on memory should be flat: what is loaded once is there by then."""


def resident_mb() -> float:
    """The memory that this process holds, megabytes, as Linux tells it."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (held,) = [line.split()[1] for line in status if line.startswith("VmRSS")]
    return int(held) / 1024


def main(recipes: int = 300) -> None:
    """Build so many recipes in one call, then list them in a catalogue, and print what that took."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        mock.patch("samplepack.pack.build.load_model", wraps=load_model) as loads,
    ):
        os.environ["SAMPLEPACK_HOME"] = f"{scratch}/home"
        paths = [Path(scratch, f"many-{number:04d}.yaml") for number in range(1, recipes + 1)]
        for number, path in enumerate(paths, start=1):
            path.write_text(_RECIPE.format(number=number))
        held_mb: list[float] = []
        began = time.perf_counter()

        def on_built(built: Built) -> None:
            held_mb.append(resident_mb())
            done = len(held_mb)
            if done in (1, _FROM, recipes) or done % 50 == 0:
                pack_s = (time.perf_counter() - began) / done
                row(f"after {done} packs", f"{held_mb[-1]:.0f} MB", f"{pack_s:.2f} s a pack")

        build(paths, Path(scratch, "output"), on_built=on_built)
        row("checkpoints loaded", str(loads.call_count))
        if recipes > _FROM:
            row(f"growth from pack {_FROM} on", f"{max(held_mb[_FROM:]) / held_mb[_FROM - 1] - 1.0:.1%}", "aim: 10%")
        began = time.perf_counter()
        names = write_index(Path(scratch, "output"), Path(scratch, "output", "index.yaml"))
        row("catalogue", f"{len(names)} packs", f"{time.perf_counter() - began:.1f} s, then {resident_mb():.0f} MB")
