"""Candidate sounds for a prepared set, and their conversion to notes."""

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
"""A sound whose peak magnitude, full scale being 1, is below this is dropped as silent."""

SHORTEST_S = 0.1
"""A sound that is shorter than this is dropped."""

MOST_CENTS = 50.0
"""A sound whose measured pitch differs by more than this from its labelled pitch, whole octaves left out, is dropped as
mislabelled, unless at least half of its energy lies near the labelled pitch and its octaves."""

SURE_APERIODICITY = 0.2
"""A measured pitch is reliable enough to contradict a label if its aperiodicity is below this."""

_FADE_S = 0.01
_GUARD_S = 0.05


class Unusable(Exception):
    """A sound can't become a note; the message has the form of `Dropped.why`."""


@dataclass(frozen=True)
class Offered:
    """A sound that might become a note."""

    instrument: str
    pitch: int | None
    """MIDI pitch from the source; None if the pitch has to be measured."""

    source: str
    """Location of the sound within the source, for people to read."""

    load: Callable[[], Audio]
    """Returns the sound, from its onset on; raises `Unusable`."""

    velocity: int = 127
    """MIDI velocity; 127 where the source has none."""


Job = Callable[[], Iterable[Offered]]
"""A unit of work for one thread, such as the sounds of one program or of one file."""


@dataclass(frozen=True)
class Source:
    """An opened source of sounds."""

    title: str
    license: str
    """License and notices found in the source; empty if there are none."""

    jobs: Iterable[Job]
    total: int | None = None
    """Number of sounds in all `jobs`; None if it isn't known in advance."""

    dropped: list[Dropped] = field(default_factory=list)
    """Entries of the source that are dropped before any sound is loaded."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A sound that has become a note."""

    instrument: str
    pitch: int
    source: str
    wave: NDArray[np.float32]
    """Samples of the note, shape (samples,)."""

    cents: float | None
    """Cents by which the measured pitch lies above `pitch`, whole octaves left out; None if no pitch was measured."""

    octaves: int
    """Octaves by which the measured pitch lies above `pitch`; 0 if the measurement isn't reliable."""

    velocity: int = 127
    """MIDI velocity, as in `Offered`."""


def take(offered: Offered, rate_hz: int, samples: int, pitches: range) -> Taken | Dropped:
    """Convert a sound to a note: mono, at the rate and length of the set, its pitch checked by measurement.

    Args:
        offered: the sound.
        rate_hz: sample rate of the set.
        samples: length of the note. A longer sound is cut and a shorter one padded with silence, after a fade of 10 ms.
        pitches: MIDI pitches that the set takes.

    Returns:
        The note, or the reason for which the sound was dropped.
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
    estimate = estimate_pitch(Audio(wave[None] * np.float32(PEAK / peak), rate_hz))
    is_reliable = estimate is not None and estimate.aperiodicity < SURE_APERIODICITY
    pitch = offered.pitch
    if pitch is None:
        if estimate is None or not is_reliable:
            raise Unusable("no pitch: none is surely heard, and neither its name nor a smpl chunk says it")
        pitch = round(estimate.pitch)
        _demand_within(pitch, pitches)
    cents, octaves = None, 0
    if estimate is not None:
        above = estimate.cents_above(pitch)
        octaves = round(above / 1200.0)
        cents = round(above - 1200.0 * octaves, 1)
        if is_reliable and abs(cents) > MOST_CENTS and _share_at(wave, rate_hz, pitch) < 0.5:
            raise Unusable(
                f"mislabelled: said to be {key_name(pitch)} ({pitch}), but {_named(estimate.pitch)} is heard"
            )
    wave = np.pad(wave, (0, samples - len(wave)))
    return Taken(
        offered.instrument, pitch, offered.source, wave, cents, octaves if is_reliable else 0, offered.velocity
    )


def _share_at(wave: NDArray[np.float32], rate_hz: int, pitch: int) -> float:
    """Share of a sound's energy that lies within 50 cents of a pitch and its octaves, 0 to 1.

    Bars and bells have inharmonic partials, so that a measurement by periodicity can find a wrong pitch for them.
    """
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    frequency_hz = np.fft.rfftfreq(len(wave), 1.0 / rate_hz)
    is_audible = frequency_hz > 20.0
    octaves = np.log2(frequency_hz[is_audible] / pitch_hz(pitch))
    is_near = np.abs(octaves - np.rint(octaves)) < MOST_CENTS / 1200.0
    return float(power[is_audible][is_near].sum() / power[is_audible].sum())


def _ms(duration_s: float) -> str:
    return f"{1000.0 * duration_s:.0f} ms"


def _demand_within(pitch: int, pitches: range) -> None:
    if pitch not in pitches:
        raise Unusable(f"outside {pitches[0]}-{pitches[-1]}: its pitch is {pitch}")


def _named(pitch: float) -> str:
    """Format a measured pitch, such as `C4 + 30 cents (60)`."""
    nearest = round(pitch)
    cents = round(100.0 * (pitch - nearest))
    deviation = f" {'+' if cents > 0 else '−'} {abs(cents)} cents" if cents else ""
    return f"{key_name(nearest)}{deviation} ({nearest})"
