"""The network of spectra: a generator along frequency alone, whose spectra rise and fall along courses over time.

The levels of a note are the sum of a few courses, which all notes share, each times a spectrum of the note. So small a
network learns levels in much finer detail than one that grows whole images, whose frequencies are kept. The layers are
those of the generator, with one axis instead of two; the code scales and shifts the channels of each block, as in
Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from keras import ops

from samplepack.models.config import Spectra
from samplepack.models.generator import Folded, activate, average_bins, convolve, scaled


def fold_spectra(tensors: Mapping[str, Any]) -> Folded:
    """Prepare the weights of a network of spectra, if there are any, for the functions below.

    Args:
        tensors: weights as stored, those of other parts included; kernels end with (in, out).

    Returns:
        `spectra/…` → weight, kernels with the runtime scale of equalised learning rates.
    """
    linear = ("spectra/scale/kernel", "spectra/output/kernel")
    return {
        name: scaled(tensor, gain=1.0 if name in linear else 2.0) if name.endswith("/kernel") else tensor
        for name, tensor in tensors.items()
        if name.startswith("spectra/")
    }


def spectra_of(sizes: Spectra, folded: Folded, code: Any, templates: Any) -> Any:
    """The spectra of notes.

    Args:
        sizes: sizes of the network.
        folded: weights, as `fold_spectra` gives them.
        code: normalised latents, labels and velocities, shape (batch, code_dim).
        templates: the templates of each note's pitch, shape (batch, bins, channels); None where the network has none.

    Returns:
        Shape (batch, bins, courses), of the weights' dtype.
    """
    for layer in ("dense_1", "dense_2"):
        code = activate(ops.matmul(code, folded[f"spectra/{layer}/kernel"]) + folded[f"spectra/{layer}/bias"])
    scales = ops.matmul(code, folded["spectra/scale/kernel"]) + folded["spectra/scale/bias"]
    x = ops.matmul(code, folded["spectra/start/kernel"]) + folded["spectra/start/bias"]
    x = activate(ops.reshape(x, (-1, sizes.start, sizes.channels[0])))
    ends = np.cumsum([0, *(2 * channels for channels in sizes.channels)])
    for block, (first, end) in enumerate(pairwise(ends), start=1):
        if block > 1:
            x = _with_templates(sizes, block, ops.repeat(x, 2, axis=1), templates)
            x = activate(_convolved(folded, f"block_{block}/conv0", x))
        scale, shift = ops.split(scales[:, None, first:end], 2, axis=-1)
        x = activate(_convolved(folded, f"block_{block}/conv1", x) * (1.0 + scale) + shift)
    return _convolved(folded, "output", _with_templates(sizes, len(sizes.channels), x, templates))


def levels_of(sizes: Spectra, folded: Folded, code: Any, templates: Any) -> Any:
    """The levels of notes, as `GANSynthConfig.normaliser` has them.

    Arguments as for `spectra_of`.

    Returns:
        float32, shape (batch, frames, bins), from `Spectra.floor` to 1.
    """
    spectra = ops.cast(spectra_of(sizes, folded, code, templates), "float32")
    courses = ops.cast(folded["spectra/courses"], "float32")
    return ops.clip(sizes.floor + ops.einsum("tk,nfk->ntf", courses, spectra), sizes.floor, 1.0)


def _convolved(folded: Folded, layer: str, x: Any) -> Any:
    return convolve(x, folded[f"spectra/{layer}/kernel"], "same") + folded[f"spectra/{layer}/bias"]


def _with_templates(sizes: Spectra, block: int, x: Any, templates: Any) -> Any:
    if templates is None or not sizes.takes_templates(block):
        return x
    return ops.concatenate([x, average_bins(templates, x.shape[1])], axis=-1)
