"""3×3 convolutions by fewer products: half as many; of an upsampled image nine for four pixels, which are
36 written out and 16 in one convolution with the upsampling.

For float32 on a CPU, whose arithmetic is what bounds the network. With few channels the sums that take the products'
place last longer than they: use it from `LEAST_CHANNELS` on. Source: Winograd, "Arithmetic Complexity of
Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

LEAST_CHANNELS = 128

_TILE = 4
"""Neighbouring bins that are computed together, from six products instead of twelve."""

_POINTS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [-1, -2, -4], [-1, 2, -4], [0, 0, 24]]) / 24
"""A row of three taps as a polynomial, at 0, 1, -1, 2, -2 and infinity, each with the scale that its product wants;
those at ±2 with the other sign, and see `convolve`."""

_SHARES = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1]])
"""Of three taps on an image that is upsampled by nearest neighbours: all of them, the first, and the last."""


def fold(kernel: Any) -> NDArray[np.float32]:
    """A kernel as `convolve` wants it: shape (3, 3, in, out) to (6, 3, 1, in, out)."""
    return np.asarray(np.einsum("pj,ijkl->pikl", _POINTS, np.asarray(kernel, "float64"))[:, :, None], "float32")


def convolve(x: Any, folded: Any, bias: Any) -> Any:
    """A 3×3 convolution of an image with zeros around it, and a bias; shape (batch, frames, bins, channels).

    Args:
        x: shape (batch, frames, bins, in).
        folded: as of `fold`.
        bias: shape (out,).
    """
    frames, bins, channels = x.shape[1:]
    tiles = -(-bins // _TILE)
    x = ops.pad(x, [(0, 0), (1, 1), (1, _TILE * (tiles + 1) - 1 - bins), (0, 0)])
    x = ops.reshape(x, (-1, frames + 2, tiles + 1, _TILE * channels))
    near, far = x[:, :, :-1], x[:, :, 1:]
    a, b, c, d = (near[..., i * channels : (i + 1) * channels] for i in range(_TILE))
    e, f = (far[..., i * channels : (i + 1) * channels] for i in range(2))
    even_1, odd_1, even_2, odd_2 = e - 4.0 * c, d - 4.0 * b, e - c, 2.0 * (d - b)
    images = (4.0 * a - 5.0 * c + e, even_1 + odd_1, even_1 - odd_1, even_2 + odd_2, even_2 - odd_2)
    zero, one, minus_one, two, minus_two = (_multiplied(image, folded[i]) for i, image in enumerate(images))
    infinity = _multiplied(4.0 * b - 5.0 * d + f, folded[5])
    one = one + bias  # which is in all four bins once
    even_1, odd_1, even_2, odd_2 = one + minus_one, one - minus_one, two + minus_two, two - minus_two
    # With differences between: TensorFlow adds three and more terms in whichever order they are ready.
    four = [zero + even_1 - even_2, odd_1 - 2.0 * odd_2, even_1 - 4.0 * even_2, odd_1 - 8.0 * odd_2 + infinity]
    return ops.reshape(ops.concatenate(four, axis=-1), (-1, frames, _TILE * tiles, folded.shape[-1]))[:, :, :bins]


def fold_upsampling(kernel: Any) -> NDArray[np.float32]:
    """A kernel as `convolve_upsampled` wants it: shape (3, 3, in, out) to (3, 3, 1, 1, in, out)."""
    shares = np.einsum("pi,qj,ijkl->pqkl", _SHARES, _SHARES, np.asarray(kernel, "float64"))
    shares[1:, 1:] *= -1.0  # for the same reason as in `convolve`
    return np.asarray(shares[:, :, None, None], "float32")


def convolve_upsampled(x: Any, folded: Any, bias: Any) -> Any:
    """A 3×3 convolution, with zeros around it, of an image that is upsampled twofold by nearest neighbours; and a bias.

    Of the two large pixels that a small one becomes along an axis, one sees all three taps on the small one, but for
    the first tap, which sees the small one before it; the other the same with the last tap. The product with the sum of
    all taps is common to both.

    Args:
        x: shape (batch, frames, bins, in).
        folded: as of `fold_upsampling`.
        bias: shape (out,).

    Returns:
        Shape (batch, 2·frames, 2·bins, out).
    """
    frames, bins = x.shape[1:3]
    made = [
        [_multiplied(image, folded[i, j]) for j, image in enumerate(_with_differences(row, axis=2))]
        for i, row in enumerate(_with_differences(x, axis=1))
    ]
    made[0][0] = made[0][0] + bias
    rows = [(made[0][0] + made[i][0], made[i]) for i in (1, 2)]
    large = ops.stack(
        [ops.stack([row + (made[0][j] - crossed[j]) for j in (1, 2)], axis=3) for row, crossed in rows], axis=2
    )
    return ops.reshape(large, (-1, 2 * frames, 2 * bins, folded.shape[-1]))


def _multiplied(image: Any, kernel: Any) -> Any:
    return ops.conv(image, kernel, padding="valid", data_format="channels_last")


def _with_differences(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """An image, and what it lacks to the one moved on, and back, by a pixel, with zeros beyond its edges."""
    edge = [(0, 0)] * len(x.shape)
    edge[axis] = (1, 1)
    padded = ops.pad(x, edge)
    n = x.shape[axis]
    before, after = (padded[:, i : i + n] if axis == 1 else padded[:, :, i : i + n] for i in (0, 2))
    return x, before - x, after - x
