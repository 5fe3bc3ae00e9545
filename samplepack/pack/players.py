"""Samplers that play the maps of a pack: sfizz, and FluidSynth by way of SF2, which Polyphone converts SFZ to."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from samplepack.base.errors import SamplepackError
from samplepack.sound.audio import Audio, Samples, read

WHEEL, EXPRESSION, PEDAL = 1, 11, 64
"""MIDI controllers."""

_ALL_SOUND_OFF, _RESET_CONTROLLERS = 120, 121
_TICKS_PER_S = 1000
_BETWEEN_S = 0.2
_LONGEST_RUN_S = 600
_DRUMS = 9
_MOST_LAYERS = 15

_BLOCK, _SWEEP_BLOCK = 1024, 64
"""Lengths of the blocks that sfizz renders, samples. Each call renders a block more than it gives, which is lost to a
sweep of many calls."""

_QUALITY = 2

_VELOCITY_CONTROLLER = 131
"""SFZ's controller for the velocity of the last note that was struck."""


@dataclass(frozen=True)
class Strike:
    """A key that is struck and held."""

    key: int
    velocity: int
    start_s: float
    held_s: float


@dataclass(frozen=True)
class Performance:
    """What a player plays."""

    strikes: tuple[Strike, ...]
    """In the order of their starts; a key is struck again only after it was let go."""

    length_s: float
    controllers: Mapping[int, int] = field(default_factory=dict)
    """MIDI controllers and where they stand from the start."""

    sweep: tuple[tuple[float, int], ...] = ()
    """When the mod wheel moves, in seconds, and where to; for a single strike at 0 s that is held to the end. The wheel
    stands at its lower end before."""


class Player(Protocol):
    """A sampler."""

    name: str
    is_native: bool
    """Whether the sampler plays the map itself, with its controllers, its brightness by velocity and its turns."""

    def play(self, map_: Path, performances: Sequence[Performance], rate_hz: int) -> Iterator[Audio]:
        """Play an SFZ map.

        Args:
            map_: the map, in a folder that can be written to, beside which a copy lies while it is played.
            performances: what to play, each from silence.
            rate_hz: rate of the result.

        Returns:
            A stereo sound for each performance.

        Raises:
            UnplayableError: the player can't load the map.
        """


class UnplayableError(Exception):
    """A player can't load a map."""


def players() -> tuple[list[Player], list[str]]:
    """The players that are installed, and a line on each of the others: what it needs."""
    found: list[Player] = []
    missing = []
    if importlib.util.find_spec("pysfizz"):
        found.append(Sfizz())
    else:
        missing.append("sfizz doesn't play: it needs pysfizz (pip install pysfizz)")
    if absent := [program for program in ("fluidsynth", "polyphone") if not shutil.which(program)]:
        missing.append(f"FluidSynth doesn't play: {' and '.join(absent)} not found")
    else:
        found.append(FluidSynth())
    return found, missing


@dataclass(frozen=True)
class _Map:
    """The text of an SFZ map, cut at its regions."""

    header: str
    regions: tuple[str, ...]

    @staticmethod
    def read(path: Path) -> _Map:
        header, *regions = re.split(r"(?m)^(?=<region>)", path.read_text(encoding="utf-8", errors="replace"))
        return _Map(header, tuple(regions))

    def of_keys(self, keys: Iterable[int]) -> _Map:
        """The map with the regions of some keys alone, which loads faster."""
        wanted = set(keys)

        def plays(region: str) -> bool:
            low, high = (_opcode(region, name, default) for name, default in (("lokey", 0), ("hikey", 127)))
            return any(low <= key <= high for key in wanted)

        return _Map(self.header, tuple(region for region in self.regions if plays(region)))

    def layers(self) -> list[_Map]:
        """The map of each layer of a morph, from the wheel's lower end; the map itself if it isn't one.

        Each key has fades of its own, so its regions are counted by where they fade in.
        """
        places: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for region in self.regions:
            places[_opcode(region, "lokey", 0)].add(_place(region))
        layers: dict[int, list[str]] = defaultdict(list)
        for region in self.regions:
            layers[sorted(places[_opcode(region, "lokey", 0)]).index(_place(region))].append(region)
        return [_Map(self.header, tuple(regions)) for _, regions in sorted(layers.items())]

    @contextmanager
    def written(self, beside: Path) -> Iterator[Path]:
        """The map as a file of its own beside another, whose paths to sounds it shares. Nobody can foresee its name,
        since a pack may hold links."""
        try:
            handle, twin = tempfile.mkstemp(dir=beside.parent, prefix=".check-", suffix=".sfz")
        except OSError as error:
            error.filename = str(beside.parent)  # not the twin's name
            raise
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("".join([self.header, *self.regions]))
            yield Path(twin)
        finally:
            os.unlink(twin)


def _opcode(region: str, name: str, default: int) -> int:
    found = re.search(rf"(?<!\w){name}=(-?\d+)", region)
    return int(found[1]) if found else default


def _place(region: str) -> tuple[int, int]:
    """Numbers by which the layers of a morph are told apart and in order: where they are full on the wheel."""
    return _opcode(region, "xfin_hicc1", 0), _opcode(region, "xfout_locc1", 127)


def _gain(region: str, wheel: int) -> float:
    """The gain of a region at a position of the mod wheel, as its opcodes say."""
    gain = 1.0
    if (high := _opcode(region, "xfin_hicc1", -1)) >= 0:
        low = _opcode(region, "xfin_locc1", 0)
        gain *= min(max((wheel - low) / max(high - low, 1), 0.0), 1.0)
    if (low := _opcode(region, "xfout_locc1", -1)) >= 0:
        high = _opcode(region, "xfout_hicc1", 127)
        gain *= min(max((high - wheel) / max(high - low, 1), 0.0), 1.0)
    return gain


def _begins(text: _Map, wheel: int) -> bool:
    """Whether a region sounds that is struck while the wheel is at a position: limits on it are read at note-on."""
    return any(_opcode(r, "locc1", 0) <= wheel <= _opcode(r, "hicc1", 127) for r in text.regions)


class Sfizz:
    """sfizz, by pysfizz.

    Its public functions strike one key at a time and move no controller. So keys sound apart and are summed;
    controllers get their place in a copy of the map; and for a sweep that copy's fades and limits on the wheel follow
    the velocity of the last note, which a key without sounds is struck with while the pedal holds the note. Level and
    brightness don't follow velocity then.
    """

    name = "sfizz"
    is_native = True

    def play(self, map_: Path, performances: Sequence[Performance], rate_hz: int) -> Iterator[Audio]:
        """See `Player.play`."""
        text = _Map.read(map_)
        for performance in performances:
            yield self._play(text, map_, performance, rate_hz)

    def _play(self, text: _Map, path: Path, performance: Performance, rate_hz: int) -> Audio:
        if performance.sweep:
            return self._sweep(text, path, performance, rate_hz)
        mix = np.zeros((2, round(performance.length_s * rate_hz)), np.float32)
        for key in {strike.key for strike in performance.strikes}:
            strikes = [strike for strike in performance.strikes if strike.key == key]
            with _loaded(text.of_keys([key]), path, performance.controllers, rate_hz) as render:
                ends_s = [*(strike.start_s for strike in strikes[1:]), performance.length_s]
                for strike, end_s in zip(strikes, ends_s, strict=True):
                    length_s = end_s - strike.start_s
                    sound = render(key, strike.velocity, min(strike.held_s, length_s), length_s)
                    room = mix[:, round(strike.start_s * rate_hz) :]
                    room[:, : sound.shape[1]] += sound[:, : room.shape[1]]
        return Audio(mix, rate_hz)

    def _sweep(self, text: _Map, path: Path, performance: Performance, rate_hz: int) -> Audio:
        (strike,) = performance.strikes
        own, swept = text.of_keys([strike.key]), []
        for region in own.regions:
            alone = re.sub(r"\b(lokey|hikey)=-?\d+", "", region)
            alone = alone.replace("<region>", f"<region> lokey={strike.key} hikey={strike.key}", 1)
            alone = re.sub(rf"\b\w+cc{_VELOCITY_CONTROLLER}=\S+", "", alone)
            swept.append(re.sub(r"\b((?:xfin_|xfout_)?(?:lo|hi)cc)1=", rf"\g<1>{_VELOCITY_CONTROLLER}=", alone))
        header = re.sub(r"\bamp_vel\w+=\S+", "", own.header) + "amp_veltrack=0\n"
        silent = 0 if strike.key else 1
        times_s = [time_s for time_s, _ in performance.sweep] + [performance.length_s]
        with _loaded(_Map(header, tuple(swept)), path, {PEDAL: 127}, rate_hz, _SWEEP_BLOCK) as render:
            parts = [render(strike.key, 1, 0.0, times_s[0])]
            for (at_s, place), next_s in zip(performance.sweep, times_s[1:], strict=True):
                parts.append(render(silent, max(place, 1), 0.0, next_s - at_s))
        return Audio(np.concatenate(parts, axis=1), rate_hz)


class _Render(Protocol):
    def __call__(self, key: int, velocity: int, held_s: float, length_s: float) -> Samples: ...


@contextmanager
def _loaded(
    text: _Map, path: Path, controllers: Mapping[int, int], rate_hz: int, block: int = _BLOCK
) -> Iterator[_Render]:
    """A function that strikes a key in sfizz, with samples in memory so that no note is cut where streaming lags."""
    import pysfizz

    placed = "".join(f"set_cc{number}={value}\n" for number, value in controllers.items())
    # Interpolation as in a live player; when it renders, sfizz takes its best, which is slower and sounds the same.
    regions = [region.replace("<region>", f"<region> sample_quality={_QUALITY}", 1) for region in text.regions]
    with _Map(f"{text.header}<control> hint_ram_based=1\n{placed}", tuple(regions)).written(path) as twin:
        synth = pysfizz.Synth(sample_rate=rate_hz, block_size=block)
        if text.regions and not synth.load_sfz_file(twin):
            raise UnplayableError

    def render(key: int, velocity: int, held_s: float, length_s: float) -> Samples:
        if not text.regions:
            return np.zeros((2, 0), np.float32)
        return np.asarray(synth.render_note(key, velocity, held_s, length_s), np.float32)

    yield render


class FluidSynth:
    """FluidSynth, with the map converted to SF2 by Polyphone.

    SF2 has neither controllers nor velocities as SFZ maps use them, no turns, and no fades on the wheel: each layer of
    a morph sounds on a channel of its own, whose expression follows the wheel as the map's fades say.
    """

    name = "FluidSynth"
    is_native = False

    def play(self, map_: Path, performances: Sequence[Performance], rate_hz: int) -> Iterator[Audio]:
        """See `Player.play`; a morph of more than 15 layers raises `UnplayableError`, too."""
        keys = {strike.key for performance in performances for strike in performance.strikes}
        text = _Map.read(map_).of_keys(keys)
        # Without turns, all takes of a key would sound at once.
        first_takes = tuple(region for region in text.regions if _opcode(region, "seq_position", 1) == 1)
        layers = _Map(text.header, first_takes).layers()
        if not layers or len(layers) > _MOST_LAYERS:
            raise UnplayableError
        with tempfile.TemporaryDirectory() as scratch:
            soundfonts, commands = [], []
            for number, layer in enumerate(layers):
                with layer.written(map_) as twin:
                    _call("polyphone", "-1", "-i", str(twin), "-d", scratch, "-o", f"layer-{number}")
                soundfont = Path(scratch, f"layer-{number}.sf2")
                if not soundfont.is_file():
                    raise UnplayableError
                soundfonts.append(str(soundfont))
                commands.append(f"select {_channel(number)} {number + 1} 0 0")
            Path(scratch, "commands").write_text("\n".join(commands) + "\n", encoding="utf-8")
            Path(scratch, "played.mid").write_bytes(_midi(performances, layers))
            _call(
                "fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "1", "-r", str(rate_hz), "-O", "float",
                "-o", "player.reset-synth=0", "-o", "synth.polyphony=1024", "-f", f"{scratch}/commands",
                "-F", f"{scratch}/played.wav", *soundfonts, f"{scratch}/played.mid",
            )  # fmt: skip
            samples = read(Path(scratch, "played.wav")).samples
        at_s = 0.0
        for performance in performances:
            first, length = round(at_s * rate_hz), round(performance.length_s * rate_hz)
            part = samples[:, first : first + length]
            yield Audio(np.pad(part, [(0, 0), (0, length - part.shape[1])]), rate_hz)
            at_s += performance.length_s + _BETWEEN_S


def _channel(layer: int) -> int:
    return layer if layer < _DRUMS else layer + 1


def _call(*command: str) -> None:
    """Run a program to its end.

    Raises:
        SamplepackError: it fails or doesn't end.
    """
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, timeout=_LONGEST_RUN_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SamplepackError(f"{command[0]}: {error}") from None
    if ran.returncode:
        said = (ran.stderr or ran.stdout).decode(errors="replace").strip().splitlines()
        raise SamplepackError(f"{command[0]} failed" + (f": {said[-1]}" if said else ""))


def _midi(performances: Sequence[Performance], layers: Sequence[_Map]) -> bytes:
    """A MIDI file with one performance after another; each layer has a channel."""
    events: list[tuple[float, int, bytes]] = []
    channels = [_channel(number) for number in range(len(layers))]

    def control(at_s: float, rank: int, channel: int, number: int, value: int) -> None:
        events.append((at_s, rank, bytes([0xB0 | channel, number, value])))

    def turn_wheel(at_s: float, rank: int, key: int, place: int) -> None:
        if len(layers) > 1:
            for channel, layer in zip(channels, layers, strict=True):
                gain = max((_gain(region, place) for region in layer.of_keys([key]).regions), default=0.0)
                control(at_s, rank, channel, EXPRESSION, round(127 * gain**0.5))

    start_s = 0.0
    for performance in performances:
        for channel in channels:
            control(start_s, 0, channel, _ALL_SOUND_OFF, 0)
            control(start_s, 0, channel, _RESET_CONTROLLERS, 0)
            for number, value in performance.controllers.items():
                if number != WHEEL:  # which is vibrato in SF2
                    control(start_s, 1, channel, number, value)
        key = performance.strikes[0].key
        turn_wheel(start_s, 1, key, performance.controllers.get(WHEEL, 0))
        for at_s, place in performance.sweep:
            turn_wheel(start_s + at_s, 1, key, place)
        for strike in performance.strikes:
            for channel, layer in zip(channels, layers, strict=True):
                if not _begins(layer.of_keys([strike.key]), performance.controllers.get(WHEEL, 0)):
                    continue
                on = bytes([0x90 | channel, strike.key, strike.velocity])
                events.append((start_s + strike.start_s, 3, on))
                off = bytes([0x80 | channel, strike.key, 0])
                events.append((start_s + strike.start_s + strike.held_s, 2, off))
        start_s += performance.length_s + _BETWEEN_S
    events.append((start_s, 4, b"\xff\x2f\x00"))
    track, before = b"\0\xff\x51\x03" + (1_000_000).to_bytes(3, "big"), 0
    for at_s, _, event in sorted(events, key=lambda timed: timed[:2]):
        tick = round(at_s * _TICKS_PER_S)
        track += _quantity(tick - before) + event
        before = tick
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS_PER_S) + b"MTrk" + struct.pack(">I", len(track)) + track


def _quantity(number: int) -> bytes:
    """A MIDI variable-length quantity."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
