"""Winograd's convolutions against the plain ones."""

import numpy as np
import pytest

from samplepack.models.backend import start_backend


@pytest.mark.parametrize("bins", [5, 16, 19])
def test_convolutions_by_fewer_products_are_the_same_convolutions(bins):
    start_backend()
    from keras import ops

    from samplepack.models import winograd

    random = np.random.RandomState(2)
    x, kernel = random.standard_normal((2, 6, bins, 130)), random.standard_normal((3, 3, 130, 128)) / np.sqrt(9 * 130)
    bias = random.standard_normal(128)
    x, kernel, bias = (array.astype(np.float32) for array in (x, kernel, bias))

    def written_out(image):
        return ops.convert_to_numpy(ops.conv(image, kernel, padding="same", data_format="channels_last")) + bias

    by_winograd = ops.convert_to_numpy(winograd.convolve(x, winograd.fold(kernel), bias))
    assert np.abs(by_winograd - written_out(x)).max() < 1e-4
    by_winograd = ops.convert_to_numpy(winograd.convolve_upsampled(x, winograd.fold_upsampling(kernel), bias))
    assert np.abs(by_winograd - written_out(x.repeat(2, axis=1).repeat(2, axis=2))).max() < 1e-4
