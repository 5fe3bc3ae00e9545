"""Run a command of samplepack, then print its peak memory in kB: `python -m benchmarks.peak_memory build RECIPE`.

Linux counts it for each program since that started. What the operating system reports of a child process would also
count the memory that its parent held when it forked.
"""

from __future__ import annotations

from pathlib import Path

from samplepack.cli.app import main as samplepack


def main() -> None:
    """Run the command of the arguments."""
    try:
        samplepack()
    finally:
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
        print(peak)


if __name__ == "__main__":
    main()
