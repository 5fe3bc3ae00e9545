"""What `samplepack diff` says."""

import subprocess

import numpy as np
import pytest

from samplepack.models.latent import slerp

BEFORE = """\
recipe: 1
checkpoint: starter@1
name: Small
pitches: [48, 60]
timbres:
  Glass: 7
  Choir: 9
  Bell: 3
process:
  - Chorus: {mix: 0.3}
  - Reverb: {room_size: 0.3}
"""
AFTER = """\
recipe: 1
checkpoint: starter@1
name: Small
pitches: [48, 60]
timbres:
  Glass: {seed: 7, toward: Choir, at: 0.25}
  Choir: 9
  Air: 4
process:
  - HighpassFilter
  - Reverb: {room_size: 0.5}
sound: {rate_hz: 44100}
"""


def commit(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A recipe with two revisions."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "someone")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    commit(tmp_path, "init", "--initial-branch=main")
    for text in (BEFORE, AFTER):
        (recipes / "small.yaml").write_text(text)
        commit(tmp_path, "add", "--all")
        commit(tmp_path, "commit", "--message=a revision")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_tells_in_a_musicians_words_what_changed_between_two_revisions(run, repository):
    told = run("diff", "HEAD~1:recipes/small.yaml", "recipes/small.yaml")
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert "  Bell is gone (seed: 3)" in lines and "  Air is new (seed: 4)" in lines
    (moved,) = (line for line in lines if line.startswith("  Glass"))
    glass, choir = (np.random.RandomState(seed).standard_normal(32).astype(np.float32) for seed in (7, 9))
    now = slerp(glass, choir, 0.25)
    degrees = np.degrees(np.arccos(glass @ now / np.linalg.norm(glass) / np.linalg.norm(now)))
    assert (
        15 < degrees < 30
        and f"moved by {degrees:.1f}°" in moved
        and "seed: 7 → seed: 7, toward: Choir, at: 0.25" in moved
    )
    assert not any("Choir" in line for line in lines if line != moved)
    assert "  Chorus is gone" in lines and "  HighpassFilter is new, first" in lines
    assert "  Reverb: room_size: 0.3 → 0.5" in lines and "  sound.rate_hz: 48000 → 44100" in lines
    assert lines[-1] == "notes: 4 to render anew, 2 as before"


def test_a_path_may_be_relative_to_where_one_is(run, repository, monkeypatch):
    monkeypatch.chdir(repository / "recipes")
    told = run("diff", "HEAD:./small.yaml", "small.yaml")
    assert told.code == 0 and told.out == "nothing differs\nnotes: 0 to render anew, 6 as before\n"


def test_files_beside_a_recipe_are_those_of_its_revision(run, repository):
    kept = repository / "recipes" / "kept.npy"
    (repository / "recipes" / "small.yaml").write_text(BEFORE.replace("Bell: 3", "Bell: {latent: kept.npy}"))
    for seed in (1, 2):
        np.save(kept, np.random.RandomState(seed).standard_normal(32))
        commit(repository, "add", "--all")
        commit(repository, "commit", "--message=a latent")
    told = run("diff", "HEAD~1:recipes/small.yaml", "HEAD:recipes/small.yaml")
    assert "  Bell moved by" in told.out and "notes: 2 to render anew, 4 as before" in told.out


def test_a_revision_may_hold_any_name_and_folders_beside_the_recipe(run, repository):
    (repository / "revision.zip").write_bytes(b"mine")
    (repository / "sounds").mkdir()
    np.save(repository / "sounds" / "kept.npy", np.random.RandomState(1).standard_normal(32))
    text = BEFORE.replace("Bell: 3", "Bell: {latent: ../sounds/kept.npy}") + "reads: [../sounds]\n"
    (repository / "recipes" / "small.yaml").write_text(text)
    commit(repository, "add", "--all")
    commit(repository, "commit", "--message=a folder")
    told = run("diff", "HEAD:recipes/small.yaml", "recipes/small.yaml")
    assert told.code == 0 and told.out.startswith("nothing differs"), told.err


def test_recipes_locks_and_packs_can_be_compared_with_each_other(run, repository):
    recipe, lock, pack = "recipes/small.yaml", "recipes/small.lock", "output/small"
    assert run("build", recipe).code == 0
    for one, two in ((recipe, lock), (lock, pack), (pack, recipe)):
        told = run("diff", one, two)
        assert told.out == "nothing differs\nnotes: 0 to render anew, 6 as before\n", (one, two)
    (repository / lock).rename(repository / "before.lock")
    (repository / recipe).write_text(BEFORE)
    assert run("build", recipe).code == 0
    told = run("diff", "before.lock", "recipes/small.lock")
    assert "Air is gone" in told.out and "files:" in told.out and "other bytes" in told.out


def test_layers_and_texts_count_too(run, repository):
    recipe = repository / "recipes" / "small.yaml"
    recipe.write_text(AFTER + "velocity: 2\nlicense: CC0-1.0\n")
    told = run("diff", "HEAD:recipes/small.yaml", "recipes/small.yaml").out
    assert "velocity: one layer → 2 layers" in told and "None" not in told
    assert "Glass has velocity layers, not one layer" in told and "license:  → CC0-1.0" in told
    commit(repository, "commit", "--all", "--message=layers")
    recipe.write_text(recipe.read_text().replace("velocity: 2", "velocity: 4"))
    told = run("diff", "HEAD:recipes/small.yaml", "recipes/small.yaml").out
    assert "velocity.layers: 2 → 4" in told and "0 to render anew" in told


def test_a_link_in_the_repository_is_no_trouble(run, repository):
    (repository / "elsewhere").symlink_to("/etc")
    commit(repository, "add", "--all")
    commit(repository, "commit", "--message=a link")
    assert run("diff", "HEAD:recipes/small.yaml", "recipes/small.yaml").code == 0


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("nowhere.yaml", "cannot read it"),
        ("nowhere.lock", "cannot read the lock file"),
        ("recipes", "is no pack"),
        ("nothing:recipes/small.yaml", "git archive"),
        ("HEAD:/recipes/small.yaml", "begins at the top of the repository"),
        ("HEAD:recipes/nowhere.yaml", "HEAD:recipes/nowhere.yaml: cannot read it"),
        ("--output=x:recipes/small.yaml", "is no revision"),
        (":recipes/small.yaml", "is no revision"),
    ],
)
def test_what_cannot_be_read_is_told(run, repository, what, told):
    ran = run("diff", "--", what, "recipes/small.yaml")
    assert ran.code == 2 and told in ran.err, ran
    assert not (repository / "x").exists()


def test_a_morph_by_keys_has_a_latent_for_each_of_them(run, tmp_path):
    def recipe(name, pitches, path):
        text = f"recipe: 1\nname: Small\npitches: {pitches}\ntimbres: {{Glass: 7, Choir: 9}}\npaths: {{Way: {path}}}\n"
        (tmp_path / name).write_text(text)
        return tmp_path / name

    keys = recipe("keys.yaml", "[48, 60]", "{through: [Glass, Choir], as: morph, by: keys}")
    wheel = recipe("wheel.yaml", "[48, 60]", "{through: [Glass, Choir], as: morph, steps: 2}")
    told = run("diff", wheel, keys).out
    assert "Way has a latent for each key, not layers along the mod wheel" in told
    # Its notes are those of Glass at the lower key and of Choir at the upper one.
    assert "0 to render anew" in told
    more = recipe("more.yaml", "[48, 54, 60]", "{through: [Glass, Choir], as: morph, by: keys}")
    told = run("diff", keys, more).out
    assert "Way has 3 keys, not 2" in told and "3 to render anew, 4 as before" in told
