"""How like real notes the made ones are: each real note beside the one that the network makes for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samplepack.evaluation import measures
from samplepack.evaluation.comparison import Comparison, Indices, Waves
from samplepack.evaluation.figures import Judged, Likeness, Retrieval
from samplepack.evaluation.measures import LogMel, Wave

_EXAMPLES = 6


@dataclass(frozen=True, eq=False)
class Example:
    """A real note and what becomes of it, to look at and to listen to."""

    figures: Judged
    real: Wave
    round_trip: Wave
    made: Wave


def judge(comparison: Comparison, indices: Indices, ranked: bool) -> tuple[list[Judged], list[Example]]:
    """Every one of some real notes beside the one that the network makes for it."""
    if not len(indices):
        return [], []
    notes = [comparison.dataset.contents.notes[i] for i in indices]
    real = np.stack([comparison.dataset.wave(i) for i in indices])
    made = comparison.play(comparison.trained_of(indices), np.array([note.pitch for note in notes], np.int32))
    back = comparison.round_trip(real)
    ranks = _ranks(comparison, indices, made) if ranked else [None] * len(notes)
    judged = []
    for note, rank, *waves in zip(notes, ranks, real, made, back, strict=True):
        of_real, of_made, of_back = map(measures.spectra, waves)
        judged.append(
            Judged(
                instrument=note.instrument,
                pitch=note.pitch,
                distance_db=measures.log_spectral_distance_db(of_real, of_made),
                floor_db=measures.log_spectral_distance_db(of_real, of_back),
                loud_bins_db=measures.loud_bins_db(of_real, of_made),
                real_attack_ms=measures.attack_ms(waves[0], comparison.rate_hz),
                attack_ms=measures.attack_ms(waves[1], comparison.rate_hz),
                real_noise_db=measures.noise_db(waves[0], note.pitch, comparison.rate_hz),
                noise_db=measures.noise_db(waves[1], note.pitch, comparison.rate_hz),
                rank=rank,
            )
        )
    shown = np.linspace(0, len(judged) - 1, min(_EXAMPLES, len(judged))).astype(int)
    return judged, [Example(judged[i], real[i], back[i], made[i]) for i in shown]


def _ranks(comparison: Comparison, indices: Indices, made: Waves) -> list[int | None]:
    """For each made note, how many instruments' real notes at its pitch lie nearer to it than its own instrument's;
    None where there is no other."""
    notes = comparison.dataset.contents.notes
    ranks: dict[int, int | None] = {}
    for pitch in sorted({notes[i].pitch for i in indices}):
        real = []
        for i in notes_at(comparison, pitch):
            real.append((notes[i].instrument, measures.log_mel(comparison.dataset.wave(i), comparison.rate_hz)))
            comparison.task.advance(1)
        for row, index in enumerate(indices):
            if notes[index].pitch == pitch:
                own = notes[index].instrument
                ranks[row] = _rank(own, measures.log_mel(made[row], comparison.rate_hz), real)
    return [ranks[row] for row in range(len(indices))]


def notes_at(comparison: Comparison, pitch: int) -> list[int]:
    """All notes of the set at a pitch."""
    return [i for i, note in enumerate(comparison.dataset.contents.notes) if note.pitch == pitch]


def _rank(own: str, made: LogMel, real: list[tuple[str, LogMel]]) -> int | None:
    nearest: dict[str, float] = {}
    for instrument, note in real:
        distance = measures.log_mel_distance_db(made, note)
        nearest[instrument] = min(distance, nearest.get(instrument, distance))
    return sum(distance < nearest[own] for distance in nearest.values()) if len(nearest) > 1 else None


def summed_up(notes: list[Judged]) -> Likeness | None:
    """The means and medians of what was judged; None of nothing."""
    if not notes:
        return None

    def median(value: Callable[[Judged], float]) -> float:
        return float(np.median([value(note) for note in notes]))

    return Likeness(
        notes=notes,
        distance_db=float(np.mean([note.distance_db for note in notes])),
        floor_db=float(np.mean([note.floor_db for note in notes])),
        loud_bins_db=median(lambda note: note.loud_bins_db),
        real_attack_ms=median(lambda note: note.real_attack_ms),
        attack_ms=median(lambda note: note.attack_ms),
        attack_error_ms=median(lambda note: abs(note.attack_ms - note.real_attack_ms)),
        real_noise_db=median(lambda note: note.real_noise_db),
        noise_db=median(lambda note: note.noise_db),
        noise_error_db=median(lambda note: abs(note.noise_db - note.real_noise_db)),
    )


def retrieval(held_out: list[Judged]) -> Retrieval | None:
    """How often a made note is nearest to its own instrument's; None where there was no other to choose from."""
    ranks = [note.rank for note in held_out if note.rank is not None]
    if not ranks:
        return None
    top_1, top_5 = (float(np.mean([rank < first for rank in ranks])) for first in (1, 5))
    return Retrieval(notes=len(ranks), top_1=top_1, top_5=top_5)
