import numpy as np
import pytest

from samplepack.sound.audio import Audio
from samplepack.sound.constant_q import BINS_A_SEMITONE, LOWEST_PITCH, constant_q, highest_pitch


@pytest.mark.parametrize("pitch", [28, 40, 60, 81, 100, 118])
def test_a_sine_has_its_level_in_its_own_bin_at_a_constant_phase(pitch):
    frequency_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    sine = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(3 * 16000) / 16000)
    bins = constant_q(Audio(sine.astype(np.float32)[np.newaxis], 16000), 119)
    assert bins.shape == (285, 900) and bins.dtype == np.complex64
    steady = bins[:, 300:600]
    number = (pitch - LOWEST_PITCH) * BINS_A_SEMITONE
    assert np.argmax(np.abs(steady).mean(axis=1)) == number
    assert np.abs(steady[number]) == pytest.approx(0.5, rel=0.05)
    turns_hz = np.angle(steady[number, 1:] * np.conj(steady[number, :-1])) * 300 / (2 * np.pi)
    assert np.abs(turns_hz).max() < 0.5


@pytest.mark.parametrize(
    ("hz", "rate_hz", "end"),
    [
        (500, 48000, 96),
        (3000, 48000, 108),
        (12000, 48000, 132),
        (15000, 48000, 132),
        (18000, 48000, 135),
        (7000, 16000, 119),
    ],
)
def test_the_bins_reach_as_high_as_the_sound(hz, rate_hz, end):
    time_s = np.arange(2 * rate_hz) / rate_hz
    wave = (np.sin(2 * np.pi * 220 * time_s) + 0.01 * np.sin(2 * np.pi * hz * time_s)) * np.hanning(len(time_s))
    audio = Audio(wave.astype(np.float32)[np.newaxis], rate_hz)
    assert highest_pitch(audio) == end
    level = np.abs(constant_q(audio, end))[:, 300]
    place = round((69 + 12 * np.log2(hz / 440) - LOWEST_PITCH) * BINS_A_SEMITONE)
    assert level[place - 1 : place + 2].max() == pytest.approx(0.01, rel=0.35)


def test_silence_has_bins_too():
    assert highest_pitch(Audio(np.zeros((2, 100), np.float32), 16000)) == 96
