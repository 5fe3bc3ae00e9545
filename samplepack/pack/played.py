"""Playing the instruments of a pack as people play them, and judging what is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import ValidationError

from samplepack.base.progress import Task
from samplepack.finishing import process
from samplepack.finishing.behaviour import DECAYED_DB, HELD_S
from samplepack.finishing.brightness import OPEN_HZ, soft_cutoff_hz
from samplepack.finishing.effects import EFFECTS
from samplepack.finishing.loop import measure_played_seam
from samplepack.finishing.stereo import LEAST_CORRELATION, MOST_MONO_LOSS_DB, measure_width
from samplepack.finishing.tune import measure_cents
from samplepack.pack.manifest import Manifest, PackedInstrument, PackedNote, last_layer
from samplepack.pack.players import PEDAL, WHEEL, Performance, Player, Strike, UnplayableError
from samplepack.pack.shortfalls import described
from samplepack.sound.audio import Audio, Samples, gain_to_db, read
from samplepack.sound.partials import measure_partials
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.riff import Loop

SAME_SOUND = 0.9999
"""Two sounds whose correlation reaches this are one sound, but for dither."""

SWEEP_DB, SWEEP_STEP_DB = 1.0, 0.5
"""How far the wheel may move the level of a held note as a whole, and from one of its positions to the next."""

OFF_LEVEL_DB = 1.5
"""How far the level of a key may lie from that of other keys, and of an instrument from others, beside the files."""

_PARTS = (0.0, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Where on the keyboard the keys lie that are held."""

_HELD_S = 15.0
_SWEEP_S, _BEFORE_S, _REST_S = 4.0, 1.0, 0.5
_MOST_FALL_DB = 6.0
_OFF_CENTS, _OFF_LATE_CENTS = 1.0, 3.0
_HANGING_DB = -50.0
_LEAST_TAIL_S = 0.5
_MOST_CUT_DB = 20.0
_LEAST_BRIGHTER = 1.1
_LEAST_OVERTONES = 0.15
"""The least share of power above the fundamental in a note whose brightness can be heard to change."""

_AUDIBLE_DB = 30.0
"""How far a note that decays has to fall until the mod wheel's effect on it isn't judged any more."""

_LEAST_POSITIONS = 12
"""The least number of positions of the wheel to judge by: those of a tenth of its way."""

_COMPARED_S = 0.3
_SOFT, _HARD = 20, 127
_VELOCITIES = tuple(range(1, 128, 6))
_BRIGHTNESS, _RESONANCE, _ATTACK, _RELEASE = 74, 71, 73, 72


@dataclass(frozen=True)
class Played:
    """What one player made of an instrument."""

    player: str
    problems: list[str]
    level_db: float | None
    """How loud the player plays it, relative to its files."""

    figures: dict[str, float] = field(default_factory=dict)
    """What was measured: see `FIGURES`."""


FIGURES = {
    "keys": "keys that were played",
    "behave": "of these, keys that hold for 15 s where the instrument sustains, and die away where it decays",
    "cents": "the most that a key is off the pitch of its file, cents",
    "sweep_db": "by how much the level of held notes moves more while the wheel goes up and down, dB",
    "sweep_step_db": "the largest step of the level in that, from one position of the wheel to the next, dB",
    "cut_db": "the most that key-up takes from the tail of the effects a quarter of its length later, dB",
    "offset_db": "the largest constant offset (DC), relative to the level, dB",
    "correlation": "the least correlation of left and right",
    "mono_db": "the most that a sum to mono changes the level, dB",
    "uneven_db": "the most that a key is louder or quieter than its file, beside the other keys, dB",
    "brighter": "spectral centroid of a note at velocity 127, relative to velocity 20",
    "alike": "the highest correlation of two hits of a key one after the other",
}
"""Figure → what it says."""


def play_instrument(
    folder: Path,
    manifest: Manifest,
    instrument: PackedInstrument,
    notes: Sequence[PackedNote],
    player: Player,
    task: Task,
) -> Played:
    """Play the SFZ map of an instrument, and say what falls short.

    Args:
        folder: of the pack.
        manifest: its description.
        instrument: one of its instruments, which has such a map.
        notes: those of its notes that can be read, measured.
        player: the sampler.
        task: counts performances.
    """
    stage = _Stage(folder, manifest, instrument, notes, player)
    performances = stage.performances()
    task.begin(len(performances))
    try:
        for name, audio in zip(
            performances, player.play(stage.map, list(performances.values()), manifest.rate_hz), strict=True
        ):
            stage.heard[name] = audio
            task.advance(1)
    except UnplayableError:
        return Played(player.name, [f"{player.name} cannot load its SFZ map"], None)
    stage.judge()
    return Played(player.name, stage.problems, stage.level_db, stage.figures)


_Name = tuple[str, int]
"""What is played, and the key or, where it isn't of one key, another number."""


class _Stage:
    """The performances of an instrument, and what was heard of them."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        instrument: PackedInstrument,
        notes: Sequence[PackedNote],
        player: Player,
    ) -> None:
        self.folder, self.manifest, self.instrument, self.player = folder, manifest, instrument, player
        self.map = folder / "Instruments" / f"{instrument.name}.sfz"
        self.notes = {(note.pitch, note.take): note for note in last_layer(notes)}
        self.all_notes = notes
        pitches = sorted({pitch for pitch, _ in self.notes})
        self.pitches = pitches if player.is_native else _chosen(pitches)
        self.keys = _chosen(pitches)
        self.middle = self.keys[len(self.keys) // 2]
        self.takes = 1 + max(take for _, take in self.notes)
        self.wheel = {WHEEL: 127} if instrument.axis == "wheel" else {}
        self.moves_by_velocity = instrument.axis == "velocity path"
        self.sustains = instrument.behaviour == "sustain" and manifest.sound.loop != "none"
        self.tail_s = _tail_s(manifest)
        self.heard: dict[_Name, Audio] = {}
        self.problems: list[str] = []
        self.figures: dict[str, float] = {"keys": len(self.keys)}
        self.level_db: float | None = None

    def performances(self) -> dict[_Name, Performance]:
        """Everything that is played: single keys, and music."""
        wheel, played = self.wheel, dict[_Name, Performance]()
        apart_s = 2.0
        for pitch in self.pitches:
            strikes = tuple(Strike(pitch, 127, i * apart_s, apart_s) for i in range(self.takes))
            played["struck", pitch] = Performance(strikes, self.takes * apart_s, wheel)
        for key in self.keys:
            played["held", key] = Performance((Strike(key, 127, 0.0, _HELD_S),), _HELD_S, wheel)
        chord = tuple(Strike(key, 100, 0.0, _HELD_S) for key in sorted({self.keys[0], self.middle, self.keys[-1]}))
        played["chord", 0] = Performance(chord, _HELD_S, wheel)
        line = [*self.keys, *self.keys[-2:0:-1]]
        phrase = tuple(Strike(key, 60 + 5 * i, 0.4 * i, 0.5) for i, key in enumerate(line))
        played["phrase", 0] = Performance(phrase, 0.4 * len(line) + 1.0 + self._release_s(), wheel)
        played["pedal", 0] = Performance((Strike(self.middle, 127, 0.0, 0.3),), 6.0, {PEDAL: 127, **wheel})
        if self.tail_s > _LEAST_TAIL_S and self.manifest.play.release_s is None:
            for strike in chord:
                key_up = Strike(strike.key, 127, 0.0, 1.0)
                played["key-up", strike.key] = Performance((key_up,), 1.2 + self.tail_s / 4, wheel)
        if self.instrument.axis == "wheel":
            for key in self.keys:
                end_s = _BEFORE_S + 2 * _SWEEP_S + 2 * _REST_S
                held = (Strike(key, 127, 0.0, end_s),)
                played["swept", key] = Performance(held, end_s, sweep=_sweep())
                played["wheel down", key] = Performance(held, end_s, {WHEEL: 0})
        if self.player.is_native:
            played.update(self._of_the_map_itself())
        return played

    def _of_the_map_itself(self) -> dict[_Name, Performance]:
        """What a conversion to another format doesn't keep: velocity, turns and controllers."""
        played = dict[_Name, Performance]()

        def strike(
            name: str, number: int, velocity: int, controllers: dict[int, int], held_s: float, length_s: float
        ) -> None:
            held = (Strike(self.middle, velocity, 0.0, held_s),)
            played[name, number] = Performance(held, length_s, {**self.wheel, **controllers})

        for velocity in _VELOCITIES if self.moves_by_velocity else (_SOFT, _HARD):
            strike("velocity", velocity, velocity, {}, 1.5, 1.5)
        apart_s = 0.5 + min(self._release_s(), 4.0)
        hits = tuple(Strike(self.middle, 100, i * apart_s, 0.4) for i in range(max(self.takes, 2)))
        played["hits", 0] = Performance(hits, len(hits) * apart_s, self.wheel)
        strike("at rest", _BRIGHTNESS, _HARD, {}, 1.5, 1.5)
        strike("moved", _BRIGHTNESS, _HARD, {_BRIGHTNESS: 0}, 1.5, 1.5)
        strike("at rest", _RESONANCE, _HARD, {_BRIGHTNESS: 20}, 1.5, 1.5)
        strike("moved", _RESONANCE, _HARD, {_BRIGHTNESS: 20, _RESONANCE: 127}, 1.5, 1.5)
        strike("at rest", _ATTACK, _HARD, {}, 1.0, 1.0)
        strike("moved", _ATTACK, _HARD, {_ATTACK: 127}, 1.0, 1.0)
        strike("at rest", _RELEASE, _HARD, {_RELEASE: 0}, 0.3, 1.0)
        strike("moved", _RELEASE, _HARD, {_RELEASE: 127}, 0.3, 1.0)
        return played

    def _release_s(self) -> float:
        """The longest release in the map, seconds."""
        words = self.map.read_text(encoding="utf-8", errors="replace").split()
        values = [word.removeprefix("ampeg_release=") for word in words if word.startswith("ampeg_release=")]
        return min(max((float(v) for v in values if v.replace(".", "", 1).isdigit()), default=0.0), 30.0)

    def judge(self) -> None:
        """Measure what was heard, and note what falls short."""
        sounding = [key for key in self.pitches if self._is_heard(key)]
        keys = [key for key in self.keys if key in sounding]
        for key in sounding:
            self._judge_struck(key)
        if keys:
            self._judge_held(keys)
            self._judge_music()
        if self.middle in keys:
            self._judge_pedal()
            if self.player.is_native:
                if self.moves_by_velocity:
                    self._judge_morph_by_velocity()
                else:
                    self._judge_velocity()
                self._judge_hits()
                self._judge_controllers()
        for key in keys:
            if ("key-up", key) in self.heard:
                self._judge_key_up(key)
            if ("swept", key) in self.heard:
                self._judge_sweep(key)

    def _say(self, problem: str, key: int | None = None) -> None:
        self.problems.append(problem if key is None else f"key {key}: {problem}")

    def _worst(self, figure: str, value: float, lowest: bool = False) -> None:
        before = self.figures.get(figure, value)
        self.figures[figure] = min(before, value) if lowest else max(before, value)

    def _is_heard(self, key: int) -> bool:
        if self.heard["struck", key].peak >= 1e-3:
            return True
        self._say(f"silent in {self.player.name}", key)
        return False

    # Single keys

    def _judge_struck(self, key: int) -> None:
        audio, apart_s = self.heard["struck", key], self.heard["struck", key].duration_s / self.takes
        takes = [self.notes[key, take] for take in range(self.takes) if (key, take) in self.notes]
        for turn, note in enumerate(takes):
            sound = _part(audio, turn * apart_s, (turn + 1) * apart_s)
            if self.takes > 1 and self.player.is_native:
                likeness = {
                    other.take: correlation(beginning(sound), beginning(read(self.folder / other.file)))
                    for other in takes
                }
                heard = max(likeness, key=lambda take: likeness[take])
                if heard != note.take:
                    self._say(
                        f"{self.player.name} plays take {heard + 1} when it should be {note.take + 1}'s turn", key
                    )
                    continue
            self._judge_pitch(sound, note)

    def _judge_pitch(self, sound: Audio, note: PackedNote) -> None:
        cents = measure_cents(measure_partials(sound, note.pitch)).cents
        own = measure_cents(
            measure_partials(Audio(self._as_held(note, sound.duration_s), sound.rate_hz), note.pitch)
        ).cents
        if cents is None or own is None or note.cents is None:
            return
        self._worst("cents", abs(cents - own))
        if abs(cents - own) > _OFF_CENTS:
            self._say(f"{cents - own:+.1f} cents off in {self.player.name} from what its file has", note.pitch)

    def _as_held(self, note: PackedNote, held_s: float, length_s: float | None = None) -> Samples:
        """What a player should play of a note's file, at the file's own level."""
        samples = read(self.folder / note.file).samples
        held, length = (round(s * self.manifest.rate_hz) for s in (held_s, length_s or held_s))
        if note.loop:
            samples = _unrolled(samples, note.loop.loop, held)
        return np.pad(samples, [(0, 0), (0, max(0, length - samples.shape[1]))])[:, :length]

    def _judge_held(self, keys: Sequence[int]) -> None:
        player, behaving, louder_db = self.player.name, 0, dict[int, float]()
        for key in keys:
            audio, note = self.heard["held", key], self.notes[key, 0]
            if self.sustains:
                fall_db = _level_db(audio, 2.0, 3.0) - _level_db(audio, _HELD_S - 1.5, _HELD_S)
                behaves = fall_db <= _MOST_FALL_DB
                if not behaves:
                    self._say(
                        f"dies away under a held key in {player}, by {fall_db:.0f} dB in {_HELD_S:.0f} s, though the "
                        "instrument sustains", key,
                    )  # fmt: skip
            else:
                fall_db = _level_db(audio, 0.0, 0.4) - _level_db(audio, _HELD_S - 1.5, _HELD_S)
                behaves = fall_db >= -DECAYED_DB or self.instrument.behaviour == "sustain"
                if not behaves:
                    self._say(
                        f"holds in {player}: {fall_db:.0f} dB less after {_HELD_S:.0f} s, though the instrument decays",
                        key,
                    )
            behaving += behaves
            if behaves and note.loop:
                self._judge_loop(audio, note)
            louder_db[key] = _level_db(audio, 0.1, 1.5) - _level_db(
                Audio(self._as_held(note, 1.5), audio.rate_hz), 0.1, 1.5
            )
            self._judge_signal(audio, key)
        self.figures["behave"] = behaving
        self.level_db = median(louder_db.values())
        for key, db in louder_db.items():
            off_db = db - self.level_db
            self._worst("uneven_db", abs(off_db))
            if abs(off_db) > OFF_LEVEL_DB:
                self._say(f"uneven: {player} plays it {off_db:+.1f} dB from what its file has, beside other keys", key)

    def _judge_loop(self, audio: Audio, note: PackedNote) -> None:
        assert note.loop
        start, end = note.loop.frames
        if audio.samples.shape[1] > 2 * end + 2 - start:
            seam = measure_played_seam(audio.samples[:, end + 1 :], audio.rate_hz, end + 1 - start)
            if not seam.is_good:
                self._say(f"its loop is heard in {self.player.name}: {described(seam)}", note.pitch)
        late = _part(audio, _HELD_S - 4.0, _HELD_S)
        own = Audio(self._as_held(note, _HELD_S), audio.rate_hz)
        cents, own_cents = (
            measure_cents(measure_partials(sound, note.pitch)).cents
            for sound in (late, _part(own, _HELD_S - 4.0, _HELD_S))
        )
        if cents is not None and own_cents is not None and note.cents is not None:
            self._worst("cents", abs(cents - own_cents))
            if abs(cents - own_cents) > _OFF_LATE_CENTS:
                self._say(f"{cents - own_cents:+.1f} cents off in {self.player.name} once it loops", note.pitch)

    def _judge_signal(self, audio: Audio, key: int) -> None:
        player = self.player.name
        offset_db = process.offset_db(audio)
        self._worst("offset_db", offset_db)
        if offset_db > process.MOST_OFFSET_DB:
            self._say(
                f"a constant offset (DC) of {offset_db:.0f} dB in {player}, more than {process.MOST_OFFSET_DB:.0f}", key
            )
        if width := measure_width(audio):
            self._worst("correlation", width.correlation, lowest=True)
            self._worst("mono_db", -width.mono_db)
            if width.correlation < LEAST_CORRELATION or width.mono_db < -MOST_MONO_LOSS_DB:
                self._say(
                    f"left and right correlate by {width.correlation:.2f} in {player} (at least {LEAST_CORRELATION}), "
                    f"a sum to mono has {width.mono_db:.1f} dB (at least {-MOST_MONO_LOSS_DB})", key,
                )  # fmt: skip

    # Music

    def _judge_music(self) -> None:
        player = self.player.name
        chord = self.heard["chord", 0]
        fall_db = _level_db(chord, 2.0, 3.0) - _level_db(chord, _HELD_S - 1.5, _HELD_S)
        if self.sustains and fall_db > _MOST_FALL_DB / 2:
            self._say(f"a chord held for {_HELD_S:.0f} s loses {fall_db:.0f} dB in {player}")
        phrase = self.heard["phrase", 0]
        starts_s = [0.4 * i for i in range(len(self.keys) * 2 - 2 or 1)]
        levels = [_level_db(phrase, at_s + 0.05, at_s + 0.35) for at_s in starts_s]
        if min(levels) < max(levels) - 30.0:
            self._say(f"a note of a phrase isn't heard in {player}")
        if _level_db(phrase, phrase.duration_s - 0.3, phrase.duration_s) > max(levels) + _HANGING_DB:
            self._say(f"a note of a phrase hangs after key-up in {player}")

    def _judge_pedal(self) -> None:
        held, pedal = self.heard["held", self.middle], self.heard["pedal", 0]
        off_db = [_level_db(pedal, at, at + 0.5) - _level_db(held, at, at + 0.5) for at in (1.0, 3.0, 5.0)]
        if _level_db(held, 1.0, 1.5) > -60.0 and min(off_db) < -3.0:
            self._say(f"the sustain pedal doesn't hold a note in {self.player.name}", self.middle)

    def _judge_key_up(self, key: int) -> None:
        """Whether the tail of the effects goes on after key-up: a quarter of its length later."""
        audio, after_s = self.heard["key-up", key], 1.0 + self.tail_s / 4
        own = Audio(self._as_held(self.notes[key, 0], 1.0, audio.duration_s), audio.rate_hz)

        def fall_db(sound: Audio) -> float:
            return _level_db(sound, 0.8, 1.0) - _level_db(sound, after_s - 0.1, after_s + 0.1)

        if fall_db(own) > 50.0:
            return
        cut_db = fall_db(audio) - fall_db(own)
        self._worst("cut_db", cut_db)
        if cut_db > _MOST_CUT_DB:
            self._say(
                f"key-up cuts the tail of the effects in {self.player.name}: {cut_db:.0f} dB less than its file has "
                f"{self.tail_s / 4:.1f} s later, of a tail of {self.tail_s:.1f} s", key,
            )  # fmt: skip

    def _judge_sweep(self, key: int) -> None:
        """Whether a held note keeps its level while the wheel goes up and down, but for how it changes by itself; as
        long as it is heard with the wheel at rest at either end."""
        audios = [self.heard[name, key] for name in ("wheel down", "held", "swept")]
        step_s = _SWEEP_S / 127
        before = int(_BEFORE_S / step_s)
        times_s = _BEFORE_S + step_s * np.arange(-before, int((2 * _SWEEP_S + _REST_S) / step_s))
        # What follows in notes that decay is how the network lets go of them.
        longest_s = min(audio.duration_s for audio in audios) if self.sustains else HELD_S
        times_s = times_s[times_s + 0.1 < longest_s]
        heard = np.array([[_windowed_db(audio, at_s) for at_s in times_s] for audio in audios])
        loudest = heard[:2].max(axis=1, keepdims=True)
        heard = heard[:, before:]
        is_faint = (heard[:2] < loudest - _AUDIBLE_DB).any(axis=0)
        end = int(np.argmax(is_faint)) if is_faint.any() else heard.shape[1]
        if end < _LEAST_POSITIONS:
            return

        heard = heard[:, :end]
        *still_db, step_db = np.abs(np.diff(heard)).max(axis=1)
        step_db -= max(still_db)
        if self.sustains:
            *still_db, range_db = np.ptp(heard, axis=1)
            range_db -= max(still_db)
        else:  # how far the level is from what it is at either end, or between them
            down, up, swept = heard
            range_db = max((swept - np.maximum(down, up)).max(), (np.minimum(down, up) - swept).max())
        self._worst("sweep_db", max(range_db, 0.0))
        self._worst("sweep_step_db", max(step_db, 0.0))
        if range_db > SWEEP_DB or step_db > SWEEP_STEP_DB:
            self._say(
                f"the mod wheel changes the level of a held note in {self.player.name}, by {range_db:.1f} dB "
                f"(at most {SWEEP_DB}) and in steps of {step_db:.1f} dB (at most {SWEEP_STEP_DB})", key,
            )  # fmt: skip

    # What the map itself says

    def _judge_velocity(self) -> None:
        soft, hard = self.heard["velocity", _SOFT], self.heard["velocity", _HARD]
        # Morphs have no velocity filter, since it would make their bright layers quieter than the others. A recipe may
        # lead a timbre's soft layers toward the timbre itself, which makes them the same.
        renders = [render for of_key in self.instrument.rendered.values() for render in of_key.split()]
        same_layers = self.instrument.axis == "velocity" and len(set(renders)) < len(renders)
        has_overtones = _overtones(hard, pitch_hz(self.middle)) >= _LEAST_OVERTONES
        can_be_darker = soft_cutoff_hz(hard) < OPEN_HZ  # not where all its sound lies in a narrow band
        if self.instrument.axis == "wheel" or same_layers or not (has_overtones and can_be_darker):
            return
        brighter = _centroid_hz(hard) / _centroid_hz(soft)
        self.figures["brighter"] = brighter
        if max(brighter, 1.0 / brighter) < _LEAST_BRIGHTER:  # soft layers may lie toward a brighter timbre
            self._say(
                f"velocity hardly changes the brightness in {self.player.name}: spectral centroid "
                f"{_centroid_hz(soft):.0f} Hz at velocity {_SOFT}, {_centroid_hz(hard):.0f} Hz at {_HARD}", self.middle,
            )  # fmt: skip

    def _judge_morph_by_velocity(self) -> None:
        """Whether velocity goes from the first layer to the last, and harder is louder all the way."""
        heard = [self.heard["velocity", velocity] for velocity in _VELOCITIES]
        levels = [_level_db(audio, 0.2, 1.4) for audio in heard]
        if min(np.diff(levels)) < -SWEEP_DB:
            self._say(f"a harder note is {-min(np.diff(levels)):.1f} dB quieter in {self.player.name}", self.middle)
        layers = [note for note in self.all_notes if (note.pitch, note.take) == (self.middle, 0)]
        for audio, end, layer in ((heard[0], "softest", 0), (heard[-1], "hardest", len(layers) - 1)):
            likeness = [correlation(beginning(audio), beginning(read(self.folder / note.file))) for note in layers]
            if likeness[layer] < max(likeness) - (1.0 - SAME_SOUND):
                self._say(
                    f"the {end} note is layer {likeness.index(max(likeness)) + 1} of {len(layers)} in "
                    f"{self.player.name}; should be {layer + 1}", self.middle,
                )  # fmt: skip

    def _judge_hits(self) -> None:
        hits, count = self.heard["hits", 0], max(self.takes, 2)
        each_s = hits.duration_s / count
        sounds = [_part(hits, i * each_s, i * each_s + _COMPARED_S).samples.sum(axis=0) for i in range(count)]
        alike = max(correlation(one, other) for one, other in pairwise(sounds))
        self.figures["alike"] = alike
        if self.manifest.round_robin > 1 and alike > SAME_SOUND:
            self._say(
                f"hits one after the other are the same sound in {self.player.name}, though the recipe asks for "
                f"{self.manifest.round_robin} takes", self.middle,
            )  # fmt: skip

    def _judge_controllers(self) -> None:
        def both(number: int) -> tuple[Audio, Audio]:
            return self.heard["at rest", number], self.heard["moved", number]

        rest, moved = both(_BRIGHTNESS)
        has_overtones = _overtones(rest, pitch_hz(self.middle)) >= _LEAST_OVERTONES
        silent = []
        if has_overtones and _centroid_hz(moved) > 0.95 * _centroid_hz(rest):
            silent.append(f"brightness (CC{_BRIGHTNESS})")
        rest, moved = both(_RESONANCE)
        if has_overtones and correlation(rest.samples[0], moved.samples[0]) > 0.999:
            silent.append(f"resonance (CC{_RESONANCE})")
        rest, moved = both(_ATTACK)
        if _level_db(moved, 0.02, 0.2) > _level_db(rest, 0.02, 0.2) - 3.0:
            silent.append(f"attack (CC{_ATTACK})")
        rest, moved = both(_RELEASE)
        if _level_db(moved, 0.6, 1.0) < _level_db(rest, 0.6, 1.0) + 0.5:
            silent.append(f"release (CC{_RELEASE})")
        if silent:
            self._say(f"controllers without effect in {self.player.name}: {', '.join(silent)}")


def _chosen(pitches: Sequence[int]) -> list[int]:
    """The lowest, the middle and the highest of some keys, and up to three between them."""
    return sorted({pitches[round(part * (len(pitches) - 1))] for part in _PARTS})


def _tail_s(manifest: Manifest) -> float:
    """The time in which the tail of a pack's effects falls by 60 dB, seconds; 0 where they read files, which no pack
    holds."""
    try:
        effects = [EFFECTS[name].model_validate(own) for step in manifest.process for name, own in step.items()]
        return process.tail_s(effects, manifest.rate_hz, down_to_db=-60.0)
    except (KeyError, ValidationError, OSError, ValueError, RuntimeError):
        return 0.0


def _unrolled(samples: Samples, loop: Loop, held: int) -> Samples:
    """A sound whose loop goes round until the key is let go, and then to its end."""
    turn, turns = loop.end + 1 - loop.start, 0
    if held > loop.end + 1:
        turns = -(-(held - loop.end - 1) // turn)
    return np.concatenate(
        [samples[:, : loop.end + 1], *[samples[:, loop.start : loop.end + 1]] * turns, samples[:, loop.end + 1 :]],
        axis=1,
    )


def _sweep() -> tuple[tuple[float, int], ...]:
    """The wheel up and down again, through all of its positions."""
    down_s = _BEFORE_S + _SWEEP_S + _REST_S
    up = [(_BEFORE_S + _SWEEP_S * place / 127, place) for place in range(1, 128)]
    return tuple(up + [(down_s + _SWEEP_S * (127 - place) / 127, place) for place in range(126, -1, -1)])


def _part(audio: Audio, from_s: float, to_s: float) -> Audio:
    return Audio(audio.samples[:, round(from_s * audio.rate_hz) : round(to_s * audio.rate_hz)], audio.rate_hz)


def _level_db(audio: Audio, from_s: float, to_s: float) -> float:
    """The level of a part of a sound, root mean square, dB."""
    part = _part(audio, from_s, to_s).samples
    return gain_to_db(float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) if part.size else 0.0)


def _windowed_db(audio: Audio, from_s: float) -> float:
    """The level in a Hann window of 0.1 s, dB."""
    part = _part(audio, from_s, from_s + 0.1).samples
    window = np.hanning(part.shape[1])
    return gain_to_db(float(np.sqrt(np.mean(np.square(part, dtype=np.float64) @ window) / window.sum())))


def _power(audio: Audio) -> tuple[np.ndarray, np.ndarray]:
    """The frequencies and powers of a note after its attack."""
    part = _part(audio, 0.2, 1.4)
    power = np.sum(np.abs(np.fft.rfft(part.samples * np.hanning(part.samples.shape[1]))) ** 2, axis=0)
    return np.fft.rfftfreq(part.samples.shape[1], 1.0 / audio.rate_hz), power


def _centroid_hz(audio: Audio) -> float:
    hz, power = _power(audio)
    return float(power @ hz / max(power.sum(), 1e-30))


def _overtones(audio: Audio, f0_hz: float) -> float:
    """The share of a note's power that lies above its fundamental."""
    hz, power = _power(audio)
    return float(power[hz > 1.5 * f0_hz].sum() / max(power.sum(), 1e-30))


def beginning(audio: Audio) -> Samples:
    """The first half second of a note, its channels summed, shape (samples,)."""
    return np.asarray(_part(audio, 0.0, 0.5).samples.sum(axis=0))


def correlation(one: Samples, two: Samples) -> float:
    """The correlation of two sounds from their starts on, as far as both go, -1 to 1; 0 with silence."""
    length = min(len(one), len(two))
    a, b = one[:length].astype(np.float64), two[:length].astype(np.float64)
    return float(a @ b) / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12)
