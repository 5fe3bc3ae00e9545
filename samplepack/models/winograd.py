"""3×3 convolutions by fewer products, for float32 on a CPU, where multiplications bound the network's speed.

A convolution takes half as many products. One of an image that is upsampled by nearest neighbours takes nine
products for four pixels, instead of 36, or of 16 with the upsampling folded into the kernels. The additions take
longer than the products that they save where channels are few: use it from `LEAST_CHANNELS` on. Source: Winograd,
"Arithmetic Complexity of Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural
Networks", CVPR 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

LEAST_CHANNELS = 128

_TILE = 4
"""How many neighbouring bins are computed together, from six products instead of twelve."""

_POINTS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [-1, -2, -4], [-1, 2, -4], [0, 0, 24]]) / 24
"""The values of a row of three taps, as a polynomial, at 0, 1, -1, 2, -2 and infinity, each scaled as `convolve` needs
it; those at ±2 have the other sign, so that it can subtract instead of adding three terms."""

_SHARES = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1]])
"""The sums of three taps on an image upsampled by nearest neighbours: all of them, the first, and the last."""


def fold(kernel: Any) -> NDArray[np.float32]:
    """Prepare a kernel for `convolve`: shape (3, 3, in, out) to (6, 3, 1, in, out), float32."""
    return np.asarray(np.einsum("pj,ijkl->pikl", _POINTS, np.asarray(kernel, "float64"))[:, :, None], "float32")


def convolve(x: Any, folded: Any, bias: Any) -> Any:
    """Convolve an image, with zeros around it, with a 3×3 kernel, and add a bias.

    Args:
        x: shape (batch, frames, bins, in).
        folded: the kernel, as `fold` gives it.
        bias: shape (out,).

    Returns:
        Shape (batch, frames, bins, out).
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
    at_0, at_1, at_minus_1, at_2, at_minus_2 = (_multiply(image, folded[i]) for i, image in enumerate(images))
    at_infinity = _multiply(4.0 * b - 5.0 * d + f, folded[5])
    at_1 = at_1 + bias  # its product is added once to each of the four bins
    even_1, odd_1, even_2, odd_2 = at_1 + at_minus_1, at_1 - at_minus_1, at_2 + at_minus_2, at_2 - at_minus_2
    # Subtractions keep the order of sums: TensorFlow adds three and more terms in whichever order they are ready.
    four = [at_0 + even_1 - even_2, odd_1 - 2.0 * odd_2, even_1 - 4.0 * even_2, odd_1 - 8.0 * odd_2 + at_infinity]
    return ops.reshape(ops.concatenate(four, axis=-1), (-1, frames, _TILE * tiles, folded.shape[-1]))[:, :, :bins]


def fold_upsampling(kernel: Any) -> NDArray[np.float32]:
    """Prepare a kernel for `convolve_upsampled`: shape (3, 3, in, out) to (3, 3, 1, 1, in, out), float32."""
    shares = np.einsum("pi,qj,ijkl->pqkl", _SHARES, _SHARES, np.asarray(kernel, "float64"))
    shares[1:, 1:] *= -1.0  # so that it can subtract, which keeps the order of sums
    return np.asarray(shares[:, :, None, None], "float32")


def convolve_upsampled(x: Any, folded: Any, bias: Any) -> Any:
    """Upsample an image twofold by nearest neighbours, convolve it, zeros around it, with a 3×3 kernel, and add a bias.

    Each pixel becomes two along an axis. For the first of them, the first tap falls on the pixel before and the other
    two on the pixel itself; for the second, the last tap falls on the pixel after. The product of the pixel with the
    sum of all taps is common to both.

    Args:
        x: shape (batch, frames, bins, in).
        folded: the kernel, as `fold_upsampling` gives it.
        bias: shape (out,).

    Returns:
        Shape (batch, 2·frames, 2·bins, out).
    """
    frames, bins = x.shape[1:3]
    products = [
        [_multiply(image, folded[i, j]) for j, image in enumerate(_with_differences(row, axis=2))]
        for i, row in enumerate(_with_differences(x, axis=1))
    ]
    products[0][0] = products[0][0] + bias
    rows = [(products[0][0] + products[i][0], products[i]) for i in (1, 2)]
    upsampled = ops.stack(
        [ops.stack([row + (products[0][j] - corners[j]) for j in (1, 2)], axis=3) for row, corners in rows], axis=2
    )
    return ops.reshape(upsampled, (-1, 2 * frames, 2 * bins, folded.shape[-1]))


def _multiply(image: Any, kernel: Any) -> Any:
    return ops.conv(image, kernel, padding="valid", data_format="channels_last")


def _with_differences(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """An image, and the differences of each pixel's neighbours before and after it along an axis from it.

    Beyond the image's edges the neighbours are zero.
    """
    edge = [(0, 0)] * len(x.shape)
    edge[axis] = (1, 1)
    padded = ops.pad(x, edge)
    n = x.shape[axis]
    before, after = (padded[:, i : i + n] if axis == 1 else padded[:, :, i : i + n] for i in (0, 2))
    return x, before - x, after - x
