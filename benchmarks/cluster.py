"""Builds on a Ray cluster on this machine beside plain ones: `python -m benchmarks.cluster --timbres 100`.

Each build is a process of its own with an empty cache, and each figure the median of some, taken by turns: a plain
build and one on a cluster, both on all cores; and one worker on one core, to which all of the build is bound.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.table import row

REPOSITORY = Path(__file__).parent.parent


def built_s(recipes: list[Path], cluster: str = "") -> float:
    """How long a build takes, seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "samplepack", "build", *map(str, recipes), "--quiet"]
        began = time.perf_counter()
        subprocess.run(
            [*command, "--output", f"{scratch}/output", *(["--cluster", cluster] if cluster else [])],
            env={**os.environ, "SAMPLEPACK_HOME": f"{scratch}/home"},
            cwd=REPOSITORY,
            check=True,
        )
        return time.perf_counter() - began


def on_cluster_s(recipes: list[Path], cores: set[int]) -> float:
    """How long a build takes on a cluster that is bound to some cores, as its driver is, once the cluster runs."""
    from ray.cluster_utils import Cluster

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": len(cores), "include_dashboard": False})
        try:
            return built_s(recipes, cluster.address)
        finally:
            cluster.remove_node(cluster.head_node, allow_graceful=False)
    finally:
        os.sched_setaffinity(0, before)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--timbres", type=int, default=100, help="timbres of 49 keys")
    parser.add_argument("--recipes", type=int, default=25, help="how many recipes have them, each as many")
    parser.add_argument("--checkpoint", default="starter@1", help="what renders")
    parser.add_argument("--runs", type=int, default=3, help="how often each build is measured")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Renderers get as much of the cores as a plain build does beside other programs.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    every = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as scratch:
        recipes, each = list[Path](), arguments.timbres // arguments.recipes
        for number in range(arguments.recipes):
            recipes.append(Path(scratch, f"benchmark-{number}.yaml"))
            recipes[-1].write_text(
                f"recipe: 1\nname: Benchmark {number}\ncheckpoint: {arguments.checkpoint}\npitches: 36-84\n"
                f"bank: {{seeds: {number * each + 1}-{(number + 1) * each}}}\n"
            )
        builds: dict[str, Callable[[], float]] = {
            "plain": lambda: built_s(recipes),
            "cluster": lambda: on_cluster_s(recipes, every),
            "one core": lambda: on_cluster_s(recipes, {min(every)}),
        }
        times: dict[str, list[float]] = {name: [] for name in builds}
        for _ in range(arguments.runs):
            for name, build in builds.items():
                times[name].append(build())
    plain_s, cluster_s, one_s = (float(np.median(of_name)) for of_name in times.values())
    row(f"plain build, {arguments.timbres} timbres", f"{plain_s:.1f} s", f"{len(every)} cores")
    row(
        "on a cluster",
        f"{cluster_s:.1f} s, {cluster_s / plain_s - 1.0:+.1%}",
        f"a worker on each of {len(every)} cores",
    )
    row("on one core of it", f"{one_s:.1f} s, {one_s / cluster_s:.2f} times as long", "one worker")


if __name__ == "__main__":
    main()
