"""Magenta's checkpoints: good ones in every wrapping, and bad ones."""

import json
import shutil
import stat
import struct
import zipfile

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.models.checkpoint import CONFIG, WEIGHTS, Config, read_checkpoint, write_checkpoint
from samplepack.models.engine import load_model
from tests.helpers.places import FIXTURES

TINY = FIXTURES / "magenta-tiny"


def opened(path, beside=FIXTURES):
    return library.as_native(library.resolve(str(path), beside))


def zipped(folder, path, prefix=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name != "golden.npz":
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


@pytest.fixture
def tiny(tmp_path):
    return shutil.copytree(TINY, tmp_path / "tiny", ignore=shutil.ignore_patterns("golden.npz"))


def test_a_folder_a_zip_a_zip_with_a_folder_in_it_and_an_import_are_the_same_checkpoint(tmp_path, tiny):
    digests = {
        opened(tiny).digest,
        opened(zipped(tiny, tmp_path / "flat.zip")).digest,
        opened(zipped(tiny, tmp_path / "deep.zip", prefix="acoustic_only/")).digest,
        library.import_checkpoint(tmp_path / "flat.zip", "mine").digest,
        opened("mine").digest,
    }
    assert len(digests) == 1
    copied = shutil.copytree(library.names()["mine"], tmp_path / "ours")
    assert opened(copied).digest in digests
    assert library.import_checkpoint(copied, "again").digest in digests


def test_a_converted_checkpoint_is_found_without_tensorflow(tiny):
    assert isinstance(library.resolve(str(tiny), FIXTURES), library.MagentaCheckpoint)
    opened(tiny)
    assert library.resolve(str(tiny), FIXTURES).latent_dim == 32


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_damaged_conversion_is_made_anew(tiny, name):
    converted = opened(tiny)
    (converted.folder / name).write_bytes(b"{}")
    assert isinstance(library.resolve(str(tiny), FIXTURES), library.MagentaCheckpoint)
    assert opened(tiny).digest == converted.digest
    assert library.resolve(str(tiny), FIXTURES).digest == converted.digest


def test_a_damaged_import_does_not_hide_the_others_in_the_list(tiny, run):
    for name in ("broken", "whole"):
        library.import_checkpoint(tiny, name)
    (library.names()["broken"] / WEIGHTS).unlink()
    ran = run("checkpoints", "list")
    assert ran.code == 0
    starter, broken, whole = ran.out.splitlines()
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


def test_what_was_read_is_told(tiny):
    config = opened(tiny).config
    assert config.latent_dim == 32 and config.pitches == (24, 84) and config.sample_rate_hz == 16000
    assert config.provenance == {"imported_from": "Magenta", "stage": 12, "step": 11000000}
    assert config.model_extra["channels"] == [16, 16, 16, 16, 16, 16, 8]
    assert config.model_extra["progress"] == 6.0
    assert opened(FIXTURES / "magenta-tiny-transition").config.model_extra["progress"] == 5.5


@pytest.mark.parametrize("name", ["stage_" + "9" * 5000, "stage_999999999"])
def test_a_folder_that_counts_beyond_all_stages_is_none(tmp_path, tiny, name):
    path = zipped(tiny, tmp_path / "more.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{name}/checkpoint", b"")
    assert library.resolve(str(path), tmp_path).latent_dim == 32


def test_the_highest_stage_counts_and_an_early_one_has_fewer_blocks(tiny):
    shutil.copytree(tiny / "stage_00012", tiny / "stage_00004")
    assert opened(tiny).config.provenance["stage"] == 12
    shutil.rmtree(tiny / "stage_00012")
    early = opened(tiny)
    assert early.config.provenance["stage"] == 4
    assert len(early.config.model_extra["channels"]) == 3
    waves = load_model(early).render(np.ones((1, 32), np.float32), np.array([60]))
    assert waves.shape == (1, 64000) and np.isfinite(waves).all()


def test_without_experiment_json_sizes_follow_from_the_weights(tiny):
    (tiny / "experiment.json").unlink()
    assert library.resolve(str(tiny), FIXTURES).latent_dim is None
    assert opened(tiny).latent_dim == 32


def save(folder, variables):
    """Write variables as TensorFlow does, in place of a checkpoint's own."""
    import tensorflow as tf

    for file in folder.glob("model.ckpt*"):
        file.unlink()
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt-11000000"),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.constant(value) for value in variables.values()],
    )


def averages(folder):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "model.ckpt-11000000"))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("/ExponentialMovingAverage")]
    return {name: reader.get_tensor(name) for name in names}


def change(kernel_of, new):
    def damage(tiny):
        variables = averages(tiny / "stage_00012")
        (name,) = (n for n in variables if kernel_of in n and "kernel" in n)
        variables[name] = new(variables[name])
        if variables[name] is None:
            del variables[name]
        save(tiny / "stage_00012", variables)

    return damage


def with_nan(kernel):
    kernel[..., 0] = np.nan
    return kernel


def experiment(**values):
    def damage(tiny):
        path = tiny / "experiment.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return damage


def data(tiny):
    return tiny / "stage_00012" / "model.ckpt-11000000.data-00000-of-00001"


def index(tiny):
    return tiny / "stage_00012" / "model.ckpt-11000000.index"


def only_experiment(tiny):
    shutil.rmtree(tiny / "stage_00012")


def few_inputs(tiny):
    (tiny / "experiment.json").unlink()
    change("block_1/conv0", lambda kernel: kernel[:, :, :60])(tiny)


BAD = {
    "truncated data": (lambda t: data(t).write_bytes(data(t).read_bytes()[:100000]), "model.ckpt-11000000 is damaged"),
    "missing data": (lambda t: data(t).unlink(), "model.ckpt-11000000.data-00000-of-00001 is missing"),
    "missing index": (lambda t: index(t).unlink(), "stage_00012/model.ckpt-11000000.index is missing"),
    "truncated index": (lambda t: index(t).write_bytes(index(t).read_bytes()[:5000]), "is damaged: it doesn't end as"),
    "garbage in the index": (
        lambda t: index(t).write_bytes(b"\x00" * 9000 + index(t).read_bytes()[-8:]),
        "model.ckpt-11000000 is damaged",
    ),
    "flipped bytes in the data": (
        lambda t: data(t).write_bytes(bytes(b ^ 255 for b in data(t).read_bytes())),
        "model.ckpt-11000000 is damaged",
    ),
    "stage without checkpoint": (
        lambda t: (t / "stage_00012" / "checkpoint").unlink(),
        "stage_00012 has no file 'checkpoint' that says which step to read",
    ),
    "checkpoint that says nothing": (
        lambda t: (t / "stage_00012" / "checkpoint").write_text("\n"),
        "stage_00012/checkpoint doesn't say model_checkpoint_path",
    ),
    "no stages": (only_experiment, "no stage_NN folder in it"),
    "experiment that isn't JSON": (lambda t: (t / "experiment.json").write_text("{"), "experiment.json is not JSON"),
    "experiment that is a list": (lambda t: (t / "experiment.json").write_text("[]"), "is not a JSON object"),
    "another latent size": (experiment(latent_vector_size=64), "says latent_vector_size 64, the weights have 32"),
    "another start": (experiment(start_width=8), "says start_width 8, the weights have 16"),
    "linear spectrograms": (experiment(data_type="linear"), "says data_type 'linear'; only 'mel' can be read"),
    "a number that is a word": (experiment(sample_rate="fast"), "says sample_rate 'fast', which is no number"),
    "a number that is none": (experiment(sample_rate=float("nan")), "says sample_rate nan, which is no number"),
    "a number beyond all others": (experiment(mag_normalizer_b=10**400), "which is no number that it could be"),
    "a divisor of zero": (experiment(mag_normalizer_a=0), "says mag_normalizer_a 0, by which nothing can be divided"),
    "another divisor of zero": (experiment(p_normalizer_a=0.0), "says p_normalizer_a 0.0, by which nothing can"),
    "experiment nested without end": (
        lambda t: (t / "experiment.json").write_text("[" * 200000),
        "experiment.json is not JSON",
    ),
    "fewer inputs than labels": (few_inputs, "latent_dim: Input should be greater than 0"),
    "no images a stage": (experiment(stable_stage_num_images=0), "should be a whole number above 0"),
    "NaN weights": (change("block_3/conv1", with_nan), "block_3/conv1/kernel holds NaN or infinite weights"),
    "a missing weight": (change("block_3/conv1", lambda k: None), "block_3/conv1/kernel is missing"),
    "a weight of another shape": (
        change("block_2/conv0", lambda k: k[:, :, :-1]),
        "block_2/conv0/kernel has shape (3, 3, 15, 16), should have (3, 3, 16, 16)",
    ),
    "no averages": (
        lambda t: save(t / "stage_00012", {"global_step": np.int64(1)}),
        "it holds no moving averages of GANSynth's generator",
    ),
}


@pytest.mark.parametrize("damage", BAD, ids=str)
def test_a_damaged_checkpoint_is_told_in_one_line_and_the_earlier_pack_stays(tmp_path, tiny, run, damage):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("recipe: 1\nname: Small\npitches: 60\ntimbres: {Glass: 7}\ncheckpoint: ./tiny\n")
    pack = tmp_path / "output" / "small"
    pack.mkdir(parents=True)
    (pack / "earlier.txt").write_text("mine")
    BAD[damage][0](tiny)
    ran = run("build", recipe, "--output", tmp_path / "output")
    assert ran.code == 2
    assert BAD[damage][1] in ran.err and ran.err.count("\n") == 1
    assert "checkpoint './tiny': " in ran.err and "Traceback" not in ran.err
    assert [file.name for file in pack.rglob("*")] == ["earlier.txt"]
    assert [folder.name for folder in (tmp_path / "output").iterdir()] == ["small"]


def bad_zip(tmp_path, name):
    path = tmp_path / "bad.zip"
    if name == "no zip":
        path.write_bytes(b"just bytes" * 100)
    elif name == "truncated":
        whole = zipped(TINY, path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif name == "damaged inside":
        whole = bytearray(zipped(TINY, path).read_bytes())
        with zipfile.ZipFile(path) as archive:
            member = next(m for m in archive.infolist() if ".data-" in m.filename)
        middle = member.header_offset + member.compress_size // 2
        whole[middle : middle + 1000] = bytes(1000)
        path.write_bytes(bytes(whole))
    elif name == "damaged text":
        whole = bytearray(zipped(TINY, path).read_bytes())
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo("experiment.json")
        start = member.header_offset + 30 + len(member.filename)
        whole[start : start + member.compress_size] = b"\xff" * member.compress_size
        path.write_bytes(bytes(whole))
    elif name in ("encrypted", "lzma"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA if name == "lzma" else zipfile.ZIP_STORED) as archive:
            archive.writestr("experiment.json", "{}")
        whole = bytearray(path.read_bytes())
        whole[whole.index(b"PK\x01\x02") + 8] |= name == "encrypted"
        path.write_bytes(bytes(whole))
    elif name == "empty":
        zipfile.ZipFile(path, "w").close()
    elif name == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("experiment.json", b" " * (17 << 20))
            archive.writestr("stage_00000/checkpoint", b"")
    elif name == "link":
        with zipfile.ZipFile(zipped(TINY, path), "a") as archive:
            link = zipfile.ZipInfo("stage_00099")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc")
    elif name == "ten thousand files":
        with zipfile.ZipFile(zipped(TINY, path), "a") as archive:
            for i in range(10_001):
                archive.writestr(f"{i}", b"")
    else:
        with zipfile.ZipFile(zipped(TINY, path), "a") as archive:
            archive.writestr(name, b"x")
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no zip", "neither a folder nor a zip that can be read"),
        ("truncated", "neither a folder nor a zip that can be read"),
        ("damaged inside", "damaged"),
        ("damaged text", "neither a folder nor a zip that can be read"),
        ("encrypted", "the zip is encrypted: experiment.json"),
        ("lzma", "the zip is packed in an unusual way: experiment.json"),
        ("empty", "no stage_NN folder in it"),
        ("bomb", "experiment.json is longer than 16 MiB"),
        ("link", "the zip holds a link: stage_00099"),
        ("ten thousand files", "the zip holds more than 10000 files"),
        ("../escaped", "the zip holds a path that leaves it: ../escaped"),
        ("/etc/escaped", "the zip holds a path that leaves it: /etc/escaped"),
        ("a/..\\..\\escaped", "the zip holds a path that leaves it"),
    ],
)
def test_a_bad_zip_is_told_and_nothing_leaves_it(tmp_path, run, name, told):
    ran = run("checkpoints", "import", bad_zip(tmp_path, name), "mine")
    assert ran.code == 2 and told in ran.err and ran.err.count("\n") == 1
    assert not (tmp_path.parent / "escaped").exists()
    assert "mine" not in library.names()


def test_an_empty_folder_and_no_folder_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    for path, told in (("./empty", "no stage_NN folder"), ("./none", "no such file or folder")):
        with pytest.raises(InputError, match=told):
            library.resolve(path, tmp_path)


def own(tmp_path, damage):
    """A copy of the starter, damaged."""
    folder = shutil.copytree(library.STARTER, tmp_path / "own")
    config = json.loads((folder / CONFIG).read_text())
    damage(folder, config)
    return folder


def rewritten(**changes):
    """A config that says something else, with weights and digest to match."""

    def damage(folder, config):
        from safetensors.numpy import load_file

        tensors = load_file(folder / WEIGHTS)
        write_checkpoint(folder, Config.model_validate({**config, **changes}), tensors)

    return damage


OWN_BAD = {
    "no weights": (lambda f, c: (f / WEIGHTS).unlink(), "cannot read weights.safetensors: No such file or directory"),
    "truncated weights": (
        lambda f, c: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-1]),
        "damaged or edited",
    ),
    "edited config": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({**c, "latent_normalisation": "none"})),
        "damaged or edited",
    ),
    "config that isn't JSON": (lambda f, c: (f / CONFIG).write_text("{"), "config.json is not JSON"),
    "config nested without end": (lambda f, c: (f / CONFIG).write_text("[" * 200000), "config.json is not JSON"),
    "pitches from high to low": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({**c, "pitches": [84, 24]})),
        "config.json: pitches: should be the lowest and the highest pitch, from 0 to 127",
    ),
    "pitches beyond MIDI": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({**c, "pitches": [24, 128]})),
        "config.json: pitches: should be the lowest and the highest pitch, from 0 to 127",
    ),
    "a start of nothing": (rewritten(start=[0, 16]), "config.json: start.0: Input should be greater than 0"),
    "config without a size": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({k: v for k, v in c.items() if k != "latent_dim"})),
        "config.json: latent_dim: Field required",
    ),
    "unknown decoder": (rewritten(decoder={"phase": "guessed"}), "config.json: decoder.phase: Input should be"),
    "other channels": (rewritten(channels=[128, 128, 128, 64, 32, 16, 9]), "block_7/conv0/kernel has shape"),
    "other start": (rewritten(start=[3, 16]), "doesn't divide 128 x 1024"),
}


@pytest.mark.parametrize("damage", OWN_BAD, ids=str)
def test_a_damaged_checkpoint_of_our_own_is_told(tmp_path, damage):
    change, told = OWN_BAD[damage]
    folder = own(tmp_path, change)
    with pytest.raises(InputError) as raised:
        load_model(library.as_native(library.resolve(str(folder), tmp_path)))
    assert told in str(raised.value)


def test_weights_that_are_no_safetensors_file_or_nan_are_told(tmp_path):
    from samplepack.models import checkpoint

    folder = shutil.copytree(library.STARTER, tmp_path / "own")
    absurd = b'{"a":{"dtype":"F32","shape":[1099511627776,1048576],"data_offsets":[0,4]}}'
    for weights, told in (
        (b"\xff" * 100, "is not a safetensors file"),
        (struct.pack("<Q", 1 << 60) + b"{}", "is not a safetensors file"),
        (struct.pack("<Q", len(absurd)) + absurd + bytes(4), "is not a safetensors file"),
        (nan_weights(), "holds NaN"),
    ):
        (folder / WEIGHTS).write_bytes(weights)
        config = json.loads((folder / CONFIG).read_text())
        config["digest"] = checkpoint._digest(Config.model_validate(config), weights)
        (folder / CONFIG).write_text(json.dumps(config))
        with pytest.raises(InputError, match=told):
            load_model(read_checkpoint(folder, "own"))


def nan_weights():
    from safetensors.numpy import load_file, save

    tensors = load_file(library.STARTER / WEIGHTS)
    tensors["templates"][0, 0, 0] = np.nan
    return save(tensors)


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
    assert ran.code == 2 and f"has the digest {opened(tiny).digest}, not {'a' * 64}" in ran.err
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", "", "starter", "-x", "x" * 65])
def test_a_name_that_is_none_or_is_taken_is_refused(tiny, name):
    with pytest.raises(InputError, match="can't be a checkpoint's name|is called 'starter' already"):
        library.import_checkpoint(tiny, name)
