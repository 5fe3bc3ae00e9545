"""Sizes of networks, and weights that don't fit them."""

from samplepack.models.config import shape_problems
from tests.helpers.networks import random_tensors, small_config


def test_every_wrong_tensor_is_told():
    sizes = small_config()
    tensors = random_tensors(sizes)
    del tensors["block_2/conv0/bias"]
    tensors["block_3/conv1/kernel"] = tensors["block_3/conv1/kernel"][:2]
    problems = [str(problem) for problem in shape_problems(sizes, tensors, "small")]
    assert problems == [
        "checkpoint 'small': block_2/conv0/bias is missing",
        "checkpoint 'small': block_3/conv1/kernel has shape (2, 3, 4, 4), should have (3, 3, 4, 4)",
    ]


def test_sizes_that_do_not_grow_into_the_spectrogram_are_told():
    sizes = small_config(start=(3, 4), channels=(2, 2))
    assert "doesn't divide 16 x 32" in str(shape_problems(sizes, random_tensors(sizes), "small")[0])


def test_spectra_that_have_other_bins_than_the_spectrogram_are_told():
    spectra = {
        "courses": 3,
        "hidden": 6,
        "start": 3,
        "channels": (5, 4),
        "floor": -0.5,
        "pitch_width_semitones": 1.0,
        "noise_bands": 4,
    }
    sizes = small_config(spectra=spectra)
    assert [str(problem) for problem in shape_problems(sizes, random_tensors(sizes), "small")] == [
        "checkpoint 'small': the blocks of spectra grow to 6 bins, which should be 32"
    ]
