"""Soundfonts in FluidSynth and Polyphone, and beside the SFZ maps of the same pack in sfizz."""

import os
import subprocess

import numpy as np
import pytest

from samplepack.finishing.tune import measure_cents
from samplepack.formats import WRITERS, sf2
from samplepack.formats.instrument import About, Instrument, Zone, key_ranges, path_ranges
from samplepack.pack.players import Performance, Sfizz, Strike
from samplepack.sound.audio import Audio, encode
from samplepack.sound.partials import measure_partials
from samplepack.sound.riff import Loop
from tests.helpers.soundfonts import fluidsynth
from tests.helpers.tone_packs import frequency_hz, tone

HELD_S, SLOT_S = 1.5, 1.75
KEYS, ROOTS = range(36, 85), range(36, 85, 4)
LOUDER_DB = {1: 4.10, 2: 7.12}
"""By how much FluidSynth with a gain of 1 is louder than sfizz, for one channel and for two: its filter has a gain of its
own, and it plays a mono sound in the middle 3 dB softer on each side."""


def instrument(name, channels=1, layers=1):
    """An instrument of tones with overtones, each softer than the one below; layers lie on the wheel, in phase. The one
    called Bright has as many overtones as there are, and soft velocities take most of them away."""
    wheels = path_ranges([1.0] * (layers - 1), "wheel") if layers > 1 else [None]
    ranges = key_ranges(ROOTS, 0)
    zones = []
    for root in ROOTS:
        for layer, wheel in enumerate(wheels):
            partials = {1: 0.3, 2: 0.1 * layer, 3: 0.02}
            if name == "Bright":
                partials = {number: 0.2 / number for number in range(1, int(16000 / frequency_hz(root)))}
            audio, loop = tone(root, partials)
            soft_cutoff_hz = 700.0 if name == "Bright" else 3000.0
            file = f"Samples/{name}/{name}_{root:03d}_{layer + 1}.wav"
            samples = np.concatenate([audio.samples, 0.5 * audio.samples])[:channels]
            zones.append(
                (file, samples, Zone(file, samples.shape[1], root, ranges[root], wheel=wheel, layer=layer,
                                     loop=Loop(*loop), soft_cutoff_hz=None if wheel else soft_cutoff_hz))
            )  # fmt: skip
    return Instrument(name, tuple(zone for _, _, zone in zones)), {file: samples for file, samples, _ in zones}


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A folder with instruments, their sounds, and maps of both formats."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "Instruments").mkdir()
    made = {}
    for name, channels, layers in (("Tönend", 1, 1), ("Wide", 2, 1), ("Drift", 1, 5), ("Bright", 1, 1)):
        made[name], sounds = instrument(name, channels, layers)
        for file, samples in sounds.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(encode(Audio(samples, 48000), "wav", 24, 0))
        for format_name in ("sfz", "sf2"):
            suffix, write = WRITERS[format_name]
            (folder / "Instruments" / f"{name}{suffix}").write_bytes(write(made[name], folder))
    about = About("Ä. Sounddesigner", "CC0-1.0")
    assert sf2.write_bank("Tones", about, list(made.values()), folder, folder / "Tones.sf2")
    return folder


def both(folder, instrument, velocity, wheel, tmp_path, keys=KEYS):
    """Each key in FluidSynth and in sfizz."""
    events = [(0.0, [0xB0, 1, wheel])]
    for i, key in enumerate(keys):
        events += [(i * SLOT_S, [0x90, key, velocity]), (i * SLOT_S + HELD_S, [0x80, key, 0])]
        events += [((i + 1) * SLOT_S - 0.01, [0xB0, 120, 0])]
    font = folder / "Instruments" / f"{instrument}.sf2"
    samples, said = fluidsynth(font, events, len(keys) * SLOT_S, tmp_path)
    assert said == []
    controllers = {1: wheel} if wheel else {}
    performances = [Performance((Strike(key, velocity, 0.0, HELD_S),), HELD_S, controllers) for key in keys]
    maps = Sfizz().play(folder / "Instruments" / f"{instrument}.sfz", performances, 48000)
    for i, (key, audio) in enumerate(zip(keys, maps, strict=True)):
        first, length = round(i * SLOT_S * 48000), round(HELD_S * 48000)
        yield key, Audio(samples[:, first : first + length], 48000), audio


def off(key, one, two):
    """The difference of two sounds of a key: cents and dB."""
    cents = [measure_cents(measure_partials(audio, key)).cents for audio in (one, two)]
    level_db = [10 * np.log10(np.mean(np.square(a.samples[:, 4800:], dtype=np.float64))) for a in (one, two)]
    return None if None in cents else cents[0] - cents[1], level_db[0] - level_db[1]


@pytest.mark.parametrize("name, channels", [("Tönend", 1), ("Wide", 2)])
def test_soundfont_and_map_agree_for_every_key(pack, name, channels, tmp_path):
    found = {key: off(key, font, map_) for key, font, map_ in both(pack, name, 127, 0, tmp_path)}
    cents = np.abs([own for own, _ in found.values()])
    off_db = np.abs([louder_db - LOUDER_DB[channels] for _, louder_db in found.values()])
    print(f"{name}: {cents.max():.4f} cents, {off_db.max():.3f} dB")
    assert len(found) == 49 and cents.max() < 0.1 and off_db.max() < 0.2, found


@pytest.mark.parametrize("name", ["Tönend", "Bright"])
@pytest.mark.parametrize("velocity", [100, 64, 32, 20])
def test_softer_keys_are_as_much_softer_and_darker(pack, name, velocity, tmp_path):
    # Keys that play another's sound are left out: in a soundfont the filter doesn't follow them.
    sounds = both(pack, name, velocity, 0, tmp_path, ROOTS)
    off_db = np.abs([off(*of_key)[1] - LOUDER_DB[1] for of_key in sounds])
    print(f"{name}, velocity {velocity}: {off_db.max():.2f} dB")
    assert off_db.max() < 0.2, off_db


@pytest.mark.parametrize("wheel", [0, 20, 48, 64, 90, 127])
def test_a_morph_has_its_level_all_along_the_wheel(pack, wheel, tmp_path):
    off_db = np.abs(
        [off(*sounds)[1] - LOUDER_DB[1] for sounds in both(pack, "Drift", 127, wheel, tmp_path, ROOTS[::4])]
    )
    print(f"wheel {wheel}: {off_db.max():.2f} dB")
    assert off_db.max() < (0.2 if wheel in (0, 127) else 1.0), off_db


def test_a_held_key_goes_round_its_loop_and_is_silent_after_its_release(pack, tmp_path):
    events = [(0.0, [0x90, 60, 100]), (12.0, [0x80, 60, 0])]
    samples, _ = fluidsynth(pack / "Instruments" / "Tönend.sf2", events, 16.0, tmp_path)

    def level_db(from_s, to_s):
        part = samples[:, round(from_s * 48000) : round(to_s * 48000)].astype(np.float64)
        return 10 * np.log10(np.mean(part**2) + 1e-12)

    assert abs(level_db(10.0, 12.0) - level_db(0.5, 2.5)) < 0.1
    assert level_db(14.0, 15.9) < level_db(0.5, 2.5) - 70.0


def test_the_presets_of_the_bank_are_the_instruments(pack, tmp_path):
    for number, name in enumerate(("Tönend", "Wide", "Drift")):
        play = [(0.0, [0x90, 60, 127]), (1.0, [0x80, 60, 0])]
        bank, said = fluidsynth(pack / "Tones.sf2", [(0.0, [0xC0, number]), *play], 1.5, tmp_path)
        own, _ = fluidsynth(pack / "Instruments" / f"{name}.sf2", play, 1.5, tmp_path)
        assert said == []
        np.testing.assert_allclose(bank[:, :48000], own[:, :48000], rtol=0, atol=1e-5)


def test_polyphone_reads_the_bank_without_a_remark(pack, tmp_path):
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(tmp_path)}
    ran = subprocess.run(
        ["polyphone", "-3", "-i", pack / "Tones.sf2", "-d", tmp_path, "-o", "back"],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    said = [line.strip('"').split(" /")[0] for line in ran.stderr.splitlines()]
    assert (ran.returncode, ran.stdout) == (0, "")
    assert said == ["Loading file", "File loaded", "Exporting in directory", "done"]
    assert sorted(path.stem for path in tmp_path.rglob("*.sfz")) == ["Bright", "Drift", "Tonend", "Wide"]
