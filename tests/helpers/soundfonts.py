"""Reading soundfonts back, as the specification says, and playing them in FluidSynth."""

from __future__ import annotations

import io
import struct
import subprocess
from typing import NamedTuple

import numpy as np

from samplepack.sound import riff
from samplepack.sound.audio import read


class Zone(NamedTuple):
    """A zone of an instrument: its generators by their numbers, and its modulators."""

    of: dict[int, int]
    modulators: list[tuple[int, ...]]


class Sample(NamedTuple):
    name: str
    start: int
    end: int
    loop: tuple[int, int]
    rate_hz: int
    root: int
    correction: int
    partner: int
    kind: int


class Soundfont:
    """The tables of a soundfont, and its points in 24 bits."""

    def __init__(self, content):
        file = io.BytesIO(content)
        assert riff.form(file) == b"sfbk"
        assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
        self.order, self.chunks = [], {}
        for outer in list(riff.chunks(file)):
            kind = riff.content(file, outer)[:4]
            self.order.append(kind)
            for chunk in list(riff.chunks(file, outer.start + 4, outer.start + outer.size)):
                self.chunks[chunk.name] = riff.content(file, chunk)
        high = np.frombuffer(self.chunks[b"smpl"], "<i2").astype(np.int32) << 8
        low = np.frombuffer(self.chunks.get(b"sm24", bytes(len(high))), "u1")
        self.points = high | low
        self.samples = [
            Sample(text(r[0]), r[1], r[2], (r[3], r[4]), *r[5:]) for r in self._records(b"shdr", "<20sIIIIIBbHH")[:-1]
        ]
        self.presets = [(text(r[0]), r[1], r[2]) for r in self._records(b"phdr", "<20sHHHIII")[:-1]]
        self.instruments = [text(r[0]) for r in self._records(b"inst", "<20sH")[:-1]]

    def _records(self, name, layout):
        return list(struct.iter_unpack(layout, self.chunks[name]))

    def all_zones(self, instrument=0):
        """The zones of an instrument; the first holds for all others."""
        starts = [bag for _, bag in self._records(b"inst", "<20sH")]
        bags = self._records(b"ibag", "<HH")
        generators, modulators = self._records(b"igen", "<HH"), self._records(b"imod", "<HHhHH")
        for number in range(starts[instrument], starts[instrument + 1]):
            (g, m), (next_g, next_m) = bags[number], bags[number + 1]
            yield Zone(dict(generators[g:next_g]), modulators[m:next_m])

    def zones(self, instrument=0):
        """The zones of an instrument that have sounds."""
        return list(self.all_zones(instrument))[1:]


def text(raw):
    return raw.partition(b"\0")[0].decode("ascii")


def midi(events, length_s):
    """A MIDI file of 1000 ticks a second: times in seconds, and messages."""

    def quantity(number):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | 0x80)
        return bytes(reversed(digits))

    track, before = b"\0\xff\x51\x03" + (1_000_000).to_bytes(3, "big"), 0
    for at_s, message in sorted([*events, (length_s, b"\xff\x2f\0")], key=lambda event: event[0]):
        tick = round(1000 * at_s)
        track += quantity(tick - before) + bytes(message)
        before = tick
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000) + b"MTrk" + struct.pack(">I", len(track)) + track


def fluidsynth(soundfont, events, length_s, folder, rate_hz=48000):
    """Play a soundfont: stereo samples, float32, shape (2, samples), and what FluidSynth said."""
    (folder / "events.mid").write_bytes(midi(events, length_s))
    ran = subprocess.run(
        ["fluidsynth", "-ni", "-R", "0", "-C", "0", "-g", "1", "-r", str(rate_hz), "-O", "float",
         "-F", folder / "played.wav", soundfont, folder / "events.mid"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    # FluidSynth looks for drums at first, which no soundfont without them has.
    said = [line for line in ran.stderr.splitlines() if line.strip() and "No preset found on channel 9" not in line]
    return read(folder / "played.wav").samples, said
