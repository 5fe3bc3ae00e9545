"""Latents from seeds, their shell, and paths through latent space. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Latent = NDArray[np.float32]
Interpolation = Literal["slerp", "linear"]
Spacing = Literal["even", "uniform"]
Interpolate = Callable[[Latent, Latent, float], Latent]

LARGEST_SEED = 2**32 - 1
"""Seeds are whole numbers from 0 to this: those that NumPy's `RandomState` takes."""

_POINTS_PER_SEGMENT = 512
"""How finely a segment is cut to measure its length; the error of a chord of a quarter circle is 4e-7."""


def latent_from_seed(seed: int, latent_dim: int) -> Latent:
    """The latent of a seed: the same for ever and on every machine.

    NumPy keeps the stream of `RandomState` frozen. Magenta draws the same latent after `np.random.seed(seed)`.

    Args:
        seed: 0 to `LARGEST_SEED`.
        latent_dim: length of the checkpoint's latents.

    Returns:
        float32, shape (latent_dim,).
    """
    return np.random.RandomState(seed).standard_normal(latent_dim).astype(np.float32)


def onto_shell(latents: NDArray[Any], epsilon: float = 0.0) -> NDArray[Any]:
    """Scale latents so that the root mean square of each is 1: as long as those that are drawn at random, on average.

    Args:
        latents: float, shape (..., latent_dim).
        epsilon: added to the mean square; 0.0 makes NaN of a latent of zeros.

    Returns:
        Shape and dtype of `latents`.
    """
    return np.asarray(latents / np.sqrt(np.mean(np.square(latents), axis=-1, keepdims=True) + epsilon))


def slerp(z0: Latent, z1: Latent, position: float) -> Latent:
    """Walk from z0 to z1 along the arc between them.

    Args:
        z0, z1: latents, float32, shape (latent_dim,); neither may be zero.
        position: 0.0 gives z0, 1.0 gives z1.

    Returns:
        float32, shape (latent_dim,). For parallel latents the straight line: the arc has no length there, and for
        opposite ones no direction.

    Source: Shoemake 1985; the same walk as Magenta's `generate_util.slerp` where that is finite.
    """
    a, b = z0.astype(np.float64), z1.astype(np.float64)
    cosine = np.dot(a / np.linalg.norm(a), b / np.linalg.norm(b))
    omega = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(omega) < 1e-6:
        return lerp(z0, z1, position)
    walked: NDArray[np.float64] = (np.sin((1.0 - position) * omega) * a + np.sin(position * omega) * b) / np.sin(omega)
    return walked.astype(np.float32)


def lerp(z0: Latent, z1: Latent, position: float) -> Latent:
    """Walk from z0 to z1 on the straight line; arguments and result as of `slerp`."""
    walked: NDArray[np.float64] = (1.0 - position) * z0.astype(np.float64) + position * z1.astype(np.float64)
    return walked.astype(np.float32)


INTERPOLATIONS: dict[Interpolation, Interpolate] = {"slerp": slerp, "linear": lerp}


def path_points(
    through: Sequence[Latent], steps: int, spacing: Spacing = "even", interpolation: Interpolation = "slerp"
) -> list[Latent]:
    """Points along a path through latent space.

    Args:
        through: at least two latents, float32, shape (latent_dim,).
        steps: how many points, at least 2, both ends included.
        spacing: `even`: the same length of path between neighbours; `uniform`: the same share of the path's
            parameter, in which every segment counts 1, however long it is.
        interpolation: how to go from one latent to the next.

    Returns:
        `steps` latents; the first and the last are those of `through`, bit for bit.
    """
    go = INTERPOLATIONS[interpolation]
    segments = len(through) - 1
    positions = np.linspace(0.0, segments, steps)
    if spacing == "even":
        fine = np.linspace(0.0, segments, segments * _POINTS_PER_SEGMENT + 1)
        points = np.stack([_at(through, p, go) for p in fine]).astype(np.float64)
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        if length[-1] > 0.0:
            positions = np.interp(np.linspace(0.0, length[-1], steps), length, fine)
    return [through[0], *(_at(through, p, go) for p in positions[1:-1]), through[-1]]


def _at(through: Sequence[Latent], position: float, go: Interpolate) -> Latent:
    """The point of a path at a position from 0 to its number of segments."""
    segment = min(int(position), len(through) - 2)
    return go(through[segment], through[segment + 1], position - segment)
