"""Loading the network of a checkpoint. Keras is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samplepack.models.backend import start_backend
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth


def load_model(checkpoint: Checkpoint, engine: Engine = DEFAULT_ENGINE) -> GANSynth:
    """Read a checkpoint's weights and make its network. Imports Keras and its backend.

    Args:
        checkpoint: what to load.
        engine: what it is to run on.

    Raises:
        InputError: the weights aren't what the config says, or the backend isn't installed.
    """
    start_backend()
    from samplepack.models.gansynth import GANSynth, read

    return GANSynth(*read(checkpoint), engine)
