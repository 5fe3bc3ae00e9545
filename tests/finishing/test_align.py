import numpy as np
import pytest

from samplepack.finishing.align import align
from samplepack.sound.audio import Audio
from samplepack.sound.pitch import pitch_hz
from tests.helpers.tones import tone


def render(pitch, seed, partials=20):
    """A tone whose partials have random phases and levels, slowly drifting: two renders of one key."""
    random = np.random.RandomState(seed)
    t = np.arange(3 * 16000) / 16000
    numbers = [k for k in range(1, partials + 1) if k * pitch_hz(pitch) < 7000]
    waves = [
        random.uniform(0.3, 1.0)
        * np.cos(2 * np.pi * k * pitch_hz(pitch) * t + random.uniform(0, 6.28) + random.uniform(-1, 1) * t)
        for k in numbers
    ]
    return Audio((0.05 * np.sum(waves, axis=0)).astype(np.float32)[np.newaxis], 16000)


def level_db(samples):
    return 10 * np.log10(np.mean(samples[:, 4000:-4000] ** 2))


@pytest.mark.parametrize("pitch", [36, 48, 60, 72, 84])
def test_a_crossfade_between_aligned_notes_does_not_dip_and_their_levels_stay(pitch):
    one, other = render(pitch, 1), render(pitch, 2)
    aligned = align(one, other, pitch)
    assert level_db(aligned.samples) == pytest.approx(level_db(one.samples), abs=0.1)
    ends = sorted([level_db(one.samples), level_db(other.samples)])
    middle = level_db(0.5 * aligned.samples + 0.5 * other.samples)
    assert ends[0] - 0.7 < middle < ends[1]
    assert level_db(0.5 * one.samples + 0.5 * other.samples) < middle


def test_a_note_aligned_with_itself_stays_as_it_is():
    note = tone(60, 16000)
    difference = align(note, note, 60).samples - note.samples
    assert 20 * np.log10(np.abs(difference).max()) < -90
