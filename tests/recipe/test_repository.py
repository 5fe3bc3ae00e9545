"""`samplepack init`."""

import json
import os
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

from samplepack.recipe import repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = f"git+https://git.example/sounds/samplepack.git@{COMMIT}"


def recorded(monkeypatch, origin):
    """Let the distribution have been installed from somewhere, as pip records it."""
    record = None if origin is None else json.dumps(origin)
    monkeypatch.setattr(repository, "distribution", lambda name: SimpleNamespace(read_text=lambda file: record))


def workflow_of(folder):
    return yaml.safe_load((folder / ".github/workflows/packs.yml").read_text(encoding="utf-8"))


def install_line(folder):
    return next(step["run"] for step in workflow_of(folder)["jobs"]["packs"]["steps"] if "run" in step)


def test_a_new_folder_checks_builds_and_rebuilds_from_its_lock(run, tmp_path):
    folder = tmp_path / "instruments"
    assert run("init", folder).code == 0
    recipe = folder / "recipes" / "first.yaml"
    recipe.write_text(recipe.read_text().replace("36-84/3", "60"))
    assert run("check", recipe).code == 0
    assert run("build", recipe, "--output", folder / "output").code == 0
    assert "every byte agrees" in run("build", recipe, "--output", folder / "output", "--locked").out
    subprocess.run(["git", "init"], cwd=folder, check=True, capture_output=True)
    seen = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
    assert sorted(line.split()[1] for line in seen.splitlines()) == [
        ".gitattributes",
        ".github/workflows/packs.yml",
        ".gitignore",
        "README.md",
        "recipes/first.lock",
        "recipes/first.yaml",
        "recipes/recipe.schema.json",
    ]


def test_the_workflow_checks_and_builds_what_is_locked(run, tmp_path):
    run("init", tmp_path / "instruments")
    workflow = workflow_of(tmp_path / "instruments")
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["packs"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    assert all(re.search("@[0-9a-f]{40}$", step["uses"]) for step in steps if "uses" in step), "a tag can be moved"
    ran = [step["run"] for step in steps if "run" in step]
    assert ran[0].startswith("pip install 'gansynth-samplepack[midi] @ ")
    assert ran[1:3] == ["samplepack check recipes/*.yaml", "samplepack build recipes/*.yaml --locked"]


def test_the_workflow_publishes_with_rights_that_what_it_builds_hasnt(run, tmp_path):
    run("init", tmp_path / "instruments")
    jobs = workflow_of(tmp_path / "instruments")["jobs"]
    assert "permissions" not in jobs["packs"] and jobs["publish"]["needs"] == "packs"
    assert "pull_request.head.repo.full_name == github.repository" in jobs["publish"]["if"]
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert not any("${{" in script for script in scripts), "text of a pull request could be run"
    for script in scripts:
        assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""


@pytest.mark.parametrize("has_before", [True, False])
def test_the_workflow_plays_before_and_after_where_there_is_a_before(run, tmp_path, has_before):
    run("init", tmp_path / "instruments")
    steps = workflow_of(tmp_path / "instruments")["jobs"]["packs"]["steps"]
    (script,) = [step["run"] for step in steps if "BEFORE" in step.get("env", {})]
    called = tmp_path / "called"
    for name, code in (("git", 0 if has_before else 128), ("samplepack", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} $@ >> {called}\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "BEFORE": COMMIT}
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=True)
    page = called.read_text().splitlines()[-1]
    assert page.startswith("samplepack page") and ("--before before/output" in page) == has_before


def test_the_workflow_installs_samplepack_as_written(run, tmp_path, wheel_file, monkeypatch):
    monkeypatch.setattr(repository, "installed_from", wheel_file.as_uri)
    run("init", tmp_path / "instruments")
    pip, *arguments = shlex.split(install_line(tmp_path / "instruments"))
    assert pip == "pip"
    options = ["--quiet", "--no-index", "--no-deps", "--target", str(tmp_path / "installed")]
    subprocess.run([sys.executable, "-m", "pip", *arguments, *options], check=True)
    version = [sys.executable, "-m", "samplepack", "--version"]
    ran = subprocess.run(version, cwd=tmp_path / "installed", check=True, capture_output=True, text=True)
    assert ran.stdout == "samplepack 0.3.0\n"
    assert (tmp_path / "installed" / "gansynth_samplepack-0.3.0.dist-info").is_dir()


GIT = {"vcs": "git", "commit_id": COMMIT}


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ({"url": "https://git.example/sounds/samplepack.git", "vcs_info": GIT}, ADDRESS),
        ({"url": "https://me:secret@git.example/sounds/samplepack.git", "vcs_info": GIT}, ADDRESS),
        ({"url": "ssh://git@git.example:22/sounds/samplepack.git", "vcs_info": GIT}, ADDRESS),
        ({"url": "file:///srv/samplepack.git", "vcs_info": GIT}, None),
        (
            {"url": "https://packages.example:8443/s-0.1.0.whl", "archive_info": {}},
            "https://packages.example:8443/s-0.1.0.whl",
        ),
        ({"url": "file:///srv/s-0.1.0.whl", "archive_info": {}}, None),
        (None, None),
    ],
)
def test_what_pip_recorded_is_where_the_workflow_installs_from(monkeypatch, origin, address):
    recorded(monkeypatch, origin)
    assert repository.installed_from() == address


@pytest.fixture
def checkout(tmp_path):
    """A git repository with a commit; what git prints in it."""
    folder = tmp_path / "my checkout"
    (folder / "inner").mkdir(parents=True)

    def git(*arguments):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    return folder, git


@pytest.mark.parametrize(
    "remote", ["https://git.example/sounds/samplepack.git", "git@git.example:sounds/samplepack.git"]
)
def test_a_checkout_is_installed_from_its_remote_at_its_commit(monkeypatch, checkout, remote):
    folder, git = checkout
    recorded(monkeypatch, {"url": folder.as_uri(), "dir_info": {"editable": True}})
    assert repository.installed_from() is None
    git("remote", "add", "origin", remote)
    assert repository.installed_from() == ADDRESS.replace(COMMIT, git("rev-parse", "HEAD"))
    recorded(monkeypatch, {"url": (folder / "inner").as_uri(), "dir_info": {}})
    assert repository.installed_from() is None


def test_where_nothing_is_known_a_line_says_what_to_write(run, tmp_path, monkeypatch):
    recorded(monkeypatch, None)
    folder = tmp_path / "my instruments"
    *files, remark, last = run("init", folder).out.splitlines()
    assert files[0] == f"'{folder}/recipes/first.yaml'"
    workflow = folder / ".github/workflows/packs.yml"
    assert (
        remark == f"{workflow}: put the address of samplepack's git repository and a commit in place of ADDRESS@COMMIT"
    )
    assert last == f"next: cd '{folder}'; samplepack build recipes/first.yaml"
    assert "git+ADDRESS@COMMIT" in install_line(folder)


def test_what_is_there_stays(run, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    assert run("init", tmp_path).code == 0
    assert (tmp_path / "README.md").read_text() == "mine"
    again = run("init", tmp_path)
    assert again.code == 2 and "has all of it already" in again.err
