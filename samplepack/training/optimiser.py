"""Adam over named tensors, each with its own learning rate, its slots part of the state that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.training.backend import Tensors
from samplepack.training.trainer import State


@dataclass(frozen=True)
class Adam:
    """Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015."""

    beta_1: float
    beta_2: float
    epsilon: float = 1e-8

    def start(self, weights: Mapping[str, NDArray[np.float32]]) -> State:
        """Its slots, `adam/m/…` and `adam/v/…`."""
        return {f"adam/{slot}/{name}": np.zeros_like(weight) for slot in "mv" for name, weight in weights.items()}

    def update(self, state: State, weights: Tensors, gradients: Tensors, rates: Mapping[str, Any], step: Any) -> State:
        """New `weights/…` and slots.

        Args:
            state: holds the slots.
            weights, gradients: by name.
            rates: the learning rate of each.
            step: counted from 1, float32.
        """
        new: State = {}
        unbias_1, unbias_2 = 1.0 - self.beta_1**step, 1.0 - self.beta_2**step
        for name, weight in weights.items():
            gradient = gradients[name]
            m = self.beta_1 * state[f"adam/m/{name}"] + (1.0 - self.beta_1) * gradient
            v = self.beta_2 * state[f"adam/v/{name}"] + (1.0 - self.beta_2) * ops.square(gradient)
            change = (m / unbias_1) / (ops.sqrt(v / unbias_2) + self.epsilon)
            new |= {f"weights/{name}": weight - rates[name] * change, f"adam/m/{name}": m, f"adam/v/{name}": v}
        return new


def clipped(gradients: Tensors, norm: float) -> Tensors:
    """Gradients, all shortened alike where their common norm is larger."""
    total = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients.values()))
    scale = norm / ops.maximum(total, norm)
    return {name: gradient * scale for name, gradient in gradients.items()}
