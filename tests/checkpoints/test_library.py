"""Finding checkpoints by name and path, converting and importing them."""

import json
import shutil

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.models.checkpoint import CONFIG, WEIGHTS
from tests.helpers.magenta import native, zipped
from tests.helpers.places import FIXTURES


def test_a_folder_a_zip_a_zip_with_a_folder_in_it_and_an_import_are_the_same_checkpoint(tmp_path, tiny):
    digests = {
        native(tiny).digest,
        native(zipped(tiny, tmp_path / "flat.zip")).digest,
        native(zipped(tiny, tmp_path / "deep.zip", prefix="acoustic_only/")).digest,
        library.import_checkpoint(tmp_path / "flat.zip", "mine").digest,
        native("mine").digest,
    }
    assert len(digests) == 1
    copied = shutil.copytree(library.names()["mine"], tmp_path / "ours")
    assert native(copied).digest in digests
    assert library.import_checkpoint(copied, "again").digest in digests


def test_a_converted_checkpoint_is_found_without_tensorflow(tiny):
    assert isinstance(library.resolve(str(tiny), FIXTURES), library.MagentaCheckpoint)
    native(tiny)
    assert library.resolve(str(tiny), FIXTURES).latent_dim == 32


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_damaged_conversion_is_made_anew(tiny, name):
    converted = native(tiny)
    (converted.folder / name).write_bytes(b"{}")
    assert isinstance(library.resolve(str(tiny), FIXTURES), library.MagentaCheckpoint)
    assert native(tiny).digest == converted.digest
    assert library.resolve(str(tiny), FIXTURES).digest == converted.digest


def test_a_damaged_import_does_not_hide_the_others_in_the_list(tiny, run):
    for name in ("broken", "whole"):
        library.import_checkpoint(tiny, name)
    (library.names()["broken"] / WEIGHTS).unlink()
    ran = run("checkpoints", "list")
    assert ran.code == 0
    starter, *_, broken, whole = ran.out.splitlines()
    assert broken == "checkpoint 'broken': cannot read weights.safetensors: No such file or directory"
    assert starter.startswith("starter: gansynth") and whole.startswith("whole: gansynth")
    listed = {one["name"]: one for one in json.loads(run("checkpoints", "list", "--json").out)}
    assert "problem" in listed["broken"] and "digest" in listed["whole"]


def test_a_latent_file_of_a_wrong_length_is_told_when_the_checkpoint_says_its_own(tmp_path, tiny, run, write_recipe):
    (tiny / "experiment.json").unlink()
    np.save(tmp_path / "long.npy", np.ones(33))
    recipe = write_recipe("checkpoint: ./tiny\n", timbres="{Glass: {latent: long.npy}}", pitches="60")
    assert run("check", recipe).code == 0
    ran = run("plan", recipe)
    assert ran.code == 2
    assert ran.err == (
        f"{recipe}: timbres.Glass.latent: 'long.npy': has 33 numbers; a latent of this checkpoint has 32\n"
    )


def test_an_empty_folder_and_no_folder_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    for path, told in (("./empty", "no stage_NN folder"), ("./none", "no such file or folder")):
        with pytest.raises(InputError, match=told):
            library.resolve(path, tmp_path)


def test_a_pinned_digest_must_agree(tmp_path, run, write_recipe, tiny):
    pinned = "checkpoint: {{path: {}, sha256: {}}}\n"
    good = write_recipe(pinned.format("starter", library.resolve("starter", tmp_path).digest), name="good.yaml")
    assert run("check", good).code == 0
    bad = write_recipe(pinned.format("starter", "a" * 64), name="bad.yaml")
    ran = run("check", bad)
    digest = library.resolve("starter", tmp_path).digest
    assert ran.code == 2 and f"bad.yaml:5:37: checkpoint 'starter' has the digest {digest[:8]}" in ran.err
    magenta = write_recipe(pinned.format(tiny, "a" * 64), name="magenta.yaml", pitches="60")
    ran = run("build", magenta, "--output", tmp_path / "output")
    assert ran.code == 2 and f"has the digest {native(tiny).digest}, not {'a' * 64}" in ran.err
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", "", "starter", "-x", "x" * 65])
def test_a_name_that_is_none_or_is_taken_is_refused(tiny, name):
    with pytest.raises(InputError, match="can't be a checkpoint's name|is called 'starter' already"):
        library.import_checkpoint(tiny, name)
