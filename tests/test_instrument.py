import pytest

from samplepack.instrument import map_keys


@pytest.mark.parametrize("pitches", [range(36, 85), range(36, 85, 3), [60], [36, 40, 43], [0, 127]])
def test_every_key_plays_exactly_one_zone_and_the_nearest(pitches):
    instrument = map_keys("Glass", {pitch: f"{pitch}.wav" for pitch in pitches})
    assert [zone.root for zone in instrument.zones] == list(pitches)
    for key in range(128):
        playing = [zone for zone in instrument.zones if zone.low_key <= key <= zone.high_key]
        assert len(playing) == 1
        assert abs(playing[0].root - key) == min(abs(pitch - key) for pitch in pitches)
