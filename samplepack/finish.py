"""A note's way from the network to the sampler, but for its level: tuned, processed, looped, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from samplepack import process
from samplepack.analysis import measure_partials
from samplepack.audio import Audio
from samplepack.levels import loudness_lufs, true_peak_db
from samplepack.loop import Looped, find_loop
from samplepack.process import Effect
from samplepack.tune import Tuning, measure_cents, tune


@dataclass(frozen=True)
class Finishing:
    """How notes are finished."""

    effects: Sequence[Effect]
    rate_hz: int
    tail_s: float
    """Room for the effects to ring."""

    tune: bool
    loop: bool


@dataclass(frozen=True)
class FinishedNote:
    """A note as the sampler plays it, before its gain, and what was measured of it."""

    pitch: int
    looped: Looped
    tuning: Tuning | None
    """As it was found; None where the recipe doesn't ask for tuning."""

    cents: float | None
    """How far it is off in the end; None where it has no pitch."""

    loudness_lufs: float | None
    true_peak_db: float

    def without_samples(self) -> FinishedNote:
        """The same with an empty sound: what was measured takes no memory."""
        empty = Audio(self.looped.audio.samples[:, :0].copy(), self.looped.audio.rate_hz)
        return replace(self, looped=replace(self.looped, audio=empty))


def finish(raw: Audio, pitch: int, how: Finishing) -> FinishedNote:
    """Finish one note.

    Args:
        raw: as the network made it.
        pitch: MIDI.
        how: the same for all notes of a recipe.
    """
    audio, tuning = process.without_silent_start(raw), None
    if how.tune:
        audio, tuning = tune(audio, pitch)
    audio = process.finish(audio, how.effects, how.rate_hz, how.tail_s)
    looped = find_loop(audio) if how.loop else Looped(audio, None, None, None)
    return FinishedNote(
        pitch,
        looped,
        tuning,
        measure_cents(measure_partials(looped.audio, pitch)).cents,
        loudness_lufs(looped.audio),
        true_peak_db(looped.audio),
    )
