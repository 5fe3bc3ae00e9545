"""Velocity layers, stereo and morphs, as sfizz plays them."""

import json
import zipfile
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from tests.helpers.packs import build, play

PATH = "{Dawn: 28, Noon: 2, Haze: {seed: 10, toward: Noon, at: 0.4}}"


def make(folder, more, pitches="[36, 60, 84]"):
    recipe = folder / "r.yaml"
    recipe.write_text(f"recipe: 1\nname: Layers\npitches: {pitches}\ntimbres: {PATH}\n{more}")
    return build(recipe, folder / "output", folder / "cache").folder


@pytest.fixture(scope="module")
def morph(tmp_path_factory):
    more = "paths: {Drift: {through: [Dawn, Haze, Noon], steps: 5, as: morph}}\nformats: [sfz, multisample, decentsampler]\n"
    return make(tmp_path_factory.mktemp("morph"), more)


@pytest.mark.parametrize("key", [36, 60, 84])
def test_no_position_of_the_mod_wheel_dips_or_jumps(morph, key):
    synth, _ = play(morph / "Instruments" / "Drift.sfz", key, 0.1, 0.1)
    assert synth._synth.get_num_regions() == 15
    levels, brightness = [], []
    for position in range(128):
        synth._synth.all_sound_off()
        synth._synth.cc(0, 1, position)
        played = np.array(synth.render_note(key, 100, 1.5, 1.5))[:, 24000:]
        levels.append(10 * np.log10(np.mean(played**2)))
        spectrum = np.abs(np.fft.rfft(played[0])) ** 2
        brightness.append(np.sum(spectrum * np.arange(len(spectrum))) / np.sum(spectrum))
    stations = (0, 32, 64, 95, 127)
    for low, high in pairwise(stations):  # what is mixed is no softer than either of the two, but for little
        between, ends = levels[low : high + 1], (levels[low], levels[high])
        assert min(between) > min(ends) - 0.75 and max(between) < max(ends) + 0.75
    if key < 72:  # higher notes decay, each station's at its own pace
        assert max(levels) - min(levels) < 1.5
    assert np.abs(np.diff(levels)).max() < 1.0
    assert abs(brightness[127] - brightness[0]) > 0.01 * brightness[0]  # the wheel does something


def test_a_morph_is_one_instrument_in_every_format(morph):
    names = sorted(path.name for path in (morph / "Instruments").iterdir())
    suffixes = (".dspreset", ".multisample", ".sfz")
    assert names == sorted(name + suffix for name in ("Dawn", "Noon", "Haze", "Drift") for suffix in suffixes)
    with zipfile.ZipFile(morph / "Instruments" / "Drift.multisample") as archive:
        samples = ElementTree.fromstring(archive.read("multisample.xml")).findall("sample")
        selects = {(s.find("select").get("low"), s.find("select").get("high")) for s in samples}
        assert len(samples) == 15 and selects == {("0", "32"), ("0", "64"), ("32", "95"), ("64", "127"), ("95", "127")}
        wav = "Drift_060_3.wav"
        assert archive.read(wav) == (morph / "Samples" / "Drift" / wav).read_bytes()


@pytest.mark.parametrize("velocity", ["3", "{layers: 3, toward: Dawn}"])
def test_harder_is_louder_and_brighter_without_a_jump(tmp_path, velocity):
    folder = make(tmp_path, f"velocity: {velocity}\n", pitches="60")
    synth, _ = play(folder / "Instruments" / "Noon.sfz", 60, 0.1, 0.1)
    assert synth._synth.get_num_regions() == 3
    levels, brightness = [], []
    for struck in range(1, 128, 3):
        synth._synth.all_sound_off()
        played = np.array(synth.render_note(60, struck, 1.5, 1.5))[0, 24000:]
        spectrum = np.abs(np.fft.rfft(played)) ** 2
        levels.append(10 * np.log10(np.mean(played**2)))
        brightness.append(np.sum(spectrum * np.arange(len(spectrum))) / np.sum(spectrum))
    assert np.diff(levels).min() > -0.1 and np.diff(levels).max() < 2.0
    assert 10.0 < levels[-1] - levels[0] < 30.0
    assert brightness[-1] > 1.2 * brightness[0]


def test_stereo_survives_mono(tmp_path):
    folder = make(tmp_path, "sound: {channels: stereo}\n")
    different = []
    for file in folder.glob("Samples/*/*.wav"):
        left, right = soundfile.read(file)[0].T
        assert left @ right >= 0.0
        for side in (left, right):
            mono_db = 10 * np.log10(np.mean(((left + right) / 2) ** 2) / np.mean(side**2))
            assert abs(mono_db) < 3.0
        different.append(np.mean((left - right) ** 2) / np.mean(left**2))
    assert len(different) == 9 and min(different) > 1e-4  # it is stereo
    _, audio = play(folder / "Instruments" / "Dawn.sfz", 60)
    assert audio.peak > 0.03 and not np.allclose(audio.samples[0], audio.samples[1], atol=1e-4)


def test_layers_share_their_loop_and_level(morph):
    (drift,) = (i for i in json.loads((morph / "pack.json").read_text())["instruments"] if i["name"] == "Drift")
    assert drift["axis"] == "wheel" and len(drift["latents"]) == 5
    for pitch in (36, 60, 84):
        layers = [note for note in drift["notes"] if note["pitch"] == pitch]
        assert [note["layer"] for note in layers] == [0, 1, 2, 3, 4]
        assert len({str(note["loop"] and note["loop"]["frames"]) for note in layers}) == 1
