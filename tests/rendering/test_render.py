"""Rendering of notes at velocities, and the keys under which the cache keeps them."""

import numpy as np

from samplepack.base.progress import Task, silent
from samplepack.models.checkpoint import read_checkpoint, write_checkpoint
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note, note_key
from samplepack.rendering.render import render
from tests.helpers.networks import random_tensors, small_config


def test_a_note_sounds_by_its_velocity_and_without_one_as_the_hardest(tmp_path):
    config = small_config(velocities=(30, 120))
    write_checkpoint(tmp_path / "struck", config, random_tensors(config))
    checkpoint = read_checkpoint(tmp_path / "struck", "struck")
    assert checkpoint.config.velocities == (30, 120)
    z = np.random.RandomState(7).standard_normal(5).astype(np.float32)

    def note(velocity):
        key = note_key(str(DEFAULT_ENGINE), checkpoint.digest, z, 60, velocity)
        return Note(60, z, velocity, key)

    notes = [note(velocity) for velocity in (30, 75, 120, None)]
    assert len({note.key for note in notes}) == 4
    rendered = render(notes, checkpoint, Cache(tmp_path / "notes"), DEFAULT_ENGINE, Task("", silent))
    soft, middle, hard, hardest = (audio.samples for _, audio in rendered)
    assert np.array_equal(hard, hardest)
    assert not np.allclose(soft, middle, atol=1e-4) and not np.allclose(middle, hard, atol=1e-4)
