"""The chunks of RIFF files: soundfonts and WAVs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple


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
