"""What a learned velocity does: level and brightness from soft to hard, of generated notes beside real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samplepack.evaluation import measures
from samplepack.evaluation.comparison import Comparison
from samplepack.evaluation.figures import Velocity


def pairs(comparison: Comparison, notes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the indices of the softest and the hardest note of each pair of instrument and pitch.

    Args:
        comparison: the checkpoint and the set.
        notes: indices of the hardest notes of the pairs.

    Returns:
        The pairs with notes of several velocities; none if the network hasn't learned velocity.
    """
    if comparison.velocities is None:
        return []
    all_notes = comparison.dataset.contents.notes
    softest: dict[int, int] = {}
    for index, hardest in enumerate(comparison.dataset.hardest.tolist()):
        other = softest.get(hardest)
        if other is None or all_notes[index].velocity < all_notes[other].velocity:
            softest[hardest] = index
    return [(softest[hard], hard) for hard in notes if softest[hard] != hard]


def from_soft_to_hard(comparison: Comparison, of: Sequence[tuple[int, int]]) -> Velocity | None:
    """Compare what generated notes gain in level and brightness from the softest velocity to the hardest.

    Args:
        comparison: the checkpoint and the set.
        of: pairs of a soft and a hard note, from `pairs`.

    Returns:
        The figures; None without pairs.
    """
    if not of:
        return None
    notes = comparison.dataset.contents.notes
    order = [index for pair in of for index in pair]
    made = iter(
        comparison.play(
            comparison.trained_of(notes[index].instrument for index in order),
            np.array([notes[index].pitch for index in order], np.int32),
            np.array([notes[index].velocity for index in order]),
        )
    )
    real_gains, made_gains = [], []
    for soft, hard in of:
        made_soft, made_hard = next(made), next(made)
        real_soft, real_hard = comparison.real(soft), comparison.real(hard)
        louder_db = float(comparison.dataset.levels_db[hard] - comparison.dataset.levels_db[soft])
        at_peak_db = measures.level_db(real_hard) - measures.level_db(real_soft)
        real_gains.append((louder_db + at_peak_db, _brighter(real_soft, real_hard, comparison.rate_hz)))
        made_level_db = measures.level_db(made_hard) - measures.level_db(made_soft)
        made_gains.append((made_level_db, _brighter(made_soft, made_hard, comparison.rate_hz)))
    real, generated = np.array(real_gains), np.array(made_gains)
    return Velocity(
        pairs=len(of),
        real_louder_db=float(np.median(real[:, 0])),
        louder_db=float(np.median(generated[:, 0])),
        level_error_db=float(np.median(np.abs(generated[:, 0] - real[:, 0]))),
        real_brighter=float(np.median(real[:, 1])),
        brighter=float(np.median(generated[:, 1])),
        brightness_error=float(np.median(np.abs(generated[:, 1] / real[:, 1] - 1.0))),
    )


def _brighter(soft: measures.Wave, hard: measures.Wave, rate_hz: int) -> float:
    """Return the ratio of the spectral centroids of a hard and a soft note."""
    return measures.centroid_hz(hard, rate_hz) / measures.centroid_hz(soft, rate_hz)
