"""Envelopes and mixes against those of Magenta's `generate_util`, but for its levels."""

import numpy as np
import pytest

from samplepack.clips.mix import envelope, mix
from samplepack.clips.score import PlayedNote
from tests.helpers.places import FIXTURES

MAGENTA = np.load(FIXTURES / "clip.npz")


@pytest.mark.parametrize("case", range(6))
def test_envelopes_are_magentas(case):
    np.testing.assert_allclose(envelope(float(MAGENTA[f"env_{case}_len"]), 16000), MAGENTA[f"env_{case}"], atol=1e-6)


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
