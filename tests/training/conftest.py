"""What the tests of training share."""

from functools import partial

import pytest

from samplepack.datasets import dataset as prepared
from tests.helpers.sets import RATE_HZ, SAMPLES, TIMBRES, TINY, tone


def write_training(folder, text=TINY, pitches=range(60, 85, 2), name="tiny.yaml", timbres=TIMBRES):
    """Write a set of instruments and a training, and give the training's path."""
    about = {"title": "Tones", "source": "sines", "license": "CC0", "rate_hz": RATE_HZ, "samples": SAMPLES}
    with prepared.writing(folder / "set", **about) as writer:
        for instrument, tilt in timbres.items():
            for pitch in pitches:
                writer.add(tone(pitch, tilt), instrument=instrument, pitch=pitch, source="sines", cents=0.0)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture
def make_training(tmp_path):
    """`write_training` in the test's own folder."""
    return partial(write_training, tmp_path)


@pytest.fixture(scope="session")
def tiny_training(tmp_path_factory):
    """The path of a training that tests run, but don't change."""
    return write_training(tmp_path_factory.mktemp("tiny"))
