import numpy as np
import pytest

from samplepack.finishing.levels import even_gains_db, matched_gains_db


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
