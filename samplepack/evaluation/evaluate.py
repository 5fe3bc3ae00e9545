"""Evaluation of a checkpoint against a prepared set: choice of notes and latents, rendering and measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.progress import Progress, Task, silent
from samplepack.datasets.dataset import Dataset
from samplepack.evaluation import hearing, keys, measures, velocity
from samplepack.evaluation.comparison import Comparison, Indices, Latents
from samplepack.evaluation.figures import Diversity, Figures, Judged, Pitch, Silence, Smoothness
from samplepack.evaluation.likeness import WORST, Example, Heard, judge, retrieval, summed_up
from samplepack.evaluation.measures import LogMel, Wave
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.latent import slerp
from samplepack.sound.audio import Audio
from samplepack.sound.pitch import estimate_pitch

PITCHES = range(36, 85, 2)
"""MIDI pitches at which accuracy of pitch is measured."""

MIDDLE_PITCH = 60
"""MIDI pitch at which timbres are compared."""

HELD_OUT_SHARE = 0.05
"""Held-out share that is assumed of a checkpoint whose provenance doesn't state it."""

_LATENTS_OF_A_KIND = 6
_REAL_NOTES_HEARD = 150
_JUDGED = 400
_HEARD = 100
_DIVERSE = 120
_WALKS, _STEPS = 12, 10
_RANDOM = 200
_NEARLY_SILENT_DB = -50.0
_RIGHT_CENTS = 50.0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of `evaluate`."""

    figures: Figures

    examples: list[Example]
    """Some of the compared notes, from the held-out ones if there are any."""

    rate_hz: int
    """Sample rate of the examples."""

    worst: list[Heard]
    """The notes with the lowest scores, from the lowest."""

    heard_rate_hz: int
    """Sample rate of these notes, that of the set."""


def evaluate(checkpoint: Checkpoint, dataset: Dataset, seed: int = 0, progress: Progress = silent) -> Evaluation:
    """Measure a checkpoint against a prepared set. Imports TensorFlow.

    Notes are measured at the checkpoint's rate, and given scores at that of the set; without Zimtohrli, the scores are
    left out.

    Instruments of the checkpoint and of the set are the same if they have the same name. The notes that were held out
    from training are found by `Dataset.held_out` from the share `held_out` in the checkpoint's provenance.

    Args:
        checkpoint: the checkpoint to evaluate.
        dataset: the set of real notes, as long as those of the checkpoint, at its sample rate or a higher one.
        seed: seed of the random choice of notes and latents.
        progress: receives the number of notes rendered and measured so far.

    Raises:
        InputError: sample rate or length don't fit, the weights of the checkpoint are damaged, or `held_out` in its
            provenance isn't a share from 0 to 1.
        SamplepackError: the network's output contains NaN or infinity.
    """
    share = _held_out_share(checkpoint)
    task = Task(checkpoint.name, progress)
    comparison = Comparison(checkpoint, dataset, task)
    for_pitch, for_notes, for_timbres, for_walks, for_silence = np.random.default_rng(seed).spawn(5)
    kinds = _latents_of_kinds(comparison, for_pitch)
    pitches = [pitch for pitch in PITCHES if pitch in checkpoint.pitches] or list(checkpoint.pitches)
    held_out, trained = (_drawn_evenly(for_notes, comparison, which) for which in _comparable(comparison, share))
    heard = {*held_out[:_HEARD], *trained[:_HEARD]} if hearing.is_there() else set()
    round_trips = heard & set(held_out if len(held_out) else trained)
    middle = min(checkpoint.pitches, key=lambda pitch: abs(pitch - MIDDLE_PITCH))
    real, timbres = _timbres(comparison, middle, for_timbres)
    ends = _ends(comparison, for_walks)
    soft_and_hard = velocity.pairs(comparison, held_out[:_HEARD])
    random = comparison.random(for_silence, _RANDOM)
    task.begin(
        sum(map(len, kinds.values())) * len(pitches)
        + len(held_out)
        + len(trained)
        + sum(len(comparison.at(pitch)) for pitch in {comparison.notes[i].pitch for i in held_out})
        + len(heard)
        + len(round_trips)
        + sum(len(keys.names_at(comparison, pitch)) for pitch in keys.PITCHES)
        + 2 * len(soft_and_hard)
        + sum(map(len, timbres.values()))
        + len(ends) * 2 * (_STEPS + 1)
        + len(random)
    )

    levels: list[float] = []
    random_mels: list[LogMel] = []
    for wave in comparison.play(random, _same(middle, random)):
        levels.append(measures.level_db(wave))
        if len(random_mels) < _DIVERSE:
            random_mels.append(measures.log_mel(wave, comparison.rate_hz))
    of_held_out = judge(comparison, held_out, heard, round_trips, ranked=True)
    of_trained = judge(comparison, trained, heard, round_trips, ranked=False)
    figures = Figures(
        checkpoint=checkpoint.name,
        digest=checkpoint.digest,
        dataset=dataset.contents.title,
        dataset_digest=dataset.digest,
        seed=seed,
        held_out_share=share,
        pitch=_pitch(comparison, kinds, pitches, for_pitch),
        held_out=summed_up(of_held_out.notes),
        trained=summed_up(of_trained.notes),
        retrieval=retrieval([note.rank for note in of_held_out.notes]),
        keys=keys.across_keys(comparison, middle),
        velocity=velocity.from_soft_to_hard(comparison, soft_and_hard),
        diversity=_diversity(comparison, middle, real, timbres, random_mels),
        smoothness=_smoothness(comparison, middle, ends),
        silence=_silence(middle, levels),
        remarks=_remarks(comparison, of_held_out.notes, of_trained.notes, len(real)),
    )
    worst = sorted(of_held_out.worst + of_trained.worst, key=lambda heard: heard.score)[:WORST]
    return Evaluation(
        figures, of_held_out.examples or of_trained.examples, checkpoint.rate_hz, worst, dataset.contents.rate_hz
    )


def _held_out_share(checkpoint: Checkpoint) -> float:
    share = checkpoint.config.provenance.get("held_out", HELD_OUT_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise InputError(f"checkpoint '{checkpoint.name}': provenance.held_out is {share!r}, should be from 0 to 1")
    return float(share)


def _drawn(rng: np.random.Generator, which: Sequence[int] | Indices, most: int) -> Indices:
    """Draw at most `most` of some indices, in ascending order."""
    return np.sort(rng.choice(np.asarray(which, np.intp), min(most, len(which)), replace=False))


def _drawn_evenly(rng: np.random.Generator, comparison: Comparison, which: Sequence[int]) -> list[int]:
    """Draw at most `_JUDGED` of some notes, so that the first ones are of as many instruments as there are."""
    notes, drawn = comparison.notes, Counter[str]()
    turns: list[tuple[int, int, int]] = []
    for index in rng.permutation(np.asarray(which, np.intp)).tolist():
        turns.append((drawn[notes[index].instrument], len(turns), index))
        drawn[notes[index].instrument] += 1
    return [index for *_, index in sorted(turns)[:_JUDGED]]


def _same(pitch: int, latents: Latents) -> NDArray[np.int32]:
    return np.full(len(latents), pitch, np.int32)


def _comparable(comparison: Comparison, share: float) -> tuple[list[int], list[int]]:
    """Return the notes of the set that the checkpoint can render: those held out from training, and the others."""
    names, pitches = set(comparison.checkpoint.config.instruments), comparison.checkpoint.pitches
    comparable = [i for i, note in comparison.notes.items() if note.instrument in names and note.pitch in pitches]
    is_held_out = comparison.dataset.held_out(share)
    return [i for i in comparable if is_held_out[i]], [i for i in comparable if not is_held_out[i]]


def _latents_of_kinds(comparison: Comparison, rng: np.random.Generator) -> dict[str, Latents]:
    """Return the latents at which accuracy of pitch is measured, by kind."""
    n, kinds = _LATENTS_OF_A_KIND, {}
    if len(comparison.trained):
        starts, ends = (rng.choice(len(comparison.trained), n) for _ in range(2))
        kinds["trained"] = comparison.trained[rng.choice(len(comparison.trained), n)]
        kinds["interpolated"] = np.stack(
            [slerp(comparison.trained[i], comparison.trained[j], 0.5) for i, j in zip(starts, ends, strict=True)]
        )
        kinds["mixed"] = comparison.mixed(rng, n)
    return {**kinds, "random": comparison.random(rng, n)}


def _pitch(
    comparison: Comparison, kinds: dict[str, Latents], pitches: Sequence[int], rng: np.random.Generator
) -> dict[str, Pitch]:
    notes = comparison.notes
    real = _drawn(rng, [i for i, note in notes.items() if note.pitch in pitches], _REAL_NOTES_HEARD)
    errors = {"real": [_pitch_error(comparison, comparison.real(i), notes[i].pitch) for i in real]}
    for kind, latents in kinds.items():
        all_pitches = np.tile(np.array(pitches, np.int32), len(latents))
        waves = comparison.play(np.repeat(latents, len(pitches), axis=0), all_pitches)
        errors[kind] = [_pitch_error(comparison, wave, int(p)) for wave, p in zip(waves, all_pitches, strict=True)]
    return {kind: _pitch_of(of_kind) for kind, of_kind in errors.items() if of_kind}


def _pitch_error(comparison: Comparison, wave: Wave, pitch: int) -> tuple[int, float | None]:
    estimate = estimate_pitch(Audio(wave[np.newaxis], comparison.rate_hz))
    return pitch, None if estimate is None else round(estimate.cents_above(pitch), 2)


def _pitch_of(measured: list[tuple[int, float | None]]) -> Pitch:
    errors = [abs(cents) for _, cents in measured if cents is not None]
    return Pitch(
        notes=len(measured),
        within_50_cents=sum(error < _RIGHT_CENTS for error in errors) / len(measured),
        median_cents=float(np.median(errors)) if errors else None,
        heard=measured,
    )


def _timbres(comparison: Comparison, pitch: int, rng: np.random.Generator) -> tuple[Indices, dict[str, Latents]]:
    """Draw real notes of different instruments at one pitch, and latents to compare with them, by kind.

    The notes are of instruments that the checkpoint names, or of any instruments if there is none of those.
    """
    notes, names = comparison.notes, comparison.checkpoint.config.instruments
    first_of = comparison.at(pitch)
    both = [i for instrument, i in first_of.items() if instrument in names]
    real = _drawn(rng, both or list(first_of.values()), _DIVERSE)
    if not len(comparison.trained):
        return real, {}
    trained = (
        comparison.trained_of(notes[i].instrument for i in real)
        if both
        else comparison.trained[_drawn(rng, range(len(comparison.trained)), _DIVERSE)]
    )
    return real, {"trained": trained, "mixed": comparison.mixed(rng, _DIVERSE)}


def _diversity(
    comparison: Comparison, pitch: int, real: Indices, timbres: dict[str, Latents], random: list[LogMel]
) -> Diversity:
    def log_mels(waves: Iterable[Wave]) -> list[LogMel]:
        return [measures.log_mel(wave, comparison.rate_hz) for wave in waves]

    notes = {"real": log_mels(comparison.real(i) for i in real)}
    notes |= {kind: log_mels(comparison.play(latents, _same(pitch, latents))) for kind, latents in timbres.items()}
    notes["random"] = random
    distances = {kind: measures.pairwise_distances_db(of_kind) for kind, of_kind in notes.items() if len(of_kind) > 1}
    means = {kind: float(np.mean(of_kind)) for kind, of_kind in distances.items()}
    return Diversity(
        pitch=pitch,
        distances_db={kind: [round(d, 2) for d in of_kind] for kind, of_kind in distances.items()},
        means_db=means,
        random_to_real=means["random"] / means["real"] if means.get("real") else None,
    )


def _ends(comparison: Comparison, rng: np.random.Generator) -> list[Latents]:
    """Draw the ends of walks: pairs of trained latents, or of random ones if there are fewer than two trained."""
    if len(comparison.trained) < 2:
        return [comparison.random(rng, 2) for _ in range(_WALKS)]
    return [comparison.trained[rng.choice(len(comparison.trained), 2, replace=False)] for _ in range(_WALKS)]


def _smoothness(comparison: Comparison, pitch: int, ends: list[Latents]) -> Smoothness:
    uniform, evened = [], []
    for start, end in ends:

        def steps_db(positions: NDArray[np.float64], start: Wave = start, end: Wave = end) -> list[float]:
            latents = np.stack([slerp(start, end, float(position)) for position in positions])
            notes = [
                measures.log_mel(wave, comparison.rate_hz) for wave in comparison.play(latents, _same(pitch, latents))
            ]
            return [measures.log_mel_distance_db(a, b) for a, b in pairwise(notes)]

        positions = np.linspace(0.0, 1.0, _STEPS + 1)
        uniform.append(steps_db(positions))
        length = np.concatenate([[0.0], np.cumsum(uniform[-1])])
        evened.append(steps_db(np.interp(np.linspace(0.0, length[-1], _STEPS + 1), length, positions)))
    return Smoothness(
        pitch=pitch,
        between="trained" if len(comparison.trained) > 1 else "random",
        uniform_db=uniform,
        evened_db=evened,
        uniform_largest=_largest_step(uniform),
        evened_largest=_largest_step(evened),
    )


def _largest_step(walks: list[list[float]]) -> float:
    """Return the largest step of a walk relative to its mean step, averaged over walks; 1 for a walk without change."""
    return float(np.mean([max(steps) / np.mean(steps) if any(steps) else 1.0 for steps in walks]))


def _silence(pitch: int, levels: list[float]) -> Silence:
    return Silence(
        pitch=pitch,
        notes=len(levels),
        nearly_silent=sum(level < _NEARLY_SILENT_DB for level in levels),
        median_level_db=float(np.median(levels)),
    )


def _remarks(comparison: Comparison, held_out: list[Judged], trained: list[Judged], timbres: int) -> list[str]:
    """Return a remark for each measurement that wasn't possible, and for each assumption."""
    remarks = []
    name, config = comparison.checkpoint.name, comparison.checkpoint.config
    if not config.instruments:
        remarks.append(f"{name} names no instruments, so only random latents are judged, and no likeness to real notes")
    elif not held_out and not trained:
        remarks.append(f"{name} and the set have no instrument in common, so no likeness to real notes is judged")
    elif not held_out:
        remarks.append("no note of the set was held out from training, so only notes that it was trained on are judged")
    elif "held_out" not in config.provenance:
        remarks.append(
            f"{name} doesn't say which notes were held out from its training: "
            "it may have been trained on those counted as held out"
        )
    if held_out and all(note.rank is None for note in held_out):
        remarks.append("no held-out note has another instrument's beside it, so retrieval is not judged")
    if timbres < 2:
        remarks.append("fewer than two instruments of the set have a note at the middle pitch to compare timbres at")
    if (held_out or trained) and not hearing.is_there():
        remarks.append(
            f"how much notes sound like the real ones has no score: it takes Zimtohrli, {hearing.HOW_TO_GET}"
        )
    return remarks
