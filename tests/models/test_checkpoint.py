"""Checkpoint folders, and what may be wrong with them."""

import pytest

from samplepack.base.errors import InputError
from samplepack.models.checkpoint import Config, read_checkpoint, write_checkpoint


def test_an_unknown_family_is_refused(tmp_path):
    write_checkpoint(tmp_path / "wave", Config(family="gansinth", latent_dim=3, pitches=(1, 2), sample_rate_hz=1), {})
    with pytest.raises(InputError, match="unknown family 'gansinth'; did you mean 'gansynth'"):
        read_checkpoint(tmp_path / "wave", "wave")
