import numpy as np
import pytest

from samplepack.finishing.behaviour import (
    Course,
    behaviour_of,
    course,
    decaying_together,
    even_slopes,
    settled,
    sloped,
    uneven,
)
from samplepack.sound.audio import Audio
from tests.helpers.tones import tone


def falling(db_per_s, pitch=60):
    audio = tone(pitch, 16000, seconds=4.0)
    t = np.arange(audio.samples.shape[1]) / 16000
    return Audio((audio.samples * 10 ** (-db_per_s * t / 20)).astype(np.float32), 16000)


def test_the_course_of_a_note_that_falls_evenly():
    assert course(falling(20.0)).decay_s == pytest.approx(1.0, abs=0.05)
    assert course(falling(10.0)).decay_s == pytest.approx(2.0, rel=0.03)  # goes on beyond the 2.8 s that are measured
    assert course(falling(5.0)).decay_s == pytest.approx(4.0, rel=0.08)
    assert course(falling(10.0)).fall_db == pytest.approx(26.5, abs=1.0)
    assert course(falling(0.0)).fall_db == pytest.approx(0.0, abs=0.2)


def test_a_note_that_rings_on_near_the_level_where_it_has_decayed_has_nearly_the_same_decay_on_either_side_of_it():
    levels = [
        np.where(np.arange(560) < 60, -np.arange(560) / 60 * rings_at_db, -rings_at_db) for rings_at_db in (19, 21)
    ]
    above, below = (Course(level.astype(np.float32)).decay_s for level in levels)
    assert above == pytest.approx(below, rel=0.15)


def test_a_note_that_decays_does_not_come_back_but_may_beat():
    t = np.arange(64000) / 16000
    beats = falling(8.0)
    beats.samples[:] *= (0.6 + 0.4 * np.cos(2 * np.pi * 2.0 * t)).astype(np.float32)
    assert course(settled(beats)).decay_s == pytest.approx(course(beats).decay_s, rel=0.02)
    back = falling(16.0)
    back.samples[:, 32000:48000] *= 10 ** (np.linspace(0.0, 60.0, 16000, dtype=np.float32) / 20)
    kept = settled(back)
    assert behaviour_of([[course(back)]], "auto") == "decay"
    assert course(back).level_db[-1] > -5.0 and course(kept).level_db[-1] < -20.0
    np.testing.assert_array_equal(kept.samples[:, :30000], back.samples[:, :30000])


@pytest.mark.parametrize(("falls", "behaviour"), [((0, 0, 20), "sustain"), ((0, 20, 20), "decay"), ((3,), "sustain")])
def test_the_majority_of_its_keys_decides_for_an_instrument(falls, behaviour):
    courses = [[course(falling(fall))] for fall in falls]
    assert behaviour_of(courses, "auto") == behaviour_of(courses, "none") == behaviour
    assert behaviour_of(courses, "sustain") == "sustain" and behaviour_of(courses, "decay") == "decay"


@pytest.mark.parametrize(("fall", "behaviour"), [(5, "sustain"), (20, "decay")])
def test_an_instrument_with_a_layer_that_has_decayed_does_not_sustain(fall, behaviour):
    courses = [[course(falling(layer)) for layer in (0, 0, fall)] for _ in range(3)]
    assert behaviour_of(courses, "auto") == behaviour


def test_layers_of_a_morph_decay_as_the_fastest_of_them():
    layers = [falling(20.0), falling(0.0), falling(12.0)]
    fastest, *others = (course(layer).level_db for layer in decaying_together(layers))
    np.testing.assert_allclose(fastest, course(layers[0]).level_db, atol=0.1)
    for other in others:  # relative to its own highest level, which one that doesn't fall has a little later
        assert np.ptp((other - fastest)[20:]) < 0.5


def test_keys_that_ring_or_die_among_others_decay_as_these_do():
    falls, pitches = [10.0, 11.0, 0.5, 12.0, 25.0, 13.0], [60, 61, 62, 63, 64, 65]
    notes = [falling(fall) for fall in falls]
    courses = [course(note) for note in notes]
    assert uneven([(p, c.decay_s) for p, c in zip(pitches, courses, strict=True)]) == [
        (61, 62),
        (62, 63),
        (63, 64),
    ]
    slopes = [slope for (slope,) in even_slopes([[one] for one in courses], pitches)]
    after = [course(sloped(note, slope)).decay_s for note, slope in zip(notes, slopes, strict=True)]
    assert slopes[0] == slopes[1] == 0.0 and uneven(list(zip(pitches, after, strict=True))) == []
    assert max(after) / min(after) < 2.0


def test_decays_may_be_shorter_by_half_an_octave_higher():
    assert uneven([(48, 4.0), (60, 1.1), (72, 0.3)]) == []
    assert uneven([(59, 4.0), (60, 1.1)]) == [(59, 60)]
