"""Loading the network of a checkpoint. Importing this module doesn't import Keras; loading a network does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samplepack.models.backend import start_backend, turn_off_tf32
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth


def load_model(checkpoint: Checkpoint, engine: Engine = DEFAULT_ENGINE) -> GANSynth:
    """Read a checkpoint's weights and make its network. Imports Keras and its backend.

    Args:
        checkpoint: the checkpoint to load.
        engine: precision and device of the network.

    Raises:
        InputError: the weights don't agree with the config, or the backend isn't installed.
    """
    start_backend()
    if engine.device == "gpu":
        turn_off_tf32()
    from samplepack.models.gansynth import GANSynth, read

    return GANSynth(*read(checkpoint), engine)
