"""The studio: a checkpoint, and everything that turns its notes into sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from samplepack.base.errors import InputError
from samplepack.base.parallel import Map
from samplepack.base.progress import Task, silent
from samplepack.clips.clip import PlannedClip, key_notes, play
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import LARGEST_SEED, Latent
from samplepack.recipe import Recipe
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note
from samplepack.rendering.render import render
from samplepack.sound.audio import Audio

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth

MOST_NOTES = 1000
"""The most notes of a walk or a preview; all of them are kept in memory."""


@dataclass(frozen=True)
class Studio:
    """Plays clips, walks and previews with a recipe's checkpoint, effects and settings of sound."""

    recipe: Recipe
    checkpoint: Checkpoint
    cache: Cache
    """Keeps rendered notes."""

    map_: Map
    """Tunes notes side by side."""

    task: Task = field(default_factory=lambda: Task("", silent))
    """Counts the notes that are done."""

    engine: Engine = DEFAULT_ENGINE
    """What notes are rendered on."""

    load: Callable[[], GANSynth] | None = None
    """Gives the network where the caller keeps it loaded; None loads it anew for each clip, walk or preview."""

    def key(self, z: Latent, pitch: int) -> tuple[Note, ...]:
        """The notes to render for one key: one, or in stereo a left and a right one."""
        return key_notes(z, pitch, self.recipe.sound, self.checkpoint.digest, self.engine)

    def render(self, keys: Sequence[tuple[Note, ...]]) -> Iterator[Audio]:
        """Render the notes of keys, in their order, one channel each.

        Raises:
            InputError: the checkpoint's weights are damaged.
            SamplepackError: the network made NaN or infinity.
        """
        self.task.begin(len(keys))
        notes = chain(*keys)
        with closing(render(notes, self.checkpoint, self.cache, self.engine, self.task, self.load)) as rendered:
            for _, audio in rendered:
                yield audio

    def play(self, planned: PlannedClip) -> Audio:
        """Play a planned clip; errors as for `render`."""
        rendered = self.render(planned.notes)
        return play(planned, rendered, self.checkpoint.rate_hz, self.recipe, self.map_, self.task)


def parse_pitches(text: str, checkpoint: Checkpoint) -> list[int]:
    """Read a list of pitches such as `60,64,67`.

    Raises:
        InputError: the text is no such list, or the checkpoint can't play one of the pitches.
    """
    try:
        pitches = [int(pitch) for pitch in text.split(",")]
    except ValueError:
        raise InputError(f"'{text}' should be pitches such as 60,64,67") from None
    check_pitches(pitches, checkpoint)
    return pitches


def check_pitches(pitches: Sequence[int], checkpoint: Checkpoint) -> None:
    """Check that a checkpoint can play pitches.

    Raises:
        InputError: it can't play one of them.
    """
    playable = checkpoint.pitches
    if outside := [pitch for pitch in pitches if pitch not in playable]:
        raise InputError(f"pitch {outside[0]} is outside what the checkpoint can play, {playable[0]}-{playable[-1]}")


def parse_seeds(text: str) -> list[int]:
    """Read a list of seeds such as `3,17,8`.

    Raises:
        InputError: one of them isn't a whole number from 0 to `LARGEST_SEED`.
    """
    written = [seed.strip() for seed in text.split(",")]
    if bad := [seed for seed in written if not (seed.isascii() and seed.isdecimal() and int(seed) <= LARGEST_SEED)]:
        raise InputError(f"'{bad[0]}' is no seed: they are whole numbers from 0 to {LARGEST_SEED}, such as 3,17,8")
    return [int(seed) for seed in written]
