import io
import re
import zipfile
from pathlib import PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest

from samplepack.formats import WRITERS
from samplepack.formats.instrument import About, Instrument, Playing, Range, path_ranges
from samplepack.sound.audio import Audio, encode
from samplepack.sound.riff import Loop
from tests.helpers.instruments import FRAMES, INSTRUMENTS, MORPH, ROOTS, morph, velocity_layers, zones
from tests.helpers.soundfonts import Soundfont


@pytest.fixture(params=INSTRUMENTS, ids=lambda instrument: instrument.name)
def instrument(request):
    return request.param


@pytest.fixture
def write(tmp_path):
    """Write an instrument's map, and the sound files before it."""

    def call(format_name, instrument):
        for i, zone in enumerate(instrument.zones):
            (tmp_path / zone.file).parent.mkdir(parents=True, exist_ok=True)
            samples = np.full((1, FRAMES), 0.01 * i, np.float32)
            (tmp_path / zone.file).write_bytes(encode(Audio(samples, 48000), "wav", 24, 0))
        return WRITERS[format_name][1](instrument, tmp_path)

    return call


class Read(NamedTuple):
    """What every format says of a zone."""

    file: str
    root: int
    low: int
    high: int
    loop: Loop | None


def read_sfz(written):
    for region in written.decode("utf-8").split("<region>")[1:]:
        region, sample = region.split("sample=../")
        opcodes = dict(re.findall(r"(\w+)=(\S+)", region))
        loop = None
        if opcodes["loop_mode"] == "loop_sustain":
            loop = Loop(int(opcodes["loop_start"]), int(opcodes["loop_end"]))
        root, low, high = (int(opcodes[name]) for name in ("pitch_keycenter", "lokey", "hikey"))
        yield Read(sample.strip(), root, low, high, loop)


def read_multisample(written):
    for sample in multisample_xml(written).iter("sample"):
        key, loop = sample.find("key"), sample.find("loop")
        if loop is not None:
            loop = Loop(int(float(loop.get("start"))), int(float(loop.get("stop"))) - 1)
        name = sample.get("file")
        file = f"Samples/{name.rpartition('_')[0]}/{name}"
        yield Read(file, int(key.get("root")), int(key.get("low")), int(key.get("high")), loop)


def read_decentsampler(written):
    for sample in ElementTree.fromstring(written).iter("sample"):
        loop = None
        if sample.get("loopEnabled") == "true":
            loop = Loop(int(sample.get("loopStart")), int(sample.get("loopEnd")))
        root, low, high = (int(sample.get(name)) for name in ("rootNote", "loNote", "hiNote"))
        yield Read(sample.get("path").removeprefix("../"), root, low, high, loop)


def read_sf2(written):
    font = Soundfont(written)
    for zone in font.zones():
        sample = font.samples[zone.of[53]]
        loop = None
        if zone.of.get(54):
            assert zone.of[54] == 3
            loop = Loop(sample.loop[0] - sample.start, sample.loop[1] - sample.start - 1)
        number = sample.name.rpartition("_")[2]
        yield Read(int(number), sample.root, zone.of[43] & 0xFF, zone.of[43] >> 8, loop)


READERS = {
    "sfz": read_sfz,
    "multisample": read_multisample,
    "decentsampler": read_decentsampler,
    "sf2": read_sf2,
}


def multisample_xml(written):
    return ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(written)).read("multisample.xml"))


# What holds of every format. A new one needs a reader above; the rest finds it.


@pytest.mark.parametrize("format_name", WRITERS)
def test_the_map_says_of_every_zone_what_the_instrument_says(write, instrument, format_name):
    expected = [Read(z.file, z.root, z.keys.low, z.keys.high, z.loop) for z in instrument.zones]
    if format_name == "sf2":  # which names no files, has no turns, and cuts zones where they fade
        first = [read for read, zone in zip(expected, instrument.zones, strict=True) if zone.turn == 1]
        expected = [read._replace(file=read.root) for read in first]
    found = list(READERS[format_name](write(format_name, instrument)))
    assert list(dict.fromkeys(found)) == list(dict.fromkeys(expected))
    assert len(found) == len(expected) or (format_name == "sf2" and len(found) > len(expected))


@pytest.mark.parametrize("format_name", WRITERS)
def test_the_same_instrument_is_the_same_bytes(write, instrument, format_name):
    assert write(format_name, instrument) == write(format_name, instrument)


def test_every_format_has_its_own_suffix():
    assert len({suffix for suffix, _ in WRITERS.values()}) == len(WRITERS)


@pytest.mark.parametrize("layered", [False, True], ids=["one layer", "two layers"])
def test_sounds_that_take_turns_have_the_same_turn_in_every_format(write, layered):
    velocities = (Range(1, 74, high_fade=20), Range(54, 127, low_fade=20)) if layered else (Range(1, 127),)
    instrument = Instrument(
        "Takes",
        sum((zones(f"{v.low} {i}", velocities=v, turn=i, turns=3) for v in velocities for i in (1, 2, 3)), ()),
    )
    turns = [zone.turn for zone in instrument.zones]
    assert re.findall(r"seq_length=3 seq_position=(\d)", write("sfz", instrument).decode()) == list(map(str, turns))
    samples = ElementTree.fromstring(write("decentsampler", instrument)).iter("sample")
    assert [(s.get("seqMode"), s.get("seqLength"), int(s.get("seqPosition"))) for s in samples] == [
        ("round_robin", "3", turn) for turn in turns
    ]
    # Bitwig and Studio One let the sounds of a key and a velocity take turns, so those of two layers may not overlap.
    samples = list(multisample_xml(write("multisample", instrument)).iter("sample"))
    assert {sample.get("zone-logic") for sample in samples} == {"round-robin"}
    for velocity in range(1, 128):
        ranges = [(int(v.get("low", 1)), int(v.get("high", 127))) for v in (s.find("velocity") for s in samples)]
        assert sum(low <= velocity <= high for low, high in ranges) == 3 * len(ROOTS)


def test_a_multisample_holds_the_first_turn_of_a_morph(write):
    ranges = path_ranges([1.0, 1.0], "wheel")
    path = sum((zones(f"{i} {t}", wheel=w, turn=t, turns=2) for i, w in enumerate(ranges) for t in (1, 2)), ())
    written = write("multisample", Instrument("Path", path))
    samples = list(multisample_xml(written).iter("sample"))
    assert len(samples) == 3 * len(ROOTS) and {s.get("zone-logic") for s in samples} == {"always-play"}
    assert len(zipfile.ZipFile(io.BytesIO(written)).namelist()) == 1 + len(samples)


# .multisample


def test_a_multisample_is_a_stored_archive_that_no_clock_and_no_system_changes(write, instrument, tmp_path):
    archive = zipfile.ZipFile(io.BytesIO(write("multisample", instrument)))
    files = {PurePosixPath(zone.file).name: tmp_path / zone.file for zone in instrument.zones}
    assert archive.namelist() == ["multisample.xml", *files]
    for entry in archive.infolist():
        assert entry.compress_type == zipfile.ZIP_STORED and entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert entry.create_system == 3 and entry.external_attr == 0o100644 << 16
    for name, path in files.items():
        assert archive.read(name) == path.read_bytes()


def test_a_sound_of_two_zones_is_in_a_multisample_once(write):
    soft, loud = (zones("Soft", velocities=v) for v in (Range(1, 63), Range(64, 127)))
    archive = zipfile.ZipFile(io.BytesIO(write("multisample", Instrument("Soft", soft + loud))))
    assert len(archive.namelist()) == 1 + len(ROOTS)


INTEGER, DECIMAL, TEXT = r"\d+", r"\d+\.\d+", r".+"
RANGE = {"low": INTEGER, "high": INTEGER, "low-fade": INTEGER, "high-fade": INTEGER}
SAMPLE = {"file": TEXT, "gain": DECIMAL, "group": INTEGER, "sample-start": DECIMAL, "sample-stop": DECIMAL}
# Element → the attributes that the schema in the README of bitwig/multisample has, with their types.
ATTRIBUTES = {
    "multisample": {"name": TEXT},
    "generator": {},
    "category": {},
    "creator": {},
    "group": {"name": TEXT},
    "sample": {**SAMPLE, "reverse": "false|true", "zone-logic": "always-play|round-robin"},
    "key": {**RANGE, "root": INTEGER, "track": DECIMAL, "tune": DECIMAL},
    "velocity": RANGE,
    "select": RANGE,
    "loop": {"mode": "off|loop|ping-pong", "start": DECIMAL, "stop": DECIMAL, "fade": DECIMAL},
}


def test_the_xml_of_a_multisample_follows_the_schema(write, instrument):
    text = zipfile.ZipFile(io.BytesIO(write("multisample", instrument))).read("multisample.xml")
    assert text.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n') and text.endswith(b"\n")
    root = ElementTree.fromstring(text)
    assert root.tag == "multisample" and root.get("name") == instrument.name
    children = " ".join(child.tag for child in root)
    assert re.fullmatch("generator category creator( description)?( keywords)?( group)*( sample)*", children)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert re.fullmatch(ATTRIBUTES[element.tag][name], value), f"{element.tag} {name}={value}"
    for sample, zone in zip(root.iter("sample"), instrument.zones, strict=True):
        assert [child.tag for child in sample] == ["key", "velocity", "select", *["loop"] * bool(zone.loop)]
        assert int(sample.get("group")) < len(root.findall("group"))
        assert (sample.get("sample-start"), float(sample.get("sample-stop"))) == ("0.000", FRAMES)


def test_velocities_and_positions_of_the_wheel_keep_their_fades_in_a_multisample(write):
    def ranges(instrument, tag):
        for element in multisample_xml(write("multisample", instrument)).iter(tag):
            low, high = int(element.get("low", 1)), int(element.get("high", 127))
            yield Range(low, high, int(element.get("low-fade", 0)), int(element.get("high-fade", 0)))

    layered = INSTRUMENTS[3]
    assert list(ranges(layered, "velocity")) == [zone.velocities for zone in layered.zones]
    assert list(ranges(MORPH, "select")) == [zone.wheel for zone in MORPH.zones]


# .dspreset


def test_a_preset_plays_whole_files_and_says_where_none_is_looped(write, instrument):
    written = write("decentsampler", instrument)
    assert written.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n') and written.endswith(b"\n")
    for sample in ElementTree.fromstring(written).iter("sample"):
        assert (sample.get("start"), sample.get("end")) == ("0", str(FRAMES - 1))
        assert sample.get("loopEnabled") in ("true", "false")


@pytest.mark.parametrize("fades", [(0, 0), (1, 1), (2, 21), (20, 20), (40, 0)])
def test_each_velocity_plays_one_layer_of_a_preset(write, fades):
    first, second = fades
    low, middle = Range(1, 50, 0, first), Range(51 - bool(first) * (first + 1), 100, first, second)
    high = Range(101 - bool(second) * (second + 1), 127, second, 0)
    root = ElementTree.fromstring(write("decentsampler", velocity_layers(low, middle, high)))
    samples = [sample for sample in root.iter("sample") if sample.get("rootNote") == "60"]
    for velocity in range(1, 128):
        playing = [s for s in samples if int(s.get("loVel")) <= velocity <= int(s.get("hiVel"))]
        assert len(playing) == 1, velocity


def tables(root):
    (knob,) = (k for k in root.iter("labeled-knob") if k.get("label") == "Morph")
    assert (knob.get("minValue"), knob.get("maxValue"), knob.get("value")) == ("0", "127", "0")
    for binding in knob:
        assert binding.get("parameter") == "AMP_VOLUME" and binding.get("translation") == "table"
        points = [pair.split(",") for pair in binding.get("translationTable").split(";")]
        xs, ys = [int(x) for x, _ in points], [float(y) for _, y in points]
        assert xs == sorted(set(xs)) and (xs[0], xs[-1]) == (0, 127)
        yield int(binding.get("groupIndex")), np.interp(range(128), xs, ys)


@pytest.mark.parametrize("layers", [2, 3, 5, 8])
def test_the_layers_of_a_preset_sum_to_one_at_every_position_of_the_wheel(write, layers):
    root = ElementTree.fromstring(write("decentsampler", morph([1.0] * (layers - 1))))
    gains = dict(tables(root))
    groups = root.findall("groups/group")
    assert list(gains) == list(range(layers)) and len(groups) == layers
    assert sum(gains.values()) == pytest.approx(np.ones(128))
    for i, group in enumerate(groups):
        assert {sample.get("path").split("/")[2] for sample in group} == {f"Path {i}"}
        assert float(group.get("volume")) == gains[i][0]


def test_layers_without_fades_switch_between_two_positions(write):
    switched = zones("Low", wheel=Range(0, 63)) + zones("High", wheel=Range(64, 127), layer=1)
    gains = dict(tables(ElementTree.fromstring(write("decentsampler", Instrument("Switch", switched)))))
    assert gains[0].tolist() == [1.0] * 64 + [0.0] * 64 and gains[1].tolist() == [0.0] * 64 + [1.0] * 64


def test_without_the_wheel_a_preset_is_one_group(write):
    root = ElementTree.fromstring(write("decentsampler", INSTRUMENTS[0]))
    assert len(root.findall("groups/group")) == 1 and root.find("midi/cc[@number='1']") is None


def test_each_controller_turns_the_knob_that_says_so(write):
    root = ElementTree.fromstring(write("decentsampler", MORPH))
    controls = root.findall("ui/tab/*")
    turned = {}
    for cc in root.iterfind("midi/cc"):
        binding = cc.find("binding")
        knob = controls[int(binding.get("position"))]
        assert (binding.get("type"), binding.get("level"), binding.get("parameter")) == ("control", "ui", "VALUE")
        assert float(binding.get("translationOutputMin")) == float(knob.get("minValue"))
        assert float(binding.get("translationOutputMax")) == pytest.approx(float(knob.get("maxValue")))
        turned[int(cc.get("number"))] = knob.get("label")
    assert turned == {1: "Morph", 71: "Resonance", 72: "Release", 73: "Attack", 74: "Brightness"}


def test_a_window_shows_the_instrument_and_its_author(write):
    about = About(author="A. Nyone", description="Two -- hyphens")
    shown = Instrument("Glass", zones("Glass"), about=about, picture="Pictures/Glass.png")
    written = write("decentsampler", shown)
    tab = ElementTree.fromstring(written).find("ui/tab")
    assert [label.get("text") for label in tab.iter("label")] == ["Glass", "by A. Nyone"]
    assert tab.find("image").get("path") == "../Pictures/Glass.png"
    assert b"Two - - hyphens" in written


# What an instrument says of itself, and how it is played.


ABOUT = About("A. Nyone", "CC0-1.0", "Bells\nthat breathe.", "Keys", ("soft", "glass & air"))


def test_every_format_says_who_made_it_and_what_it_is(write):
    told = Instrument("Glass", zones("Glass"), about=ABOUT)
    xml = multisample_xml(write("multisample", told))
    assert [xml.findtext(tag) for tag in ("category", "creator", "description")] == [
        "Keys", "A. Nyone", "Bells\nthat breathe."
    ]  # fmt: skip
    assert [keyword.text for keyword in xml.iterfind("keywords/keyword")] == ["soft", "glass & air"]
    lines = write("sfz", told).decode().splitlines()
    assert lines[: lines.index("<control>")] == [
        "// Glass", "// Author: A. Nyone", "// License: CC0-1.0", "// Category: Keys", "// Tags: soft, glass & air",
        "// Description: Bells that breathe.",
    ]  # fmt: skip
    comment = write("decentsampler", told).decode().partition("<!--")[2].partition("-->")[0]
    assert "Author: A. Nyone; " in comment and "Tags: soft, glass" in comment


def test_settings_of_play_are_in_the_maps(write):
    playing = Playing(
        attack_s=0.5, release_s=3.0, velocity_curve="fixed", bend_range=12, vibrato="wheel", vibrato_cents=50
    )
    played = Instrument("Glass", zones("Glass"), playing=playing)
    opcodes = dict(re.findall(r"(\w+)=(\S+)", write("sfz", played).decode()))
    wanted = {"ampeg_attack": "0.5", "ampeg_release": "3", "amp_veltrack": "0", "bend_up": "1200", "bend_down": "-1200"}
    assert wanted.items() <= opcodes.items()
    assert opcodes["lfo1_pitch_oncc1"] == "50" and opcodes["label_cc1"] == "Vibrato"
    root = ElementTree.fromstring(write("decentsampler", played))
    groups = root.find("groups")
    assert (groups.get("attack"), groups.get("release"), groups[0].get("ampVelTrack")) == ("0.5", "3", "0")
    assert root.find("modulators/lfo/binding").get("translationOutputMax") == "0.5"
    assert root.find("midi/cc[@number='1']") is not None


@pytest.mark.parametrize(("behaviour", "tail_s", "release_s"), [
    ("sustain", 0.0, 0.8), ("decay", 0.0, 0.3), ("sustain", 5.0, 5.0), ("decay", 0.5, 0.5)
])  # fmt: skip
def test_the_release_outlasts_the_tail_of_the_effects(behaviour, tail_s, release_s):
    assert Instrument("X", (), behaviour, playing=Playing(least_release_s=tail_s)).release_s == release_s
    assert Instrument("X", (), behaviour, playing=Playing(release_s=0.1, least_release_s=tail_s)).release_s == 0.1
