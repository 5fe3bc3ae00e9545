import pytest

from samplepack.formats.instrument import key_ranges, wheel_ranges


@pytest.mark.parametrize("pitches", [range(36, 85), range(36, 85, 3), [60], [43, 36, 40], [0, 127]])
def test_every_key_plays_exactly_one_sound_and_the_nearest(pitches):
    ranges = key_ranges(pitches)
    assert list(ranges) == sorted(pitches)
    for key in range(128):
        playing = [root for root, keys in ranges.items() if keys.low <= key <= keys.high]
        assert len(playing) == 1
        assert abs(playing[0] - key) == min(abs(pitch - key) for pitch in pitches)


@pytest.mark.parametrize("layers", [2, 3, 5, 8])
def test_at_every_position_of_the_wheel_the_layers_fade_to_one(layers):
    ranges = wheel_ranges(layers)
    assert ranges[0].low == 0 and ranges[-1].high == 127
    for position in range(128):
        gains = []
        for wheel in ranges:
            if wheel.low <= position <= wheel.high:
                rise = (position - wheel.low) / wheel.low_fade if wheel.low_fade else 1.0
                fall = (wheel.high - position) / wheel.high_fade if wheel.high_fade else 1.0
                gains.append(min(rise, fall, 1.0))
        assert sum(gains) == pytest.approx(1.0)
