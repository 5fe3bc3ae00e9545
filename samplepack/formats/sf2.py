"""SF2, the soundfonts that FluidSynth, LMMS, MuseScore, Ardour's own synthesiser and many others play.

Source: SoundFont Technical Specification 2.04.
"""

from __future__ import annotations

import io
import math
import os
import struct
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from samplepack.formats._modulators import (
    AFTERTOUCH,
    BIPOLAR,
    CONTROLLER,
    CUTOFF,
    DOWN,
    PITCH_WHEEL,
    SWITCH,
    VELOCITY,
    Modulator,
    attenuation,
    darkening,
)
from samplepack.formats.instrument import (
    ATTACK_REACH_S,
    BRIGHTNESS_REACH_CENTS,
    OPEN_CUTOFF_HZ,
    RELEASE_REACH_S,
    RESONANCE_REACH_DB,
    VIBRATO_HZ,
    About,
    Instrument,
    Range,
    Zone,
    gain_at,
    median_fades,
    path_ranges,
    velocity_gain,
)
from samplepack.sound.audio import read
from samplepack.sound.riff import Loop

_Layer = TypeVar("_Layer", bound=Hashable)

MOST_LAYERS = 5
"""The most layers of a morph that the modulators of this format keep apart."""

_SILENCE = 46
"""Zeros after each sound, which the specification asks for."""

_MOST_RECORDS, _MOST_BYTES = 0xFFFF, 0x7FFFFFFF
"""Records are counted in 16 bits, and some players read sizes as signed numbers."""

_NAME_BYTES, _MOST_TEXT_BYTES, _MOST_COMMENT_BYTES = 20, 256, 65536

_RELEASE_SHARE = 0.8
"""In the time of a release players of this format let a sound fall by 100 dB, those of the others by about 80 dB."""

_PAN, _VIB_LFO_HZ, _ATTACK, _RELEASE, _INSTRUMENT = 17, 24, 34, 38, 41
_KEYS, _VELOCITIES, _FINE_TUNE, _SAMPLE, _SAMPLE_MODES = 43, 44, 52, 53, 54
_VIBRATO, _RESONANCE = 6, 9
"""Generators, some of which modulators have as destinations."""

_MONO, _RIGHT, _LEFT = 1, 2, 4
_HARD_LEFT, _HARD_RIGHT = -500, 500
_LOOP_UNTIL_RELEASE = 3
_LOWEST_HZ = 8.176
_SHORTEST_S = 1 / 1024
_FLAT_CB = 30
"""The resonance by which the low-pass has the shape that players of SFZ give it without any: a Q of 1."""

_USUAL_BEND = 2
"""How far the pitch wheel bends where nothing is said, semitones."""


def write(instrument: Instrument, pack: Path) -> bytes:
    """The bytes of a soundfont of one preset, bank 0, program 0.

    Sounds have 24 bits where their files have more than 16. Levels stand in the sounds, since players disagree on what
    the format's attenuation means. The level's way with velocity, fades between velocities and those on the mod wheel
    are modulators, which come close to the curves of the other formats; the fades of a morph are the medians of those
    that its keys would have, and of more than five layers five play. The format has no turns: the first takes play.
    """
    file = io.BytesIO()
    _Font(instrument.name, instrument.about, [instrument], pack).write(file)
    return file.getvalue()


def write_bank(name: str, about: About, instruments: Sequence[Instrument], pack: Path, path: Path) -> bool:
    """Write a soundfont of several instruments, one preset each, in their order; a sound that several of them play
    stands in it once.

    Args:
        name: of the soundfont.
        about: what it says of itself.
        instruments: in the order of their presets: programs 0 to 127 of bank 0, then of bank 1, and so on.
        pack: the folder of the pack, where the sound files lie.
        path: the file to write.

    Returns:
        Whether it was written: not where it would have 2 GiB or more, or more zones than the format can count.
    """
    font = _Font(name, about, instruments, pack)
    if font.fits:
        with path.open("xb") as file:
            font.write(file)
    return font.fits


@dataclass(frozen=True)
class _Sample:
    """One channel of a sound file."""

    name: str
    file: str
    channel: int
    kind: int
    frames: int
    rate_hz: int
    root: int
    loop: Loop | None
    partner: int
    """The number of the sample of the other channel; of a mono one, 0."""


@dataclass(frozen=True)
class _Zone:
    """A zone of an instrument: its generators, and its modulators."""

    generators: list[tuple[int, int]]
    modulators: list[Modulator]


class _Font:
    """The tables of a soundfont, made before anything is written."""

    def __init__(self, name: str, about: About, instruments: Sequence[Instrument], pack: Path) -> None:
        self.name, self.about, self.pack = name, about, pack
        self.samples: list[_Sample] = []
        self.is_24_bit = False
        self.names = preset_names([instrument.name for instrument in instruments])
        self._of_file: dict[str, list[int]] = {}
        self._sample_names: set[str] = set()
        self.instruments = [self._zones(instrument) for instrument in instruments]

    def _zones(self, instrument: Instrument) -> list[_Zone]:
        zones, wheels = _playable(instrument)
        velocities = _medians(((v.low, v.high), v) for v in (zone.velocities for zone in zones))
        layered = any(zone.velocities != Range(1, 127) for zone in zones)
        common = _common(instrument)
        if not layered:
            common.modulators.extend(attenuation(VELOCITY, _velocity_gains(instrument, Range(1, 127))))
        made = [common]
        for zone in zones:
            modulators = []
            if zone.soft_cutoff_hz is not None:
                modulators += darkening(1200.0 * math.log2(OPEN_CUTOFF_HZ / zone.soft_cutoff_hz))
            if zone.wheel:
                gains = {at: gain_at(wheels[zone.layer], at) for at in range(128)}
                modulators += attenuation(CONTROLLER | 1, gains)
            for piece, gained in _pieces(velocities[zone.velocities.low, zone.velocities.high]):
                own = attenuation(VELOCITY, _velocity_gains(instrument, piece, gained)) if layered else []
                for number in self._numbers(zone):
                    sample = self.samples[number]
                    generators = [(_KEYS, zone.keys.low | zone.keys.high << 8)]
                    if layered:
                        generators.append((_VELOCITIES, piece.low | piece.high << 8))
                    if sample.kind != _MONO:
                        generators.append((_PAN, _HARD_LEFT if sample.kind == _LEFT else _HARD_RIGHT))
                    if zone.loop:
                        generators.append((_SAMPLE_MODES, _LOOP_UNTIL_RELEASE))
                    made.append(_Zone([*generators, (_SAMPLE, number)], [*own, *modulators]))
        return made

    def _numbers(self, zone: Zone) -> list[int]:
        """The numbers of the samples of a zone's sound file, which are listed when they are first asked for."""
        if zone.file not in self._of_file:
            import soundfile

            header = soundfile.info(os.fsencode(self.pack / zone.file) if os.name == "posix" else self.pack / zone.file)
            self.is_24_bit |= header.subtype != "PCM_16"
            first = len(self.samples)
            kinds = [(_MONO, "", 0)] if header.channels == 1 else [(_LEFT, "L", first + 1), (_RIGHT, "R", first)]
            for channel, (kind, side, partner) in enumerate(kinds):
                (name,) = _unique([_sample_name(zone.file, side)], self._sample_names)
                self.samples.append(
                    _Sample(
                        name, zone.file, channel, kind, zone.frames, header.samplerate, zone.root, zone.loop, partner
                    )
                )
            self._of_file[zone.file] = list(range(first, len(self.samples)))
        return self._of_file[zone.file]

    @property
    def fits(self) -> bool:
        """Whether the format can count all records, and players can read a file of this size."""
        zones = [zone for of_one in self.instruments for zone in of_one]
        records = max(sum(len(zone.generators) for zone in zones), sum(len(zone.modulators) for zone in zones))
        return max(records, len(zones), len(self.samples)) < _MOST_RECORDS and 3 * self._points < _MOST_BYTES

    @property
    def _points(self) -> int:
        points = sum(sample.frames + _SILENCE for sample in self.samples)
        return points + points % 2  # or players would take the byte that fills up the lower bits for an error

    def write(self, file: BinaryIO) -> None:
        """Write the soundfont; each sound file is read twice, since its upper bits come before the lower ones of all
        others."""
        information, tables = _list(b"INFO", self._information()), _list(b"pdta", self._tables())
        sizes = [2 * self._points, self._points] if self.is_24_bit else [2 * self._points]
        sounds = 4 + sum(8 + size for size in sizes)
        file.write(struct.pack("<4sI4s", b"RIFF", 4 + len(information) + 8 + sounds + len(tables), b"sfbk"))
        file.write(information + struct.pack("<4sI4s", b"LIST", sounds, b"sdta"))
        for name, size, dtype, shift in zip((b"smpl", b"sm24"), sizes, ("<i2", "u1"), (8, 0), strict=False):
            file.write(struct.pack("<4sI", name, size))
            start = file.tell()
            for sample in self.samples:
                points = _points_of(self.pack / sample.file, sample.channel)
                file.write((points >> shift).astype(dtype).tobytes() + bytes(_SILENCE * np.dtype(dtype).itemsize))
            file.write(bytes(start + size - file.tell()))
        file.write(tables)

    def _information(self) -> bytes:
        about = self.about
        comments = [about.description, f"Category: {about.category}" * bool(about.category)]
        comments.append(f"Tags: {', '.join(about.tags)}" * bool(about.tags))
        texts = {
            b"isng": "EMU8000",
            b"INAM": self.name,
            b"IENG": about.author,
            b"ICOP": about.license,
            b"ICMT": "\n".join(filter(None, comments)),
            b"ISFT": "samplepack",
        }
        chunks = [_chunk(b"ifil", struct.pack("<HH", 2, 4))]
        for name, text in texts.items():
            if text:
                most = _MOST_COMMENT_BYTES if name == b"ICMT" else _MOST_TEXT_BYTES
                encoded = _shortened(text.encode(), most - 1) + b"\0"
                chunks.append(_chunk(name, encoded + bytes(len(encoded) % 2)))
        return b"".join(chunks)

    def _tables(self) -> bytes:
        count = len(self.instruments)

        def names(last: bytes) -> list[bytes]:
            return [*(name.encode() for name in self.names), last]

        presets = [
            struct.pack("<20sHHHIII", name, number % 128, number // 128, number, 0, 0, 0)
            for number, name in enumerate(names(b"EOP"))
        ]
        bags, modulators, generators, starts = [], list[bytes](), list[bytes](), [0]
        for zones in self.instruments:
            for zone in zones:
                bags.append(struct.pack("<HH", len(generators), len(modulators)))
                generators += [struct.pack("<HH", kind, value & 0xFFFF) for kind, value in zone.generators]
                modulators += [struct.pack("<HHhHH", *modulator) for modulator in zone.modulators]
            starts.append(len(bags))
        bags.append(struct.pack("<HH", len(generators), len(modulators)))
        headers, at = [], 0
        for sample in self.samples:
            loop = (at + sample.loop.start, at + sample.loop.end + 1) if sample.loop else (at, at + sample.frames)
            place = (at, at + sample.frames, *loop, sample.rate_hz, sample.root, 0, sample.partner, sample.kind)
            headers.append(struct.pack("<20sIIIIIBbHH", sample.name.encode(), *place))
            at += sample.frames + _SILENCE
        return b"".join(
            _chunk(name, b"".join(records))
            for name, records in (
                (b"phdr", presets),
                (b"pbag", [struct.pack("<HH", number, 0) for number in range(count + 1)]),
                (b"pmod", [bytes(10)]),
                (b"pgen", [*(struct.pack("<HH", _INSTRUMENT, number) for number in range(count)), bytes(4)]),
                (b"inst", [struct.pack("<20sH", n, s) for n, s in zip(names(b"EOI"), starts, strict=True)]),
                (b"ibag", bags),
                (b"imod", [*modulators, bytes(10)]),
                (b"igen", [*generators, bytes(4)]),
                (b"shdr", [*headers, struct.pack("<20s26x", b"EOS")]),
            )
        )


def preset_names(instruments: Sequence[str]) -> list[str]:
    """The names of the presets of instruments, as the tables hold them: 20 bytes of ASCII at most, none twice."""
    return _unique(instruments, set())


def playable_zones(instrument: Instrument) -> list[Zone]:
    """The zones of an instrument that the format can hold: first takes, and as many layers of a morph as it has."""
    return _playable(instrument)[0]


def _common(instrument: Instrument) -> _Zone:
    """The zone that holds for all others of an instrument: envelope and controllers."""
    playing, release_s = instrument.playing, instrument.release_s
    vibrato = round(playing.vibrato_cents)
    generators = [
        (_RESONANCE, _FLAT_CB),
        (_VIB_LFO_HZ, round(1200.0 * math.log2(VIBRATO_HZ / _LOWEST_HZ))),
        (_ATTACK, _timecents(playing.attack_s)),
        (_RELEASE, _timecents(release_s / _RELEASE_SHARE)),
    ]

    def up(controller: int, destination: int, amount: float) -> Modulator:
        """From the middle of a controller up, since players set those of sounds to 64."""
        source = CONTROLLER | controller
        return Modulator(source | BIPOLAR, destination, round(amount), source | SWITCH)

    attack_s = max(playing.attack_s, _SHORTEST_S)
    modulators = [
        Modulator(CONTROLLER | 1, _VIBRATO, vibrato if playing.vibrato == "wheel" else 0),
        Modulator(AFTERTOUCH, _VIBRATO, vibrato if playing.vibrato == "aftertouch" else 0),
        *(Modulator(VELOCITY | DOWN, CUTOFF, 0, by) for by in (0, VELOCITY | SWITCH)),
        up(71, _RESONANCE, 10 * RESONANCE_REACH_DB),
        up(72, _RELEASE, 1200.0 * math.log2(1.0 + RELEASE_REACH_S / max(release_s, _SHORTEST_S))),
        up(73, _ATTACK, 1200.0 * math.log2(1.0 + ATTACK_REACH_S / attack_s)),
        Modulator(CONTROLLER | 74 | BIPOLAR, CUTOFF, BRIGHTNESS_REACH_CENTS),
    ]
    if playing.bend_range != _USUAL_BEND:
        amount = 100 * (playing.bend_range - _USUAL_BEND)
        modulators.append(Modulator(PITCH_WHEEL | BIPOLAR, _FINE_TUNE, amount))
    return _Zone(generators, modulators)


def _timecents(seconds: float) -> int:
    return round(1200.0 * math.log2(max(seconds, _SHORTEST_S)))


def _playable(instrument: Instrument) -> tuple[list[Zone], dict[int, Range]]:
    """The zones that the format can hold, and the places of a morph's layers on the wheel."""
    zones = [zone for zone in instrument.zones if zone.turn == 1]
    wheels = _medians((zone.layer, zone.wheel) for zone in sorted(zones, key=lambda z: z.layer) if zone.wheel)
    if len(wheels) <= MOST_LAYERS:
        return zones, wheels
    layers = list(wheels)
    kept = [layers[round(i * (len(layers) - 1) / (MOST_LAYERS - 1))] for i in range(MOST_LAYERS)]
    alike = []
    for lower, upper in pairwise(kept):
        between = [wheels[layer] for layer in layers if lower < layer <= upper]
        # A fade is as long as the correlation of its two layers makes it: see `path_ranges`.
        alike.append(math.prod(min(max(2.0 * _fade_share(wheel) ** 2 - 1.0, 0.0), 1.0) for wheel in between))
    return [zone for zone in zones if zone.layer in kept], dict(zip(kept, path_ranges(alike, "wheel"), strict=True))


def _medians(ranges: Iterable[tuple[_Layer, Range]]) -> dict[_Layer, Range]:
    """The range of each layer, with the medians of the fades that its keys have."""
    of_layer: dict[_Layer, list[Range]] = {}
    for layer, own in ranges:
        of_layer.setdefault(layer, []).append(own)
    return {layer: median_fades(found) for layer, found in of_layer.items()}


def _fade_share(wheel: Range) -> float:
    """The part of the way from the layer below that a layer fades in for."""
    rises = wheel.high - wheel.low if not wheel.high_fade else (wheel.high - wheel.low) / 2
    return wheel.low_fade / rises


def _velocity_gains(instrument: Instrument, velocities: Range, fades: Range | None = None) -> dict[int, float]:
    """The gain for each velocity of a zone."""
    tracking_percent, curve = instrument.velocity_tracking_percent, instrument.playing.velocity_curve
    return {
        v: velocity_gain(v, tracking_percent, curve) * (gain_at(fades, v) if fades else 1.0)
        for v in range(velocities.low, velocities.high + 1)
    }


def _pieces(velocities: Range) -> Iterator[tuple[Range, Range]]:
    """The velocities of a zone, cut where its fades begin and end, each with the whole range: the curves of modulators
    have no corners."""
    low, high = velocities.low + velocities.low_fade, velocities.high - velocities.high_fade
    for first, last in ((velocities.low, low - 1), (low, high), (high + 1, velocities.high)):
        if first <= last:
            yield Range(first, last), velocities


def _points_of(path: Path, channel: int) -> NDArray[np.int32]:
    """A channel of a sound file in 24 bits."""
    points = np.rint(read(path).samples[channel].astype(np.float64) * (1 << 23))
    clipped: NDArray[np.int32] = np.clip(points, -(1 << 23), (1 << 23) - 1).astype(np.int32)
    return clipped


def _sample_name(file: str, side: str) -> str:
    """The name of a sample, with the end of its file's name whole, which has key, layer and take."""
    path = PurePosixPath(file)
    end = path.stem.removeprefix(path.parent.name) + side
    return _plain(path.parent.name)[: max(_NAME_BYTES - len(end), 0)] + _plain(end)


def _unique(names: Iterable[str], taken: set[str]) -> list[str]:
    """Names of 20 bytes of ASCII at most, none of which was taken before; they are taken then."""
    unique = []
    for name in names:
        plain, number = _plain(name).strip() or "Sound", 2
        short = plain[:_NAME_BYTES].strip()
        while short in taken:
            end = f" {number}"
            short, number = plain[: _NAME_BYTES - len(end)].strip() + end, number + 1
        taken.add(short)
        unique.append(short)
    return unique


def _plain(name: str) -> str:
    """A name in ASCII, which names in the tables have to be: without accents, and without other letters."""
    return unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()


def _shortened(text: bytes, size: int) -> bytes:
    """The beginning of a text in UTF-8, cut between two characters."""
    return text[:size].decode("utf-8", "ignore").encode()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)


def _list(kind: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", kind + content)
