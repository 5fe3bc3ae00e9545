"""Builds that are killed, that run out of disk, and that run beside each other."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samplepack.cli.app import main

KILLS = int(os.environ.get("SAMPLEPACK_KILLS", "100"))

RECIPE = """\
recipe: 1
name: Small
pitches: [48, 60, 72]
timbres: {{Glass: 7, Choir: {seed}}}
process: [{{Reverb: {{room_size: 0.2}}}}]
"""

BUILD = [sys.executable, "-m", "samplepack", "build", "--quiet"]


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# Forked from a process that has imported everything and used nothing of it: starting Python a hundred times would take
# most of the time, and a process whose network has threads would stand still after a fork.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["samplepack.cli.app", "samplepack.models.gansynth"])


def run_build(home, arguments):
    os.environ["SAMPLEPACK_HOME"] = home
    main(["build", *arguments])


def begin(recipe, output):
    """A build in a process of its own."""
    arguments = [str(recipe), "--output", str(output), "--quiet"]
    process = FORKS.Process(target=run_build, args=(os.environ["SAMPLEPACK_HOME"], arguments))
    process.start()
    return process


def exit_code(process):
    process.join()
    return process.exitcode


def build(recipe, output):
    assert exit_code(begin(recipe, output)) == 0


@pytest.fixture
def recipes(tmp_path):
    """Two recipes of one pack."""
    made = []
    for seed in (8, 9):
        (tmp_path / str(seed)).mkdir()
        made.append(tmp_path / str(seed) / "small.yaml")
        made[-1].write_text(RECIPE.format(seed=seed))
    return made


def test_a_hundred_killed_builds_lose_nothing_and_end_the_same(recipes, tmp_path, home):
    wanted, locks = [], []
    for recipe in recipes:
        began = time.monotonic()
        build(recipe, tmp_path / recipe.parent.name / "output")
        whole_s = time.monotonic() - began
        wanted.append(contents(tmp_path / recipe.parent.name / "output" / "small"))
        locks.append(recipe.with_suffix(".lock").read_bytes())
    assert wanted[0] != wanted[1]
    output = tmp_path / "output"
    build(recipes[1], output)
    draw, killed = random.Random(1), 0
    for i in range(KILLS):
        if i % 2 == 0:
            shutil.rmtree(home / "notes")  # so that the network is killed at its work too
        recipe = recipes[i % 2]
        recipe.with_suffix(".lock").unlink()
        process = begin(recipe, output)
        time.sleep(draw.uniform(0.0, whole_s))
        process.kill()
        killed += exit_code(process) == -signal.SIGKILL
        assert contents(output / "small") in wanted, f"the pack was lost at kill {i}"
        build(recipe, output)
        assert contents(output / "small") == wanted[i % 2], f"another pack after kill {i}"
        assert [path.name for path in output.iterdir()] == ["small"]
        assert recipe.with_suffix(".lock").read_bytes() == locks[i % 2]
    assert killed > KILLS // 2


FULL_DISK = """
import json, os, shutil, subprocess, sys
from pathlib import Path
disk, recipes, build = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=True)
def contents():
    return {p.relative_to(disk).as_posix(): p.read_bytes() for p in (disk / "output").rglob("*") if p.is_file()}
def run(recipe, home):
    done = subprocess.run(
        [*build, recipes / recipe, "--output", disk / "output"], env={**os.environ, "SAMPLEPACK_HOME": str(home)},
        capture_output=True, text=True)
    return done.returncode, done.stderr
told = [run("small.yaml", recipes / "home")]
before = contents()
told.append(run("large.yaml", recipes / "home"))
same = contents() == before
shutil.rmtree(disk / "output")
(disk / "filler").write_bytes(bytes((3 << 20) - (200 << 10)))
told.append(run("other.yaml", disk / "home"))
print(json.dumps({"told": told, "same": same, "files": len(before)}))
"""


def test_a_full_disk_costs_a_word_and_no_pack(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "small.yaml").write_text("recipe: 1\nname: Small\npitches: [60]\ntimbres: {Glass: 7}\n")
    large = "recipe: 1\nname: Small\npitches: 36-84/4\ntimbres: {Glass: 7, Choir: 9}\n"
    (tmp_path / "large.yaml").write_text(large)
    (tmp_path / "other.yaml").write_text(large.replace("36-84/4", "60").replace("name: Small", "name: Other"))
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", FULL_DISK]
    done = subprocess.run(
        [*command, disk, tmp_path, json.dumps(BUILD)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    result = json.loads(done.stdout)
    small, large, beside_the_cache = result["told"]
    assert small == [0, ""] and result["files"] > 3
    assert large[0] == 1 and "No space left on device" in large[1] and "Traceback" not in large[1]
    assert result["same"], "the earlier pack is whole, and nothing else is left"
    assert beside_the_cache[0] == 1 and "Traceback" not in beside_the_cache[1]


def test_builds_at_once_of_one_pack_wait_and_of_two_packs_share_the_cache(recipes, tmp_path, home):
    alone = tmp_path / "alone"
    build(recipes[0], alone)
    shutil.rmtree(home / "notes")
    other = tmp_path / "other.yaml"
    other.write_text(RECIPE.format(seed=8).replace("name: Small", "name: Other"))
    together = tmp_path / "together"
    processes = [begin(recipes[0], together), begin(recipes[0], together), begin(other, together)]
    assert [exit_code(process) for process in processes] == [0, 0, 0]
    assert contents(together / "small") == contents(alone / "small")
    assert sorted(path.name for path in together.iterdir()) == ["other", "small"]
    (other.parent / "again").mkdir()
    shutil.rmtree(home / "notes")
    build(other, tmp_path / "again")
    assert contents(together / "other") == contents(tmp_path / "again" / "other")
