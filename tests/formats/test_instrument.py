import numpy as np
import pytest

from samplepack.formats.instrument import key_ranges, path_ranges


@pytest.mark.parametrize("stretch", [0, 12, 127])
@pytest.mark.parametrize("pitches", [range(36, 85), range(36, 85, 3), [60], [43, 36, 40], [0, 127]])
def test_every_key_in_reach_plays_exactly_one_sound_and_the_nearest(pitches, stretch):
    ranges = key_ranges(pitches, stretch)
    assert list(ranges) == sorted(pitches)
    assert min(r.low for r in ranges.values()) == max(0, min(pitches) - stretch)
    assert max(r.high for r in ranges.values()) == min(127, max(pitches) + stretch)
    for key in range(max(0, min(pitches) - stretch), min(128, max(pitches) + stretch + 1)):
        playing = [root for root, keys in ranges.items() if keys.low <= key <= keys.high]
        assert len(playing) == 1
        assert abs(playing[0] - key) == min(abs(pitch - key) for pitch in pitches)


def gains(ranges, position):
    for wheel in ranges:
        rise = (position - wheel.low) / wheel.low_fade if wheel.low_fade else 1.0
        fall = (wheel.high - position) / wheel.high_fade if wheel.high_fade else 1.0
        yield min(rise, fall, 1.0) if wheel.low <= position <= wheel.high else 0.0


@pytest.mark.parametrize("layers", [2, 3, 5, 8])
def test_at_every_position_of_the_wheel_equal_layers_fade_to_one(layers):
    ranges = path_ranges([1.0] * (layers - 1), "wheel")
    assert ranges[0].low == 0 and ranges[-1].high == 127
    for position in range(128):
        assert sum(gains(ranges, position)) == pytest.approx(1.0)


@pytest.mark.parametrize("r", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("layers", [2, 3, 5, 8])
def test_layers_of_any_correlation_cross_at_an_even_level(layers, r):
    ranges, levels = path_ranges([r] * (layers - 1), "wheel"), []
    for position in range(128):
        playing = np.array(list(gains(ranges, position)))
        assert np.count_nonzero(playing) in (1, 2)
        levels.append(10 * np.log10((1 - r) * np.sum(playing**2) + r * np.sum(playing) ** 2))
    # The wheel has whole steps, 18 for each crossfade of eight layers.
    assert np.ptp(levels) < (0.9 if layers <= 5 else 1.2) and np.abs(np.diff(levels)).max() < 0.4
