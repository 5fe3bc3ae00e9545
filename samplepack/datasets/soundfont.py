"""Soundfonts, rendered by FluidSynth."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samplepack.base.errors import InputError, SamplepackError
from samplepack.datasets import general_midi
from samplepack.datasets.candidates import Job, Offered, Source
from samplepack.datasets.dataset import Dropped
from samplepack.sound import riff
from samplepack.sound.audio import Audio

RENDERED_HZ = 48000
"""Rendered at the sets' own 16000 Hz, a soundfont's higher tones would alias."""

VELOCITY = 100
_HELD = 0.75
"""Of a note's length; the rest is its release."""

_SOUND_OFF_MS, _GAP_MS = 250, 500
"""After a note: when what still sounds is cut, and when the next one begins."""

_BLOCK = 64
"""FluidSynth keeps the time of events in steps of so many samples."""


@dataclass(frozen=True)
class Preset:
    """One sound of a soundfont."""

    name: str
    bank: int
    program: int
    """From 0."""

    def __str__(self) -> str:
        return f"bank {self.bank}, program {self.program}: {self.name}"


def is_soundfont(path: Path) -> bool:
    """Whether it is a soundfont, whatever its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return riff.form(file) == b"sfbk"


def open_soundfont(path: Path, seconds: float, pitches: range) -> Source:
    """Every program of a soundfont's bank 0, at every pitch, at velocity 100.

    A soundfont that has all 128 programs is one of General MIDI: its instruments have the standard's names, and the
    programs without a pitch are left out. Any other one's have the presets' own names.

    Args:
        path: of the soundfont.
        seconds: length of a note; the key is held for three quarters of it.
        pitches: MIDI.

    Raises:
        InputError: the file is damaged or has no programs, or FluidSynth isn't there.
    """
    about, presets = read_soundfont(path)
    fluidsynth = shutil.which("fluidsynth")
    if fluidsynth is None:
        raise InputError(
            f"{path.name}: soundfonts are rendered by FluidSynth, which isn't installed; its Debian package is "
            f"`fluidsynth` (apt install fluidsynth)"
        )
    main = [preset for preset in presets if preset.bank == 0]
    if not main:
        banks = ", ".join(str(bank) for bank in sorted({preset.bank for preset in presets}))
        raise InputError(f"{path.name}: it has no program in bank 0, only in bank {banks}")
    dropped = [
        Dropped(source=str(preset), why="another bank: only bank 0 is taken") for preset in presets if preset.bank != 0
    ]
    if len(main) == len(general_midi.NAMES):
        dropped += [
            Dropped(source=str(preset), why="unpitched: General MIDI's program of this number plays no pitch")
            for preset in main
            if preset.program in general_midi.UNPITCHED
        ]
        names = {p: name for p, name in enumerate(general_midi.NAMES) if p not in general_midi.UNPITCHED}
    else:
        names = _own_names(main)
    jobs = [_job(fluidsynth, path, program, name, seconds, pitches) for program, name in names.items()]
    rights = (about.get(b"ICOP", ""), about.get(b"ICMT", ""))
    return Source(
        title=about.get(b"INAM") or path.stem,
        license=". ".join(text.rstrip(".") for text in rights if text),
        jobs=jobs,
        total=len(jobs) * len(pitches),
        dropped=dropped,
    )


def read_soundfont(path: Path) -> tuple[dict[bytes, str], list[Preset]]:
    """What a soundfont says of itself, by the names of its `INFO` chunks, and its presets by bank and program.

    Source: SoundFont Technical Specification 2.04: a `phdr` record is 38 bytes, the name in the first 20, then program
    and bank; the last record is a terminal one.

    Raises:
        InputError: it has no list of presets.
    """
    about, headers = {}, b""
    with path.open("rb") as file:
        for chunk in list(riff.chunks(file)):
            kind = riff.content(file, chunk._replace(size=4)) if chunk.name == b"LIST" else b""
            if kind not in (b"INFO", b"pdta"):
                continue
            for part in list(riff.chunks(file, chunk.start + 4, chunk.start + chunk.size)):
                if kind == b"INFO":
                    about[part.name] = _text(riff.content(file, part))
                elif part.name == b"phdr":
                    headers = riff.content(file, part)
    records = [struct.unpack("<20sHH", headers[at : at + 24]) for at in range(0, len(headers) - 37, 38)][:-1]
    if not records:
        raise InputError(f"{path.name}: a damaged soundfont: it lists no presets")
    # Of two at one place, players take the first.
    found = {(bank, program): _text(name) for name, program, bank in reversed(records)}
    return about, [Preset(found[place], *place) for place in sorted(found)]


def _text(raw: bytes) -> str:
    text = raw.split(b"\0")[0].decode("latin-1")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _own_names(presets: list[Preset]) -> dict[int, str]:
    """Program → its preset's name; where two have the same, or one has none, with its number."""
    names = [preset.name for preset in presets]
    return {
        p.program: p.name if names.count(p.name) == 1 and p.name else f"{p.name} {p.program}".strip() for p in presets
    }


def _job(fluidsynth: str, soundfont: Path, program: int, name: str, seconds: float, pitches: range) -> Job:
    def offers() -> Iterator[Offered]:
        with tempfile.TemporaryDirectory(prefix="samplepack-") as folder:
            sound = _render(fluidsynth, soundfont, program, seconds, pitches, Path(folder))
            for number, pitch in enumerate(pitches):

                def load(number: int = number) -> Audio:
                    return _note(sound, number, seconds)

                yield Offered(name, pitch, f"program {program}: {name}, pitch {pitch}", load)

    return offers


def _render(fluidsynth: str, soundfont: Path, program: int, seconds: float, pitches: range, folder: Path) -> Path:
    """A program's notes one after the other, in a sound file.

    Raises:
        SamplepackError: FluidSynth failed.
    """
    score, settings, sound = folder / "notes.mid", folder / "settings", folder / "notes.wav"
    score.write_bytes(_midi(program, seconds, pitches))
    settings.touch()  # in place of the user's own
    command: list[str | Path] = [
        fluidsynth, "-n", "-i", "-q", "-f", settings, "-R", "0", "-C", "0", "-g", "0.8", "-r", str(RENDERED_HZ),
        "-z", str(_BLOCK), "-o", "synth.dynamic-sample-loading=1", "-T", "wav", "-O", "float", "-F", sound,
        soundfont.absolute(), score,
    ]  # fmt: skip
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if "error:" in line]
    if ran.returncode or told or not sound.exists():
        why = told[0].split("error:")[1].strip() if told else f"exit code {ran.returncode}"
        raise SamplepackError(f"{soundfont.name}: FluidSynth failed on program {program}: {why}")
    return sound


def _note(sound: Path, number: int, seconds: float) -> Audio:
    import soundfile

    slot = _slot_ms(seconds) * RENDERED_HZ // 1000
    samples, _ = soundfile.read(sound, slot, number * slot, dtype="float32", always_2d=True)
    return Audio(np.ascontiguousarray(samples.T), RENDERED_HZ)


def _slot_ms(seconds: float) -> int:
    """From one note to the next: a multiple of 4 ms, which are three blocks, so that each note begins with one."""
    return -(-(round(1000 * seconds) + _GAP_MS) // 4) * 4


def _midi(program: int, seconds: float, pitches: range) -> bytes:
    """A MIDI file of 1000 ticks a second: each note held, released, and cut off."""
    events = [(0, bytes([0xFF, 0x51, 3]) + (1_000_000).to_bytes(3, "big")), (0, bytes([0xC0, program]))]
    length_ms = round(1000 * seconds)
    for start_ms, pitch in zip(itertools.count(0, _slot_ms(seconds)), pitches, strict=False):
        events += [
            (start_ms, bytes([0x90, pitch, VELOCITY])),
            (start_ms + round(_HELD * length_ms), bytes([0x80, pitch, 0])),
            (start_ms + length_ms + _SOUND_OFF_MS, bytes([0xB0, 120, 0])),
        ]
    events.append((len(pitches) * _slot_ms(seconds) + _GAP_MS, bytes([0xFF, 0x2F, 0])))
    track, last_ms = b"", 0
    for at_ms, event in events:
        track += _quantity(at_ms - last_ms) + event
        last_ms = at_ms
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000) + b"MTrk" + struct.pack(">I", len(track)) + track


def _quantity(number: int) -> bytes:
    """A MIDI variable-length quantity."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
