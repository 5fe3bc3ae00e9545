"""What walks and previews are asked for in text: pitches and seeds."""

import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints.library import STARTER
from samplepack.clips.studio import check_pitches, parse_pitches, parse_seeds
from samplepack.models.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def starter():
    return read_checkpoint(STARTER, "starter")


def test_pitches_and_seeds_are_read_from_lists(starter):
    assert parse_pitches("60,64, 67", starter) == [60, 64, 67]
    assert parse_seeds("3,17, 4294967295") == [3, 17, 4294967295]


@pytest.mark.parametrize("text", ["", "60;64", "C4", "60.5"])
def test_what_is_no_list_of_pitches_is_refused(starter, text):
    with pytest.raises(InputError, match=f"'{text}' should be pitches such as 60,64,67"):
        parse_pitches(text, starter)


@pytest.mark.parametrize("pitch", [23, 85])
def test_pitches_outside_of_the_checkpoints_range_are_refused(starter, pitch):
    check_pitches([24, 84], starter)
    with pytest.raises(InputError, match=f"pitch {pitch} is outside what the checkpoint can play, 24-84"):
        parse_pitches(f"60,{pitch}", starter)


@pytest.mark.parametrize("seed", ["-1", "4294967296", "²", "x", ""])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(InputError, match=f"'{seed}' is no seed: they are whole numbers from 0 to 4294967295"):
        parse_seeds(f"3,{seed}")
