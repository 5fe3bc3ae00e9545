"""The versions of the starter that come with the package, and what is said of packs of an earlier one."""

import json
import shutil

import pytest

from samplepack.checkpoints import library
from samplepack.models.checkpoint import read_checkpoint, read_tensors, write_checkpoint
from samplepack.pack.lock import read_lock


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """Add a newer version of the starter, with instruments that are moved; gives its digest."""
    versions = tmp_path / "starter"
    for folder in library.STARTERS.values():
        shutil.copytree(folder, versions / folder.name)
    latest = read_checkpoint(library.STARTER, "starter")
    tensors = read_tensors(latest)
    write_checkpoint(versions / "10", latest.config, {**tensors, "instruments": 0.9 * tensors["instruments"]})

    def release():
        monkeypatch.setattr(library, "STARTERS", library.versions_in(versions))
        monkeypatch.setattr(library, "STARTER", versions / "10")

    return release


def test_each_version_has_a_name_and_starter_is_the_newest(newer, tmp_path):
    before = library.resolve("starter", tmp_path)
    assert library.resolve("starter@1", tmp_path).digest.startswith("d6031423")
    newer()
    assert list(library.names())[:2] == ["starter", "starter@10"] and "starter@1" in library.names()
    assert library.resolve("starter", tmp_path).digest == library.resolve("starter@10", tmp_path).digest
    assert library.resolve("starter", tmp_path).digest != before.digest
    assert library.starter_with(before.digest) == next(n for n in library.STARTERS if n != "starter@10")
    assert library.starter_with("0" * 64) is None


def test_a_pack_of_an_earlier_version_can_be_built_again(newer, run, write_recipe, tmp_path):
    version = next(iter(library.STARTERS))
    recipe = write_recipe("checkpoint: starter\n", pitches="60")
    assert run("build", recipe, "--output", tmp_path / "output").code == 0
    first = read_lock(tmp_path / "small.lock")
    assert first.checkpoint.source == f"comes with samplepack as {version}"
    newer()
    refused = run("build", recipe, "--output", tmp_path / "other", "--locked")
    told = (
        f"the locked one {first.checkpoint.digest}, which is {version}: write checkpoint: {version} to build with that"
    )
    assert refused.code == 2 and told in refused.err and "small.lock" in refused.err
    moved = run("build", recipe, "--output", tmp_path / "other")
    told = f"small.lock was made with {version}; to build with that one: checkpoint: {version}"
    assert moved.code == 0 and told in moved.out + moved.err
    recipe.write_text(recipe.read_text().replace("starter", version))
    assert run("build", recipe, "--output", tmp_path / "other").code == 0
    again = read_lock(tmp_path / "small.lock")
    assert again.instruments == first.instruments and again.checkpoint.digest == first.checkpoint.digest


def test_what_belongs_to_an_earlier_version_names_it(newer, run, write_recipe, tmp_path):
    digest = library.resolve("starter@1", tmp_path).digest
    newer()
    pinned = run("check", write_recipe(f"checkpoint: {{path: starter, sha256: {digest}}}\n"))
    assert pinned.code == 2 and pinned.err.endswith(f", not {digest}, which is starter@1\n")
    listed = json.loads(run("checkpoints", "list", "--json").out)
    assert {one["name"]: one["digest"] for one in listed}["starter@1"] == digest
