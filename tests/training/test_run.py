import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.base.progress import silent
from samplepack.datasets import dataset as prepared
from samplepack.models.checkpoint import read_checkpoint, read_tensors
from samplepack.sound.pitch import pitch_hz
from samplepack.training.config import load_training
from samplepack.training.run import network_config, train
from tests.helpers.places import REPOSITORY

SAMPLES, RATE_HZ = 1200, 16000
"""Notes as short as a network of four blocks spans."""

TINY = """train: 1
name: tiny
data: set
network: {latent_dim: 4, channels: [8, 8, 8, 8], pitches: [60, 84]}
reconstruction: {images: 160, batch: 4, coarse_share: 0.5}
"""


TIMBRES = {"Dark": 2.0, "Bright": 0.5}
"""Name → how fast the harmonics fall."""


def tone(pitch, tilt):
    """A note whose harmonics fall with their number, float32."""
    time_s = np.arange(SAMPLES) / RATE_HZ
    harmonics = range(1, int(7900 / pitch_hz(pitch)) + 1)
    return sum(np.sin(2 * np.pi * pitch_hz(pitch) * k * time_s) / k**tilt for k in harmonics).astype("float32")


@pytest.fixture
def make_training(tmp_path):
    """Write a set of instruments and a training, and give the training's path."""

    def make(text=TINY, pitches=range(60, 85, 2), name="tiny.yaml", timbres=TIMBRES):
        about = {"title": "Tones", "source": "sines", "license": "CC0", "rate_hz": RATE_HZ, "samples": SAMPLES}
        with prepared.writing(tmp_path / "set", **about) as writer:
            for instrument, tilt in timbres.items():
                for pitch in pitches:
                    writer.add(tone(pitch, tilt), instrument=instrument, pitch=pitch, source="sines", cents=0.0)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return make


def trained_in(folder, path, **keywords):
    reports = []
    save_every_s = keywords.pop("save_every_s", 1000.0)
    trained = train(load_training(path), folder, save_every_s, lambda *report: reports.append(report))
    return read_checkpoint(trained.folder, "tiny"), reports


def test_a_training_ends_in_a_checkpoint_that_says_where_it_comes_from_and_how_good_it_is(make_training, tmp_path, run):
    path = make_training()
    checkpoint, _ = trained_in(tmp_path / "run", path)
    assert checkpoint.config.instruments == ["Dark", "Bright"]
    assert checkpoint.config.license == "CC0"
    assert checkpoint.config.provenance["trained_on"] == "Tones"
    card = (checkpoint.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "# tiny" in card and "CC0" in card and "to be judged they need 2048" in card  # notes so short aren't
    assert {file.name for file in (tmp_path / "run").iterdir()} == {
        "checkpoint",
        "reconstruction.csv",
        "reconstruction.png",
        "run.json",
        "train.yaml",
    }
    with (tmp_path / "run" / "reconstruction.csv").open(newline="") as file:
        assert [row["images"] for row in csv.DictReader(file)] == ["160"]
    assert train(load_training(path), tmp_path / "run", 1000.0, silent).steps == 0


def test_a_run_that_was_killed_ends_with_the_same_weights(make_training, tmp_path):
    path = make_training(TINY.replace("images: 160", "images: 800"))

    def begin(folder):
        command = [sys.executable, "-m", "samplepack", "train", str(path), "--quiet"]
        command += ["--output", str(tmp_path / folder), "--save-every", "1"]
        return subprocess.Popen(command, cwd=REPOSITORY)

    process = begin("killed")
    deadline = time.monotonic() + 120.0
    while not (tmp_path / "killed" / "state.safetensors").is_file() and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "checkpoint").exists()
    both = [begin("killed"), begin("whole")]
    assert [process.wait() for process in both] == [0, 0]
    images = [(tmp_path / folder / "reconstruction.csv").read_text().count("\n") for folder in ("killed", "whole")]
    assert images[0] >= images[1] > 1
    resumed, whole = (read_tensors(read_checkpoint(tmp_path / f / "checkpoint", "tiny")) for f in ("killed", "whole"))
    for name, tensor in whole.items():
        np.testing.assert_array_equal(resumed[name], tensor, err_msg=name)


@pytest.fixture
def trainer(make_training, tmp_path):
    """A trainer by reconstruction on the two instruments, and its state at the beginning."""
    from samplepack.training.reconstruction import ReconstructionTrainer, coarse_block
    from samplepack.training.settings import ReconstructionSettings
    from samplepack.training.spectrograms import analyse

    loaded = load_training(make_training())
    config, notes = network_config(loaded), loaded.dataset.contents.notes
    times = 2 ** (len(config.channels) - coarse_block(config))
    spectrograms = analyse(loaded.dataset, config, times, tmp_path / "spectrograms.npy", lambda done: None)
    instruments = np.array([config.instruments.index(note.instrument) for note in notes])
    labels = np.array([note.pitch - 60 for note in notes])
    settings = ReconstructionSettings(images=64, batch=4, coarse_share=0.0)
    made = ReconstructionTrainer(config, settings, spectrograms, np.arange(len(notes)), instruments, labels, seed=3)
    return made, made.start(None)


def test_a_training_goes_on_from_a_checkpoint_with_new_instruments_and_an_adversarial_finish(make_training, tmp_path):
    first, _ = trained_in(tmp_path / "first", make_training())
    text = """train: 1
name: more
data: set
from: ./first/checkpoint
method: [reconstruction, adversarial]
reconstruction: {images: 32, batch: 4, coarse_share: 0, learning_rate: 0.001}
finish: {images: 16, batch: 4, head_start: 4}
"""
    path = make_training(text, name="more.yaml", timbres={"Middle": 1.0})
    more, reports = trained_in(tmp_path / "more", path)
    assert more.config.instruments == ["Dark", "Bright", "Middle"]
    assert more.config.provenance["from"] == "tiny"
    assert more.config.provenance["method"] == "reconstruction and adversarial"
    assert list(dict.fromkeys(task for task, *_ in reports)) == ["analysing notes", "reconstruction", "adversarial"]
    before, after = read_tensors(first), read_tensors(more)
    np.testing.assert_allclose(after["instruments"][:2], before["instruments"], atol=1e-5)
    assert np.abs(after["block_4/conv1/kernel"] - before["block_4/conv1/kernel"]).max() > 0


def test_what_is_learned_on_a_crop_is_what_the_whole_network_makes_there(trainer):
    from samplepack.models.generator import fold, next_block, to_rgb

    trainer, state = trainer
    weights = {name.removeprefix("weights/"): w for name, w in state.items() if name.startswith("weights/")}
    batch = trainer._shards(trainer._batch(5))[1]
    code = np.asarray(trainer_code(weights, batch))
    folded = fold(weights, trainer.config.channels)
    _, x = trainer._coarse(folded, code, batch)
    crop = np.asarray(trainer._crop_image(folded, x, batch))
    labels = batch["one_hot"].argmax(axis=1)
    for number in (3, 4):
        seen = trainer._templates[number][labels]
        x = next_block(folded, number, x, seen)
    whole = np.asarray(to_rgb(folded, 4, x, seen))
    cells = batch["cells"][:, 0, 0] % (4 * 32)
    judged = 0
    for note in range(len(labels)):
        frame, bin_ = cells[note] // 32 * 4, cells[note] % 32 * 4
        there = whole[note, frame : frame + crop.shape[1], bin_ : bin_ + crop.shape[2]]
        counts = batch["counts"][note] > 0
        judged += counts.sum()
        np.testing.assert_allclose(crop[note][counts], there[counts], atol=2e-5)
        real = trainer.spectrograms.images[np.flatnonzero(labels[note] == trainer.labels)]
        assert any(
            np.array_equal(batch["images"][note], r[frame : frame + crop.shape[1], bin_ : bin_ + crop.shape[2]])
            for r in real
        )
    assert judged > 0


def trainer_code(weights, batch):
    """The code of a batch, in plain NumPy."""
    z = weights["mean"][batch["instrument"]] + np.exp(weights["log_sigma"][batch["instrument"]]) * batch["noise"]
    z = z / np.sqrt(np.mean(z**2, axis=-1, keepdims=True))
    code = np.concatenate([z, batch["one_hot"]], axis=-1)
    return code / np.sqrt(np.mean(code**2, axis=-1, keepdims=True) + 1e-8)


def test_the_loss_is_what_its_formula_says(trainer):
    trainer, _ = trainer
    random = np.random.RandomState(0)
    made, real = random.uniform(-1, 1, (2, 1, 5, 6, 2)).astype("float32")
    counts = np.ones((1, 5, 6), "float32")
    counts[:, 0] = counts[:, :, :2] = 0.0  # a whole frame, and the margin of all others
    batch = {"loudest": np.float32(0.9)}
    a, p = 0.0661371661726, 0.8
    least = 0.9 - a * 6.5 * np.log(10)
    level = np.clip((real[..., 0] - least) / (0.9 - least), 0, 1)
    weight = (1 + 3.0 * level**4) * counts
    apart = np.where(real[..., 0] > least, abs(made[..., 0] - real[..., 0]), np.maximum(made[..., 0] - least, 0))
    half_a_db = a * 0.05 * np.log(10)
    squares = (apart**2 * weight).sum(axis=2)[0, 1:] / weight.sum(axis=2)[0, 1:]
    magnitude = np.sqrt(squares + half_a_db**2).mean()
    turned = 1 - np.cos(np.pi * (made[..., 1] - real[..., 1]) / p)
    frequency = (turned * level**2 * counts).sum() / (level**2 * counts).sum()
    np.testing.assert_allclose(trainer._distance(made, real, batch, counts), (magnitude, frequency), rtol=1e-4)


def test_the_frequency_of_silence_costs_nothing_and_divides_by_nothing(trainer):
    trainer, _ = trainer
    silence = np.full((1, 4, 4, 2), -0.9, "float32")
    _, frequency = trainer._distance(silence * 0.5, silence, {"loudest": np.float32(0.9)})
    assert float(frequency) == 0.0


def test_random_timbres_are_judged_by_their_energy_distance_from_instruments_at_the_same_pitch(trainer):
    from samplepack.models.generator import fold

    trainer, state = trainer
    weights = {name.removeprefix("weights/"): w for name, w in state.items() if name.startswith("weights/")}
    shard = trainer._shards(trainer._batch(0))[0]
    label = shard["random_one_hot"].argmax(axis=1)[0]
    assert (shard["random_one_hot"].argmax(axis=1) == label).all()
    at_the_pitch = trainer.spectrograms.coarse[trainer.labels == label][..., 0].astype("float32")
    assert all(any(np.array_equal(other, note) for note in at_the_pitch) for other in shard["others"])
    folded = fold(weights, trainer.config.channels)
    z = shard["random"] / np.sqrt(np.mean(shard["random"] ** 2, axis=-1, keepdims=True))
    code = np.concatenate([z, shard["random_one_hot"]], axis=-1)
    code = code / np.sqrt(np.mean(code**2, axis=-1, keepdims=True) + 1e-8)
    images, _ = trainer._coarse(folded, code, {"templates_2": shard.get("random_templates_2")})
    made = np.asarray(images)[..., 0]

    def apart(one, other):
        return np.sqrt(np.mean((one - other) ** 2) + 1e-6)

    expected = 2 * np.mean([apart(m, o) for m in made for o in shard["others"]]) - apart(made[0], made[1])
    np.testing.assert_allclose(trainer._energy_distance(folded, shard), expected, rtol=1e-4)


def test_random_timbres_become_as_different_as_the_instruments(make_training, tmp_path):
    from samplepack.models.gansynth import GANSynth

    def spread(weight):
        path = make_training(
            TINY.replace("images: 160", f"images: 640, variety_weight: {weight}"), name=f"of-{weight}.yaml"
        )
        checkpoint, _ = trained_in(tmp_path / str(weight), path)
        config = network_config(load_training(path))
        network = GANSynth(config, read_tensors(checkpoint))
        z = np.random.default_rng(0).standard_normal((24, 4)).astype("float32")
        magnitude = network.spectrograms(z, np.full(24, 72, np.int32))[..., 0]
        return np.mean([np.sqrt(np.mean((a - b) ** 2)) for i, a in enumerate(magnitude) for b in magnitude[:i]])

    assert spread(1.0) > 1.1 * spread(0.0)


def test_the_loss_falls(trainer):
    trainer, state = trainer
    told = []
    for step in range(trainer.steps):
        state, terms = trainer.step(state, step)
        told.append(float(terms["magnitude"]))
    assert np.mean(told[-4:]) < 0.75 * np.mean(told[:4])


def test_a_network_that_is_too_soft_is_made_louder(make_training):
    from samplepack.training.calibration import calibrated
    from samplepack.training.spectrograms import analysed

    loaded = load_training(make_training())
    config, notes = network_config(loaded), np.arange(4)
    images = analysed(config, np.stack([loaded.dataset.wave(note) for note in notes]))
    as_is = calibrated(config, loaded.dataset, notes, images)
    two_db = config.normaliser.magnitude[0] * np.log(10.0) * 0.2
    images[..., 0] -= two_db
    louder = calibrated(config, loaded.dataset, notes, images)
    np.testing.assert_allclose(louder.magnitude, (as_is.magnitude[0], as_is.magnitude[1] - two_db))
    assert louder.frequency == config.normaliser.frequency


def test_jax_takes_the_same_step(trainer, tmp_path):
    trainer, state = trainer
    batch = trainer._batch(0)
    np.savez(tmp_path / "state.npz", **{name.replace("/", "|"): tensor for name, tensor in state.items()})
    np.savez(tmp_path / "batch.npz", **batch)
    (tmp_path / "config.json").write_text(trainer.config.model_dump_json(), encoding="utf-8")
    code = """
import sys, numpy as np
from pathlib import Path
from samplepack.models.config import GANSynthConfig
from samplepack.training.reconstruction import ReconstructionTrainer
from samplepack.training.settings import ReconstructionSettings
from samplepack.training.spectrograms import Spectrograms
folder = Path(sys.argv[1])
state = {name.replace("|", "/"): array for name, array in np.load(folder / "state.npz").items()}
batch = dict(np.load(folder / "batch.npz"))
config = GANSynthConfig.model_validate_json((folder / "config.json").read_text())
none = np.zeros(1, int)
spectrograms = Spectrograms(none, none, none)
trainer = ReconstructionTrainer(config, ReconstructionSettings(images=64, batch=4), spectrograms, none, none, none, 3)
state, terms = trainer._step(state, batch)
np.savez(folder / "jax.npz", **{name.replace("/", "|"): np.asarray(tensor) for name, tensor in state.items()})
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    stepped, _ = trainer._step(state, batch)
    with np.load(tmp_path / "jax.npz") as by_jax:
        for name, tensor in stepped.items():
            if name.startswith("adam/"):
                scale = np.abs(tensor).max() + 1e-12
                np.testing.assert_allclose(by_jax[name.replace("/", "|")] / scale, tensor / scale, atol=1e-3)


BAD = [
    ("train: 1\nname: tiny\n", "tiny.yaml:1:1: 'data' is missing"),
    (TINY + "seeed: 1\n", "tiny.yaml:6:1: unknown key 'seeed'; did you mean 'seed'?"),
    (TINY.replace("data: set", "data: sat"), "is no prepared set: it has no dataset.json"),
    (TINY + "method: adverserial\n", "should be 'reconstruction' or 'adversarial'"),
    (TINY + "method: [adversarial, reconstruction]\n", "tiny.yaml:6:9: method: should be reconstruction, adversarial"),
    (TINY + "from: starter\n", "`network` is the sizes of a new network; with `from`, those of the checkpoint hold"),
    (TINY.replace("images: 160", "images: 0"), "tiny.yaml:5:26: reconstruction.images: should be greater than 0"),
    (TINY.replace("[60, 84]", "[84, 60]"), "network.pitches: should be the lowest and the highest pitch"),
    (TINY.replace("name: tiny", "name: ../tiny"), "tiny.yaml:2:7: name:"),
    (TINY + "notices: [LICENSE]\n", "tiny.yaml:6:11: there is no file LICENSE"),
    (
        TINY.replace("channels: [8, 8, 8, 8]", "channels: [8, 8, 8]"),
        "its notes have 1200 samples, but the network spans",
    ),
    (TINY.replace("[60, 84]", "[24, 50]"), "has no note from 24 to 50"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_with_a_training_is_told_before_it_begins(text, message, make_training, tmp_path, run):
    ran = run("train", make_training(text), "--output", tmp_path / "run")
    assert ran.code == 2
    assert message in ran.err and "Traceback" not in ran.err
    assert not (tmp_path / "run" / "checkpoint").exists()


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
