"""Clips against what Magenta's own `generate_util` makes, where that is right."""

import numpy as np
import pytest
from conftest import FIXTURES

from samplepack.clip import TimbrePath, envelope, mix, random_path
from samplepack.errors import InputError
from samplepack.latent import slerp
from samplepack.score import PlayedNote, read_midi

MAGENTA = np.load(FIXTURES / "clip.npz")


def test_latents_between_two_timbres_are_magentas():
    for one, two, t, out in zip(*(MAGENTA[f"slerp_{name}"] for name in ("p0", "p1", "t", "out")), strict=True):
        np.testing.assert_allclose(slerp(one, two, float(t)), out, atol=1e-6)


@pytest.mark.parametrize("case", ["a", "b"])
def test_each_note_has_magentas_latent(case):
    path = TimbrePath(tuple(MAGENTA[f"zn_{case}_t"]), tuple(MAGENTA[f"zn_{case}_z"]))
    for start_s, out in zip(MAGENTA[f"zn_{case}_start"], MAGENTA[f"zn_{case}_out"], strict=True):
        np.testing.assert_allclose(path.at(float(start_s)), out, atol=1e-6)


def test_before_the_first_timbre_and_after_the_last_one_there_is_no_extrapolation():
    rng = np.random.default_rng(0)
    path = TimbrePath((1.0, 2.0), tuple(rng.standard_normal((2, 8)).astype("float32")))
    assert np.array_equal(path.at(0.0), path.latents[0])
    assert np.array_equal(path.at(9.5), path.latents[1])


def test_equal_timbres_give_that_timbre_where_magenta_gives_nan():
    z = np.ones(8, np.float32)
    np.testing.assert_allclose(TimbrePath((0.0, 1.0), (z, z)).at(0.5), z)


def test_random_timbres_are_magentas():
    path = random_path(30.0, 6.0, seed=0, latent_dim=256)
    np.testing.assert_allclose(path.latents, MAGENTA["ri_z_seed0_30s"], atol=1e-6)
    # Magenta's first one stands a little before the start, so that a note at 0 has one before it.
    np.testing.assert_allclose(path.times_s, MAGENTA["ri_t_30s"], atol=1.1e-4)


def test_a_clip_shorter_than_one_instrument_has_one():
    assert len(random_path(1.0, 6.0, seed=0, latent_dim=4).latents) == 1


@pytest.mark.parametrize("case", range(6))
def test_envelopes_are_magentas(case):
    np.testing.assert_allclose(envelope(float(MAGENTA[f"env_{case}_len"]), 16000), MAGENTA[f"env_{case}"], atol=1e-6)


def fields(score):
    return {
        "pitches": [note.pitch for note in score.notes],
        "velocities": [note.velocity for note in score.notes],
        "start_times": [note.start_s for note in score.notes],
        "end_times": [note.end_s for note in score.notes],
    }


@pytest.mark.parametrize(("prefix", "lowest"), [("midi", 36), ("midi24", 24)])
def test_notes_of_a_file_are_those_that_magenta_reads(prefix, lowest):
    score = read_midi(FIXTURES / "clip.mid", range(lowest, 85), drums=True)
    for name, values in fields(score).items():
        np.testing.assert_allclose(values, MAGENTA[f"{prefix}_{name}"], atol=1e-6)


def test_drums_are_left_out_unless_asked_for_and_it_says_what_was_dropped():
    score = read_midi(FIXTURES / "clip.mid", range(36, 85))
    assert len(score.notes) == 7
    assert score.dropped == ("1 note of drums", "3 notes outside 36-84")


def test_slow_stretches_time():
    usual, slow = (read_midi(FIXTURES / "clip.mid", range(36, 85), slow=factor) for factor in (1.0, 1.3))
    assert slow.length_s == pytest.approx(1.3 * usual.length_s)


def test_tracks_are_chosen_by_number():
    assert len(read_midi(FIXTURES / "clip.mid", range(36, 85), tracks=[1]).notes) == 2
    with pytest.raises(InputError, match=r"it has no track 7 with notes \(there are: 1, 2, 3\)"):
        read_midi(FIXTURES / "clip.mid", range(36, 85), tracks=[7])


def magentas_notes():
    for i, wave in enumerate(MAGENTA["comb_audio"]):
        # Magenta divides each note by its maximum, which here and there is less than its largest magnitude.
        start_s, end_s = MAGENTA["midi_start_times"][i], MAGENTA["midi_end_times"][i]
        level = envelope(end_s - start_s, 16000)
        sound = wave[: len(level)] * level
        velocity = MAGENTA["midi_velocities"][i] * np.abs(sound).max() / sound.max()
        yield PlayedNote(60, velocity, float(start_s), float(end_s)), wave[np.newaxis]


def test_the_mix_is_magentas_but_for_its_levels():
    mixed = mix(magentas_notes(), float(MAGENTA["midi_end_times"].max()), 16000)[0]
    expected = MAGENTA["comb_out"]
    at_magentas_level = mixed / mixed.max() / 2.0
    np.testing.assert_allclose(at_magentas_level, expected[: len(mixed)], atol=1e-6)
    assert not expected[len(mixed) :].any()
    # Divided by its maximum its negative half would be clipped, were it at full scale.
    assert -expected.min() > 0.5


def test_a_clip_ends_with_the_last_release_whatever_the_order_of_notes():
    wave = np.ones((1, 64000), np.float32)
    notes = [(PlayedNote(60, 127, 2.0, 3.0), wave), (PlayedNote(60, 127, 0.0, 1.0), wave)]
    mixed = mix(notes, 3.0, 16000)
    assert mixed.shape[1] == pytest.approx(3.3 * 16000, abs=1)
    assert mixed[0, int(2.5 * 16000)] == 1.0


def test_silence_stays_silence():
    mixed = mix([(PlayedNote(60, 127, 0.0, 1.0), np.zeros((1, 64000), np.float32))], 1.0, 16000)
    assert np.isfinite(mixed).all()
    assert not mixed.any()
