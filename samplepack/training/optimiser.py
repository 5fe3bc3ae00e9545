"""Optimisers over named tensors with a learning rate each. Their slots are part of the state that a run saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from samplepack.models.gradients import Tensors
from samplepack.training.trainer import State


@dataclass(frozen=True)
class Adam:
    """Adam. Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015."""

    beta_1: float
    beta_2: float
    epsilon: float = 1e-8

    def start(self, weights: Mapping[str, NDArray[np.float32]]) -> State:
        """The slots before the first step, `adam/m/…` and `adam/v/…`, all zero."""
        return {f"adam/{slot}/{name}": np.zeros_like(weight) for slot in "mv" for name, weight in weights.items()}

    def update(self, state: State, weights: Tensors, gradients: Tensors, rates: Mapping[str, Any], step: Any) -> State:
        """Do one step, and return the new `weights/…` and slots.

        Args:
            state: holds the slots.
            weights: the weights to update, by name.
            gradients: gradients of these weights and perhaps others, by name.
            rates: the learning rate of each weight.
            step: the step's number, counted from 1, float32.
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


@dataclass(frozen=True)
class Muon:
    """Muon, for kernels: a step changes a layer equally in all directions, not most where the gradient is largest.

    A kernel learns the same in about two thirds of the images that Adam needs. Source: Jordan et al., "Muon: An
    optimizer for hidden layers in neural networks", 2024; steps as large as Adam's by the rule of Liu et al., "Muon is
    Scalable for LLM Training", 2025.
    """

    momentum: float = 0.95

    def start(self, weights: Mapping[str, NDArray[np.float32]]) -> State:
        """The slots before the first step, `muon/m/…`, all zero."""
        return {f"muon/m/{name}": np.zeros_like(weight) for name, weight in weights.items()}

    def update(self, state: State, weights: Tensors, gradients: Tensors, rates: Mapping[str, Any]) -> State:
        """Do one step, and return the new `weights/…` and slots; see `Adam.update` for the arguments."""
        new: State = {}
        for name, weight in weights.items():
            m = self.momentum * state[f"muon/m/{name}"] + gradients[name]
            change = _even(gradients[name] + self.momentum * m)
            new |= {f"weights/{name}": weight - rates[name] * change, f"muon/m/{name}": m}
        return new


@dataclass(frozen=True)
class MuonAndAdam:
    """Muon for the kernels of hidden layers, Adam for all other weights; and a running average of all of them."""

    is_kernel: Callable[[str], bool]
    """Whether Muon changes a weight of this name."""

    muon: Muon = Muon()
    adam: Adam = Adam(beta_1=0.9, beta_2=0.99)

    def start(self, weights: Mapping[str, NDArray[np.float32]]) -> State:
        """The state before the first step: `weights/…`, `average/…` and the slots."""
        state: State = {f"weights/{name}": weight for name, weight in weights.items()}
        state |= {f"average/{name}": weight.copy() for name, weight in weights.items()}
        kernels, others = self._parted(weights)
        return state | self.muon.start(kernels) | self.adam.start(others)

    def update(
        self, state: State, weights: Tensors, gradients: Tensors, rates: Mapping[str, Any], step: Any, keep: Any
    ) -> State:
        """Do one step, and return the new state; see `Adam.update` for the arguments.

        Args:
            keep: how much of the average stays, float32, from 0 to 1.
        """
        kernels, others = self._parted(weights)
        new = self.muon.update(state, kernels, gradients, rates)
        new |= self.adam.update(state, others, gradients, rates, step)
        for name in weights:
            average = state[f"average/{name}"]
            new[f"average/{name}"] = average + (1.0 - keep) * (new[f"weights/{name}"] - average)
        return new

    def weights(self, state: State) -> Tensors:
        """The weights in a state, by name."""
        return {name.removeprefix("weights/"): t for name, t in state.items() if name.startswith("weights/")}

    def averages(self, state: State) -> dict[str, NDArray[np.float32]]:
        """The averages in a state, by the weights' names."""
        return {
            name.removeprefix("average/"): np.asarray(ops.convert_to_numpy(tensor), "float32")
            for name, tensor in state.items()
            if name.startswith("average/")
        }

    def _parted(self, weights: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Kernels, and all other weights."""
        kernels = {name for name in weights if self.is_kernel(name)}
        return {n: weights[n] for n in weights if n in kernels}, {n: weights[n] for n in weights if n not in kernels}


def pace(step: int, steps: int, warm_up: int, keep: float, behind: int) -> dict[str, NDArray[Any]]:
    """What a step of `MuonAndAdam` needs besides gradients, float32, by name.

    Args:
        step: the step's number, counted from 0.
        steps: how many there are.
        warm_up: over how many steps the rate rises.
        keep: how much of the average stays at most.
        behind: how many steps the average is behind the weights at first.

    Returns:
        `rate`, the share of the learning rate, which rises to 1 over the warm-up and falls along half a cosine to 0.02
        at the end; `keep`, how much of the average stays; `step`, the step's number, counted from 1.
    """
    rate = min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
    numbers = {"rate": rate, "keep": min(keep, (step + 1) / (step + behind)), "step": step + 1}
    return {name: np.asarray(number, np.float32) for name, number in numbers.items()}


_STEP_SIZE = 0.3
"""Root mean square of a step at a learning rate of 1, about the same as Adam's."""


def _even(kernel: Any) -> Any:
    """Bring all singular values of a kernel near to one, and its root mean square to `_STEP_SIZE`.

    The kernel is taken as a matrix of shape (h·w·in, out), on which five steps of a Newton-Schulz iteration are done.
    """
    x = ops.reshape(kernel, (-1, kernel.shape[-1]))
    is_wide = x.shape[0] < x.shape[1]
    x = ops.transpose(x) if is_wide else x
    x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-12)
    square, product = ops.matmul(ops.transpose(x), x), ops.eye(x.shape[1])  # all five steps on the small xᵀx
    for _ in range(5):
        factor = 2.0315 * ops.matmul(square, square) - 4.775 * square + 3.4445 * ops.eye(x.shape[1])
        square = ops.matmul(factor, ops.matmul(square, factor))
        product = ops.matmul(product, factor)
    x = ops.matmul(x, product)
    scale = _STEP_SIZE * math.sqrt(max(x.shape))
    return ops.reshape(scale * (ops.transpose(x) if is_wide else x), kernel.shape)


def clipped(gradients: Tensors, norm: float) -> Tensors:
    """Gradients, all scaled by the same factor so that their common norm is at most `norm`."""
    in_order = (gradients[name] for name in sorted(gradients))  # a state that was read from a file has another order
    total = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in in_order))
    scale = norm / ops.maximum(total, norm)
    return {name: gradient * scale for name, gradient in gradients.items()}


SQUARES_DECAY = 0.99
"""Adam's β₂; its β₁ is 0, as in the paper."""

ADAM_EPSILON = 1e-8


def adam_without_momentum(
    state: dict[str, Tensors], part: str, gradients: Tensors, rates: Tensors
) -> dict[str, Tensors]:
    """One step of Adam without a first moment, as in Magenta.

    `Adam` gives other bits: it adds epsilon after the bias of the squares is corrected, this function before.

    Args:
        state: holds the weights, under `part`, and the running means of their squared gradients, under
            `{part}_squares`.
        part: the name of the weights in the state, such as `generator`.
        gradients: gradients by the weights' names.
        rates: by part, the learning rate times sqrt(1 − β₂^t) at step t, counted from 1.

    Returns:
        The new weights and squares, under the same names.
    """
    keep = SQUARES_DECAY
    squares = {n: keep * s + (1.0 - keep) * ops.square(gradients[n]) for n, s in state[f"{part}_squares"].items()}
    moved = {
        n: weight - rates[part] * gradients[n] / (ops.sqrt(squares[n]) + ADAM_EPSILON)
        for n, weight in state[part].items()
    }
    return {part: moved, f"{part}_squares": squares}
