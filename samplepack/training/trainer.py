"""The interface that a run uses, which each method of training implements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig

State = dict[str, Any]
"""Name → tensor, for all tensors that a resumed run needs."""


class Trainer(Protocol):
    """A method of training."""

    steps: int
    """Number of steps from start to end."""

    images_per_step: int
    """Number of real images in a step."""

    terms: tuple[str, ...]
    """Names of all terms of the loss that `step` may return."""

    def start(self, tensors: Mapping[str, NDArray[np.float32]] | None) -> State:
        """The state before the first step, of a new network or with the tensors of a checkpoint."""
        ...

    def step(self, state: State, step: int) -> tuple[State, dict[str, Any]]:
        """Do one step, and return the new state and the terms of the loss by name.

        Random numbers are drawn from the seed and the number of the step, so that a resumed run gives the same bits.
        """
        ...

    def tensors(self, state: State) -> dict[str, NDArray[np.float32]]:
        """The tensors of a checkpoint of this state, as `GANSynthConfig.tensor_shapes` lists them."""
        ...

    def config_after(self, steps: int) -> GANSynthConfig:
        """The config of a checkpoint that is written after so many steps."""
        ...
