"""Reading back the tables of soundfonts: presets, and the zones of their instruments.

Source: SoundFont Technical Specification 2.04.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from samplepack.sound import riff
from samplepack.sound.riff import Loop

_INSTRUMENT, _KEYS, _SAMPLE, _SAMPLE_MODES, _ROOT = 41, 43, 53, 54, 58
_LOOPED = (1, 3)
_LAYOUTS = {
    b"phdr": "<20sHHHIII",
    b"pbag": "<HH",
    b"pgen": "<HH",
    b"inst": "<20sH",
    b"ibag": "<HH",
    b"igen": "<HH",
    b"shdr": "<20sIIIIIBbHH",
}


class PresetZone(NamedTuple):
    """A sound of a preset and the keys that play it."""

    low: int
    """The lowest key."""

    high: int
    """The highest key."""

    root: int
    frames: int
    loop: Loop | None

    def __str__(self) -> str:
        loop = f"loop {self.loop.start}-{self.loop.end}" if self.loop else "no loop"
        return f"keys {self.low}-{self.high}, {self.frames} frames, {loop}"


def read_presets(path: Path) -> dict[str, set[PresetZone]]:
    """The presets of a soundfont, by bank and program, and their zones; a stereo sound is one zone.

    Args:
        path: the file.

    Raises:
        OSError: it can't be read.
        ValueError: it is no soundfont, or a damaged one.
    """
    try:
        with path.open("rb") as file:
            return _presets(file)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError("its tables are damaged") from error


def _presets(file: BinaryIO) -> dict[str, set[PresetZone]]:
    if riff.form(file) != b"sfbk":
        raise ValueError("it is no soundfont")
    chunks = {
        chunk.name: chunk
        for outer in list(riff.chunks(file))
        for chunk in list(riff.chunks(file, outer.start + 4, outer.start + outer.size))
    }
    tables: dict[bytes, list[tuple[Any, ...]]] = {
        name: list(struct.iter_unpack(layout, riff.content(file, chunks[name]))) for name, layout in _LAYOUTS.items()
    }
    points = chunks[b"smpl"].size // 2
    if b"sm24" in chunks and chunks[b"sm24"].size != points + points % 2:
        raise ValueError("its lower bits are no byte a point")
    samples = tables[b"shdr"][:-1]
    if any(not start <= loop_start <= loop_end <= end <= points for _, start, end, loop_start, loop_end, *_ in samples):
        raise ValueError("a sound lies beyond its end")
    presets = {}
    headers = sorted(pairwise(tables[b"phdr"]), key=lambda pair: (pair[0][2], pair[0][1]))
    for (name, _, _, first, *_), (_, _, _, after, *_) in headers:
        zones = set()
        for preset_zone in _zones(tables[b"pbag"], tables[b"pgen"], first, after):
            if _INSTRUMENT in preset_zone:
                number = preset_zone[_INSTRUMENT]
                starts = (tables[b"inst"][number][1], tables[b"inst"][number + 1][1])
                zones |= {
                    _zone(zone, samples)
                    for zone in _zones(tables[b"ibag"], tables[b"igen"], *starts)
                    if _SAMPLE in zone
                }
        presets[name.partition(b"\0")[0].decode("ascii")] = zones
    return presets


def _zones(
    bags: list[tuple[Any, ...]], generators: list[tuple[Any, ...]], first: int, after: int
) -> Iterator[dict[int, int]]:
    """The generators of each zone: number → value, unsigned."""
    for number in range(first, after):
        yield dict(generators[bags[number][0] : bags[number + 1][0]])


def _zone(generators: dict[int, int], samples: list[tuple[Any, ...]]) -> PresetZone:
    _, start, end, loop_start, loop_end, _, root, *_ = samples[generators[_SAMPLE]]
    keys = generators.get(_KEYS, 127 << 8)
    looped = generators.get(_SAMPLE_MODES, 0) in _LOOPED
    loop = Loop(loop_start - start, loop_end - start - 1) if looped else None
    return PresetZone(keys & 0xFF, keys >> 8, generators.get(_ROOT, root), end - start, loop)
