"""Runs: their folders, resuming them, and what they end with."""

import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.base.progress import silent
from samplepack.models.checkpoint import read_checkpoint, read_tensors
from samplepack.training.config import load_training
from samplepack.training.run import network_config, train
from tests.helpers.places import REPOSITORY
from tests.helpers.sets import RECONSTRUCTION, TINY


def trained_in(folder, path, **keywords):
    reports = []
    save_every_s = keywords.pop("save_every_s", 1000.0)
    trained = train(load_training(path), folder, save_every_s, lambda *report: reports.append(report))
    return read_checkpoint(trained.folder, "tiny"), reports


def begin(path, folder, *options):
    """Train in a process of its own: beside graphs of other runs, TensorFlow may round otherwise."""
    command = [sys.executable, "-m", "samplepack", "train", str(path), "--quiet", "--output", str(folder), *options]
    return subprocess.Popen(command, cwd=REPOSITORY)


@pytest.fixture(scope="module")
def whole(tiny_training, tmp_path_factory):
    """The folder of a run from beginning to end."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert begin(tiny_training, folder).wait() == 0
    return folder


def test_a_training_ends_in_a_checkpoint_that_says_where_it_comes_from_and_how_good_it_is(tiny_training, whole):
    checkpoint, run = read_checkpoint(whole / "checkpoint", "tiny"), whole
    assert checkpoint.config.instruments == ["Dark", "Bright"]
    assert checkpoint.config.license == "CC0"
    assert checkpoint.config.provenance["trained_on"] == "Tones"
    card = (checkpoint.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "# tiny" in card and "CC0" in card and "to be judged they need 0.128 s" in card  # notes so short aren't
    assert {file.name for file in run.iterdir()} == {
        "checkpoint",
        "reconstruction.csv",
        "reconstruction.png",
        "run.json",
        "train.yaml",
    }
    with (run / "reconstruction.csv").open(newline="") as file:
        assert [row["images"] for row in csv.DictReader(file)] == ["160"]
    assert train(load_training(tiny_training), run, 1000.0, silent).steps == 0


def test_a_run_that_was_killed_ends_with_the_same_weights(tiny_training, whole, tmp_path):
    killed = tmp_path / "killed"
    process = begin(tiny_training, killed, "--save-every", "1")
    deadline = time.monotonic() + 120.0
    while not (killed / "state.safetensors").is_file() and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "checkpoint").exists()
    assert begin(tiny_training, killed).wait() == 0
    lines = [(folder / "reconstruction.csv").read_text().count("\n") for folder in (killed, whole)]
    assert lines[0] >= lines[1] > 1
    resumed, weights = (read_tensors(read_checkpoint(folder / "checkpoint", "tiny")) for folder in (killed, whole))
    for name, tensor in weights.items():
        np.testing.assert_array_equal(resumed[name], tensor, err_msg=name)


def test_a_training_goes_on_from_a_checkpoint_with_new_instruments_and_an_adversarial_finish(make_training, tmp_path):
    (tmp_path / "LICENSE-first.txt").write_text("a notice")
    text = TINY.replace(RECONSTRUCTION, "images: 9, batch: 3, coarse_share: 0, variety_weight: 0")
    first, _ = trained_in(
        tmp_path / "first", make_training(text + "license: Terms of the first.\nnotices: [LICENSE-first.txt]\n")
    )
    text = """train: 1
name: more
data: set
license: Terms of more.
from: ./first/checkpoint
method: [reconstruction, adversarial]
reconstruction: {images: 9, batch: 3, coarse_share: 0, learning_rate: 0.001}
finish: {images: 12, batch: 3, head_start: 3}
"""
    path = make_training(text, name="more.yaml", timbres={"Middle": 1.0})
    more, reports = trained_in(tmp_path / "more", path)
    assert more.config.instruments == ["Dark", "Bright", "Middle"]
    assert more.config.provenance["from"] == "tiny"
    assert more.config.provenance["method"] == "reconstruction and adversarial"
    assert list(dict.fromkeys(task for task, *_ in reports)) == [
        "analysing notes",
        "fitting Middle (1 of 1 new instruments), steps",
        "reconstruction",
        "adversarial",
    ]
    assert more.config.license == "Terms of more. Terms of the first."
    assert (more.folder / "LICENSE-first.txt").read_text() == "a notice"
    before, after = read_tensors(first), read_tensors(more)
    np.testing.assert_allclose(after["instruments"][:2], before["instruments"], atol=1e-5)
    assert np.abs(after["block_4/conv1/kernel"] - before["block_4/conv1/kernel"]).max() > 0


def test_a_network_of_spectra_follows_reconstruction_and_goes_on_with_new_instruments(make_training, tmp_path, run):
    text = TINY.replace(RECONSTRUCTION, "images: 9, batch: 3, coarse_share: 0, variety_weight: 0")
    learns = "method: [reconstruction, spectra]\n"
    sizes = "spectra: {images: 9, batch: 3, courses: 4, hidden: 8, channels: [8, 8, 8, 8]}\n"
    first, _ = trained_in(tmp_path / "first", make_training(text + learns + sizes))
    assert first.config.provenance["method"] == "reconstruction and spectra"
    assert (tmp_path / "first" / "spectra.csv").is_file()
    more = """train: 1
name: more
data: set
from: ./first/checkpoint
reconstruction: {images: 9, batch: 3, coarse_share: 0}
spectra: {images: 9, batch: 3}
"""
    stays = make_training(more + "method: reconstruction\n", name="stays.yaml")
    ran = run("train", stays, "--output", tmp_path / "refused")
    assert ran.code == 2 and "should be [reconstruction, spectra] or spectra" in ran.err
    second, _ = trained_in(
        tmp_path / "more", make_training(more, name="more.yaml", timbres={"Dark": 2.0, "Middle": 1.0})
    )
    assert second.config.provenance["method"] == "reconstruction and spectra"
    assert second.config.instruments == ["Dark", "Bright", "Middle"]
    before, after = read_tensors(first), read_tensors(second)
    np.testing.assert_array_equal(after["spectra/courses"], before["spectra/courses"])
    for name in ("block_4/conv1/kernel", "spectra/block_4/conv1/kernel"):
        assert 0 < np.abs(after[name] - before[name]).max() < 0.5


def test_random_timbres_become_as_different_as_the_instruments(make_training, tmp_path):
    from samplepack.models.gansynth import GANSynth

    def spread(weight):
        path = make_training(
            TINY.replace(RECONSTRUCTION, f"images: 800, batch: 5, coarse_share: 0, variety_weight: {weight}"),
            name=f"of-{weight}.yaml",
        )
        checkpoint, _ = trained_in(tmp_path / str(weight), path)
        config = network_config(load_training(path))
        network = GANSynth(config, read_tensors(checkpoint))
        z = np.random.default_rng(0).standard_normal((24, 4)).astype("float32")
        magnitude = network.spectrograms(z, np.full(24, 72, np.int32))[..., 0]
        return np.mean([np.sqrt(np.mean((a - b) ** 2)) for i, a in enumerate(magnitude) for b in magnitude[:i]])

    assert spread(1.0) > 1.1 * spread(0.0)


def test_a_run_goes_on_with_its_own_settings_alone(make_training, tmp_path, run):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"run": 1, "digest": "another"}), encoding="utf-8")
    ran = run("train", make_training(), "--output", folder)
    assert ran.code == 2 and "was begun with other settings" in ran.err


def test_a_folder_that_is_no_run_is_left_alone(make_training, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="isn't a training run"):
        train(load_training(make_training()), tmp_path / "run", 1000.0, silent)
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["thesis.txt"]
