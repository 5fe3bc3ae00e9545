"""Memory of a build of many recipes in one call: `python -m benchmarks many`; see README.md."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.table import row
from samplepack.pack import build as building
from samplepack.pack.archive import write_index

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
    loads = 0
    load_model = building.load_model

    def counted(*of: Any) -> Any:
        nonlocal loads
        loads += 1
        return load_model(*of)

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SAMPLEPACK_HOME"] = f"{scratch}/home"
        building.load_model = counted
        paths = [Path(scratch, f"many-{number:04d}.yaml") for number in range(1, recipes + 1)]
        for number, path in enumerate(paths, start=1):
            path.write_text(_RECIPE.format(number=number))
        held_mb: list[float] = []
        began = time.perf_counter()

        def on_built(built: building.Built) -> None:
            held_mb.append(resident_mb())
            done = len(held_mb)
            if done in (1, _FROM, recipes) or done % 50 == 0:
                row(f"after {done} packs", f"{held_mb[-1]:.0f} MB", f"{(time.perf_counter() - began) / done:.2f} s a pack")

        building.build(paths, Path(scratch, "output"), on_built=on_built)
        row("checkpoints loaded", str(loads))
        most_mb, then_mb = max(held_mb[_FROM - 1 :]), held_mb[min(_FROM, recipes) - 1]
        row(f"growth from pack {_FROM} on", f"{most_mb / then_mb - 1.0:.1%}", "aim: 10%")
        began = time.perf_counter()
        names = write_index(Path(scratch, "output"), Path(scratch, "output", "index.yaml"))
        row("catalogue", f"{len(names)} packs", f"{time.perf_counter() - began:.1f} s, then {resident_mb():.0f} MB")
