"""What the tests of training share."""

import pytest

from samplepack.datasets import dataset as prepared
from tests.helpers.sets import RATE_HZ, SAMPLES, TIMBRES, TINY, tone


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
