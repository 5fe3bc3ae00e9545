"""Rendering of notes in batches, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import cache as once
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import SamplepackError
from samplepack.base.parallel import threads
from samplepack.base.progress import Task
from samplepack.models.backend import batches_at_once
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.models.engine import Engine
from samplepack.models.load import load_model
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note
from samplepack.sound.audio import Audio, Samples

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth

_AHEAD = 512
"""How many notes are rendered ahead at most, in batches as large as a GPU takes: they are held in memory, some 0.4 GB
at 48 kHz, and are as many as it renders while the cores finish an instrument."""


class Source(Protocol):
    """Gives rendered notes with their sounds, in order, as `render` does."""

    def __call__(self, notes: Iterable[Note], *, task: Task) -> Generator[tuple[Note, Audio], None, None]:
        """Yield each note with its sound; the task receives remarks."""
        ...


def render(
    notes: Iterable[Note],
    checkpoint: Checkpoint,
    cache: Cache,
    engine: Engine,
    task: Task,
    load: Callable[[], GANSynth] | None = None,
) -> Generator[tuple[Note, Audio], None, None]:
    """Render notes with the network, or take them from the cache, and yield them in order.

    Batches are rendered ahead of the caller, who closes the generator if not all notes are needed. The network is
    loaded only if a note isn't in the cache.

    Args:
        notes: the notes; several may have the same key.
        checkpoint: the checkpoint of the network.
        cache: stores the rendered notes.
        engine: the precision and the device.
        task: receives a remark when the network is loaded.
        load: returns the network if the caller keeps it loaded; None loads it from the checkpoint.

    Yields:
        Each note with its sound, one channel at the checkpoint's rate.

    Raises:
        InputError: the checkpoint's weights are damaged.
        SamplepackError: the network's output holds NaN or infinity.
    """
    notes = list(notes)
    if cache.stores:
        task.remark("reading notes from the shared cache")
        cache.fetch(note.key for note in notes)
    missing = {note.key: note for note in notes if note.key not in cache}
    unrendered, batch_size = list(missing.values()), engine.notes_together(gansynth_config(checkpoint))
    batches = [unrendered[i : i + batch_size] for i in range(0, len(unrendered), batch_size)]

    @once
    def model() -> GANSynth:
        task.remark("loading the network")
        return load() if load else load_model(checkpoint, engine)

    def render_batch(batch: list[Note]) -> dict[str, Samples]:
        return rendered_batch(batch, model(), cache)

    fresh: dict[str, Samples] = {}
    # One thread more on a GPU: while a batch is rendered, the one before it is checked and put into the cache.
    workers = batches_at_once(engine.device) + (engine.device == "gpu")
    with closing(threads(workers, max(_AHEAD // batch_size, 2 * workers))(render_batch, batches)) as ahead:
        for note in notes:
            if note.key in missing:
                model()  # loaded here, before the threads need it
                fresh = next(ahead)
                for key in fresh:
                    del missing[key]
            wave = fresh.get(note.key)
            if wave is None:
                wave = cache.get(note.key)
            if wave is None:  # the entry is damaged, or couldn't be stored
                wave = render_batch([note])[note.key]
            yield note, Audio(wave[np.newaxis], checkpoint.rate_hz)


def rendered_batch(batch: list[Note], model: GANSynth, cache: Cache) -> dict[str, Samples]:
    """Render notes with a loaded network and put them into the cache.

    Returns:
        The wave of each note by its key, float32, shape (samples,).

    Raises:
        SamplepackError: the network's output holds NaN or infinity.
    """
    waves = dict(zip((note.key for note in batch), rendered(batch, model), strict=True))
    for key, wave in waves.items():
        cache.put(key, wave)
    return waves


def rendered(batch: list[Note], model: GANSynth) -> NDArray[np.float32]:
    """Render notes with a loaded network: waves, float32, shape (notes, samples).

    Raises:
        SamplepackError: the network's output holds NaN or infinity.
    """
    latents = np.stack([note.z for note in batch])
    pitches = np.array([note.pitch for note in batch], np.int32)
    velocities = np.array([127 if note.velocity is None else note.velocity for note in batch], np.float32)
    waves = model.render(latents, pitches, velocities)
    for note, wave in zip(batch, waves, strict=True):
        if not np.isfinite(wave).all():
            raise SamplepackError(f"the network made NaN or infinity at pitch {note.pitch}")
    return waves
