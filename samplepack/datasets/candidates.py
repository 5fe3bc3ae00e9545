"""Sounds that a set is offered, and what makes notes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samplepack.datasets.dataset import PEAK, Dropped
from samplepack.sound.audio import Audio, gain_to_db, resample
from samplepack.sound.key_names import key_name
from samplepack.sound.pitch import estimate_pitch, pitch_hz

SILENT_PEAK = 2e-3
"""A sound that stays below this magnitude is no note."""

SHORTEST_S = 0.1
"""What is shorter is no note."""

MOST_CENTS = 50.0
"""A note that is heard to lie further from its pitch, whole octaves left out, belongs to another one, unless most of
its energy lies where its pitch says."""

SURE_APERIODICITY = 0.2
"""Below this, what is heard is sure enough to speak against a name."""

_FADE_S = 0.01
_GUARD_S = 0.05


class Unusable(Exception):
    """A sound that can't be a note; the message says why, as `Dropped.why` does."""


@dataclass(frozen=True)
class Offered:
    """A sound that might become a note."""

    instrument: str
    pitch: int | None
    """MIDI; None where only listening can tell."""

    source: str
    """Where it is, as a reader would look it up."""

    load: Callable[[], Audio]
    """Gives the sound, from its onset; raises `Unusable`."""


Job = Callable[[], Iterable[Offered]]
"""A piece of work for one thread: the sounds of one program, of one file."""


@dataclass(frozen=True)
class Source:
    """What sounds come from."""

    title: str
    license: str
    """What the source says of itself; empty where it says nothing."""

    jobs: Iterable[Job]
    total: int | None = None
    """How many sounds `jobs` offer in all, where that is known before."""

    dropped: list[Dropped] = field(default_factory=list)
    """What is known from the start to be no note."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A sound that has become a note."""

    instrument: str
    pitch: int
    source: str
    wave: NDArray[np.float32]
    """Shape (samples,)."""

    cents: float | None
    """How far what is heard lies above `pitch`, whole octaves left out; None where nothing is heard."""

    octaves: int
    """How many octaves what is surely heard lies above `pitch`; 0 where it isn't sure."""


def take(offered: Offered, rate_hz: int, samples: int, pitches: range) -> Taken | Dropped:
    """Make a note of a sound: mono, of the set's rate and length, at a pitch that agrees with what is heard.

    Args:
        offered: the sound.
        rate_hz: of the set.
        samples: length of the note; what is longer is cut, what is shorter goes on in silence, after a fade of 10 ms.
        pitches: what the set takes.
    """
    try:
        if offered.pitch is not None:
            _demand_within(offered.pitch, pitches)
        return _take(offered, offered.load(), rate_hz, samples, pitches)
    except Unusable as problem:
        return Dropped(source=offered.source, why=str(problem), instrument=offered.instrument, pitch=offered.pitch)


def _take(offered: Offered, audio: Audio, rate_hz: int, samples: int, pitches: range) -> Taken:
    longest = int((samples / rate_hz + _GUARD_S) * audio.rate_hz)
    mono = audio.samples[:, :longest].mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    if not np.isfinite(mono).all():
        raise Unusable("not a number: some of its samples are NaN or infinite")
    if audio.duration_s < SHORTEST_S:
        raise Unusable(f"too short: lasts {_ms(audio.duration_s)}; a note needs {_ms(SHORTEST_S)} or more")
    wave = resample(Audio(mono, audio.rate_hz), rate_hz).samples[0]
    wave = wave[:samples].copy()
    fade = int(_FADE_S * rate_hz)
    wave[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    peak = float(np.abs(wave).max())
    if peak < SILENT_PEAK:
        raise Unusable(f"silent: mixed to mono, its peak is {gain_to_db(peak):.0f} dB")
    heard = estimate_pitch(Audio(wave[None] * np.float32(PEAK / peak), rate_hz))
    is_sure = heard is not None and heard.aperiodicity < SURE_APERIODICITY
    pitch = offered.pitch
    if pitch is None:
        if heard is None or not is_sure:
            raise Unusable("no pitch: none is surely heard, and neither its name nor a smpl chunk says it")
        pitch = round(heard.pitch)
        _demand_within(pitch, pitches)
    cents, octaves = None, 0
    if heard is not None:
        above = heard.cents_above(pitch)
        octaves = round(above / 1200.0)
        cents = round(above - 1200.0 * octaves, 1)
        if is_sure and abs(cents) > MOST_CENTS and _share_at(wave, rate_hz, pitch) < 0.5:
            raise Unusable(f"mislabelled: said to be {key_name(pitch)} ({pitch}), but {_named(heard.pitch)} is heard")
    wave = np.pad(wave, (0, samples - len(wave)))
    return Taken(offered.instrument, pitch, offered.source, wave, cents, octaves if is_sure else 0)


def _share_at(wave: NDArray[np.float32], rate_hz: int, pitch: int) -> float:
    """How much of a sound's energy lies within 50 cents of a pitch and its octaves, 0 to 1.

    A bar or a bell, whose partials are no multiples of its fundamental, is nearly periodic elsewhere than at its pitch.
    """
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    frequency_hz = np.fft.rfftfreq(len(wave), 1.0 / rate_hz)
    is_heard = frequency_hz > 20.0
    octaves = np.log2(frequency_hz[is_heard] / pitch_hz(pitch))
    is_near = np.abs(octaves - np.rint(octaves)) < MOST_CENTS / 1200.0
    return float(power[is_heard][is_near].sum() / power[is_heard].sum())


def _ms(duration_s: float) -> str:
    return f"{1000.0 * duration_s:.0f} ms"


def _demand_within(pitch: int, pitches: range) -> None:
    if pitch not in pitches:
        raise Unusable(f"outside {pitches[0]}-{pitches[-1]}: its pitch is {pitch}")


def _named(pitch: float) -> str:
    """A measured pitch in words: `C4 + 30 cents (60)`."""
    nearest = round(pitch)
    cents = round(100.0 * (pitch - nearest))
    off = f" {'+' if cents > 0 else '−'} {abs(cents)} cents" if cents else ""
    return f"{key_name(nearest)}{off} ({nearest})"
