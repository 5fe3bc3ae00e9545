"""The YAML of a training, and what may be wrong with it."""

import pytest

from tests.helpers.sets import TINY

BAD = [
    ("train: 1\nname: tiny\n", "tiny.yaml:1:1: 'data' is missing"),
    (TINY + "seeed: 1\n", "tiny.yaml:6:1: unknown key 'seeed'; did you mean 'seed'?"),
    (TINY.replace("data: set", "data: sat"), "is no prepared set: it has no dataset.json"),
    (TINY + "method: adverserial\n", "should be 'reconstruction', 'spectra' or 'adversarial'"),
    (TINY + "method: [adversarial, reconstruction]\n", "tiny.yaml:6:9: method: should be reconstruction, [rec"),
    (TINY + "method: spectra\n", "the method `spectra` needs a network that was trained before: name it with `from`"),
    (
        TINY + "method: [reconstruction, spectra]\nspectra: {channels: [8, 8, 8, 8, 8, 8, 8, 8, 8]}\n",
        "tiny.yaml:7:21: 9 blocks grow 1 bins to 256, which should be 128",
    ),
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
