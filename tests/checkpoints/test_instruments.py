"""Instruments by name: found whatever their case, and what is proposed for other names."""

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints.instruments import find_instrument, similar_instruments
from samplepack.checkpoints.library import STARTER
from samplepack.models.checkpoint import read_checkpoint, read_instruments

CHECKPOINT = read_checkpoint(STARTER, "starter")


@pytest.mark.parametrize("name", ["Violin", "violin", "VIOLIN"])
def test_an_instrument_is_found_whatever_its_case(name):
    spelled, latent = find_instrument(name, CHECKPOINT)
    assert spelled == "Violin" and np.array_equal(latent, read_instruments(CHECKPOINT)["Violin"])


PROPOSED = {
    # asked for → words of which every proposed name has one, and how many are proposed
    "piano": ("Piano", 6),
    "Grand Piano": ("Grand Piano", 2),
    "jazz piano": ("Piano", 6),
    "guitar": ("Guitar", 8),
    "guitars": ("Guitar", 8),
    "gitar": ("Guitar", 8),
    "paino": ("Piano", 6),
    "bass": ("Bass bass", 9),
    "double bass": ("Contrabass Acoustic", 2),
    "sax": ("Sax", 4),
    "saxophone": ("Sax", 4),
    "organ": ("Organ", 5),
    "strings": ("String Strings Violin Viola Cello Contrabass", 10),
    "harp": ("Harp", 1),
    "brass": ("Brass Trumpet Trombone Tuba French", 8),
    "choir": ("Choir choir Voice voice", 5),
    "trumpets": ("Trumpet", 2),
    "violla": ("Viola", 1),
    "harmonium": ("", 0),
    "lute": ("", 0),
    "kazoo": ("", 0),
    "": ("", 0),
    "?": ("", 0),
}


@pytest.mark.parametrize("name", PROPOSED)
def test_a_name_proposes_the_instruments_that_it_may_mean(name):
    words, count = PROPOSED[name]
    proposed = similar_instruments(name, CHECKPOINT.config.instruments)
    assert len(proposed) == count
    assert all(any(word in one for word in words.split()) for one in proposed), proposed


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "piano",
            "; did you mean one of 'Acoustic Grand Piano', 'Bright Acoustic Piano', 'Electric Grand Piano', 'Honky-tonk Piano' …?",
        ),
        ("harps", "; did you mean 'Orchestral Harp'?"),
        ("kazoo", ""),
    ],
)
def test_an_instrument_that_is_not_there_is_told_with_what_is(name, told):
    with pytest.raises(InputError) as raised:
        find_instrument(name, CHECKPOINT)
    assert str(raised.value) == (
        f"checkpoint 'starter' has no instrument '{name}'{told} (`samplepack checkpoints info starter` lists all 111)"
    )
