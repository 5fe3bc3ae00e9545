import numpy as np
import pytest

from samplepack.sound.audio import Audio
from samplepack.sound.partials import Partials, measure_partials
from tests.helpers.tones import tone


@pytest.mark.parametrize("pitch", [36, 60, 84])
@pytest.mark.parametrize("off_cents", [-60.0, 0.0, 12.5])
def test_partials_of_a_steady_tone_are_found_within_a_fiftieth_of_a_cent(pitch, off_cents):
    partials = measure_partials(tone(pitch + off_cents / 100, partials=6), pitch)
    assert [p.number for p in partials[:6]] == [1, 2, 3, 4, 5, 6] and all(p.is_clear for p in partials[:6])
    assert [p.cents for p in partials[:6]] == pytest.approx([off_cents] * 6, abs=0.02)
    assert [p.gain for p in partials[:6]] == pytest.approx([1 / k for k in range(1, 7)], rel=0.05)


def test_a_short_or_silent_sound_has_no_partials():
    assert measure_partials(tone(60, seconds=0.3), 60) == []
    assert measure_partials(Audio(np.zeros((1, 48000), np.float32), 48000), 60) == []


def test_a_partial_turned_by_half_a_turn_is_taken_away_with_the_original_and_the_others_stay():
    note = tone(60, 16000, partials=3)
    spectrum = Partials(note.samples, 16000, 60)
    spectrum.turn(2, lambda bands: np.full(bands.shape[1], -1.0 + 0j))
    both = Audio(note.samples + spectrum.wave(), 16000)
    gains = [partial.gain for partial in measure_partials(both, 60)[:3]]
    assert gains == pytest.approx([1.0, 0.0, 1 / 3], abs=0.01)
