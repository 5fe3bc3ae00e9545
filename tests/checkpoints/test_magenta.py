"""Magenta's checkpoints: good ones in every wrapping, and bad ones."""

import json
import shutil
import stat
import zipfile

import numpy as np
import pytest

from samplepack.checkpoints import library
from samplepack.models.load import load_model
from tests.helpers.magenta import TINY, native, zipped
from tests.helpers.places import FIXTURES


def test_what_was_read_is_told(tiny):
    config = native(tiny).config
    assert config.latent_dim == 32 and config.pitches == (24, 84) and config.sample_rate_hz == 16000
    assert config.provenance == {"imported_from": "Magenta", "stage": 12, "step": 11000000}
    assert config.model_extra["channels"] == [16, 16, 16, 16, 16, 16, 8]
    assert config.model_extra["progress"] == 6.0
    assert native(FIXTURES / "magenta-tiny-transition").config.model_extra["progress"] == 5.5


@pytest.mark.parametrize("name", ["stage_" + "9" * 200, "stage_999999999"])
def test_a_folder_that_counts_beyond_all_stages_is_none(tmp_path, tiny, name):
    path = zipped(tiny, tmp_path / "more.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{name}/checkpoint", b"")
    assert library.resolve(str(path), tmp_path).latent_dim == 32


def test_the_highest_stage_counts_and_an_early_one_has_fewer_blocks(tiny):
    shutil.copytree(tiny / "stage_00012", tiny / "stage_00004")
    assert native(tiny).config.provenance["stage"] == 12
    shutil.rmtree(tiny / "stage_00012")
    early = native(tiny)
    assert early.config.provenance["stage"] == 4
    assert len(early.config.model_extra["channels"]) == 3
    waves = load_model(early).render(np.ones((1, 32), np.float32), np.array([60]))
    assert waves.shape == (1, 64000) and np.isfinite(waves).all()


def test_without_experiment_json_sizes_follow_from_the_weights(tiny):
    (tiny / "experiment.json").unlink()
    assert library.resolve(str(tiny), FIXTURES).latent_dim is None
    assert native(tiny).latent_dim == 32


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
    elif name == "without a state":
        with zipfile.ZipFile(zipped(TINY, tmp_path / "whole.zip")) as whole, zipfile.ZipFile(path, "w") as archive:
            for member in whole.infolist():
                if not member.filename.endswith("/checkpoint"):
                    archive.writestr(member, whole.read(member))
    elif name == "deep":
        with zipfile.ZipFile(zipped(TINY, path), "a") as archive:
            archive.writestr("a/" * 32_000 + "a", b"")
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
        ("without a state", "has no file 'checkpoint' that says which step to read"),
        ("deep", "the zip holds a path that is too long or too deep"),
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
