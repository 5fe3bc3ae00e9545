import numpy as np
import pytest

from samplepack.finishing.envelope import envelope
from samplepack.finishing.loop import find_loops, measure_seam, with_low_tail
from samplepack.sound.audio import Audio
from tests.helpers.tones import tone


def find_loop(audio):
    (looped,) = find_loops([audio], 60)
    return looped


def shaped(audio, gain):
    t = np.arange(audio.samples.shape[1]) / audio.rate_hz
    return Audio((audio.samples * gain(t)).astype(np.float32), audio.rate_hz)


def pad(rate_hz=48000):
    """A tone that beats and swells, as a note of an ensemble does."""
    a, b = tone(57, rate_hz, seconds=4.0), tone(57.04, rate_hz, seconds=4.0)
    return shaped(Audio(a.samples + 0.7 * b.samples, rate_hz), lambda t: 0.5 + 0.2 * np.sin(2 * np.pi * 0.7 * t))


SUSTAINED = {
    "steady": lambda: tone(60, seconds=4.0),
    "low": lambda: tone(36, seconds=4.0),
    "high": lambda: tone(84, seconds=4.0),
    "ensemble": pad,
    "falls a little": lambda: shaped(tone(60, seconds=4.0), lambda t: 10 ** (-2.5 * t / 20)),
    "44.1 kHz": lambda: tone(55, 44100, seconds=4.0),
    "ends at 3.2 s": lambda: tone(60, seconds=3.2),
}


@pytest.mark.parametrize("name", SUSTAINED)
def test_a_sustained_note_loops_without_click_change_or_swell(name):
    audio = SUSTAINED[name]()
    looped = find_loop(audio)
    assert looped.why_not is None and looped.seam.is_good
    loop, samples = looped.loop, looped.audio.samples
    assert 0.4 * audio.rate_hz < loop.start < loop.end < samples.shape[1] == audio.samples.shape[1]
    # Twenty turns as a player makes them: no step larger than the sound's own, and an even level.
    turn = samples[0, loop.start : loop.end + 1]
    assert abs(turn[0] - turn[-1]) <= 1.05 * np.abs(np.diff(turn)).max()
    windows = np.tile(turn, 20)[: 20 * len(turn) // 4800 * 4800].reshape(-1, 4800)
    levels_db = 10 * np.log10((windows**2).mean(axis=1))
    assert levels_db.max() - levels_db.min() < 1.0


@pytest.mark.parametrize("name", SUSTAINED)
def test_the_way_into_the_loop_and_out_to_the_tail_is_smooth(name):
    audio = SUSTAINED[name]()
    looped = find_loop(audio)
    samples, loop = looped.audio.samples[0], looped.loop
    largest = np.abs(np.diff(audio.samples[0])).max()
    for place in (loop.start, loop.end + 1):
        assert np.abs(np.diff(samples[place - 50 : place + 50])).max() < 1.6 * largest
    before = slice(0, int(0.4 * audio.rate_hz) - 1)
    assert np.array_equal(samples[before], audio.samples[0, before])


def test_a_note_that_dies_away_is_held_in_what_is_left_of_it():
    audio = shaped(tone(60, seconds=4.0), lambda t: 10 ** (-12.0 * t / 20))
    looped = find_loop(audio)
    assert looped.seam.is_good and looped.loop.start > 0.4 * 48000 and looped.loop.end < 1.6 * 48000
    at_first = audio.samples[0, 18000:20000].std()
    assert looped.audio.samples[0, looped.loop.start : looped.loop.end].std() == pytest.approx(at_first, rel=0.05)


def test_a_note_that_holds_next_to_nothing_after_its_attack_is_raised():
    audio = shaped(tone(60, seconds=4.0), lambda t: np.maximum(10 ** (-100.0 * t / 20), 10 ** (-24 / 20)))
    looped = find_loop(audio)
    attack, held = (
        looped.audio.samples[0, part].std() for part in (slice(0, 1000), slice(*vars(looped.loop).values()))
    )
    assert 20 * np.log10(held / attack) == pytest.approx(-12.0, abs=2.0) and looped.seam.is_good


def test_a_note_that_comes_back_after_its_loop_is_no_louder_than_the_loop():
    looped = find_loop(shaped(tone(60), lambda t: 10 ** (np.where(t < 1.5, -16 * t, -24 + 40 * (t - 1.5)) / 20)))
    start, end = looped.loop.start, looped.loop.end
    before, after = (envelope(one.audio.samples, 48000) for one in (looped, with_low_tail(looped)))
    loudest = before[start:end].max()
    assert before[end:].max() > 4.0 * loudest and after[end:].max() < 1.5 * loudest
    np.testing.assert_array_equal(with_low_tail(looped).audio.samples[:, : end + 1], looped.audio.samples[:, : end + 1])
    assert with_low_tail(with_low_tail(looped)).loop == looped.loop


def test_a_note_that_dies_before_a_loop_could_begin_ends_unlooped():
    assert find_loop(shaped(tone(60, seconds=4.0), lambda t: t < 1.0)).why_not == "dies"


def test_a_short_note_ends_unlooped():
    assert find_loop(tone(60, seconds=1.0)).why_not == "too short"


def test_a_note_that_never_repeats_ends_unlooped():
    clicks = np.zeros((1, 4 * 48000), np.float32)
    clicks[0, [20000, 50000, 61000, 99000, 104000, 131000]] = 1.0
    assert find_loop(Audio(clicks, 48000)).why_not is not None


def test_a_careless_loop_is_found_out():
    audio = tone(60, seconds=4.0)
    seam = measure_seam(audio.samples[:, 30000:100077], 48000)
    assert seam.flux > 1.3 or seam.step > 8
    swelling = shaped(audio, lambda t: 1 + 0.2 * t)
    assert measure_seam(swelling.samples[:, 48000:96000], 48000).swing_db > 1.0


def test_layers_that_beat_get_one_level_before_their_loop_too():
    beating = tone(72, seconds=4.0)
    beating = shaped(beating, lambda t: 1 + 0.3 * np.cos(2 * np.pi * 8 * t))
    steady, even = (layer.audio.samples[:, 24000:72000] for layer in find_loops([tone(72, seconds=4.0), beating], 72))
    levels_db = [20 * np.log10(envelope(samples, 48000)) for samples in (steady, even)]
    assert all(np.ptp(level) < 0.5 for level in levels_db)


def test_layers_that_are_mixed_loop_at_the_same_frames():
    layers = [tone(60, seconds=4.0, partials=n) for n in (2, 5, 9)]
    looped = find_loops(layers, 60)
    assert len({(layer.loop.start, layer.loop.end) for layer in looped}) == 1
    assert all(layer.seam.is_good for layer in looped)
    assert {layer.why_not for layer in find_loops([layers[0], shaped(layers[1], lambda t: t < 1.0)], 60)} == {"dies"}
