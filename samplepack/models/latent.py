"""Latents from seeds, their scaling, and paths through latent space. NumPy only."""

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
"""The largest seed that NumPy's `RandomState` accepts; the smallest is 0."""

_POINTS_PER_SEGMENT = 512
"""The number of chords that approximate a segment to measure its length; for a quarter circle, the relative error is
4e-7."""


def latent_from_seed(seed: int, latent_dim: int) -> Latent:
    """The latent of a seed, which is the same on every machine and with every version of NumPy.

    NumPy guarantees the stream of `RandomState`. Magenta draws the same latent after `np.random.seed(seed)`.

    Args:
        seed: a whole number from 0 to `LARGEST_SEED`.
        latent_dim: the length of the checkpoint's latents.

    Returns:
        float32, shape (latent_dim,).
    """
    return np.random.RandomState(seed).standard_normal(latent_dim).astype(np.float32)


def onto_shell(latents: NDArray[Any], epsilon: float = 0.0) -> NDArray[Any]:
    """Scale latents so that the root mean square of each is 1, which is also the average of random latents.

    Args:
        latents: float, shape (..., latent_dim).
        epsilon: added to the mean square; with 0.0, a latent of zeros becomes NaN.

    Returns:
        The scaled latents, in the shape and dtype of `latents`.
    """
    return np.asarray(latents / np.sqrt(np.mean(np.square(latents), axis=-1, keepdims=True) + epsilon))


def slerp(z0: Latent, z1: Latent, position: float) -> Latent:
    """A point on the arc from z0 to z1.

    Args:
        z0, z1: latents, float32, shape (latent_dim,).
        position: 0.0 gives z0, 1.0 gives z1.

    Returns:
        float32, shape (latent_dim,). For parallel latents, whose arc has no length, and for opposite ones and latents
        of zeros, whose arc has no direction, the point lies on the straight line.

    Source: Shoemake 1985; equal to Magenta's `generate_util.slerp` where that is finite.
    """
    a, b = z0.astype(np.float64), z1.astype(np.float64)
    if not (a.any() and b.any()):
        return lerp(z0, z1, position)
    cosine = np.dot(a / np.linalg.norm(a), b / np.linalg.norm(b))
    omega = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(omega) < 1e-6:
        return lerp(z0, z1, position)
    point: NDArray[np.float64] = (np.sin((1.0 - position) * omega) * a + np.sin(position * omega) * b) / np.sin(omega)
    return point.astype(np.float32)


def lerp(z0: Latent, z1: Latent, position: float) -> Latent:
    """A point on the straight line from z0 to z1; arguments and result as for `slerp`."""
    point: NDArray[np.float64] = (1.0 - position) * z0.astype(np.float64) + position * z1.astype(np.float64)
    return point.astype(np.float32)


INTERPOLATIONS: dict[Interpolation, Interpolate] = {"slerp": slerp, "linear": lerp}


def path_points(
    through: Sequence[Latent], steps: int, spacing: Spacing = "even", interpolation: Interpolation = "slerp"
) -> list[Latent]:
    """Points along a path through latent space.

    Args:
        through: the latents on the path, at least two, float32, shape (latent_dim,).
        steps: the number of points, at least 2, both ends included.
        spacing: `even` puts points at equal distances along the path; `uniform` gives every segment the same share of
            the points, however long it is.
        interpolation: the curve of a segment: `slerp` is the arc, `linear` the straight line.

    Returns:
        `steps` latents; the first and the last are those of `through`, bit for bit.
    """
    interpolate = INTERPOLATIONS[interpolation]
    segments = len(through) - 1
    positions = np.linspace(0.0, segments, steps)
    if spacing == "even":
        fine = np.linspace(0.0, segments, segments * _POINTS_PER_SEGMENT + 1)
        points = np.stack([_point(through, p, interpolate) for p in fine]).astype(np.float64)
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        if length[-1] > 0.0:
            positions = np.interp(np.linspace(0.0, length[-1], steps), length, fine)
    return [through[0], *(_point(through, p, interpolate) for p in positions[1:-1]), through[-1]]


def _point(through: Sequence[Latent], position: float, interpolate: Interpolate) -> Latent:
    """The point of a path at a position from 0 to the number of segments."""
    segment = min(int(position), len(through) - 2)
    return interpolate(through[segment], through[segment + 1], position - segment)
