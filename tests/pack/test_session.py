"""Projects for music programs. Those of programs that run here are opened by tests/system/test_hosts.py; Reaper's and
DAWprojects are held to what their formats' descriptions say."""

import io
import json
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from samplepack.clips.score import PlayedNote
from samplepack.pack.hosts.track import Track
from samplepack.pack.session import HOSTS, write_session
from samplepack.sound.audio import Audio, encode
from tests.helpers.tone_packs import write_pack

ODD = "Ümläut's “room” & #1 (60 characters, neither more nor fewer)"
INSTRUMENTS = {
    ODD: ("none", [48, 60, 72], [{1: 0.3}], 1.0),
    "Drift": ("wheel", [60], [{1: 0.3}, {1: 0.3, 2: 0.1}], 1.0),
}
SILENCE = Audio(np.zeros((1, 4800), np.float32), 48000)
MAP = Path("/pack/Instruments/Line.sfz")


@pytest.fixture
def pack(tmp_path):
    """A pack with previews, in a folder of an odd name."""
    folder = write_pack(tmp_path / "a $pack & `more`", INSTRUMENTS, formats=["sfz", "sf2"])
    manifest = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    (folder / "Previews").mkdir()
    for packed in manifest["instruments"]:
        packed["preview"] = f"Previews/{packed['name']}.flac"
        (folder / packed["preview"]).write_bytes(encode(SILENCE, "flac", 16, 0))
    (folder / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_the_command_offers_every_host(run):
    assert f"[{'|'.join(HOSTS)}]" in run("session", "--help").out.replace("\n", "")


def test_a_project_for_lmms_has_a_track_for_each_instrument(run, pack, tmp_path):
    ran = run("session", pack, "--host", "lmms", "-o", tmp_path / "to" / "open")
    assert (ran.code, ran.out.strip()) == (0, str(tmp_path / "to/open/Tones.mmp"))
    tracks = ElementTree.parse(tmp_path / "to/open/Tones.mmp").findall(".//track")
    assert [track.get("name") for track in tracks] == list(INSTRUMENTS)
    players = [track.find(".//sf2player").get("src") for track in tracks]
    assert players == [str(pack / "Instruments" / f"{name}.sf2") for name in INSTRUMENTS]
    first, second = (track.find("pattern") for track in tracks)
    assert int(second.get("pos")) >= int(first.get("len")) and int(second.get("pos")) % 192 == 0
    assert {int(note.get("key")) for note in second} == {48}  # LMMS counts keys from MIDI 12


@pytest.mark.parametrize("host", HOSTS)
def test_two_projects_of_a_pack_are_the_same_bytes(pack, host, tmp_path):
    one, other = (write_session(pack, host, tmp_path / folder) for folder in ("one", "other"))
    assert one.read_bytes() == other.read_bytes() and "Tones" in one.name


@pytest.mark.parametrize("host, format_name", [("lmms", "sf2"), ("ardour", "sf2"), ("musescore", "sfz")])
def test_a_pack_without_the_format_of_a_host_is_refused_in_a_line(run, tmp_path, host, format_name):
    pack = write_pack(tmp_path / "pack", INSTRUMENTS, formats=["multisample"])
    ran = run("session", pack, "--host", host, "-o", tmp_path)
    assert ran.code == 2 and f"{host} loads {format_name}, which this pack doesn't have" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("host", ["reaper", "dawproject"])
def test_a_pack_without_previews_is_refused_where_they_are_played(run, tmp_path, host):
    pack = write_pack(tmp_path / "pack", INSTRUMENTS)
    ran = run("session", pack, "--host", host, "-o", tmp_path)
    assert ran.code == 2 and "plays previews" in ran.err and ran.err.count("\n") == 1


@pytest.mark.parametrize("missing", ["--host", "-o"])
def test_host_and_folder_have_to_be_said(run, tmp_path, missing):
    options = {"--host": "lmms", "-o": tmp_path}
    ran = run("session", tmp_path, *[word for key, value in options.items() if key != missing for word in (key, value)])
    assert ran.code == 2 and missing in ran.err


def test_a_score_has_the_rhythm_of_the_phrase():
    line = [PlayedNote(60 + i, 64, 0.26 * i, 0.26 * i + 0.52) for i in range(5)]
    (score,) = HOSTS["musescore"].project("Song", [Track("Line", MAP, 0.0, line)]).values()
    root = ElementTree.fromstring(score)
    assert float(root.findtext(".//tempo")) == pytest.approx(0.5 / 0.26, abs=1e-5)  # quarters a second
    values = {"whole": 8, "half": 4, "quarter": 2, "eighth": 1, "measure": 8}
    lengths = [sum(values[value.text] for value in m.iter("durationType")) for m in root.iter("Measure")]
    assert set(lengths) == {8}
    chords = [(values[c.findtext("durationType")], int(c.findtext(".//pitch"))) for c in root.iter("Chord")]
    assert chords == [(1, 60), (1, 61), (1, 62), (1, 63), (2, 64)]
    # Each sounds for two eighths, as in the phrase, and is written for one where the next begins.
    assert [int(note.findtext(".//len")) for note in root.iter("Note")] == [2000, 2000, 2000, 2000, 1000]


def test_long_notes_of_a_score_are_tied_over_measures():
    phrase = [PlayedNote(60, 100, 0.0, 6.0), PlayedNote(60, 100, 8.0, 10.0)]
    (score,) = HOSTS["musescore"].project("Song", [Track("Held", MAP, 0.0, phrase)]).values()
    spanners = list(ElementTree.fromstring(score).iter("Spanner"))
    assert [spanner.findtext(".//measures") for spanner in spanners] == ["1", "-1", "1", "-1"]


def test_a_project_of_reaper_plays_previews_and_holds_the_phrases(pack, tmp_path):
    text = write_session(pack, "reaper", tmp_path).read_text(encoding="utf-8")
    blocks = parsed_rpp(text)
    tracks = [block for block in blocks["children"] if block["name"].startswith("TRACK")]
    names = [quoted(line) for track in tracks for line in track["lines"] if line.startswith("NAME ")]
    assert names == [name for own in INSTRUMENTS for name in (own, f"{own}, notes")]
    for track, name in zip(tracks[::2], INSTRUMENTS, strict=True):
        (source,) = track["children"][0]["children"]
        assert source["name"] == "SOURCE FLAC"
        assert quoted(source["lines"][0].removeprefix("FILE ")) == str(pack / "Previews" / f"{name}.flac")
    for track in tracks[1::2]:
        (item,) = track["children"]
        (source,) = item["children"]
        assert source["name"] == "SOURCE MIDI" and source["lines"][0] == "HASDATA 1 960 QN"
        events = [line.split() for line in source["lines"][1:]]
        assert all(re.fullmatch(r"E \d+ [89b][0-9a-f] [0-7][0-9a-f] [0-7][0-9a-f]", " ".join(e)) for e in events)
        length_s = next(float(line.split()[1]) for line in item["lines"] if line.startswith("LENGTH "))
        assert sum(int(event[1]) for event in events) == round(1920 * length_s)
        assert sum(event[2] == "90" for event in events) == sum(event[2] == "80" for event in events) > 0
        assert events[-1][2:] == ["b0", "7b", "00"]
    wheel = [line for line in tracks[3]["children"][0]["children"][0]["lines"] if " b0 01 " in line]
    assert {line.split()[-1] for line in wheel} >= {"00", "7f"}


def parsed_rpp(text):
    """The blocks of a project: each has its first line, its lines and the blocks in it."""
    stack = [{"children": []}]
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("<"):
            block = {"name": line[1:], "lines": [], "children": []}
            stack[-1]["children"].append(block)
            stack.append(block)
        elif line == ">":
            stack.pop()
        elif line:
            stack[-1]["lines"].append(line)
    (root,) = stack
    (project,) = root["children"]
    return project


def quoted(line):
    """A text between quotation marks, of which it holds none itself."""
    text = line.removeprefix("NAME ")
    assert text[0] == text[-1] and text[0] in "\"'`" and text[0] not in text[1:-1]
    return text[1:-1]


_LANES = ["Timeline", "Lanes", "Notes", "Clips", "ClipSlot", "markers", "Warps", "Audio", "Video", "Points"]
DAWPROJECT = {
    "Project": ({"version"}, {}, ["Application", "Transport", "Structure", "Arrangement", "Scenes"]),
    "Application": ({"name", "version"}, {}, []),
    "Transport": (set(), {}, ["Tempo", "TimeSignature"]),
    "Tempo": ({"unit"}, {"value", "id", "name", "min", "max"}, []),
    "TimeSignature": ({"denominator", "numerator"}, {"id", "name"}, []),
    "Structure": (set(), {}, [{"Track", "Channel"}]),
    "Track": (set(), {"contentType", "loaded", "id", "name", "color"}, ["Channel", "Track"]),
    "Channel": (
        set(),
        {"audioChannels", "destination", "role", "solo", "id", "name"},
        ["Devices", "Mute", "Pan", "Sends", "Volume"],
    ),
    "Volume": ({"unit"}, {"value", "id", "name", "min", "max"}, []),
    "Arrangement": (set(), {"id", "name"}, ["Lanes", "Markers", "TempoAutomation", "TimeSignatureAutomation"]),
    "Lanes": (set(), {"timeUnit", "track", "id", "name"}, [set(_LANES)]),
    "Clips": (set(), {"timeUnit", "track", "id", "name"}, [{"Clip"}]),
    "Clip": ({"time"}, {"duration", "contentTimeUnit", "playStart", "name"}, [set(_LANES)]),
    "Notes": (set(), {"timeUnit", "track", "id", "name"}, [{"Note"}]),
    "Note": ({"time", "duration", "channel", "key"}, {"vel", "rel"}, [set(_LANES)]),
    "Audio": (
        {"duration", "channels", "sampleRate"},
        {"algorithm", "timeUnit", "track", "id", "name"},
        ["File"],
    ),
    "File": ({"path"}, {"external"}, []),
    "Points": (set(), {"unit", "timeUnit", "track", "id", "name"}, ["Target", {"RealPoint"}]),
    "Target": (set(), {"expression", "channel", "key", "controller", "parameter"}, []),
    "RealPoint": ({"time", "value"}, {"interpolation"}, []),
}  # fmt: skip
"""What the schema of DAWproject 1.0 says of an element: the attributes that it must have, those that it may have, and
its children in their order; a set is a choice, any number of times."""

VALUES = {
    "role": {"regular", "master", "effect", "submix", "vca"},
    "timeUnit": {"beats", "seconds"},
    "contentTimeUnit": {"beats", "seconds"},
    "unit": {"linear", "normalized", "percent", "decibel", "hertz", "semitones", "seconds", "beats", "bpm"},
    "contentType": {"audio", "automation", "notes", "video", "markers", "tracks"},
    "expression": {
        "gain", "pan", "transpose", "timbre", "formant", "pressure", "channelController", "channelPressure",
        "polyPressure", "pitchBend", "programChange",
    },
    "interpolation": {"hold", "linear"},
}  # fmt: skip
"""Attribute → the values that it may have; of `contentType`, a list of them."""


def hold_to_the_schema(element):
    needed, allowed, order = DAWPROJECT[element.tag]
    assert needed <= set(element.attrib) <= needed | set(allowed), element.attrib
    for name in VALUES.keys() & element.attrib.keys():
        assert set(element.get(name).split()) <= VALUES[name], element.attrib
    at = 0
    for child in element:
        while child.tag not in (order[at] if isinstance(order[at], set) else {order[at]}):
            at += 1
            assert at < len(order), f"{child.tag} in {element.tag}"
        hold_to_the_schema(child)


def test_a_dawproject_keeps_to_the_schema(pack, tmp_path):
    with zipfile.ZipFile(write_session(pack, "dawproject", tmp_path)) as archive:
        names = archive.namelist()
        project = ElementTree.fromstring(archive.read("project.xml"))
        metadata = ElementTree.fromstring(archive.read("metadata.xml"))
        audio = [archive.read(file.get("path")) for file in project.iter("File")]
    assert names == ["project.xml", "metadata.xml", "audio/1.flac", "audio/2.flac"]
    assert project.tag == "Project" and project.get("version") == "1.0"
    hold_to_the_schema(project)
    ids = [element.get("id") for element in project.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    references = [e.get(name) for e in project.iter() for name in ("track", "destination") if e.get(name)]
    assert references and set(references) <= set(ids)
    assert (metadata.tag, metadata.findtext("Title")) == ("MetaData", "Tones")
    assert [soundfile.info(io.BytesIO(content)).samplerate for content in audio] == [48000, 48000]


def test_a_dawproject_has_notes_sound_and_the_wheel(pack, tmp_path):
    with zipfile.ZipFile(write_session(pack, "dawproject", tmp_path)) as archive:
        project = ElementTree.fromstring(archive.read("project.xml"))
    names = [track.get("name") for track in project.find("Structure")]
    assert names == [name for own in INSTRUMENTS for name in (own, f"{own}, notes")] + ["Master"]
    assert all(0.0 < float(note.get("vel")) <= 1.0 for note in project.iter("Note"))
    (points,) = project.iter("Points")  # the morph's
    assert dict(points.find("Target").attrib) == {"expression": "channelController", "channel": "0", "controller": "1"}
    values = [float(point.get("value")) for point in points.iter("RealPoint")]
    assert (values[0], max(values), values[-1]) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    "element",
    ['<Note time="0" duration="1" channel="0"/>', '<Points><RealPoint time="0" value="0"/><Target/></Points>'],
)
def test_what_breaks_the_schema_is_found(element):
    with pytest.raises((AssertionError, IndexError)):
        hold_to_the_schema(ElementTree.fromstring(element))
