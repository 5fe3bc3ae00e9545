"""Evaluation of a checkpoint against a prepared set: choice of notes and latents, rendering and measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.progress import Progress, Task, silent
from samplepack.datasets.dataset import Dataset
from samplepack.evaluation import measures
from samplepack.evaluation.comparison import Comparison, Indices, Latents, Waves
from samplepack.evaluation.figures import Diversity, Figures, Judged, Pitch, Silence, Smoothness
from samplepack.evaluation.likeness import Example, judge, notes_at, retrieval, summed_up
from samplepack.evaluation.measures import Wave
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


def evaluate(checkpoint: Checkpoint, dataset: Dataset, seed: int = 0, progress: Progress = silent) -> Evaluation:
    """Measure a checkpoint against a prepared set. Imports TensorFlow.

    Instruments of the checkpoint and of the set are the same if they have the same name. The notes that were held out
    from training are found by `Dataset.held_out` from the share `held_out` in the checkpoint's provenance.

    Args:
        checkpoint: the checkpoint to evaluate.
        dataset: the set of real notes, whose sample rate and length of notes must be those of the checkpoint.
        seed: seed of the random choice of notes and latents.
        progress: receives the number of notes rendered and measured so far.

    Raises:
        InputError: sample rate or length differ, the weights of the checkpoint are damaged, or `held_out` in its
            provenance isn't a share from 0 to 1.
        SamplepackError: the network's output contains NaN or infinity.
    """
    share = _held_out_share(checkpoint)
    task = Task(checkpoint.name, progress)
    comparison = Comparison(checkpoint, dataset, task)
    for_pitch, for_notes, for_timbres, for_walks, for_silence = np.random.default_rng(seed).spawn(5)
    kinds = _latents_of_kinds(comparison, for_pitch)
    pitches = [pitch for pitch in PITCHES if pitch in checkpoint.pitches] or list(checkpoint.pitches)
    held_out, trained = (_drawn(for_notes, which, _JUDGED) for which in _comparable(comparison, share))
    middle = min(checkpoint.pitches, key=lambda pitch: abs(pitch - MIDDLE_PITCH))
    real, timbres = _timbres(comparison, middle, for_timbres)
    ends = _ends(comparison, for_walks)
    random = comparison.random(for_silence, _RANDOM)
    task.begin(
        sum(map(len, kinds.values())) * len(pitches)
        + len(held_out)
        + len(trained)
        + sum(
            len(notes_at(comparison, pitch)) for pitch in {comparison.dataset.contents.notes[i].pitch for i in held_out}
        )
        + sum(map(len, timbres.values()))
        + len(ends) * 2 * (_STEPS + 1)
        + len(random)
    )

    random_waves = comparison.play(random, _same(middle, random))
    held_out_notes, examples = judge(comparison, held_out, ranked=True)
    trained_notes, more_examples = judge(comparison, trained, ranked=False)
    figures = Figures(
        checkpoint=checkpoint.name,
        digest=checkpoint.digest,
        dataset=dataset.contents.title,
        dataset_digest=dataset.digest,
        seed=seed,
        held_out_share=share,
        pitch=_pitch(comparison, kinds, pitches, for_pitch),
        held_out=summed_up(held_out_notes),
        trained=summed_up(trained_notes),
        retrieval=retrieval(held_out_notes),
        diversity=_diversity(comparison, middle, real, timbres, random_waves[:_DIVERSE]),
        smoothness=_smoothness(comparison, middle, ends),
        silence=_silence(middle, random_waves),
        remarks=_remarks(comparison, held_out_notes, trained_notes, len(real)),
    )
    return Evaluation(figures, examples or more_examples, checkpoint.rate_hz)


def _held_out_share(checkpoint: Checkpoint) -> float:
    share = checkpoint.config.provenance.get("held_out", HELD_OUT_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise InputError(f"checkpoint '{checkpoint.name}': provenance.held_out is {share!r}, should be from 0 to 1")
    return float(share)


def _drawn(rng: np.random.Generator, which: Sequence[int] | Indices, most: int) -> Indices:
    """Draw at most `most` of some indices, in ascending order."""
    return np.sort(rng.choice(np.asarray(which, np.intp), min(most, len(which)), replace=False))


def _same(pitch: int, latents: Latents) -> NDArray[np.int32]:
    return np.full(len(latents), pitch, np.int32)


def _comparable(comparison: Comparison, share: float) -> tuple[Indices, Indices]:
    """Return the notes of the set that the checkpoint can render: those held out from training, and the others."""
    names, pitches = set(comparison.checkpoint.config.instruments), comparison.checkpoint.pitches
    notes = comparison.dataset.contents.notes
    comparable = np.array([note.instrument in names and note.pitch in pitches for note in notes], dtype=bool)
    held_out = comparison.dataset.held_out(share)
    return np.flatnonzero(comparable & held_out), np.flatnonzero(comparable & ~held_out)


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
    notes = comparison.dataset.contents.notes
    real = _drawn(rng, [i for i, note in enumerate(notes) if note.pitch in pitches], _REAL_NOTES_HEARD)
    errors = {"real": [_pitch_error(comparison, comparison.dataset.wave(i), notes[i].pitch) for i in real]}
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
    notes, names = comparison.dataset.contents.notes, comparison.checkpoint.config.instruments
    first_of = {notes[i].instrument: i for i in reversed(notes_at(comparison, pitch))}
    both = [i for instrument, i in first_of.items() if instrument in names]
    real = _drawn(rng, both or list(first_of.values()), _DIVERSE)
    if not len(comparison.trained):
        return real, {}
    trained = (
        comparison.trained_of(real)
        if both
        else comparison.trained[_drawn(rng, range(len(comparison.trained)), _DIVERSE)]
    )
    return real, {"trained": trained, "mixed": comparison.mixed(rng, _DIVERSE)}


def _diversity(
    comparison: Comparison, pitch: int, real: Indices, timbres: dict[str, Latents], random: Waves
) -> Diversity:
    waves = {"real": [comparison.dataset.wave(i) for i in real]}
    waves |= {kind: list(comparison.play(latents, _same(pitch, latents))) for kind, latents in timbres.items()}
    waves["random"] = list(random)
    distances = {}
    for kind, of_kind in waves.items():
        if len(of_kind) > 1:
            distances[kind] = measures.pairwise_distances_db([measures.log_mel(w, comparison.rate_hz) for w in of_kind])
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


def _silence(pitch: int, random: Waves) -> Silence:
    levels = [measures.level_db(wave) for wave in random]
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
    return remarks
