"""RIFF files, which WAVs and soundfonts are: their chunks, and the root key and loop in a WAV's `smpl` chunk."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

_HEADER, _LOOP = struct.Struct("<9I"), struct.Struct("<6I")
"""The header of a `smpl` chunk, and each of its loops.

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
    """The root key and the loop that a WAV's `smpl` chunk states for samplers."""

    root: int
    """The key at which the sound plays at its own pitch, MIDI."""

    loop: Loop | None

    def __str__(self) -> str:
        return f"root key {self.root}, " + (f"loop {self.loop.start}-{self.loop.end}" if self.loop else "no loop")


class Chunk(NamedTuple):
    """A chunk: its name, and the position and the size of its content in the file, bytes."""

    name: bytes
    start: int
    size: int


def form(file: BinaryIO) -> bytes:
    """The form type of a RIFF file (`WAVE`, `sfbk`); empty if the file isn't a RIFF file."""
    file.seek(0)
    head = file.read(12)
    return head[8:] if len(head) == 12 and head[:4] in (b"RIFF", b"RF64") else b""


def chunks(file: BinaryIO, start: int = 12, end: int | None = None) -> Iterator[Chunk]:
    """The chunks between two positions of a file, by default all of its top level.

    The chunks within a `LIST` chunk begin 4 bytes after its start. A size that a damaged file states wrongly is cut, so
    that no chunk reaches past the end.

    Args:
        file: a RIFF file.
        start: position of the first chunk, bytes.
        end: position after the last chunk, bytes; None is the end of the file.
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
    """The content of a chunk."""
    file.seek(chunk.start)
    return file.read(chunk.size)


def read_sampler_note(file: BinaryIO) -> SamplerNote | None:
    """Read the root key and the first loop from a WAV's `smpl` chunk; None if the file has no such chunk or is no WAV.

    They aren't checked: in a file from elsewhere the root may be above 127 and the loop may lie beyond the end.
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
    """Append a `smpl` chunk to a WAV; soundfile has no public function that writes one.

    Args:
        wav: a whole WAV file without a `smpl` chunk.
        rate_hz: its rate.
        note: the root key and the loop to state.
    """
    loops = [] if note.loop is None else [_LOOP.pack(0, 0, note.loop.start, note.loop.end, 0, 0)]
    chunk = _HEADER.pack(0, 0, round(1e9 / rate_hz), note.root, 0, 0, 0, len(loops), 0) + b"".join(loops)
    padding = bytes(len(wav) % 2)
    body = wav[8:] + padding + b"smpl" + struct.pack("<I", len(chunk)) + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_chunk_before_data(wav: bytes, name: bytes, text: bytes) -> bytes:
    """Put a chunk of text before the samples of a WAV, where readers that stop at the samples find it.

    Args:
        wav: a whole WAV file.
        name: the chunk's, 4 bytes.
        text: the chunk's content.
    """
    at = next(chunk.start - 8 for chunk in chunks(io.BytesIO(wav)) if chunk.name == b"data")
    chunk = name + struct.pack("<I", len(text)) + text + bytes(len(text) % 2)
    body = wav[8:at] + chunk + wav[at:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def without_time_stamp(wav: bytes) -> bytes:
    """A float WAV with a zero instead of the time of writing, which libsndfile puts into its `PEAK` chunk."""
    at = wav.index(b"PEAK", 0, 256) + 12  # past the chunk's name, size and version
    return wav[:at] + bytes(4) + wav[at + 4 :]
