"""Builds on a Ray cluster of three nodes: its nodes and its driver may die."""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from samplepack.base.errors import SamplepackError
from samplepack.rendering.cluster import connected
from tests.helpers.counted import RENDERED_VARIABLE, VERSION_VARIABLE
from tests.helpers.packs import contents
from tests.helpers.places import REPOSITORY

RECIPES, KEYS = 20, 8
KILLS = int(os.environ.get("SAMPLEPACK_KILLS", "10"))
LONGEST_S = 120.0


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of all processes: no telemetry, and renderers that get no less of the cores than other programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.setenv(RENDERED_VARIABLE, str(tmp_path_factory.mktemp("rendered") / "notes"))
        patch.delenv("RAY_ADDRESS", raising=False)
        yield


@pytest.fixture(scope="module")
def cluster(environment):
    from ray.cluster_utils import Cluster

    # The driver's node has no core: the three others do the work.
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(3):
        made.add_node(num_cpus=1)
    yield made
    for node in [*made.worker_nodes, made.head_node]:
        made.remove_node(node, allow_graceful=False)


def rendered():
    """The keys of the notes whose rendering began so far, in order."""
    path = os.environ[RENDERED_VARIABLE]
    return open(path).read().splitlines() if os.path.exists(path) else []


@pytest.fixture
def begin(cluster):
    """Begin a build on the cluster, in a process of its own that doesn't outlive the test."""
    begun = []

    def call(recipes, output, home, **more):
        command = [sys.executable, "-m", "tests.helpers.counted", "build", *recipes, "--quiet"]
        begun.append(
            subprocess.Popen(
                [*command, "--cluster", cluster.address, "--output", output],
                env={**os.environ, "SAMPLEPACK_HOME": str(home), **more},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield call
    for build in begun:
        build.kill()
        build.communicate()


def wait_until(condition, build):
    end_s = time.monotonic() + LONGEST_S
    while not condition():
        assert build.poll() is None, build.communicate()
        assert time.monotonic() < end_s
        time.sleep(0.02)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """They have the notes of one timbre in common."""
    folder = tmp_path_factory.mktemp("recipes")
    made = []
    for number in range(RECIPES):
        path = folder / f"pack-{number}.yaml"
        path.write_text(
            f"recipe: 1\nname: Pack {number}\ncheckpoint: starter@1\npitches: 48-62/2\nsound: {{loop: none}}\n"
            f"timbres: {{Glass: 7, Own: {100 + number}}}\n"
        )
        made.append(path)
    return made


@pytest.fixture(scope="module")
def plain(recipes, tmp_path_factory):
    """What a plain build makes of the recipes: the packs, and the locks beside the recipes."""
    folder = tmp_path_factory.mktemp("plain")
    command = [sys.executable, "-m", "samplepack", "build", *recipes, "--output", folder / "output", "--quiet"]
    subprocess.run(command, env={**os.environ, "SAMPLEPACK_HOME": str(folder / "home")}, check=True)
    return contents(folder / "output"), locks(recipes)


def locks(recipes):
    found = [recipe.with_suffix(".lock") for recipe in recipes]
    made = [lock.read_bytes() for lock in found]
    for lock in found:
        lock.unlink()
    return made


NOTES = KEYS * (RECIPES + 1)


def test_a_node_dies_and_another_joins_and_every_pack_is_that_of_a_plain_build(
    cluster, begin, recipes, plain, tmp_path
):
    before = len(rendered())
    build = begin(recipes, tmp_path / "output", tmp_path / "home")
    wait_until(lambda: len(rendered()) >= before + NOTES // 3, build)
    cluster.remove_node(random.Random(1).choice(sorted(cluster.worker_nodes, key=id)), allow_graceful=False)
    wait_until(lambda: len(rendered()) >= before + NOTES // 2, build)
    cluster.add_node(num_cpus=1)
    said = build.communicate(timeout=LONGEST_S)
    assert (build.returncode, *said) == (0, "", "")
    assert (contents(tmp_path / "output"), locks(recipes)) == plain
    times = Counter(rendered()[before:])
    assert len(times) == NOTES and max(times.values()) <= 2
    assert times.total() < NOTES + 2 * 4 + 4  # no more than the units that the dead node had


def test_a_killed_driver_loses_nothing_and_the_next_build_goes_on(begin, recipes, plain, tmp_path):
    output, home = tmp_path / "output", tmp_path / "home"

    def kept():
        return {path.stem for path in home.rglob("[!.]*.wave")}

    ends = [*sorted(random.Random(2).sample(range(1, NOTES), KILLS)), None]
    for notes in ends:
        held, begun = kept(), len(rendered())
        build = begin(recipes, output, home)
        if notes is not None:
            wait_until(lambda notes=notes: len(kept()) >= notes, build)
            build.kill()
        said = build.communicate(timeout=LONGEST_S)
        time.sleep(1.0)  # for renderers, which end when their driver has
        assert not held & set(rendered()[begun:]), "a note was rendered that was in the cache"
        packs = {name: content for name, content in contents(output).items() if not name.startswith(".")}
        assert packs.items() <= plain[0].items()
    assert (build.returncode, *said) == (0, "", "")
    assert (contents(output), locks(recipes)) == plain


def test_results_of_finishers_come_in_order_and_keep_no_room_in_the_object_store(cluster):
    with connected(cluster.address) as fleet:
        roots = list(fleet.map(np.sqrt, [np.full(1 << 18, number**2.0) for number in range(9)]))
        with pytest.raises(SamplepackError, match="property name"):
            list(fleet.map(json.loads, ["1", "{"]))
    assert [root[-1] for root in roots] == list(range(9))
    assert all(root.flags.writeable for root in roots), "Ray gives arrays in its store to be read only"


def test_a_cluster_of_another_version_and_a_cache_that_is_too_small_are_told(begin, recipes, tmp_path):
    for more, told in (
        ({VERSION_VARIABLE: "0.0.1"}, ": node .* has samplepack [0-9.]+; here: samplepack 0.0.1"),
        (
            {"SAMPLEPACK_CACHE_GB": "0.001"},
            r": 16 notes don't fit into the cache.* \(0.001 GB\): raise SAMPLEPACK_CACHE_GB",
        ),
    ):
        build = begin(recipes[:2], tmp_path / "output", tmp_path / "home", **more)
        _, said = build.communicate(timeout=LONGEST_S)
        assert build.returncode == 1 and said.count("\n") == 2
        for recipe, line in zip(recipes, said.splitlines(), strict=False):
            assert re.match(re.escape(str(recipe)) + told, line), line
