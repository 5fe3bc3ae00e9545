"""Instruments in programs that people make music with. LMMS is a system package."""

import os
import subprocess

import numpy as np
import pytest

from samplepack.clips.score import PlayedNote
from samplepack.finishing.tune import measure_cents
from samplepack.formats import sf2
from samplepack.formats.instrument import Instrument
from samplepack.pack.manifest import read_manifest
from samplepack.pack.session import HOSTS, Track
from samplepack.pack.write import zones_of
from samplepack.sound.audio import Audio, read
from samplepack.sound.partials import measure_partials
from tests.helpers.tone_packs import write_pack

ODD = "Ümläut's “room” & #1 (60 characters, no more and no fewer) ok"
HELD_S = 10.0
PHRASE = [
    PlayedNote(60, 100, 0.0, HELD_S),
    *(PlayedNote(key, 100, HELD_S + 2.0, HELD_S + 4.0) for key in (48, 55, 64)),
]


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A pack of tones in a folder with an odd name, with soundfonts."""
    folder = tmp_path_factory.mktemp("hosts") / "a $pack, it's #1 & “mine”"
    write_pack(folder, {ODD: ("none", [48, 60, 72], [{1: 0.3, 2: 0.1}], 1.0)}, formats=["sf2"])
    (folder / "Instruments").mkdir()
    (packed,) = read_manifest(folder).instruments
    font = sf2.write(Instrument(packed.name, zones_of(packed, 12)), folder)
    (folder / "Instruments" / f"{packed.name}.sf2").write_bytes(font)
    return folder


def level_db(audio, from_s, to_s):
    part = audio.samples[:, round(from_s * audio.rate_hz) : round(to_s * audio.rate_hz)].astype(np.float64)
    return 10 * np.log10(np.mean(part**2) + 1e-12)


def test_lmms_plays_our_soundfont(pack, tmp_path):
    _, _, project = HOSTS["lmms"]
    (tmp_path / "song.mmp").write_bytes(project([Track(ODD, pack / "Instruments" / f"{ODD}.sf2", 0.0, PHRASE)]))
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    subprocess.run(
        ["lmms", "--allowroot", "render", "song.mmp", "-o", "song.wav", "-f", "wav", "-s", "48000", "-a"],
        cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    audio = read(tmp_path / "song.wav")
    late = Audio(audio.samples[:, round(6.0 * audio.rate_hz) : round(HELD_S * audio.rate_hz)], audio.rate_hz)
    cents = measure_cents(measure_partials(late, 60)).cents
    print(f"LMMS: {cents:+.2f} cents, held {level_db(audio, 8.0, 9.8) - level_db(audio, 0.5, 2.3):+.3f} dB")
    assert abs(cents) < 3.0
    assert abs(level_db(audio, 8.0, 9.8) - level_db(audio, 0.5, 2.3)) < 0.2
    assert level_db(audio, HELD_S + 1.8, HELD_S + 1.95) < level_db(audio, 8.0, 9.8) - 60.0
    assert level_db(audio, HELD_S + 2.2, HELD_S + 3.8) > level_db(audio, 8.0, 9.8)  # three notes, one before
