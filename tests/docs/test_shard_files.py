"""The files that the guide to many machines offers: every part is rendered once, then the packs are built.

A stand-in for samplepack writes down how it is called; tests/system runs the scripts with the real one.
"""

import os
import re
import subprocess

import pytest
import yaml

from tests.helpers.places import REPOSITORY

SHARDS = REPOSITORY / "docs" / "how-to" / "shards"

STAND_IN = """\
#!/bin/sh
if [ -n "$SAMPLEPACK_HOME" ]; then mkdir -p "$SAMPLEPACK_HOME/notes"; fi
echo "$@" >> "$CALLS"
case "$*" in *"$FAILING"*) exit 1;; esac
"""


@pytest.fixture
def shell(tmp_path):
    """Run a command in a folder of two recipes; the result is its exit code and the calls of samplepack."""
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "samplepack"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    (tmp_path / "recipes").mkdir()
    for name in ("a", "b"):
        (tmp_path / "recipes" / f"{name}.yaml").touch()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    calls = tmp_path / "calls"

    def call(command, failing="nothing", **environment):
        calls.write_text("")
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=tmp_path,
            env={"PATH": path, "CALLS": str(calls), "FAILING": failing, **environment},
            check=False,
        )
        return done.returncode, calls.read_text().splitlines()

    return call


def test_the_jobs_of_a_slurm_array_take_all_parts_and_a_job_of_none_builds(shell):
    called = []
    for task in range(1, 5):
        code, calls = shell(
            f"{SHARDS / 'slurm.sh'} recipes/*.yaml", SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT="4"
        )
        assert code == 0
        called += calls
    assert called == [f"build recipes/a.yaml recipes/b.yaml --quiet --shard {task}/4" for task in range(1, 5)]
    assert shell(f"{SHARDS / 'slurm.sh'} recipes/*.yaml") == (
        0,
        ["build recipes/a.yaml recipes/b.yaml --output output"],
    )
    failed, _ = shell(
        f"{SHARDS / 'slurm.sh'} recipes/*.yaml", "2/4", SLURM_ARRAY_TASK_ID="2", SLURM_ARRAY_TASK_COUNT="4"
    )
    assert failed == 1


def test_the_jobs_of_the_github_matrix_take_all_parts_and_pass_their_notes_on(shell, tmp_path):
    workflow = yaml.safe_load((SHARDS / "github.yml").read_text())
    assert workflow[True] == "workflow_dispatch" and workflow["permissions"] == {"contents": "read"}
    notes, packs = workflow["jobs"]["notes"], workflow["jobs"]["packs"]
    assert packs["needs"] == "notes"

    def filled(text, shard=""):
        return text.replace("${{ github.workspace }}", str(tmp_path)).replace("${{ matrix.shard }}", str(shard))

    home = filled(workflow["env"]["SAMPLEPACK_HOME"])
    numbers, called = notes["strategy"]["matrix"]["shard"], []
    for number in numbers:
        for step in notes["steps"]:
            if "pip install" not in step.get("run", "pip install"):
                environment = {name: filled(text, number) for name, text in step.get("env", {}).items()}
                code, calls = shell(step["run"], SAMPLEPACK_HOME=home, **environment)
                assert code == 0
                called += calls
    assert called == [f"build recipes/a.yaml recipes/b.yaml --shard {number}/8" for number in numbers]
    assert numbers == list(range(1, 9))
    (passed_on,) = [step["with"] for step in notes["steps"] if "upload-artifact" in step.get("uses", "")]
    (taken,) = [step["with"] for step in packs["steps"] if "download-artifact" in step.get("uses", "")]
    assert tmp_path / passed_on["path"] == tmp_path / taken["path"] == tmp_path / home / "notes"
    assert re.fullmatch(taken["pattern"].replace("*", ".*"), filled(passed_on["name"], 3)) and taken["merge-multiple"]
    (build,) = [step["run"] for step in packs["steps"] if "samplepack build" in step.get("run", "")]
    assert shell(build) == (0, ["build recipes/a.yaml recipes/b.yaml"])
    actions = [step["uses"] for job in (notes, packs) for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)
