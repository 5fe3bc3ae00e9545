import numpy as np
import pytest

from samplepack.finishing.levels import even_gains_db, loudness_lufs, matched_gains_db, true_peak_db
from samplepack.sound.audio import Audio
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


@pytest.mark.parametrize("seed", range(5))
def test_neighbouring_keys_end_within_3_db_whatever_they_were(seed):
    loudness = list(np.random.RandomState(seed).uniform(-40, -10, 49))
    gains = even_gains_db(loudness)
    after = np.add(loudness, gains)
    assert np.abs(np.diff(after)).max() <= 3.0


def test_an_even_instrument_is_left_as_it_is_and_silent_keys_alone():
    assert even_gains_db([-20.0, -20.5, -20.2]) == [0.0, 0.0, 0.0]
    gains = even_gains_db([-20.0, None, -30.0, -20.0])
    assert gains[1] == 0.0 and gains[2] > 5.0
    assert even_gains_db([None, None]) == [0.0, 0.0]


def test_instruments_end_equally_loud_and_none_peaks_too_high():
    loudness, peaks = [-20.0, -25.0, None, -14.0], [-3.0, 0.0, -200.0, -6.0]
    gains = matched_gains_db(loudness, peaks, -1.0)
    after = [value + gain for value, gain in zip(loudness, gains, strict=True) if value is not None]
    assert after == pytest.approx([after[0]] * 3)
    assert max(peak + gain for peak, gain in zip(peaks, gains, strict=True)) == pytest.approx(-1.0)


def test_one_instrument_that_cannot_be_loud_does_not_hold_back_all_others():
    gains = matched_gains_db([-20.0, -20.0, -70.0], [-3.0, -3.0, 0.0], -1.0)
    assert gains[0] > -13.0 and gains[2] == -1.0
