"""`Note`s → `Audio`, in batches, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import cache as once
from typing import TYPE_CHECKING

import numpy as np

from samplepack.base.errors import SamplepackError
from samplepack.base.parallel import threads
from samplepack.base.progress import Task
from samplepack.models.backend import batches_at_once
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import NOTES_TOGETHER, Engine
from samplepack.models.load import load_model
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note
from samplepack.sound.audio import Audio, Samples

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth


def render(
    notes: Iterable[Note],
    checkpoint: Checkpoint,
    cache: Cache,
    engine: Engine,
    task: Task,
    load: Callable[[], GANSynth] | None = None,
) -> Generator[tuple[Note, Audio], None, None]:
    """Every note as the network makes it, in order; it works ahead of who asks. Close it, if not all are wanted.

    The network is loaded only when a note isn't in the cache.

    Args:
        notes: some may have the same key.
        checkpoint: what makes them.
        cache: where rendered notes are kept.
        engine: what they are rendered on.
        task: remarks that the network is being loaded.
        load: gives the network where the caller keeps it loaded; None loads it anew.

    Raises:
        InputError: the checkpoint's weights are damaged.
        SamplepackError: the network made NaN or infinity.
    """
    notes = list(notes)
    missing = {note.key: note for note in notes if note.key not in cache}
    in_order, together = list(missing.values()), NOTES_TOGETHER[engine.device]
    batches = [in_order[i : i + together] for i in range(0, len(in_order), together)]

    @once
    def model() -> GANSynth:
        task.remark("loading the network")
        return load() if load else load_model(checkpoint, engine)

    def made(batch: list[Note]) -> dict[str, Samples]:
        return _render_batch(batch, model(), cache)

    fresh: dict[str, Samples] = {}
    with closing(threads(batches_at_once(engine.device))(made, batches)) as ahead:
        for note in notes:
            if note.key in missing:
                model()  # before threads ask for it, and only then
                fresh = next(ahead)
                for key in fresh:
                    del missing[key]
            wave = fresh.get(note.key)
            if wave is None:
                wave = cache.get(note.key)
            if wave is None:  # it was damaged there, or couldn't be kept
                wave = made([note])[note.key]
            yield note, Audio(wave[np.newaxis], checkpoint.rate_hz)


def _render_batch(batch: list[Note], model: GANSynth, cache: Cache) -> dict[str, Samples]:
    latents = np.stack([note.z for note in batch])
    waves = model.render(latents, np.array([note.pitch for note in batch], dtype=np.int32))
    for note, wave in zip(batch, waves, strict=True):
        if not np.isfinite(wave).all():
            raise SamplepackError(f"the network made NaN or infinity at pitch {note.pitch}")
        cache.put(note.key, wave)
    return {note.key: wave for note, wave in zip(batch, waves, strict=True)}
