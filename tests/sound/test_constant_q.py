import numpy as np
import pytest

from samplepack.sound.audio import Audio
from samplepack.sound.constant_q import BINS_A_SEMITONE, LOWEST_PITCH, constant_q


@pytest.mark.parametrize("pitch", [40, 60, 81])
def test_a_sine_has_its_level_in_its_own_bin_at_a_constant_phase(pitch):
    frequency_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    sine = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(3 * 16000) / 16000)
    bins = constant_q(Audio(sine.astype(np.float32)[np.newaxis], 16000))
    assert bins.shape == (180, 900) and bins.dtype == np.complex64
    steady = bins[:, 300:600]
    number = (pitch - LOWEST_PITCH) * BINS_A_SEMITONE
    assert np.argmax(np.abs(steady).mean(axis=1)) == number
    assert np.abs(steady[number]) == pytest.approx(0.5, rel=0.05)
    turns_hz = np.angle(steady[number, 1:] * np.conj(steady[number, :-1])) * 300 / (2 * np.pi)
    assert np.abs(turns_hz).max() < 0.5
