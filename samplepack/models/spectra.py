"""The network of spectra: a generator along frequency alone, whose spectra rise and fall along courses over time.

The levels of a note are the sum of a few courses, which all notes share, each times a spectrum of the note. So small a
network learns levels in much finer detail than one that grows whole images, whose frequencies are kept. The layers are
those of the generator, with one axis instead of two; the code scales and shifts the channels of each block, as in
Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018. A pitch enters as a bell curve over
the pitches beside it, so that what is learned at one holds for its neighbours too. Two more dense layers give the noise
between the partials; see `samplepack.models.noise`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig, Spectra
from samplepack.models.generator import Folded, activate, average_bins, convolve, scaled


def fold_spectra(config: GANSynthConfig, tensors: Mapping[str, Any]) -> Folded:
    """Prepare the weights of a network of spectra, if there is one, for the functions below.

    Args:
        config: the network's config.
        tensors: weights as stored, those of other parts included; kernels end with (in, out).

    Returns:
        `spectra/…` → weight, kernels with the runtime scale of equalised learning rates. The first dense layer's takes
        a one-hot pitch: the bell curve is in its weights.
    """
    if config.spectra is None:
        return {}
    linear = ("spectra/scale/kernel", "spectra/output/kernel", "spectra/noise_2/kernel")
    folded = {
        name: scaled(tensor, gain=1.0 if name in linear else 2.0) if name.endswith("/kernel") else tensor
        for name, tensor in tensors.items()
        if name.startswith("spectra/")
    }
    kernel, first, end = folded["spectra/dense_1/kernel"], config.latent_dim, config.latent_dim + config.pitch_count
    of_pitches = ops.matmul(_bell_curves(config.pitch_count, config.spectra.pitch_width_semitones), kernel[first:end])
    folded["spectra/dense_1/kernel"] = ops.concatenate([kernel[:first], of_pitches, kernel[end:]])
    return folded


def _bell_curves(pitches: int, width_semitones: float) -> NDArray[np.float32]:
    """The code of each pitch, float32, shape (pitches, pitches): rows of length 1, as a one-hot pitch has."""
    apart_semitones = np.subtract.outer(np.arange(pitches), np.arange(pitches))
    curves = np.exp(-0.5 * np.square(apart_semitones / width_semitones))
    return np.asarray(curves / np.linalg.norm(curves, axis=1, keepdims=True), np.float32)


def hidden_of(folded: Folded, code: Any) -> Any:
    """What the two dense layers make of a code.

    Args:
        folded: weights, as `fold_spectra` gives them.
        code: normalised latents, labels and velocities, shape (batch, code_dim).

    Returns:
        Shape (batch, hidden), of the weights' dtype.
    """
    return activate(_dense(folded, "dense_2", activate(_dense(folded, "dense_1", code))))


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
    hidden = hidden_of(folded, code)
    scales, x = _dense(folded, "scale", hidden), _dense(folded, "start", hidden)
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


def noise_of(folded: Folded, code: Any) -> Any:
    """The shares of noise between partials in the power of notes, in each band.

    Arguments as for `hidden_of`.

    Returns:
        Natural logarithms, float32, shape (batch, noise bands).
    """
    return ops.cast(_dense(folded, "noise_2", activate(_dense(folded, "noise_1", hidden_of(folded, code)))), "float32")


def _dense(folded: Folded, layer: str, x: Any) -> Any:
    return ops.matmul(x, folded[f"spectra/{layer}/kernel"]) + folded[f"spectra/{layer}/bias"]


def _convolved(folded: Folded, layer: str, x: Any) -> Any:
    return convolve(x, folded[f"spectra/{layer}/kernel"], "same") + folded[f"spectra/{layer}/bias"]


def _with_templates(sizes: Spectra, block: int, x: Any, templates: Any) -> Any:
    if templates is None or not sizes.takes_templates(block):
        return x
    return ops.concatenate([x, average_bins(templates, x.shape[1])], axis=-1)
