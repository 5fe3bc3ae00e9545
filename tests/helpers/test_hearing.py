"""The pitch estimator that the tests judge by, on tones of known pitch."""

import numpy as np
import pytest

from samplepack.sound.audio import Audio
from tests.helpers.hearing import cents_between, fundamental_hz
from tests.helpers.tones import tone


def test_an_octave_is_1200_cents():
    assert cents_between(880.0, 440.0) == pytest.approx(1200.0)


@pytest.mark.parametrize("pitch", [24, 36, 48.37, 60, 71.5, 84])
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_the_fundamental_of_a_tone_is_found_within_a_cent(pitch, rate_hz):
    assert abs(cents_between(fundamental_hz(tone(pitch, rate_hz)), 440.0 * 2.0 ** ((pitch - 69) / 12))) < 1.0


def test_a_missing_fundamental_is_heard_all_the_same():
    assert abs(cents_between(fundamental_hz(tone(48, without=(1,))), 440.0 * 2.0 ** ((48 - 69) / 12))) < 1.0


def test_noise_and_silence_have_no_pitch():
    noise = np.random.RandomState(0).standard_normal((1, 96000)).astype(np.float32)
    assert fundamental_hz(Audio(noise, 48000)) is None
    assert fundamental_hz(Audio(np.zeros((1, 96000), np.float32), 48000)) is None
    assert fundamental_hz(Audio(noise[:, :100], 48000)) is None
