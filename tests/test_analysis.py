import numpy as np
import pytest
from hearing import cents_between, fundamental_hz

from samplepack.analysis import pitch_hz
from samplepack.audio import Audio


def tone(pitch, rate_hz=48000, partials=8, seconds=3.0, without=()):
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    f0 = pitch_hz(pitch)
    wanted = [k for k in range(1, partials + 1) if k not in without and k * f0 < rate_hz / 2]
    wave = sum(np.sin(2 * np.pi * k * f0 * t + k) / k for k in wanted)
    return Audio(0.3 * wave.astype(np.float32)[np.newaxis], rate_hz)


def test_a4_is_440_hz_and_an_octave_doubles():
    assert pitch_hz(69) == 440.0 and pitch_hz(81) == pytest.approx(880.0)
    assert cents_between(880.0, 440.0) == pytest.approx(1200.0)


@pytest.mark.parametrize("pitch", [24, 36, 48.37, 60, 71.5, 84])
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_the_fundamental_of_a_tone_is_found_within_a_cent(pitch, rate_hz):
    assert abs(cents_between(fundamental_hz(tone(pitch, rate_hz)), pitch_hz(pitch))) < 1.0


def test_a_missing_fundamental_is_heard_all_the_same():
    assert abs(cents_between(fundamental_hz(tone(48, without=(1,))), pitch_hz(48))) < 1.0


def test_noise_and_silence_have_no_pitch():
    noise = np.random.RandomState(0).standard_normal((1, 96000)).astype(np.float32)
    assert fundamental_hz(Audio(noise, 48000)) is None
    assert fundamental_hz(Audio(np.zeros((1, 96000), np.float32), 48000)) is None
    assert fundamental_hz(Audio(noise[:, :100], 48000)) is None
