"""`verify --player` with FluidSynth: it finds nothing wrong with a good pack, and names the faults that SF2 keeps.

Polyphone and FluidSynth are system packages; see `test_second_engine`.
"""

import re
import shutil

import pytest

from samplepack.pack.players import FluidSynth, players
from samplepack.pack.verify import verify
from tests.helpers.played import FAULTS, PACKS, packs_in, plant

HEARD = [name for name, fault in FAULTS.items() if fault.in_sf2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Name → folder of a pack, built when it is asked for."""
    return packs_in(tmp_path_factory.mktemp("played"))


def problems(folder):
    return [f"{report.name}: {problem}" for report in verify(folder, [FluidSynth()]) for problem in report.problems]


def test_both_players_are_found():
    found, missing = players()
    assert [player.name for player in found] == ["sfizz", "FluidSynth"] and missing == []


@pytest.mark.parametrize("name", PACKS)
def test_nothing_is_wrong_with_a_good_pack(built, name):
    assert problems(built(name)) == []


@pytest.mark.parametrize("fault", HEARD)
def test_a_planted_fault_is_named(built, tmp_path, fault):
    folder = shutil.copytree(built(FAULTS[fault].pack), tmp_path / "planted")
    plant(folder, fault)
    found = problems(folder)
    assert any(re.search(FAULTS[fault].named.format(player="FluidSynth"), problem) for problem in found), found
