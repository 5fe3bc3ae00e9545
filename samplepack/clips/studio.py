"""What plays: a checkpoint with all that turns its notes into sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from samplepack.base.errors import InputError
from samplepack.base.parallel import Map
from samplepack.base.progress import SILENT, Progress
from samplepack.clips.clip import PlannedClip, play, to_render
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import Latent
from samplepack.recipe import Recipe
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note
from samplepack.rendering.render import render
from samplepack.sound.audio import Audio

MOST_STEPS = 1000
"""Notes of a walk or a preview: they wait in memory, and nobody listens to more."""


@dataclass(frozen=True)
class Studio:
    """What plays: a recipe's checkpoint, and how its notes are made."""

    recipe: Recipe
    checkpoint: Checkpoint
    cache: Cache
    map_: Map
    progress: Progress = SILENT
    engine: Engine = DEFAULT_ENGINE

    def key(self, z: Latent, pitch: int) -> tuple[Note, ...]:
        """What the network renders of a key."""
        return to_render(z, pitch, self.recipe.sound, self.checkpoint.digest, self.engine)

    def rendered(self, keys: Sequence[tuple[Note, ...]]) -> Iterator[Audio]:
        """The network's notes of some keys, in their order."""
        self.progress.started(len(keys))
        notes = chain(*keys)
        with closing(render(notes, self.checkpoint, self.cache, self.engine, self.progress.loading)) as made:
            for _, audio in made:
                yield audio

    def play(self, planned: PlannedClip) -> Audio:
        """A planned clip as sound."""
        rendered = self.rendered(planned.notes)
        return play(planned, rendered, self.checkpoint.rate_hz, self.recipe, self.map_, self.progress)


def parse_pitches(text: str, checkpoint: Checkpoint) -> list[int]:
    """Pitches such as `60,64,67`.

    Raises:
        InputError: they aren't any, or the checkpoint can't play one.
    """
    try:
        pitches = [int(pitch) for pitch in text.split(",")]
    except ValueError:
        raise InputError(f"'{text}' should be pitches such as 60,64,67") from None
    check_pitches(pitches, checkpoint)
    return pitches


def check_pitches(pitches: Sequence[int], checkpoint: Checkpoint) -> None:
    """Know that a checkpoint can play some pitches.

    Raises:
        InputError: it can't play one.
    """
    known = checkpoint.pitches
    if outside := [pitch for pitch in pitches if pitch not in known]:
        raise InputError(f"pitch {outside[0]} is outside what the checkpoint can play, {known[0]}-{known[-1]}")


def parse_seeds(text: str) -> list[int]:
    """Seeds such as `3,17,8`.

    Raises:
        InputError: one isn't a whole number from 0 to 4294967295.
    """
    written = [seed.strip() for seed in text.split(",")]
    if bad := [seed for seed in written if not (seed.isascii() and seed.isdecimal() and int(seed) < 2**32)]:
        raise InputError(f"'{bad[0]}' is no seed: they are whole numbers from 0 to 4294967295, such as 3,17,8")
    return [int(seed) for seed in written]
