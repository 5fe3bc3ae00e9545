"""Playing a pack finds nothing wrong with a good one, and names each fault of an instrument that was planted in one."""

import re
import shutil

import pytest

from samplepack.pack.players import Sfizz, players
from samplepack.pack.verify import verify
from tests.helpers.played import FAULTS, PACKS, packs_in, plant


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Name → folder of a pack, built when it is asked for."""
    return packs_in(tmp_path_factory.mktemp("played"))


def problems(folder):
    return [f"{report.name}: {problem}" for report in verify(folder, [Sfizz()]) for problem in report.problems]


@pytest.mark.parametrize("name", PACKS)
def test_nothing_is_wrong_with_a_good_pack(built, name):
    before = sorted(built(name).rglob("*"))
    assert problems(built(name)) == []
    assert sorted(built(name).rglob("*")) == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(built, tmp_path, fault):
    folder = shutil.copytree(built(FAULTS[fault].pack), tmp_path / "planted")
    plant(folder, fault)
    found = problems(folder)
    assert any(re.search(FAULTS[fault].named.format(player="sfizz"), problem) for problem in found), found


def test_the_count_of_performances_is_told_before_they_are_played(built):
    told = []
    folder = built("plain")
    verify(folder, [Sfizz()], progress=lambda task, done, total, remark="": told.append((task, done, total)))
    totals = {total for _, _, total in told}
    assert len(totals) == 1 and told[0][:2] == ("Glass in sfizz", 0) and told[-1][1] == totals.pop()


@pytest.mark.parametrize("there, lines", [((), 2), (("pysfizz",), 1), (("fluidsynth", "polyphone"), 1)])
def test_a_line_tells_of_each_player_that_is_not_installed(built, run, monkeypatch, there, lines):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in there or None)
    monkeypatch.setattr("shutil.which", lambda name: name if name in there else None)
    found, missing = players()
    assert len(missing) == lines and len(found) == 2 - lines
    if not found:
        ran = run("verify", built("plain"), "--player")
        assert ran.code == 1 and "pysfizz" in ran.err and "fluidsynth and polyphone not found" in ran.err


def test_a_map_that_cannot_be_loaded_is_told(built, tmp_path):
    folder = shutil.copytree(built("plain"), tmp_path / "damaged")
    (folder / "Instruments" / "Glass.sfz").write_text("<region>\nlokey=60 hikey=60\nsample=../Samples/none.wav\n")
    assert any("sfizz" in problem for problem in problems(folder))
