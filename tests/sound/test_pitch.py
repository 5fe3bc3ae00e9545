import numpy as np
import pytest

from samplepack.sound.audio import Audio
from samplepack.sound.pitch import estimate_pitch, pitch_hz
from tests.helpers.hearing import cents_between, fundamental_hz
from tests.helpers.tones import tone


def test_a4_is_440_hz_and_an_octave_doubles():
    assert pitch_hz(69) == 440.0 and pitch_hz(81) == pytest.approx(880.0)


def bar(pitch, rate_hz=16000):
    """Like a music box's: the high partial is no harmonic."""
    t = np.arange(2 * rate_hz) / rate_hz
    wave = sum(g * np.sin(2 * np.pi * r * pitch_hz(pitch) * t) for r, g in ((1, 0.5), (4.0, 0.02), (21.7, 0.1)))
    return Audio(wave.astype(np.float32)[np.newaxis], rate_hz)


@pytest.mark.parametrize("sound", [*(tone(p, 16000) for p in (24, 48.37, 84)), tone(60, partials=1)])
def test_the_pitch_that_is_heard_is_the_fundamental_s(sound):
    reference_hz = fundamental_hz(sound)
    estimate = estimate_pitch(sound)
    assert estimate.aperiodicity < 0.1 and abs(cents_between(estimate.frequency_hz, reference_hz)) < 3.0


def test_a_bar_s_high_partial_does_not_draw_the_pitch_to_another_key():
    for pitch in range(24, 65, 8):
        assert abs(estimate_pitch(bar(pitch)).cents_above(pitch)) < 25.0


def test_no_pitch_is_heard_in_silence_and_none_surely_in_noise():
    noise = np.random.RandomState(0).standard_normal((1, 96000)).astype(np.float32)
    assert estimate_pitch(Audio(noise, 48000)).aperiodicity > 0.2
    assert estimate_pitch(Audio(np.zeros((1, 96000), np.float32), 48000)) is None
    assert estimate_pitch(Audio(noise[:, :100], 48000)) is None
