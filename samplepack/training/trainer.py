"""What every way of training is to the run that drives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samplepack.models.config import GANSynthConfig

State = dict[str, Any]
"""Name → tensor: everything that a resumed run needs."""


class Trainer(Protocol):
    """One way of training."""

    steps: int
    """In all."""

    images_per_step: int

    terms: tuple[str, ...]
    """Names of all terms of the loss that `step` ever tells."""

    def start(self, tensors: Mapping[str, NDArray[np.float32]] | None) -> State:
        """The state before the first step: fresh, or from a checkpoint's tensors."""
        ...

    def step(self, state: State, step: int) -> tuple[State, dict[str, Any]]:
        """One update; gives the new state and the terms of the loss by name.

        All that is drawn by lot is drawn from the seed and the number of the step, so that a resumed run is the same
        to the last bit.
        """
        ...

    def tensors(self, state: State) -> dict[str, NDArray[np.float32]]:
        """What a checkpoint of this state holds, as `GANSynthConfig.tensor_shapes` lists it."""
        ...

    def config_after(self, steps: int) -> GANSynthConfig:
        """The config of a checkpoint made after so many steps."""
        ...
