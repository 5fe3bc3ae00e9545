"""Velocity layers, stereo and morphs, as sfizz plays them."""

import json
import zipfile
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from samplepack.pack.shortfalls import pack_shortfalls
from tests.helpers.packs import build, play

PATH = "{Dawn: 28, Noon: 2, Haze: {seed: 10, toward: Noon, at: 0.4}}"


def make(folder, more, pitches="[36, 60, 84]"):
    recipe = folder / "r.yaml"
    recipe.write_text(f"recipe: 1\ncheckpoint: starter@1\nname: Layers\npitches: {pitches}\ntimbres: {PATH}\n{more}")
    return build(recipe, folder / "output", folder / "cache").folder


@pytest.fixture(scope="module")
def morph(tmp_path_factory):
    more = "paths: {Drift: {through: [Dawn, Haze, Noon], steps: 5, as: morph}}\nformats: [sfz, multisample, decentsampler]\n"
    return make(tmp_path_factory.mktemp("morph"), more)


@pytest.fixture(scope="module")
def plucked_to_bowed(tmp_path_factory):
    recipe = tmp_path_factory.mktemp("plucked") / "r.yaml"
    recipe.write_text(
        "recipe: 1\ncheckpoint: starter@1\nname: Layers\npitches: [60]\n"
        "timbres: {Thumbs: {instrument: Kalimba}, Bow: {instrument: Viola}}\n"
        "paths: {Drift: {through: [Thumbs, Bow], steps: 3, as: morph}}\n"
    )
    return build(recipe, recipe.parent / "output", recipe.parent / "cache")


RATE_HZ, BLOCK = 48000, 240


def perform(sfz, key, events, total_s, velocity=100):
    """A key held in sfizz from the start while controllers move; events are (time in seconds, controller, value)."""
    synth, _ = play(sfz, key, 0.1, 0.1)
    player = synth._synth
    player.all_sound_off()
    player.set_block_size(BLOCK)
    player.enable_freewheeling()
    coming, blocks = sorted(events), []
    for block in range(int(total_s * RATE_HZ / BLOCK)):
        while coming and coming[0][0] <= block * BLOCK / RATE_HZ:
            player.cc(0, *coming.pop(0)[1:])
        if block == 0:
            player.note_on(0, key, velocity)
        blocks.append(np.array(player.render_block()))
    return np.concatenate(blocks, axis=1)


def levels_db(played, times_s, window_s=0.1):
    """The level at some times, in windows of 100 ms."""
    window = np.hanning(int(window_s * RATE_HZ))
    power = np.mean(played**2, axis=0)
    at = [power[int(t * RATE_HZ) :][: len(window)] for t in times_s]
    return np.array([10 * np.log10(p @ window[: len(p)] / window.sum()) for p in at])


SWEEP_S = 4.0
WHEEL_UP_AND_DOWN = [(1.0 + SWEEP_S * i / 127, 1, i) for i in range(128)] + [
    (1.5 + SWEEP_S + SWEEP_S * i / 127, 1, 127 - i) for i in range(128)
]


def test_a_morph_from_a_plucked_to_a_bowed_timbre_decays_and_is_as_loud_all_the_way(plucked_to_bowed):
    drift = plucked_to_bowed.manifest.instruments[-1]
    assert drift.behaviour == "decay" and pack_shortfalls(plucked_to_bowed.manifest) == []
    sfz = plucked_to_bowed.folder / "Instruments" / "Drift.sfz"
    heard = [perform(sfz, 60, [(0.0, 1, wheel)], 1.5) for wheel in (0, 32, 64, 96, 127)]
    attacks_db, later_db = (
        np.array(
            [10 * np.log10(np.mean(played[:, int(start_s * RATE_HZ) : int(end_s * RATE_HZ)] ** 2)) for played in heard]
        )
        for start_s, end_s in ((0.0, 0.4), (1.0, 1.4))
    )
    assert np.ptp(attacks_db) < 3.0 and all(later_db < attacks_db - 20.0)


@pytest.mark.parametrize("channels", ["mono", "stereo"])
def test_a_held_note_keeps_its_level_while_the_wheel_travels(tmp_path, channels):
    more = "paths: {Drift: {through: [Dawn, Haze, Noon], steps: 5, as: morph}}\n"
    keys = (36, 48, 60, 72, 84)
    folder = make(tmp_path, f"{more}sound: {{channels: {channels}}}\n", pitches=list(keys))
    for key in keys:
        played = perform(folder / "Instruments" / "Drift.sfz", key, [(0.0, 1, 0), *WHEEL_UP_AND_DOWN], 10.5)
        levels = levels_db(played, np.arange(0.9, 10.2, SWEEP_S / 127))
        assert np.ptp(levels) < 1.0, f"key {key}: {np.ptp(levels):.2f} dB"
        assert np.abs(np.diff(levels)).max() < 0.5, f"key {key}"


@pytest.mark.parametrize("key", [36, 60, 84])
def test_the_wheel_changes_the_timbre_of_a_held_note(morph, key):
    def spectrum(played):
        bins = np.abs(np.fft.rfft(played[0]))
        return bins / np.linalg.norm(bins)

    sfz = morph / "Instruments" / "Drift.sfz"
    moved = perform(sfz, key, [(0.0, 1, 0), (1.0, 1, 127)], 2.5)[:, 72000:]
    stayed, there = (perform(sfz, key, [(0.0, 1, at)], 2.5)[:, 72000:] for at in (0, 127))
    assert spectrum(moved) @ spectrum(there) > 0.999 > 0.99 > spectrum(moved) @ spectrum(stayed)


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
        assert left @ right >= 0.5 * np.sqrt((left @ left) * (right @ right))
        for side in (left, right):
            mono_db = 10 * np.log10(np.mean(((left + right) / 2) ** 2) / np.mean(side**2))
            assert abs(mono_db) < 1.5
        different.append(np.mean((left - right) ** 2) / np.mean(left**2))
    assert len(different) == 9 and min(different) > 1e-4  # it is stereo
    _, audio = play(folder / "Instruments" / "Dawn.sfz", 60)
    assert audio.peak > 0.03 and not np.allclose(audio.samples[0], audio.samples[1], atol=1e-4)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Morphs by velocity and by keys."""
    folder = tmp_path_factory.mktemp("moved")
    (folder / "r.yaml").write_text(
        "recipe: 1\ncheckpoint: starter@1\nname: Moved\npitches: [36, 60, 84]\ntimbres: {Dawn: 28, Noon: 2}\npaths:\n"
        "  Touch: {through: [Dawn, Noon], steps: 4, as: morph, by: velocity}\n"
        "  Reach: {through: [Dawn, Noon], as: morph, by: keys}\n"
        "formats: [sfz, multisample, decentsampler]\n"
    )
    return build(folder / "r.yaml", folder / "output", folder / "cache")


def alike(one, other):
    """The correlation of two sounds, but for what of one of them is longer."""
    length = min(len(one), len(other))
    one, other = one[:length], other[:length]
    return one @ other / np.sqrt((one @ one) * (other @ other))


@pytest.mark.parametrize("key", [36, 60, 84])
def test_velocity_travels_from_timbre_to_timbre_without_a_hole(moved, key):
    synth, _ = play(moved.folder / "Instruments" / "Touch.sfz", key, 0.1, 0.1)
    velocities, heard = np.arange(1, 128, 3), []
    for velocity in velocities:
        synth._synth.all_sound_off()
        heard.append(np.array(synth.render_note(key, int(velocity), 1.5, 1.5))[0])
    levels = np.array([10 * np.log10(np.mean(played[24000:] ** 2)) for played in heard])
    tracked = 20 * np.log10(1 - 0.8 * (1 - (velocities / 127) ** 2))  # SFZ's amp_veltrack=80
    assert np.ptp(levels - tracked) < 1.0 and np.diff(levels).min() > -0.5
    layers = [soundfile.read(moved.folder / "Samples" / "Touch" / f"Touch_{key:03d}_{i}.wav")[0] for i in (1, 2, 3, 4)]
    nearest = [int(np.argmax([alike(played[:24000], layer[:24000]) for layer in layers])) for played in heard]
    assert nearest == sorted(nearest) and set(nearest) == {0, 1, 2, 3}


def test_keys_travel_from_timbre_to_timbre(moved):
    reach = next(instrument for instrument in moved.manifest.instruments if instrument.name == "Reach")
    assert reach.axis == "keys" and len(reach.notes) == len(reach.latents) == 3
    rendered = {i.name: i.rendered for i in moved.manifest.instruments}
    assert rendered["Reach"]["36"] == rendered["Dawn"]["36"] and rendered["Reach"]["84"] == rendered["Noon"]["84"]
    assert rendered["Reach"]["60"] not in (rendered["Dawn"]["60"], rendered["Noon"]["60"])
    for key, end, other in ((36, "Dawn", "Noon"), (84, "Noon", "Dawn")):
        heard = {name: play(moved.folder / "Instruments" / f"{name}.sfz", key)[1] for name in ("Reach", end, other)}
        mono = {name: audio.samples[0] for name, audio in heard.items()}
        assert alike(mono["Reach"], mono[end]) > 0.999 > 0.9 > alike(mono["Reach"], mono[other])


def test_layers_by_velocity_switch_in_decent_sampler_and_fade_in_multisample(moved):
    root = ElementTree.fromstring((moved.folder / "Instruments" / "Touch.dspreset").read_bytes())
    spans = sorted({(int(s.get("loVel")), int(s.get("hiVel"))) for s in root.iter("sample")})
    assert spans[0][0] == 1 and spans[-1][1] == 127
    assert all(after[0] == before[1] + 1 for before, after in pairwise(spans))
    with zipfile.ZipFile(moved.folder / "Instruments" / "Touch.multisample") as archive:
        samples = ElementTree.fromstring(archive.read("multisample.xml")).findall("sample")
    (first, *_, last) = (s.find("velocity") for s in samples if s.find("key").get("root") == "60")
    assert (first.get("low"), last.get("high")) == ("1", "127") and first.get("high-fade") and last.get("low-fade")


def test_a_pack_says_by_what_its_morphs_move(moved):
    readme = (moved.folder / "README.md").read_text()
    assert "In Touch velocity travels from timbre to timbre" in readme
    assert "In Reach each key has its own place on the way from timbre to timbre" in readme
    assert "mod wheel" not in readme


def test_layers_share_their_loop_and_level(morph):
    (drift,) = (i for i in json.loads((morph / "pack.json").read_text())["instruments"] if i["name"] == "Drift")
    assert drift["axis"] == "wheel" and len(drift["latents"]) == 5
    for pitch in (36, 60, 84):
        layers = [note for note in drift["notes"] if note["pitch"] == pitch]
        assert [note["layer"] for note in layers] == [0, 1, 2, 3, 4]
        assert len({str(note["loop"] and note["loop"]["frames"]) for note in layers}) == 1
