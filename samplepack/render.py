"""`Note`s → `Audio`, in batches, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from samplepack import models
from samplepack.audio import Audio, Samples
from samplepack.cache import Cache
from samplepack.checkpoint import Checkpoint
from samplepack.errors import SamplepackError
from samplepack.plan import Note


def render(
    notes: Iterable[Note],
    checkpoint: Checkpoint,
    cache: Cache,
    engine: models.Engine,
    batch_size: int | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Note, Audio]]:
    """Every note as the network makes it, in order.

    The network is loaded only when a note isn't in the cache; the result doesn't depend on the batch size.

    Args:
        notes: some may have the same key.
        checkpoint: what makes them.
        cache: where rendered notes are kept.
        engine: what they are rendered on.
        batch_size: how many notes are handed to the network at once; two of its own batches, where left out: few enough
            that the first ones are on disk soon.
        on_start: called once, before the network is loaded.

    Raises:
        InputError: the checkpoint's weights are damaged.
        SamplepackError: the network made NaN or infinity.
    """
    notes = list(notes)
    batch_size = batch_size or 2 * models.NOTES_TOGETHER[engine.device]
    missing = {note.key: note for note in notes if note.key not in cache}
    model: models.Model | None = None
    fresh: dict[str, Samples] = {}
    for note in notes:
        wave = fresh.get(note.key)
        if wave is None:
            wave = cache.get(note.key)
        if wave is None:
            if model is None:
                on_start()
                model = models.load(checkpoint, engine)
            missing.pop(note.key, None)
            batch = [note, *islice(missing.values(), batch_size - 1)]
            fresh = _render_batch(batch, model, cache)
            for rendered in batch:
                missing.pop(rendered.key, None)
            wave = fresh[note.key]
        yield note, Audio(wave[np.newaxis], checkpoint.rate_hz)


def _render_batch(batch: list[Note], model: models.Model, cache: Cache) -> dict[str, Samples]:
    latents = np.stack([note.z for note in batch])
    waves = model.render(latents, np.array([note.pitch for note in batch], dtype=np.int32))
    for note, wave in zip(batch, waves, strict=True):
        if not np.isfinite(wave).all():
            raise SamplepackError(f"the network made NaN or infinity at pitch {note.pitch}")
        cache.put(note.key, wave)
    return {note.key: wave for note, wave in zip(batch, waves, strict=True)}
