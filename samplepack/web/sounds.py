"""The sounds of instruments, compressed for web pages."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Literal

from samplepack.base.errors import SamplepackError
from samplepack.base.parallel import Map
from samplepack.pack.manifest import PackedInstrument, PackedNote
from samplepack.sound.audio import Audio, encode, read, resample

Codec = Literal["opus", "flac"]

MOST_BYTES = 3_000_000
"""The size of an instrument's sounds on a page, at most."""

OPUS_HZ = 48_000
"""The rate at which Opus is played, whatever it was made from."""

_LEAST_BITS_PER_S, _MOST_BITS_PER_S = 40_000, 64_000
"""The bit rates of a channel in Opus: below the least one, keys are left out instead."""

_MARGIN = 0.85
"""Opus takes more bits than it is asked for where a sound needs them."""

_LEVELS_BITS_PER_S = (256_000, 6_000)
"""The bit rates of a channel that libsndfile's compression levels 0 and 1 stand for."""

_STEPS = (1, 2, 3, 4, 6, 8, 12, 24, 128)
"""Every how many keys one may be kept."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def compress(
    folder: Path, packed: PackedInstrument, rate_hz: int, codec: Codec, map_: Map
) -> tuple[PackedInstrument, dict[str, bytes]]:
    """Compress the sounds of an instrument to `MOST_BYTES`: where it has too many of them, only every second key is
    kept, or every third and so on, which then plays its neighbours, too.

    Args:
        folder: the pack's folder.
        packed: the instrument.
        rate_hz: rate of its sound files.
        codec: `opus`, with 40 to 64 kbit/s a channel; or `flac`, lossless but for its 16 bits.
        map_: compresses sounds side by side.

    Returns:
        The instrument with the keys that are kept, and the compressed sound of each of its notes by the note's file.

    Raises:
        OSError, RuntimeError: a sound file can't be read.
        SamplepackError: one key alone is too large.
    """
    channels = read(folder / packed.notes[0].file).samples.shape[0]

    def in_flac(note: PackedNote) -> tuple[str, bytes]:
        return note.file, encode(read(folder / note.file), "flac", 16, zlib.crc32(note.file.encode()))

    sounds = dict(map_(in_flac, packed.notes)) if codec == "flac" else {}
    for step in _STEPS:
        kept = every(packed, step)
        if codec == "flac":
            if sum(len(sounds[note.file]) for note in kept.notes) <= MOST_BYTES:
                return kept, {note.file: sounds[note.file] for note in kept.notes}
            continue
        length_s = sum(note.frames for note in kept.notes) / rate_hz
        bits_per_s = round(min(_MARGIN * 8 * MOST_BYTES / length_s / channels, _MOST_BITS_PER_S))
        if bits_per_s < _LEAST_BITS_PER_S:
            continue

        def in_opus(note: PackedNote, bits_per_s: int = bits_per_s) -> tuple[str, bytes]:
            return note.file, opus(read(folder / note.file), bits_per_s)

        sounds = dict(map_(in_opus, kept.notes))
        if sum(map(len, sounds.values())) <= MOST_BYTES:
            return kept, sounds
    raise SamplepackError(f"{packed.name}: the sounds of one key take more than {MOST_BYTES / 1e6:.0f} MB")


def every(packed: PackedInstrument, step: int) -> PackedInstrument:
    """An instrument with every so-manieth of its keys."""
    kept = set(sorted({note.pitch for note in packed.notes})[::step])
    return packed.model_copy(update={"notes": tuple(note for note in packed.notes if note.pitch in kept)})


def opus(audio: Audio, bits_per_s: int) -> bytes:
    """A sound as Opus in Ogg, at 48 kHz. Players leave out what the codec adds at its start, so that every frame keeps
    its place.

    Args:
        audio: the sound, with one channel or two.
        bits_per_s: the bit rate of a channel, 6,000 to 256,000.
    """
    import soundfile

    most, least = _LEVELS_BITS_PER_S
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        resample(audio, OPUS_HZ).samples.T,
        OPUS_HZ,
        format="OGG",
        subtype="OPUS",
        compression_level=(most - bits_per_s) / (most - least),
    )
    return _with_constant_serial(buffer.getvalue())


def mp3(audio: Audio) -> bytes:
    """A sound as MP3, which every browser plays, at 44.1 or 48 kHz."""
    import soundfile

    buffer = io.BytesIO()
    at = resample(audio, audio.rate_hz if audio.rate_hz in (44_100, 48_000) else 48_000)
    soundfile.write(buffer, at.samples.T, at.rate_hz, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.5)
    return buffer.getvalue()


def _with_constant_serial(ogg: bytes) -> bytes:
    """An Ogg file whose only stream has the serial number 0, where libsndfile writes a random one."""
    pages, at = [], 0
    while at < len(ogg):
        segments = ogg[at + 26]
        length = 27 + segments + sum(ogg[at + 27 : at + 27 + segments])
        page = bytearray(ogg[at : at + length])
        page[14:18] = page[22:26] = bytes(4)
        # Ogg's CRC-32 is zlib's with all bits mirrored, and begins and ends with zeros in place of ones.
        mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
        struct.pack_into("<I", page, 22, int(f"{mirrored:032b}"[::-1], 2))
        pages.append(bytes(page))
        at += length
    return b"".join(pages)
