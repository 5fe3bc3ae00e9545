"""Soundfonts as sources of notes, rendered with FluidSynth."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
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
"""Sample rate of the rendering, Hz. At 16000 Hz, the usual rate of sets, high tones of a soundfont would alias."""

VELOCITIES = (100, 40, 120)
"""MIDI velocities at which notes are rendered; where one is wanted, the first."""

_HELD = 0.75
"""Fraction of the length of a note during which its key is held; the rest is its release."""

_SOUND_OFF_MS, _GAP_MS = 250, 500
"""Milliseconds from the end of a note until remaining sound is cut off, and until the next note begins."""

_BLOCK = 64
"""Resolution of the times of events in FluidSynth, in samples."""


@dataclass(frozen=True)
class Preset:
    """One preset of a soundfont."""

    name: str
    bank: int
    program: int
    """Program number, counted from 0."""

    def __str__(self) -> str:
        return f"bank {self.bank}, program {self.program}: {self.name}"


def is_soundfont(path: Path) -> bool:
    """Return whether a file is a soundfont by its contents, whatever its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return riff.form(file) == b"sfbk"


def open_soundfont(path: Path, seconds: float, pitches: range, one_velocity: bool) -> Source:
    """Open every program of bank 0 of a soundfont, at every pitch, at `VELOCITIES`.

    A soundfont with all 128 programs is taken to be a General MIDI one: its instruments get the names of the standard,
    and programs without a definite pitch are left out. In any other one, instruments have the names of the presets.

    Args:
        path: the soundfont.
        seconds: length of a note; the key is held for three quarters of it.
        pitches: MIDI pitches to render.
        one_velocity: render notes at the first of `VELOCITIES` alone.

    Raises:
        InputError: the file is damaged or has no program in bank 0, or FluidSynth isn't installed.
    """
    about, presets = read_soundfont(path)
    fluidsynth = shutil.which("fluidsynth")
    if fluidsynth is None:
        raise InputError(
            f"{path.name}: soundfonts are rendered by FluidSynth, which isn't installed; its Debian package is "
            f"`fluidsynth` (apt install fluidsynth)"
        )
    # MIDI has no program above 127, though a record has room for one.
    main = [preset for preset in presets if preset.bank == 0 and preset.program <= 127]
    if not main:
        banks = ", ".join(str(bank) for bank in sorted({preset.bank for preset in presets}))
        raise InputError(f"{path.name}: it has no program in bank 0, only in bank {banks}")
    dropped = [
        Dropped(source=str(preset), why="another bank: only bank 0 is taken") for preset in presets if preset.bank != 0
    ]
    dropped += [
        Dropped(source=str(preset), why="no program: MIDI has 0 to 127")
        for preset in presets
        if preset.bank == 0 and preset.program > 127
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
    notes = [(pitch, velocity) for velocity in VELOCITIES[: 1 if one_velocity else None] for pitch in pitches]
    jobs = [_job(fluidsynth, path, program, name, seconds, notes) for program, name in names.items()]
    rights = (about.get(b"ICOP", ""), about.get(b"ICMT", ""))
    return Source(
        title=about.get(b"INAM") or path.stem,
        license=". ".join(text.rstrip(".") for text in rights if text),
        jobs=jobs,
        total=len(jobs) * len(notes),
        dropped=dropped,
    )


def read_soundfont(path: Path) -> tuple[dict[bytes, str], list[Preset]]:
    """Read the metadata of a soundfont and its presets.

    Source: SoundFont Technical Specification 2.04: a `phdr` record is 38 bytes, the name in the first 20, then program
    and bank; the last record is a terminal one.

    Returns:
        The texts of the `INFO` chunks by chunk name, and the presets in the order of bank and program.

    Raises:
        InputError: the file has no list of presets.
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
    # If two presets have the same bank and program, players take the first.
    found = {(bank, program): _text(name) for name, program, bank in reversed(records)}
    return about, [Preset(found[place], *place) for place in sorted(found)]


def _text(raw: bytes) -> str:
    text = raw.split(b"\0")[0].decode("latin-1")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _own_names(presets: list[Preset]) -> dict[int, str]:
    """Return the name of each program's preset, followed by the program number if it isn't unique or is empty."""
    names = [preset.name for preset in presets]
    return {
        p.program: p.name if names.count(p.name) == 1 and p.name else f"{p.name} {p.program}".strip() for p in presets
    }


def _job(
    fluidsynth: str, soundfont: Path, program: int, name: str, seconds: float, notes: Sequence[tuple[int, int]]
) -> Job:
    def offers() -> Iterator[Offered]:
        with tempfile.TemporaryDirectory(prefix="samplepack-") as folder:
            sound = _render(fluidsynth, soundfont, program, seconds, notes, Path(folder))
            for number, (pitch, velocity) in enumerate(notes):

                def load(number: int = number) -> Audio:
                    return _note(sound, number, seconds)

                source = f"program {program}: {name}, pitch {pitch}, velocity {velocity}"
                yield Offered(name, pitch, source, load, velocity)

    return offers


def _render(
    fluidsynth: str, soundfont: Path, program: int, seconds: float, notes: Sequence[tuple[int, int]], folder: Path
) -> Path:
    """Render the notes of a program, pitches and velocities, one after the other, into a sound file; return its path.

    Raises:
        SamplepackError: FluidSynth failed.
    """
    score, settings, sound = folder / "notes.mid", folder / "settings", folder / "notes.wav"
    score.write_bytes(_midi(program, seconds, notes))
    settings.touch()  # an empty file, so that the user's own settings aren't read
    command: list[str | Path] = [
        fluidsynth, "-n", "-i", "-q", "-f", settings, "-R", "0", "-C", "0", "-g", "0.8", "-r", str(RENDERED_HZ),
        "-z", str(_BLOCK), "-o", "synth.dynamic-sample-loading=1", "-T", "wav", "-O", "float", "-F", sound,
        soundfont.absolute(), score,
    ]  # fmt: skip
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if "error:" in line]
    if ran.returncode or errors or not sound.exists():
        why = errors[0].split("error:")[1].strip() if errors else f"exit code {ran.returncode}"
        raise SamplepackError(f"{soundfont.name}: FluidSynth failed on program {program}: {why}")
    return sound


def _note(sound: Path, number: int, seconds: float) -> Audio:
    import soundfile

    slot = _slot_ms(seconds) * RENDERED_HZ // 1000
    samples, _ = soundfile.read(sound, slot, number * slot, dtype="float32", always_2d=True)
    return Audio(np.ascontiguousarray(samples.T), RENDERED_HZ)


def _slot_ms(seconds: float) -> int:
    """Return the time from one note to the next: a multiple of 4 ms (three blocks), so that each begins a block."""
    return -(-(round(1000 * seconds) + _GAP_MS) // 4) * 4


def _midi(program: int, seconds: float, notes: Sequence[tuple[int, int]]) -> bytes:
    """Return a MIDI file of 1000 ticks a second, in which each note is held, released and cut off."""
    events = [(0, bytes([0xFF, 0x51, 3]) + (1_000_000).to_bytes(3, "big")), (0, bytes([0xC0, program]))]
    length_ms = round(1000 * seconds)
    for start_ms, (pitch, velocity) in zip(itertools.count(0, _slot_ms(seconds)), notes, strict=False):
        events += [
            (start_ms, bytes([0x90, pitch, velocity])),
            (start_ms + round(_HELD * length_ms), bytes([0x80, pitch, 0])),
            (start_ms + length_ms + _SOUND_OFF_MS, bytes([0xB0, 120, 0])),
        ]
    events.append((len(notes) * _slot_ms(seconds) + _GAP_MS, bytes([0xFF, 0x2F, 0])))
    track, last_ms = b"", 0
    for at_ms, event in events:
        track += _quantity(at_ms - last_ms) + event
        last_ms = at_ms
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000) + b"MTrk" + struct.pack(">I", len(track)) + track


def _quantity(number: int) -> bytes:
    """Encode a number as a MIDI variable-length quantity."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
