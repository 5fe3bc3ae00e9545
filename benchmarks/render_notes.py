"""Load a checkpoint and render notes, nothing else: `python -m benchmarks.render_notes CHECKPOINT TIMBRES PITCHES`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from samplepack.models.checkpoint import read_checkpoint
from samplepack.models.latent import latent_from_seed
from samplepack.models.load import load_model


def main() -> None:
    """Render all timbres, seeds from 1, at all pitches, from 36 upward."""
    folder, timbres, pitches = Path(sys.argv[1]), int(sys.argv[2]), range(36, 36 + int(sys.argv[3]))
    checkpoint = read_checkpoint(folder, "sounding")
    model = load_model(checkpoint)
    latents = [latent_from_seed(seed, checkpoint.config.latent_dim) for seed in range(1, 1 + timbres) for _ in pitches]
    model.render(np.stack(latents), np.resize(pitches, len(latents)))


if __name__ == "__main__":
    main()
