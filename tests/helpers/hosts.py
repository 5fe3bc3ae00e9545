"""Music programs without a screen: each renders a project of samplepack's, and what it played is measured.

The programs are Debian's packages lmms, musescore3 and ardour.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from scipy.signal import fftconvolve

from samplepack.clips.score import PlayedNote
from samplepack.formats import WRITERS
from samplepack.formats.instrument import Instrument
from samplepack.pack.hosts.track import Track
from samplepack.pack.manifest import read_manifest
from samplepack.pack.session import HOSTS
from samplepack.pack.write import zones_of
from samplepack.sound.audio import read
from samplepack.sound.riff import Loop
from tests.helpers.tone_packs import frequency_hz, write_pack

HELD_S, CHORD_S, REST_S = 10.0, 2.0, 2.0
CHORD = (48, 55, 64)
PHRASE = [
    PlayedNote(60, 100, 0.0, HELD_S),
    *(PlayedNote(key, 100, HELD_S + REST_S, HELD_S + REST_S + CHORD_S) for key in CHORD),
]
MORPH_START_S, MORPH_S = 16.0, 8.0
OVERTONE_DB = {0: -200.0, 127: 20 * np.log10(0.1 / 0.3)}
"""The second partial of the morph beside the first, for the ends of the wheel."""

BEND_CENTS = 100.0

ODD = "Ümläut's “room” & #1 (60 characters, neither more nor fewer)"
ODD_FOLDER = 'a $pack, it\'s #1 & “mine”; 100% "ok" + {more}'
"""Names of an instrument and of the folder of a pack that may break a program."""


def write_tones(folder, name, loop_off=0):
    """Write a pack of two instruments of tones with maps in SFZ and SF2: one that is held, and a morph. Loops end by
    some frames too late."""
    instruments = {
        name: ("none", [48, 60, 72], [{1: 0.3, 2: 0.1}], 1.0),
        f"{name} morph": ("wheel", [60], [{1: 0.3}, {1: 0.3, 2: 0.1}], 1.0),
    }
    write_pack(folder, instruments, formats=["sfz", "sf2"])
    (folder / "Instruments").mkdir()
    for packed in read_manifest(folder).instruments:
        for format_name in ("sfz", "sf2"):
            suffix, write = WRITERS[format_name]
            zones = (
                replace(zone, loop=Loop(zone.loop.start, zone.loop.end + loop_off)) for zone in zones_of(packed, 12)
            )
            content = write(Instrument(packed.name, tuple(zones)), folder)
            (folder / "Instruments" / f"{packed.name}{suffix}").write_bytes(content)
    return folder


def tracks(pack, host):
    """A held key, a chord, and a morph whose wheel travels up and down, with the maps that a host loads."""
    suffix = WRITERS[HOSTS[host].format_name][0]
    held, morph = (pack / "Instruments" / f"{one.name}{suffix}" for one in read_manifest(pack).instruments)
    wheel = [(i * MORPH_S / 64, round(127 * min(i, 64 - i) / 32)) for i in range(65)]
    return [
        Track(held.stem, held, 0.0, PHRASE),
        Track(morph.stem, morph, MORPH_START_S, [PlayedNote(60, 100, 0.0, MORPH_S)], wheel),
    ]


def render(host, name, played, folder, change=lambda files: files):
    """Render tracks in a host.

    Args:
        host: its name.
        name: of the project.
        played: the tracks.
        folder: an empty folder.
        change: changes the files of the project before they are written.
    """
    files = change(HOSTS[host].project(name, played))
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return render_project(host, folder / next(iter(files)), played[0].map_.parent, folder)


def render_project(host, project, maps, folder):
    """Render a project in a host, whose home is a folder; MuseScore finds the maps there that lie in another one.

    On a busy machine, Ardour 7.3 falls over its own memory in one of six starts (`free(): invalid next size`), as it frees
    the buffers of the export: after the file is written, and before the session is closed, so that no way to quit avoids
    it; nor does a single core, or a single thread for effects. A program that ends by a signal has done its work if the
    file is whole, or is started once more.
    """
    fonts = folder / "Documents" / "MuseScore3" / "SoundFonts"
    fonts.mkdir(parents=True)
    (fonts / "maps").symlink_to(maps)
    out = folder / "rendered.wav"
    home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "QT_QPA_PLATFORM": "offscreen"}
    command, environment = COMMANDS[host](project, out), {**os.environ, **home}
    for _ in range(2):
        out.unlink(missing_ok=True)
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        if ran.returncode == 0 or (ran.returncode < 0 and is_whole(out)):
            return read(out)
    raise AssertionError(f"{command}: {ran.returncode}\n{ran.stdout}{ran.stderr}")


def is_whole(wav):
    """Whether a WAV was closed by its writer: its header says how long the file is."""
    content = wav.read_bytes() if wav.is_file() else b""
    return content[:4] == b"RIFF" and int.from_bytes(content[4:8], "little") + 8 == len(content)


COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "ardour": lambda project, out: [
        "ardour7-export", "-b", "float", "-s", "48000", "-o", str(out), str(project.parent), project.stem,
    ],
    "lmms": lambda project, out: [
        "lmms", "--allowroot", "render", str(project), "-o", str(out), "-f", "wav", "-s", "48000", "-a",
    ],
    "musescore": lambda project, out: ["mscore3", "-o", str(out), str(project)],
}  # fmt: skip
"""Host → the command that renders a project."""


class Played(NamedTuple):
    """What a host made of the phrase."""

    cents: float
    """The largest deviation of the held key and of the keys of the chord from equal temperament, cents."""

    held_db: float
    """The level at the end of the held key beside the one at its beginning, dB."""

    swing_db: float
    """The range of the levels of the held key's fundamental, 60 ms each, dB. It goes round its loop nine times, and a
    loop that doesn't close has a leap of phase, which is a dip here."""

    silence_db: float
    """The level 1.8 s after key-up beside that of the held key, dB."""

    chord_db: float
    """The quietest key of the chord beside the loudest, dB."""

    overtone_db: tuple[float, float, float]
    """The second partial of the morph beside the first where the wheel is down, up, and down again, dB."""

    sweep_db: float
    """The range of the levels of the morph's first partial under the wheel, dB."""


def measure(audio):
    """Measure what a host made of `tracks`."""
    held = level_db(audio, 8.0, 9.8)
    after_s = HELD_S + REST_S
    chord = [strength(audio, after_s + 0.3, after_s + 1.8, frequency_hz(key)) for key in CHORD]
    cents = [strength(audio, 4.0, 9.0, frequency_hz(60)).cents, *(tone.cents for tone in chord)]
    places = [(MORPH_START_S + at * MORPH_S) for at in (0.04, 0.5, 0.96)]
    partials = [
        [strength(audio, at_s - 0.15, at_s + 0.15, n * frequency_hz(60)).level_db for n in (1, 2)] for at_s in places
    ]
    swept = [
        strength(audio, MORPH_START_S + at_s, MORPH_START_S + at_s + 0.2, frequency_hz(60)).level_db
        for at_s in np.arange(0.3, MORPH_S - 0.3, 0.1)
    ]
    return Played(
        cents=max(cents, key=abs),
        held_db=held - level_db(audio, 0.5, 2.3),
        swing_db=swing_db(audio, 0.5, 9.8, frequency_hz(60)),
        silence_db=level_db(audio, after_s - 0.2, after_s - 0.05) - held,
        chord_db=min(tone.level_db for tone in chord) - max(tone.level_db for tone in chord),
        overtone_db=tuple(second - first for first, second in partials),
        sweep_db=max(swept) - min(swept),
    )


def swing_db(audio, from_s, to_s, tone_hz):
    """The range of the levels of a partial, each of 60 ms."""
    first, last = round(from_s * audio.rate_hz), round(to_s * audio.rate_hz)
    wave = audio.samples[:, first:last].mean(axis=0, dtype=np.float64)
    turned = wave * np.exp(-2j * np.pi * tone_hz * np.arange(len(wave)) / audio.rate_hz)
    amplitudes = np.abs(fftconvolve(turned, np.hanning(round(0.06 * audio.rate_hz)), mode="valid"))
    return 20 * np.log10(amplitudes.max() / amplitudes.min())


class Strength(NamedTuple):
    """A partial of a sound."""

    level_db: float
    cents: float
    """How far it lies above its frequency."""


def part(audio, from_s, to_s):
    """A part of a sound as one channel under a Hann window."""
    wave = audio.samples[:, round(from_s * audio.rate_hz) : round(to_s * audio.rate_hz)].mean(axis=0, dtype=np.float64)
    return wave * np.hanning(len(wave))


def level_db(audio, from_s, to_s):
    """The level of a part of a sound, dB; no lower than -120."""
    return 10 * np.log10(np.mean(part(audio, from_s, to_s) ** 2) + 1e-12)


def strength(audio, from_s, to_s, wanted_hz):
    """The strongest partial within half a semitone of a frequency."""
    wave = part(audio, from_s, to_s)
    size = 1 << 20
    spectrum = np.abs(np.fft.rfft(wave, size)) / len(wave)
    low, high = (round(wanted_hz * 2 ** (semitones / 12) * size / audio.rate_hz) for semitones in (-1.2, 1.2))
    peak = low + int(np.argmax(spectrum[low:high]))
    square, linear, _ = np.polyfit((-1.0, 0.0, 1.0), np.log(spectrum[peak - 1 : peak + 2] + 1e-15), 2)
    found_hz = (peak - linear / (2 * square)) * audio.rate_hz / size
    return Strength(20 * np.log10(spectrum[peak] + 1e-10), 1200 * np.log2(found_hz / wanted_hz))


def bent(files):
    """A project of LMMS whose first track is bent up by `BEND_CENTS` at once after half of its held key: songs can
    automate the pitch of a player, which becomes the pitch wheel."""
    ((name, content),) = files.items()
    root = ElementTree.fromstring(content)
    voice = root.find(".//instrumenttrack")
    del voice.attrib["pitch"]
    ElementTree.SubElement(voice, "pitch", id="7", value="0")
    track = ElementTree.SubElement(root.find(".//trackcontainer"), "track", type="5", name="Pitch", muted="0", solo="0")
    ElementTree.SubElement(track, "automationtrack")
    curve = {"name": "Pitch", "pos": "0", "len": "960", "prog": "0", "tens": "1", "mute": "0"}
    pattern = ElementTree.SubElement(track, "automationpattern", curve)
    ElementTree.SubElement(pattern, "time", pos="0", value="0")
    ElementTree.SubElement(pattern, "time", pos="480", value=f"{BEND_CENTS:g}")
    ElementTree.SubElement(pattern, "object", id="7")
    return {name: b'<?xml version="1.0"?>\n<!DOCTYPE lmms-project>\n' + ElementTree.tostring(root)}
