"""`samplepack init`."""

import subprocess

import yaml


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
    workflow = yaml.safe_load((tmp_path / "instruments/.github/workflows/packs.yml").read_text())
    ran = [step["run"] for step in workflow["jobs"]["packs"]["steps"] if "run" in step]
    assert ran[1:] == ["samplepack check recipes/*.yaml", "samplepack build recipes/*.yaml --locked"]


def test_what_is_there_stays(run, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    assert run("init", tmp_path).code == 0
    assert (tmp_path / "README.md").read_text() == "mine"
    again = run("init", tmp_path)
    assert again.code == 2 and "has all of it already" in again.err
