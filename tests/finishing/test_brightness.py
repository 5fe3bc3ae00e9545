"""The cutoff by which samplers darken soft notes."""

import numpy as np
import pedalboard
import pytest

from samplepack.finishing.brightness import even_cutoffs_hz, soft_cutoff_hz
from samplepack.sound.audio import Audio

RATE_HZ = 48000
OPEN_HZ = 20_000.0


def harmonics(f0_hz, slope_db_per_octave, highest_hz=8000.0):
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    numbers = np.arange(1, int(highest_hz / f0_hz) + 1)
    gains = 10 ** (-slope_db_per_octave * np.log2(numbers) / 20)
    waves = gains[:, np.newaxis] * np.sin(2 * np.pi * f0_hz * numbers[:, np.newaxis] * t + numbers[:, np.newaxis])
    return Audio(0.1 * waves.sum(axis=0, keepdims=True).astype(np.float32), RATE_HZ)


def centroid_hz(samples):
    power = np.abs(np.fft.rfft(samples[0] * np.hanning(samples.shape[1]))) ** 2
    return power @ np.fft.rfftfreq(samples.shape[1], 1 / RATE_HZ) / power.sum()


@pytest.mark.parametrize("slope", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("f0_hz", [65.4, 261.6, 1046.5])
def test_a_soft_note_is_much_darker_and_not_silent(f0_hz, slope):
    note = harmonics(f0_hz, slope)
    cutoff_hz = soft_cutoff_hz(note)
    dark = pedalboard.LadderFilter(pedalboard.LadderFilter.Mode.LPF12, cutoff_hz)(note.samples, RATE_HZ)
    assert 150.0 <= cutoff_hz <= 8000.0
    assert centroid_hz(dark) < centroid_hz(note.samples) / 1.3
    assert np.mean(dark**2) > np.mean(note.samples**2) * 10**-1.5


def test_a_brighter_note_is_cut_at_a_higher_frequency():
    assert soft_cutoff_hz(harmonics(261.6, 3.0)) > soft_cutoff_hz(harmonics(261.6, 9.0))


def test_a_sine_and_silence_stay_as_they_are():
    assert soft_cutoff_hz(harmonics(440.0, 6.0, highest_hz=441.0)) == 20_000.0
    assert soft_cutoff_hz(Audio(np.zeros((1, 2 * RATE_HZ), np.float32), RATE_HZ)) == 20_000.0
    assert soft_cutoff_hz(Audio(np.zeros((2, 100), np.float32), RATE_HZ)) == 20_000.0


def test_a_key_that_cannot_be_darkened_has_the_cutoff_of_its_neighbours_unless_most_cannot():
    assert even_cutoffs_hz([800.0, OPEN_HZ, 3200.0], [60, 72, 84]) == pytest.approx([800.0, 1600.0, 3200.0])
    assert even_cutoffs_hz([OPEN_HZ, 1000.0], [60, 72]) == pytest.approx([500.0, 1000.0])
    assert even_cutoffs_hz([OPEN_HZ, 1000.0, OPEN_HZ], [60, 72, 84]) == [OPEN_HZ] * 3
