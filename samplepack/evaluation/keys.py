"""Steadiness of timbres over the keys: whether the instrument that is heard at key 60 is heard at keys 36 and 84."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from samplepack.evaluation import measures
from samplepack.evaluation.comparison import Comparison
from samplepack.evaluation.figures import AcrossKeys, Retrieval
from samplepack.evaluation.likeness import retrieval
from samplepack.evaluation.measures import Wave
from samplepack.sound.pitch import pitch_hz

PartialLevels = NDArray[np.float32]
"""Levels of a note's partials over time in dB relative to the highest one, shape (parts, partials)."""

PITCHES = (36, 60, 84)
"""MIDI pitches of the keys that are judged."""

_PARTIALS = 6
_FRAMES = (0, 2, 4, 8, 16, 32, 64, 96)
"""Frames at which the parts of a note begin; each is the average over a part."""

_HALF_BAND = 0.35
"""Half the width of a partial's band as a share of the fundamental."""

_RANGE_DB = 60.0


def across_keys(comparison: Comparison, middle: int) -> list[AcrossKeys]:
    """Judge for each of a few keys whether the instruments of the checkpoint are found by their notes.

    Args:
        comparison: the checkpoint and the set.
        middle: MIDI pitch whose real notes show how each instrument sounds.

    Returns:
        The results for each key of `PITCHES` at which notes of several instruments can be compared.
    """
    of_middle = _real_levels(comparison, comparison.at(middle), middle)
    judged = []
    for pitch in PITCHES:
        names = names_at(comparison, pitch)
        if not names:
            continue
        real = _real_levels(comparison, comparison.at(pitch), pitch)
        waves = comparison.play(comparison.trained_of(names), np.full(len(names), pitch, np.int32))
        made = {name: partial_levels(wave, pitch, comparison.rate_hz) for name, wave in zip(names, waves, strict=True)}
        if (found := _found(made, real)) is None:
            continue
        elsewhere = pitch != middle
        judged.append(
            AcrossKeys(
                pitch=pitch,
                found=found,
                real_found=_found(_beside(comparison, names, pitch), real),
                found_by_middle=_found(made, of_middle) if elsewhere else None,
                real_found_by_middle=_found({name: real[name] for name in names}, of_middle) if elsewhere else None,
            )
        )
    return judged


def names_at(comparison: Comparison, pitch: int) -> list[str]:
    """Return the instruments of the checkpoint that it can play and the set has at a MIDI pitch."""
    if pitch not in comparison.checkpoint.pitches:
        return []
    there = comparison.at(pitch)
    return [name for name in comparison.checkpoint.config.instruments if name in there]


def partial_levels(wave: Wave, pitch: int, rate_hz: int) -> PartialLevels:
    """Return the levels of the first six partials of a note over time, in dB relative to the highest level.

    They tell timbres of different pitches apart, where bands of fixed frequencies tell pitches apart. The note is
    averaged in eight parts, each about as long as the time before it: 64 ms, 64 ms, 0.13 s and so on to the rest after
    3 s. Levels lower than -60 dB are raised to it; partials beyond half the rate are NaN.
    """
    power = np.square(measures.spectra(wave, rate_hz))
    f0_bins = pitch_hz(pitch) * measures.frame_samples(rate_hz) / rate_hz
    partials = []
    for number in range(1, _PARTIALS + 1):
        low, high = (round((number + side) * f0_bins) for side in (-_HALF_BAND, _HALF_BAND))
        inside = high < power.shape[1]
        partials.append(power[:, low : high + 1].sum(axis=1) if inside else np.full(len(power), np.nan, np.float32))
    borders = [*(frame for frame in _FRAMES if frame < len(power)), len(power)]
    parts = np.stack([np.mean([partial[a:b] for partial in partials], axis=1) for a, b in pairwise(borders)])
    levels_db = 10.0 * np.log10(parts + 1e-12)
    return np.asarray(np.maximum(levels_db - np.nanmax(levels_db), -_RANGE_DB), np.float32)


def _real_levels(comparison: Comparison, indices: dict[str, int], pitch: int) -> dict[str, PartialLevels]:
    return {name: partial_levels(comparison.real(index), pitch, comparison.rate_hz) for name, index in indices.items()}


def _beside(comparison: Comparison, names: list[str], pitch: int) -> dict[str, PartialLevels]:
    """Return the levels of the real notes of each instrument that are nearest to a MIDI pitch, but not at it."""
    notes, levels = comparison.notes, {}
    for name in names:
        others = [i for i, note in notes.items() if note.instrument == name and note.pitch != pitch]
        if others:
            nearest = min(others, key=lambda i: abs(notes[i].pitch - pitch))
            levels[name] = partial_levels(comparison.real(nearest), notes[nearest].pitch, comparison.rate_hz)
    return levels


def _found(notes: dict[str, PartialLevels], real: dict[str, PartialLevels]) -> Retrieval | None:
    """Return how often a note is nearest to the real note of its own instrument, by the mean difference of levels; None
    if there is nothing to find it among."""
    ranks = []
    for name, levels in notes.items():
        if name in real and len(real) > 1:
            distances = {other: float(np.nanmean(np.abs(levels - others))) for other, others in real.items()}
            ranks.append(sum(distance < distances[name] for distance in distances.values()))
    return retrieval(ranks)
