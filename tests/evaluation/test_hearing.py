import sys

import numpy as np
import pytest

from samplepack.base.errors import SamplepackError
from samplepack.evaluation import hearing
from samplepack.sound.pitch import pitch_hz

RATE_HZ = 16000
pytest.importorskip("zimtohrli", reason="there is no Zimtohrli for this machine")


def tone(pitch, brightness=0.5, seconds=1.0, rate_hz=RATE_HZ):
    numbers = np.arange(1, min(20, int(rate_hz / 2 / pitch_hz(pitch))))[:, np.newaxis]
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    wave = (brightness**numbers * np.sin(2 * np.pi * numbers * pitch_hz(pitch) * time_s)).sum(axis=0)
    return (0.8 * wave / np.abs(wave).max()).astype("float32")


def test_the_same_note_has_the_highest_score_at_any_level():
    assert hearing.score(tone(60), tone(60), RATE_HZ) == 5.0
    assert hearing.score(tone(60), 0.1 * tone(60), RATE_HZ) == pytest.approx(5.0, abs=0.001)
    assert hearing.score(0.1 * tone(60), tone(60), RATE_HZ) == pytest.approx(5.0, abs=0.001)


def test_a_note_less_alike_has_a_lower_score():
    noise = np.random.default_rng(0).standard_normal(RATE_HZ).astype("float32")
    others = [tone(60, 0.55), tone(60, 0.7), tone(60, 0.9), noise, np.zeros(RATE_HZ, "float32")]
    scores = [hearing.score(tone(60), other, RATE_HZ) for other in others]
    assert scores[0] > 4.0 and scores[3] < 2.5 and scores[4] == 1.0
    assert scores == sorted(scores, reverse=True)


def test_any_rate_and_length_is_heard():
    assert hearing.score(tone(60, rate_hz=44100), tone(60, rate_hz=44100), 44100) == 5.0
    for seconds in (0.0, 0.001, 0.05, 0.3):
        short = tone(60)[: int(seconds * RATE_HZ)]
        assert hearing.score(short, short, RATE_HZ) == 5.0
        assert 1.0 <= hearing.score(tone(60), short, RATE_HZ) < 5.0


def test_levels_are_those_of_the_real_note():
    real, made = hearing.at_equal_level(0.01 * tone(60), 3.0 * tone(72, 0.8))
    assert np.abs(real).max() == pytest.approx(0.8)
    assert np.mean(made**2) == pytest.approx(np.mean(real**2), rel=1e-4)


def test_without_zimtohrli_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    with pytest.raises(SamplepackError, match="needs Zimtohrli: pip install zimtohrli"):
        hearing.score(tone(60), tone(60), RATE_HZ)
