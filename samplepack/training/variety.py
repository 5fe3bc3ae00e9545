"""The loss that keeps the sounds of random latents as different from each other as instruments are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray


def energy_distance(made: Any, real: Any, distance: Callable[[Any, Any], Any]) -> Any:
    """The energy distance between the sounds of random latents and those of all instruments at the same pitch.

    The term that doesn't depend on the network is left out. The distance is least where a random latent is as far from
    an instrument, on average, as from another random latent. Without this loss, a network gives averages of instruments
    between their latents, and random timbres are all alike. Source: Székely & Rizzo, "Energy statistics", 2013.

    Args:
        made: what the network makes of random latents, shape (two or more, ...).
        real: the same of instruments, shape (any number, ...).
        distance: the distances of what it is given, over all axes but the first two, which it broadcasts.

    Returns:
        Scalar.
    """
    n = made.shape[0]
    mutual = distance(made[:, None], made[None]) * (1.0 - ops.eye(n))
    return 2.0 * ops.mean(distance(made[:, None], real[None])) - ops.sum(mutual) / (n * (n - 1))


def notes_at_one_pitch(
    rng: np.random.Generator, labels: NDArray[np.int64], velocities: NDArray[np.int64], parts: int, each: int
) -> NDArray[np.int64]:
    """Draw notes to compare random latents with: those of a part have the pitch and the velocity of a random note.

    Args:
        rng: the source of random numbers.
        labels: the notes' pitches, shape (notes,).
        velocities: their velocities, shape (notes,).
        parts: how many parts a batch is cut into.
        each: how many notes to draw for each part.

    Returns:
        Their numbers, part by part, shape (parts·each,).
    """
    rows = []
    for _ in range(parts):
        row = rng.integers(len(labels))
        same = np.flatnonzero((labels == labels[row]) & (velocities == velocities[row]))
        rows.append(rng.choice(same, each, replace=len(same) < each))
    return np.concatenate(rows)
