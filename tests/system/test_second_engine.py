"""Packs in software that samplepack has nothing to do with: converted by Polyphone, played by FluidSynth, read by
sfzlint.

Polyphone and FluidSynth are system packages, so `make test` leaves this folder out; `pytest tests/system` runs it, and
fails where one is missing.
"""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from samplepack.finishing.tune import measure_cents
from samplepack.formats import sfz
from samplepack.sound.audio import Audio, read
from samplepack.sound.partials import measure_partials
from tests.helpers.instruments import INSTRUMENTS
from tests.helpers.packs import build

TIMBRES = {"Dawn": 28, "Noon": 2}
KEYS = range(36, 85, 4)
HELD_S, SLOT_S = 4, 5
MOST_CENTS = 1.0


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("second-engine")
    recipe = folder / "small.yaml"
    timbres = ", ".join(f"{name}: {seed}" for name, seed in TIMBRES.items())
    recipe.write_text(f"recipe: 1\nname: Small\npitches: 36-84/4\ntimbres: {{{timbres}}}\n", encoding="utf-8")
    return build(recipe, folder / "output", folder / "cache").folder


def call(*command):
    """What a command prints; it fails with all of that if the command does."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONUTF8": "1"}
    ran = subprocess.run(
        [str(word) for word in command],
        env=environment, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


# Polyphone and FluidSynth


def quantity(number):
    """A MIDI variable-length quantity."""
    return bytes([number >> 7 | 0x80, number & 0x7F]) if number > 0x7F else bytes([number])


def midi(keys):
    """A MIDI file of 1000 ticks a second that holds one key after another."""
    events, pause = quantity(0) + b"\xff\x51\x03" + (1_000_000).to_bytes(3, "big"), 0
    for key in keys:
        events += quantity(pause) + bytes([0x90, key, 100]) + quantity(1000 * HELD_S) + bytes([0x80, key, 0])
        pause = 1000 * (SLOT_S - HELD_S)
    events += quantity(pause) + b"\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000) + b"MTrk" + struct.pack(">I", len(events)) + events


def cents(audio, key):
    return measure_cents(measure_partials(audio, key)).cents


@pytest.mark.parametrize("timbre", TIMBRES)
def test_a_second_engine_plays_every_key_at_the_pitch_of_its_sound_file(pack, timbre, tmp_path):
    call("polyphone", "-1", "-i", pack / "Instruments" / f"{timbre}.sfz", "-d", tmp_path, "-o", timbre)
    (tmp_path / "keys.mid").write_bytes(midi(KEYS))
    settings = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "1", "-r", "48000", "-O", "float"]
    call("fluidsynth", *settings, "-F", tmp_path / "keys.wav", tmp_path / f"{timbre}.sf2", tmp_path / "keys.mid")
    played = read(tmp_path / "keys.wav")
    off = {}
    for i, key in enumerate(KEYS):
        first, last = (played.rate_hz * seconds for seconds in (i * SLOT_S, i * SLOT_S + HELD_S))
        heard = cents(Audio(played.samples[:, first:last], played.rate_hz), key)
        filed = cents(read(pack / "Samples" / timbre / f"{timbre}_{key:03d}.wav"), key)
        assert heard is not None and filed is not None, key
        off[key] = abs(heard - filed)
    print(f"{timbre}: at most {max(off.values()):.3f} cents off")
    assert max(off.values()) < MOST_CENTS, off


# sfzlint


def lint(path):
    """What sfzlint says of one file. It ends with 0 whatever it finds."""
    return call(Path(sys.executable).with_name("sfzlint"), "--no-pickle", path)


@pytest.mark.parametrize("timbre", TIMBRES)
def test_sfzlint_finds_nothing_in_a_built_map(pack, timbre):
    assert lint(pack / "Instruments" / f"{timbre}.sfz") == ""


def write(instrument, pack):
    for zone in instrument.zones:
        (pack / zone.file).parent.mkdir(parents=True, exist_ok=True)
        (pack / zone.file).touch()
    path = pack / "Instruments" / f"{instrument.name}.sfz"
    path.parent.mkdir()
    path.write_bytes(sfz.write(instrument, pack))
    return path


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_sfzlint_finds_nothing_in_loops_velocities_and_wheel(instrument, tmp_path):
    assert lint(write(instrument, tmp_path)) == ""


@pytest.mark.parametrize("right, wrong", [("hivel=", "hivol="), ("hivel=64", "hivel=640"), ("_048.wav", "_047.wav")])
def test_sfzlint_does_find_what_is_wrong(right, wrong, tmp_path):
    path = write(INSTRUMENTS[3], tmp_path)
    path.write_bytes(path.read_bytes().replace(right.encode(), wrong.encode()))
    assert str(path) in lint(path)
