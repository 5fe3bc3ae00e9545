"""RIFF files, WAVs and soundfonts: their chunks, and the root key and loop that a WAV states for samplers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

_HEADER, _LOOP = struct.Struct("<9I"), struct.Struct("<6I")
"""The `smpl` chunk: its header, and each of its loops.

Source: Multimedia Programming Interface and Data Specifications 1.0, and its sampler chunk's later registration:
manufacturer, product, sample period in ns, root key, fraction of a semitone above it, SMPTE format and offset, number
of loops, bytes of other data; then for each loop its number, type (0: forward), first and last frame, fraction, and
count (0: for ever).
"""


@dataclass(frozen=True)
class Loop:
    """The part of a sound that repeats while a key is held; after key-up the sound goes on to its end."""

    start: int
    """The first frame."""

    end: int
    """The last frame, included."""


@dataclass(frozen=True)
class SamplerNote:
    """What the `smpl` chunk of a WAV states for samplers."""

    root: int
    """The key at which the sound plays at its own pitch, MIDI."""

    loop: Loop | None

    def __str__(self) -> str:
        return f"root key {self.root}, " + (f"loop {self.loop.start}-{self.loop.end}" if self.loop else "no loop")


class Chunk(NamedTuple):
    """One chunk: a name, and where its content lies in the file."""

    name: bytes
    start: int
    size: int


def form(file: BinaryIO) -> bytes:
    """Which kind of RIFF file it is (`WAVE`, `sfbk`); empty if it is none."""
    file.seek(0)
    head = file.read(12)
    return head[8:] if len(head) == 12 and head[:4] in (b"RIFF", b"RF64") else b""


def chunks(file: BinaryIO, start: int = 12, end: int | None = None) -> Iterator[Chunk]:
    """The chunks in a stretch of a file, by default the whole of it; a list's own lie from 4 bytes past its start.

    What a damaged file says of its chunks is not trusted: none reaches past the end.
    """
    if end is None:
        end = file.seek(0, 2)
    while start + 8 <= end:
        file.seek(start)
        name, size = struct.unpack("<4sI", file.read(8))
        size = min(size, end - start - 8)
        yield Chunk(name, start + 8, size)
        start += 8 + size + size % 2


def content(file: BinaryIO, chunk: Chunk) -> bytes:
    """A chunk's bytes."""
    file.seek(chunk.start)
    return file.read(chunk.size)


def read_sampler_note(file: BinaryIO) -> SamplerNote | None:
    """Root key and first loop of a WAV's `smpl` chunk; None where it has none.

    They are what the file states: in one from elsewhere the root may be above 127 and the loop beyond the end.
    """
    if form(file) != b"WAVE":
        return None
    for chunk in chunks(file):
        if chunk.name == b"smpl" and chunk.size >= _HEADER.size:
            stated = content(file, chunk)
            _, _, _, root, _, _, _, loops, _ = _HEADER.unpack_from(stated)
            if not loops or len(stated) < _HEADER.size + _LOOP.size:
                return SamplerNote(root, None)
            _, _, start, end, _, _ = _LOOP.unpack_from(stated, _HEADER.size)
            return SamplerNote(root, Loop(start, end))
    return None


def with_sampler_note(wav: bytes, rate_hz: int, note: SamplerNote) -> bytes:
    """A WAV with a `smpl` chunk at its end; libsndfile's binding has no public way to write one.

    Args:
        wav: a whole WAV, without such a chunk.
        rate_hz: its rate.
        note: what the chunk states.
    """
    loops = [] if note.loop is None else [_LOOP.pack(0, 0, note.loop.start, note.loop.end, 0, 0)]
    chunk = _HEADER.pack(0, 0, round(1e9 / rate_hz), note.root, 0, 0, 0, len(loops), 0) + b"".join(loops)
    padding = bytes(len(wav) % 2)
    body = wav[8:] + padding + b"smpl" + struct.pack("<I", len(chunk)) + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def without_time_stamp(wav: bytes) -> bytes:
    """A float WAV whose `PEAK` chunk has a zero where libsndfile puts the time of writing."""
    at = wav.index(b"PEAK", 0, 256) + 12  # past the chunk's name, size and version
    return wav[:at] + bytes(4) + wav[at + 4 :]
