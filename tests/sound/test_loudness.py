import numpy as np
import pytest

from samplepack.sound.audio import Audio
from samplepack.sound.loudness import loudness_lufs, true_peak_db
from tests.helpers.tones import tone


def test_loudness_agrees_with_the_standards_own_figure():
    """ITU-R BS.1770-4: a 997 Hz sine at full scale in one channel measures -3.01 LUFS."""
    t = np.arange(5 * 48000) / 48000
    sine = Audio(np.sin(2 * np.pi * 997 * t).astype(np.float32)[np.newaxis], 48000)
    assert loudness_lufs(sine) == pytest.approx(-3.01, abs=0.05)
    assert loudness_lufs(Audio(np.zeros((1, 48000), np.float32), 48000)) is None
    assert loudness_lufs(tone(60, seconds=0.2)) is None


def test_a_gain_changes_loudness_by_as_much_however_quiet_the_note_is():
    note = tone(60)
    note.samples[:, 48000:] *= np.float32(0.01)
    for gain_db in (-20.0, -60.0, -80.0):
        quieter = Audio(note.samples * np.float32(10 ** (gain_db / 20)), 48000)
        assert loudness_lufs(quieter) == pytest.approx(loudness_lufs(note) + gain_db, abs=0.01)


def test_the_true_peak_between_samples_is_found():
    """A sine at a quarter of the rate, sampled at 45°: its samples reach 0.707, the wave reaches 1."""
    n = np.arange(48000)
    sine = Audio(np.sin(np.pi / 2 * n + np.pi / 4).astype(np.float32)[np.newaxis], 48000)
    assert sine.peak == pytest.approx(0.7071, abs=1e-3)
    assert true_peak_db(sine) == pytest.approx(0.0, abs=0.2)
