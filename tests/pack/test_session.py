from xml.etree import ElementTree

import pytest

from tests.helpers.tone_packs import write_pack

ODD = "Ümläut's “room” & #1 (60 characters, no more and no fewer) ok"
INSTRUMENTS = {ODD: ("none", [48, 60, 72], [{1: 0.3}], 1.0), "Noon": ("none", [60], [{1: 0.3}], 1.0)}


def test_a_project_for_lmms_has_a_track_for_each_instrument(run, tmp_path):
    pack = write_pack(tmp_path / "a $pack & more", INSTRUMENTS, formats=["sf2"])
    ran = run("session", pack, "--host", "lmms", "-o", tmp_path / "to" / "open")
    assert (ran.code, ran.out.strip()) == (0, str(tmp_path / "to/open/Tones.mmp"))
    tracks = ElementTree.parse(tmp_path / "to/open/Tones.mmp").findall(".//track")
    assert [track.get("name") for track in tracks] == list(INSTRUMENTS)
    players = [track.find(".//sf2player").get("src") for track in tracks]
    assert players == [str(pack / "Instruments" / f"{name}.sf2") for name in INSTRUMENTS]
    first, second = (track.find("pattern") for track in tracks)
    assert int(second.get("pos")) >= int(first.get("len")) and int(second.get("pos")) % 192 == 0
    assert {int(note.get("key")) for note in second} == {48}  # LMMS counts keys from MIDI 12


def test_a_pack_without_soundfonts_is_refused_in_a_line(run, tmp_path):
    pack = write_pack(tmp_path / "pack", INSTRUMENTS)
    ran = run("session", pack, "--host", "lmms", "-o", tmp_path)
    assert ran.code == 2 and "lmms loads sf2, which this pack doesn't have" in ran.err and ran.err.count("\n") == 1


@pytest.mark.parametrize("missing", ["--host", "-o"])
def test_host_and_folder_have_to_be_said(run, tmp_path, missing):
    options = {"--host": "lmms", "-o": tmp_path}
    ran = run("session", tmp_path, *[word for key, value in options.items() if key != missing for word in (key, value)])
    assert ran.code == 2 and missing in ran.err
