"""Rendering of notes at velocities, and the keys under which the cache keeps them."""

import time

import numpy as np
import pytest

from samplepack.base.progress import Task, silent
from samplepack.models.checkpoint import read_checkpoint, write_checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note, note_key
from samplepack.rendering.render import render
from tests.helpers.networks import Tones, random_tensors, small_config


@pytest.fixture
def checkpoint(tmp_path):
    config = small_config(velocities=(30, 120))
    write_checkpoint(tmp_path / "struck", config, random_tensors(config))
    return read_checkpoint(tmp_path / "struck", "struck")


def test_a_note_sounds_by_its_velocity_and_without_one_as_the_hardest(checkpoint, tmp_path):
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


def test_a_gpu_renders_whole_batches_ahead_of_the_caller_while_what_it_made_is_kept(checkpoint, tmp_path):
    """With tones in place of the network, so that no GPU is needed."""
    engine = Engine(device="gpu", memory_gib=64)
    notes = [
        Note(60, z, None, note_key(str(engine), checkpoint.digest, z, 60))
        for z in np.random.RandomState(7).standard_normal((900, 5)).astype(np.float32)
    ]
    network, batches = Tones(0.01), []

    def load():
        return network

    render_notes, network.render = network.render, lambda *of: batches.append(len(of[0])) or render_notes(*of)
    rendered = render(notes, checkpoint, Cache(tmp_path / "notes"), engine, Task("", silent), load)
    first, _ = next(rendered)
    deadline = time.monotonic() + 10.0
    while network.rendered < 512 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert network.rendered == 512, "a few batches ahead, and no more"
    assert [first, *(note for note, _ in rendered)] == notes
    assert sorted(batches) == [4] + [128] * 7
