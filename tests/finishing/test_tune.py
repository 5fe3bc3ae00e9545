import numpy as np
import pytest

from samplepack.finishing.tune import measure_cents, tune
from samplepack.sound.audio import Audio
from samplepack.sound.partials import measure_partials
from samplepack.sound.pitch import pitch_hz
from tests.helpers.hearing import cents_between, fundamental_hz
from tests.helpers.tones import tone


@pytest.mark.parametrize("pitch", [24, 36, 48, 60, 84])
@pytest.mark.parametrize("off_cents", [-37.0, -2.5, 0.0, 13.0])
def test_a_note_that_is_off_is_put_in_tune_within_a_tenth_of_a_cent(pitch, off_cents):
    tuned, found = tune(tone(pitch + off_cents / 100, 16000), pitch)
    assert found.state == "corrected" and found.cents == pytest.approx(off_cents, abs=0.05)
    assert measure_cents(measure_partials(tuned, pitch)).cents == pytest.approx(0.0, abs=0.1)
    assert cents_between(fundamental_hz(tuned), pitch_hz(pitch)) == pytest.approx(0.0, abs=1.0)


def test_a_partial_that_is_off_alone_is_pulled_into_place_and_the_others_stay():
    t = np.arange(3 * 16000) / 16000
    f0 = pitch_hz(42)
    off = [20.0, 0.0, 0.0, -6.0, 0.0, 0.0]
    wave = sum(np.sin(2 * np.pi * k * f0 * 2 ** (c / 1200) * t) / k for k, c in enumerate(off, start=1))
    tuned, found = tune(Audio(0.3 * wave.astype(np.float32)[np.newaxis], 16000), 42)
    assert found.cents == pytest.approx(0.0, abs=0.1)
    partials = measure_partials(tuned, 42)
    assert [p.cents for p in partials[:6]] == pytest.approx([0.0] * 6, abs=0.1)
    gains = np.array([p.gain for p in partials[:6]])
    assert gains == pytest.approx(1 / np.arange(1, 7), rel=0.03)


@pytest.mark.parametrize("off_cents", [-55.0, 55.0])
def test_a_partial_beyond_the_reach_of_a_note_that_is_far_off_is_pulled_too(off_cents):
    t = np.arange(3 * 16000) / 16000
    cents = off_cents + np.array([0.0, np.copysign(20.0, off_cents), 0.0, 0.0])
    wave = sum(np.sin(2 * np.pi * k * pitch_hz(60) * 2 ** (c / 1200) * t) / k for k, c in enumerate(cents, start=1))
    tuned, found = tune(Audio(0.3 * wave.astype(np.float32)[np.newaxis], 16000), 60)
    assert found.cents == pytest.approx(off_cents, abs=0.1)
    assert [p.cents for p in measure_partials(tuned, 60)[:4]] == pytest.approx([0.0] * 4, abs=0.2)


def test_a_missing_fundamental_is_no_hindrance():
    tuned, found = tune(tone(48.1, 16000, without=(1,)), 48)
    assert found.cents == pytest.approx(10.0, abs=0.05)
    assert measure_cents(measure_partials(tuned, 48)).cents == pytest.approx(0.0, abs=0.1)


def test_noise_silence_and_partials_that_do_not_agree_are_left_and_said_so():
    noise = Audio(np.random.RandomState(0).standard_normal((1, 48000)).astype(np.float32), 16000)
    silence = Audio(np.zeros((1, 48000), np.float32), 16000)
    t = np.arange(3 * 16000) / 16000
    cents = [-60.0, 0.0, 55.0]
    bell = sum(np.sin(2 * np.pi * k * pitch_hz(60) * 2 ** (c / 1200) * t) for k, c in enumerate(cents, start=1))
    bell = Audio(bell.astype(np.float32)[np.newaxis], 16000)
    for audio, state in ((noise, "noisy"), (silence, "noisy"), (bell, "inharmonic")):
        left, found = tune(audio, 60)
        assert found.state == state and left is audio
