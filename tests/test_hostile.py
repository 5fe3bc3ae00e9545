"""Recipes from strangers: they can't reach outside, run anything, or bring an error that isn't told."""

import hashlib
import json
import os
import shutil
import string

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.models import checkpoint
from samplepack.pack import lock
from samplepack.pack.diff import compare
from samplepack.pack.diff import read as lock_of
from samplepack.pack.verify import verify
from samplepack.recipe import load_recipe
from samplepack.recipe.model import KEYS_OF_KINDS
from samplepack.training.config import load_training
from tests.helpers.packs import build

OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def secret(tmp_path):
    """A folder outside the recipe's own, with one of each file that a recipe can name."""
    folder = tmp_path / "secret"
    folder.mkdir()
    np.save(folder / "kept.npy", np.random.RandomState(7).standard_normal(32))
    soundfile.write(folder / "hall_60.wav", np.hanning(4800), 48000)
    (folder / "checkpoint").mkdir()
    return folder


OUTSIDE = {
    "latent": "timbres: {Glass: {latent: PLACE/kept.npy}}",
    "like": "timbres: {Glass: {like: PLACE/hall_60.wav}}",
    "like a folder": "timbres: {Glass: {like: [PLACE]}}",
    "impulse response": "timbres: {Glass: 7}\nprocess: [{Convolution: {impulse_response_filename: PLACE/hall_60.wav}}]",
    "checkpoint": "timbres: {Glass: 7}\ncheckpoint: PLACE/checkpoint",
}


def problems(recipe, **options):
    with pytest.raises(InputError) as raised:
        load_recipe(recipe, **options)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize("text", OUTSIDE.values(), ids=OUTSIDE)
@pytest.mark.parametrize("way", ["up", "absolute", "link"])
def test_a_recipe_reaches_no_file_outside_its_folder(tmp_path, secret, text, way):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "link").symlink_to(secret)
    place = {"up": "../secret", "absolute": str(secret), "link": "./link"}[way]
    recipe = folder / "r.yaml"
    recipe.write_text(f"recipe: 1\nname: R\npitches: 60\n{text.replace('PLACE', place)}\n")
    assert any("lies outside the recipe's folder" in problem for problem in problems(recipe))
    recipe.write_text(recipe.read_text() + "reads: [../secret]\n")
    assert any(
        "r.yaml:" in problem and "reads[0]: '../secret' lies outside the recipe's repository" in problem
        for problem in problems(recipe)
    )
    (tmp_path / ".git").mkdir()  # a repository that holds both folders
    for options in ({}, {"allow_reads": True}):
        try:
            load_recipe(recipe, **options)
        except InputError as error:
            assert "outside" not in str(error)
        (tmp_path / ".git").rename(folder / ".git")  # one that holds the recipe alone
        assert any("--allow-reads" in problem for problem in problems(recipe))
        (folder / ".git").rename(tmp_path / ".git")


def test_a_recipe_reads_elsewhere_only_with_the_users_word(tmp_path, secret, run):
    folder = tmp_path / "recipes"
    folder.mkdir()
    recipe = folder / "r.yaml"
    recipe.write_text("recipe: 1\nname: R\npitches: 60\nreads: [/]\ntimbres: {Glass: {latent: ../secret/kept.npy}}\n")
    refused = run("check", recipe)
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert "r.yaml:4:9: reads[0]: '/' lies outside the recipe's repository" in refused.err
    assert run("check", recipe, "--allow-reads").code == 0


@pytest.mark.parametrize("file", ["config.json", "weights.safetensors"])
def test_a_checkpoint_leads_nowhere_else(tmp_path, file):
    folder = tmp_path / "recipes"
    shutil.copytree(library.STARTER, folder / "c")
    (folder / "c" / file).unlink()
    (folder / "c" / file).symlink_to(library.STARTER / file)
    recipe = folder / "r.yaml"
    recipe.write_text("recipe: 1\nname: R\npitches: 60\ncheckpoint: ./c\ntimbres: {Glass: 7}\n")
    (told,) = problems(recipe)
    assert f"r.yaml:4:13: checkpoint './c': its file {file} lies outside the recipe's folder" in told


def test_no_file_leads_outside_from_within_a_folder(tmp_path, secret):
    folder = tmp_path / "recipes"
    (folder / "sounds").mkdir(parents=True)
    (folder / "sounds" / "x_60.wav").symlink_to(secret / "hall_60.wav")
    (folder / "loop").symlink_to(folder / "loop")
    recipe = folder / "r.yaml"
    recipe.write_text("recipe: 1\nname: R\npitches: 60\ntimbres: {Glass: {like: sounds}}\nreads: [loop]\n")
    assert any("lies outside the recipe's folder" in problem for problem in problems(recipe))


@pytest.mark.parametrize("name", ["c/config.json", "c/weights.safetensors", "r.fit.json", "kept.npy", "hall.wav"])
def test_a_device_that_never_ends_is_not_read(tmp_path, name):
    shutil.copytree(library.STARTER, tmp_path / "c")
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).symlink_to("/dev/zero")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "recipe: 1\nname: R\npitches: 60\ncheckpoint: ./c\nreads: [/dev]\ntimbres: {Glass: {latent: kept.npy}}\n"
        "process: [{Convolution: {impulse_response_filename: hall.wav}}]\n"
    )
    assert problems(recipe)


@pytest.mark.parametrize(
    "name", ["c/config.json", "c/weights.safetensors", "c.zip", "r.fit.json", "kept.npy", "hall.wav", "tune.mid", "x"]
)
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path, name):
    checkpoint = "./c.zip" if name == "c.zip" else "./c"
    shutil.copytree(library.STARTER, tmp_path / "c")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"recipe: 1\nname: R\npitches: 60\ncheckpoint: {checkpoint}\n"
        "timbres: {Glass: {latent: kept.npy}, B: {like: x}}\n"
        "process: [{Convolution: {impulse_response_filename: hall.wav}}]\n"
        "clips: {A: {midi: tune.mid, timbres: [Glass]}}\n"
    )
    assert problems(recipe)


def test_a_pack_and_a_lock_file_with_pipes_are_told(built, tmp_path):
    pack = tmp_path / "pack"
    shutil.copytree(built, pack)
    sound = next(pack.rglob("*.wav"))
    for file in (sound, pack / "README.md"):
        file.unlink()
        os.mkfifo(file)
    reports = verify(pack, workers=1)
    assert any(f"{sound.name} cannot be read: " in problem for report in reports for problem in report.problems)
    os.mkfifo(tmp_path / "small.lock")
    with pytest.raises(InputError, match="not a regular file"):
        lock.read_lock(tmp_path / "small.lock")


def test_a_recipe_runs_no_program_unless_it_is_allowed(tmp_path, run):
    (tmp_path / "evil.vst3").write_bytes(b"not really a plugin")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "recipe: 1\nname: R\npitches: 60\ntimbres: {Glass: 7}\n"
        "process: [{VST3Plugin: {path_to_plugin_file: ./evil.vst3, parameter_values: {mix: 0.5}}}]\n"
    )
    (refused,) = problems(recipe)
    assert "build with --allow-plugins" in refused and "r.yaml:5:" in refused
    allowed = run("check", recipe, "--allow-plugins")
    assert allowed.code == 2 and "VST3Plugin" in allowed.err and "--allow-plugins" not in allowed.err


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "..",
        "a/b",
        "a\\b",
        "CON",
        "com1.wav",
        "x" * 300,
        "é" * 150,
        "a\tb",
        "a\x1b[2Jb",
        "$x",
        "<x>",
        "a=b",
        "",
        "A #include B",
        "x #define y",
        "#Include",
    ],
)
def test_a_name_that_is_no_file_name_is_refused_wherever_it_stands(tmp_path, name):
    recipe = tmp_path / "r.yaml"
    for data in (
        {"name": name, "timbres": {"Glass": 7}},
        {"name": "R", "timbres": {name: 7}},
        {"name": "R", "timbres": {"A": 7, "B": 8}, "paths": {name: {"through": ["A", "B"], "steps": 2}}},
        {"name": "R", "bank": {"seeds": "1-2", "name": f"{name}/{{seed}}"}},
    ):
        recipe.write_text(yaml.safe_dump({"recipe": 1, "pitches": 60, **data}, allow_unicode=True))
        told = problems(recipe)
        assert any("name" in problem or "called" in problem for problem in told)
        assert all(problem.isprintable() for problem in told)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"\x00" * 5000, b"fLaC" * 20])
def test_a_sound_that_is_broken_is_told(tmp_path, content):
    (tmp_path / "hall.wav").write_bytes(content)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "recipe: 1\nname: R\npitches: 60\ntimbres: {Glass: 7}\n"
        "process: [{Convolution: {impulse_response_filename: hall.wav}}]\n"
    )
    (told,) = problems(recipe)
    assert "hall.wav" in told and "r.yaml:5:" in told


WORDS = [
    "recipe", "name", "timbres", "seed", "toward", "at", "bank", "seeds", "paths", "through", "steps", "process", "sound",
    "rate_hz", "pitches", "36-84", "starter", "checkpoint", "latent", "like", "reads", "velocity", "Reverb", "Glass",
    "!!python/object:os.system", "&a", "*a", "<<", "|", ">", "%YAML 1.1", "---", "{", "}", "[", "]", ":", ": ", "- ", "\n",
    "\n  ", "#", "'", '"', "\t", "\0", "\ufeff", "1", "-1", "1e999", "0x10", ".nan", "~", "2001-01-01", "\U0001f3b9", "../",
]  # fmt: skip


@OFTEN
@given(
    st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(WORDS), max_size=60).map(lambda w: "".join(w).encode()))
)
def test_any_bytes_are_a_recipe_or_an_error_that_is_told(tmp_path, content):
    path = tmp_path / "r.yaml"
    for start in (b"", b"recipe: 1\nname: R\ntimbres: {Glass: 7}\n"):
        path.write_bytes(start + content)
        for read in (load_recipe, load_training):
            try:
                read(path)
            except InputError as error:
                assert error.problems and all(problem.message for problem in error.problems)


names = (
    st.text(string.ascii_letters + "é日 ", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda name: name and name.casefold() not in ("overview", "con", "prn", "aux", "nul"))
)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def recipes(draw):
    """A recipe as a user might write it, as data."""
    timbres = draw(st.dictionaries(names, seeds, min_size=2, max_size=4))
    known = list(timbres)
    written = {name: draw(st.sampled_from([seed, {"seed": seed}])) for name, seed in timbres.items()}
    written["Way Between"] = {"seed": draw(seeds), "toward": known[0], "at": draw(st.floats(0, 1))}
    data = {"recipe": 1, "name": draw(names), "timbres": written, "description": draw(st.text(max_size=20))}
    if draw(st.booleans()):
        data["paths"] = {
            "The Path": {
                "through": draw(st.lists(st.sampled_from(known), min_size=2, max_size=4)),
                "steps": draw(st.integers(2, 9)),
                "spacing": draw(st.sampled_from(["even", "uniform"])),
                "as": draw(st.sampled_from(["instruments", "morph"])),
            }
        }
    if draw(st.booleans()):
        data["bank"] = {"seeds": draw(st.sampled_from(["5-9", [1, 7, 4]]))}
    data["pitches"] = draw(st.sampled_from(["36-84", "36-84/3", [40, 36], 60]))
    effects = [
        {"Reverb": {"room_size": draw(st.floats(0, 1))}},
        "Chorus",
        {"Gain": {"gain_db": draw(st.floats(-20, 20))}},
    ]
    data["process"] = draw(st.lists(st.sampled_from(effects), max_size=2))
    data["sound"] = {
        "bits": draw(st.sampled_from([16, 24])),
        "rate_hz": draw(st.sampled_from([44100, 48000, "native"])),
    }
    return data


@OFTEN
@given(recipes())
def test_any_recipe_comes_back_from_what_was_understood(tmp_path, data):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    try:
        understood = load_recipe(path).recipe
    except InputError as error:
        assert "two instruments would be called" in str(error) or "control" in str(error) or "not YAML" in str(error)
        return
    written = understood.model_dump(mode="json", by_alias=True, exclude_none=True)
    for one in written["paths"].values():
        for key, kind in KEYS_OF_KINDS.items():
            if one["as"] != kind:  # where a recipe may not have the key
                del one[key]
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    assert load_recipe(path).recipe == understood


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small pack and its lock file."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "small.yaml").write_text(
        "recipe: 1\nname: Small\npitches: 60\ntimbres: {Glass: 7}\nprocess: [Reverb]\nvelocity: 2\n"
    )
    recipe = folder / "small.yaml"
    pack = build(recipe, folder, folder / "cache")
    lock.write_lock(folder / "small.lock", lock.lock_after_build(lock_of(str(recipe)), pack.folder, pack.manifest))
    return pack.folder


def edits(data, path=()):
    """Every place of some JSON."""
    yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from edits(value, (*path, key))


@settings(OFTEN, max_examples=100)
@given(st.data())
def test_an_edited_pack_or_lock_is_read_or_told(built, data):
    manifest, locked = built / "pack.json", built.parent / "small.lock"
    for path, use in (
        (manifest, lambda: verify(built, workers=1)),
        (manifest, lambda: lock.lock_of_pack(built)),
        (locked, lambda: lock.compare_to_lock(lock.read_lock(locked), lock.lock_of_pack(built)).lines()),
        (locked, lambda: compare(lock.read_lock(locked), lock.lock_of_pack(built))),
    ):
        whole = path.read_bytes()
        says = json.loads(whole)
        *parents, last = data.draw(st.sampled_from([p for p in edits(says) if p]))
        place = says
        for key in parents:
            place = place[key]
        place[last] = data.draw(
            st.sampled_from([None, [], {}, "", "x", "../x", -1, 2**70, 0.5, float("nan"), True, [[]]])
        )
        path.write_text(json.dumps(says))
        try:
            use()
        except InputError as error:
            assert error.problems
        finally:
            path.write_bytes(whole)


@settings(OFTEN, max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_checkpoint_or_an_error_that_is_told(tmp_path, content):
    folder = tmp_path / "own"
    if not folder.exists():
        shutil.copytree(library.STARTER, folder)
    config = json.loads((library.STARTER / "config.json").read_text())
    for name, written in (("config.json", content), ("weights.safetensors", content)):
        shutil.copytree(library.STARTER, folder, dirs_exist_ok=True)
        (folder / name).write_bytes(written)
        if name == "weights.safetensors":
            digest = checkpoint._digest(checkpoint.Config.model_validate(config), hashlib.sha256(written).hexdigest())
            (folder / "config.json").write_text(json.dumps({**config, "digest": digest}))
        try:
            checkpoint.read_tensors(checkpoint.read_checkpoint(folder, "own"))
        except InputError as error:
            assert error.problems
