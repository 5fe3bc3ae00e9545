"""A pack as one file, and the registry's entry for it."""

import hashlib
import shutil
import zipfile
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.helpers.packs import contents

RECIPE = """\
author: A. Sounddesigner
license: CC-BY-4.0
description: Bells that breathe.
formats: [sfz, decentsampler]
"""


@pytest.fixture
def zipped(write_recipe, run, tmp_path):
    recipe = write_recipe(RECIPE, pitches="[60]")
    ran = run("build", recipe, "--output", tmp_path / "o", "--zip")
    assert ran.code == 0 and str(tmp_path / "o" / "small.zip") in ran.out, ran.err
    return tmp_path / "o"


def test_an_archive_holds_the_pack_and_is_the_same_twice(zipped, run, tmp_path):
    with zipfile.ZipFile(zipped / "small.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert contents(tmp_path / "unpacked" / "small") == contents(zipped / "small")
    first = {name: (zipped / name).read_bytes() for name in ("small.zip", "small.index.yaml")}
    assert run("build", tmp_path / "small.yaml", "--output", zipped, "--zip").code == 0
    assert first == {name: (zipped / name).read_bytes() for name in first}
    assert sorted(path.name for path in zipped.iterdir()) == ["small", "small.index.yaml", "small.zip"]


def test_an_entry_has_the_fields_of_the_registry(zipped):
    entry = yaml.safe_load((zipped / "small.index.yaml").read_text(encoding="utf-8"))
    (file,) = entry.pop("files")
    assert {name: entry[name] for name in ("name", "author", "description", "license", "type")} == {
        "name": "Small",
        "author": "A. Sounddesigner",
        "description": "Bells that breathe.",
        "license": "cc-by-4.0",
        "type": "sampler",
    }
    assert "sfz" in entry["tags"] and (zipped / entry["audio"]).exists() and (zipped / entry["image"]).exists()
    archive = (zipped / file["url"]).read_bytes()
    assert file["size"] == len(archive) and file["sha256"] == hashlib.sha256(archive).hexdigest()
    assert file["type"] == "archive" and file["contains"] == ["sfz"]


def test_a_catalogue_has_all_packs_and_their_addresses_from_where_it_lies(zipped, run, tmp_path):
    shutil.copytree(zipped / "small", zipped / "twin")
    beside, above = zipped / "index.yaml", tmp_path / "index.yaml"
    for index in (beside, above, beside):
        assert run("index", zipped, "-o", index).out == f"{index}: 2 packs\n"
        packs = yaml.safe_load(index.read_text(encoding="utf-8"))["packs"]
        assert list(packs) == ["small", "twin"] and "files" not in packs["twin"]
        for entry in packs.values():
            assert entry["name"] == "Small" and (index.parent / entry["image"]).is_file()
        (file,) = packs["small"]["files"]
        assert hashlib.sha256((index.parent / file["url"]).read_bytes()).hexdigest() == file["sha256"]
    of_one = yaml.safe_load((zipped / "small.index.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(beside.read_text(encoding="utf-8"))["packs"]["small"] == of_one
    (zipped / "twin").rename(zipped / "größe #2 100%")
    assert run("index", zipped, "-o", above).code == 0
    packs = yaml.safe_load(above.read_text(encoding="utf-8"))["packs"]
    image = urlsplit(packs["größe #2 100%"]["image"])
    assert (tmp_path / unquote(image.path)).is_file() and image.path.isascii() and not image.fragment
    (zipped / "größe #2 100%").rename(zipped / "twin")
    above.write_text("precious: true")
    ran = run("index", zipped, "-o", above)
    assert ran.code == 2 and "didn't make" in ran.err and above.read_text() == "precious: true"
    (zipped / "twin" / "pack.json").write_text("{")
    assert run("index", zipped, "-o", beside).code == 2 and run("index", tmp_path / "recipes", "-o", beside).code == 2


@pytest.mark.parametrize("name", ["small.zip", "small.index.yaml"])
def test_a_file_of_the_users_own_is_not_replaced_by_an_archive(write_recipe, run, tmp_path, name):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / name).write_text("precious")
    ran = run("build", write_recipe(pitches="[60]"), "--output", tmp_path / "o", "--zip")
    assert ran.code == 2 and f"{name} is something that samplepack didn't make" in ran.err
    assert (tmp_path / "o" / name).read_text() == "precious" and not (tmp_path / "o" / "small").exists()
