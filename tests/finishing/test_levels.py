import numpy as np
import pytest

from samplepack.finishing.levels import even_gains_db, limited, matched_gains_db
from samplepack.sound.loudness import true_peak_db
from tests.helpers.tones import tone


@pytest.mark.parametrize("seed", range(5))
def test_neighbouring_keys_end_within_3_db_whatever_they_were(seed):
    loudness = list(np.random.RandomState(seed).uniform(-40, -10, 49))
    gains = even_gains_db(loudness)
    after = np.add(loudness, gains)
    assert np.abs(np.diff(after)).max() <= 3.0


def test_no_key_is_lost_in_a_phrase():
    loudness = [-16.0 - 24.0 * np.sin(np.pi * key / 48) ** 2 + key / 6 for key in range(49)]
    after = np.add(loudness, even_gains_db(loudness))
    assert np.ptp(loudness) > 20.0 and np.ptp(after) <= 12.0 and np.abs(np.diff(after)).max() <= 3.0


def test_an_even_instrument_is_left_as_it_is_and_silent_keys_alone():
    assert even_gains_db([-20.0, -20.5, -20.2]) == [0.0, 0.0, 0.0]
    gains = even_gains_db([-20.0, None, -30.0, -20.0])
    assert gains[1] == 0.0 and gains[2] > 5.0
    assert even_gains_db([None, None]) == [0.0, 0.0]


def test_instruments_end_at_the_loudness_asked_for_but_for_one_whose_own_peaks_forbid_it():
    loudness, peaks = [-20.0, -25.0, None, -14.0, -40.0], [-3.0, -9.0, -200.0, -6.0, -3.0]
    assert matched_gains_db(loudness, peaks, -18.0, -1.0) == [2.0, 7.0, 0.0, -4.0, 2.0]


def test_a_hard_attack_is_limited_and_what_follows_stays():
    audio = tone(60, seconds=1.0)
    audio.samples[:, 1000:1010] *= 12.0
    result = limited(audio, 24000, -4.0)
    assert -5.0 < true_peak_db(result) <= -4.0 < true_peak_db(audio)
    assert np.array_equal(result.samples[:, 2000:], audio.samples[:, 2000:])
    assert np.array_equal(result.samples[:, :400], audio.samples[:, :400])
    assert np.abs(np.diff(result.samples / np.where(audio.samples, audio.samples, 1.0))).max() < 0.1
