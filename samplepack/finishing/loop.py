"""Seamless loops, with the crossfade baked into the audio, since half of the players have no loop crossfade.

The level of the sustained part is flattened; the loop starts where the sound correlates best with the sound before its
end; and the end of the loop is crossfaded into the sound before its start. After the loop the sound crossfades back to
its own tail, which plays when the key is released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samplepack.finishing.align import align
from samplepack.finishing.envelope import ENVELOPE_S, envelope
from samplepack.sound.audio import Audio, Samples, db_to_gain, gain_to_db
from samplepack.sound.riff import Loop
from samplepack.sound.spectra import fast_size, hann, stft

FIRST_S, LAST_S = 0.4, 2.9
"""The part of a note in which a loop may lie: after the onset, and before the note-off of GANSynth's notes at 3 s."""

_LITTLE_DB, _MOST_RESTORED_DB = 9.0, 24.0
"""A loop ends where the level is still within the first of these of that at `FIRST_S`, if it is seamless there; else
where it is within the second. Over the loop the level is that at `FIRST_S`."""

_LOWEST_HELD_DB = -12.0
"""The least level of a loop, relative to the highest before it: a key that holds next to nothing seems not to hold."""

STEP_GATE, FLUX_GATE, SWING_GATE_DB = 8.0, 1.3, 1.0
"""Limits for a good loop: see `Seam`."""

_FLUX_AIM, _SWING_AIM_DB = 1.25, 0.8
"""Stricter limits for a new loop, so that measurements with other windows also stay below the gates."""

_SHORTEST_S = 0.5
_CROSSFADE_S = 0.25
_MARGIN_S, _EDGE_S = 0.1, 0.02
"""Layers are aligned in the crossfade, heard with what lies beside it, and gradually from its ends on."""

_EVENED_TIMES = 2
"""How often layers that players mix are flattened once more."""

_TAIL_DB, _LOWERED_S = 3.0, 0.05
"""How far a tail may rise above the loop before it is lowered, and the time in which that sets in."""

_RETREAT_S = 0.15
_PARTS = 3
"""Where no end has a seamless loop from the start that is most alike, the best start in each third is tried."""


@dataclass(frozen=True)
class Seam:
    """How well a loop closes."""

    step: float
    """The step from the last to the first sample, relative to the median step within the loop; large for a click."""

    flux: float
    """The change of the spectrum across the seam, relative to its change elsewhere; 1.0 is inaudible."""

    swing_db: float
    """The highest minus the lowest level of the loop, measured over 100 ms."""

    @property
    def is_good(self) -> bool:
        """Whether it stays below all three gates."""
        return self.step < STEP_GATE and self.flux < FLUX_GATE and self.swing_db < SWING_GATE_DB


@dataclass(frozen=True)
class Looped:
    """A note after the search for a loop."""

    audio: Audio
    """The sound with its loop baked in; the unchanged sound if there is no loop."""

    loop: Loop | None
    seam: Seam | None
    why_not: str | None
    """The reason for no loop: `dies` (too early for one), `too short` or `no seamless loop`; None if there is one, or
    none was sought."""


def find_loops(layers: Sequence[Audio], pitch: int) -> list[Looped]:
    """Find a loop at the same frames in all layers of one key, and bake it into each of them.

    Args:
        layers: notes of one rate that start with their onset: one, or several that players mix, aligned in phase.
        pitch: their key, MIDI.

    Returns:
        Each layer with the loop, or with the reason why there is none.
    """
    rate_hz = layers[0].rate_hz
    first = int(FIRST_S * rate_hz)
    last = min(int(LAST_S * rate_hz), *(layer.samples.shape[1] for layer in layers))
    least = int((_SHORTEST_S + _CROSSFADE_S) * rate_hz)
    if last - first < least:
        return [Looped(layer, None, None, "too short") for layer in layers]
    envelopes = [envelope(layer.samples, rate_hz) for layer in layers]
    near, far = (_first_below(-fall_db, envelopes, first, last) for fall_db in (_LITTLE_DB, _MOST_RESTORED_DB))
    if far - first < least:
        return [Looped(layer, None, None, "dies") for layer in layers]
    near, retreat = max(near, first + least), int(_RETREAT_S * rate_hz)
    ends = (*range(near, first + least - 1, -retreat), *range(far, near, -retreat))
    for end, part in (*((end, (0, 1)) for end in ends), *((end, (i, _PARTS)) for end in ends for i in range(_PARTS))):
        flat = [_flattened(layer.samples, e, first, end) for layer, e in zip(layers, envelopes, strict=True)]
        if len(flat) > 1:  # beats would remain, in each layer at a pace of its own
            for _ in range(_EVENED_TIMES):
                flat = [_flattened(wave, envelope(wave, rate_hz), first, end) for wave in flat]
        mixed = sum(wave[:, :end].mean(axis=0) / float(e[first]) for wave, e in zip(flat, envelopes, strict=True))
        start, alike = _most_alike(np.asarray(mixed), first, end, part, rate_hz)
        baked = _in_phase([_bake(wave, start, end, alike, rate_hz) for wave in flat], end, pitch, rate_hz)
        seams = [measure_seam(samples[:, start:end], rate_hz) for samples in baked]
        if all(s.is_good and s.flux < _FLUX_AIM and s.swing_db < _SWING_AIM_DB for s in seams):
            loop = Loop(start, end - 1)
            return [
                Looped(Audio(samples, rate_hz), loop, seam, None) for samples, seam in zip(baked, seams, strict=True)
            ]
    return [Looped(layer, None, None, "no seamless loop") for layer in layers]


def with_low_tail(looped: Looped) -> Looped:
    """Keep the tail that sounds at key-up from being louder than the loop by more than 3 dB: some notes of a network
    die and come back. A note without a loop stays as it is."""
    if looped.loop is None:
        return looped
    start, end, audio = looped.loop.start, looped.loop.end, looped.audio
    levels = envelope(audio.samples, audio.rate_hz)
    highest = levels[start:end].max() * np.float32(db_to_gain(_TAIL_DB))
    if levels[end:].max() <= highest:
        return looped
    gain = np.minimum(np.float32(1.0), highest / levels[end:])
    setting_in = np.minimum(np.arange(len(gain), dtype=np.float32) / np.float32(_LOWERED_S * audio.rate_hz), 1.0)
    samples = audio.samples.copy()
    samples[:, end:] *= 1.0 + (gain - 1.0) * setting_in
    return replace(looped, audio=Audio(samples, audio.rate_hz))


def _first_below(level_db: float, envelopes: Sequence[NDArray[np.float32]], first: int, last: int) -> int:
    """The first frame at which some layer has a level, relative to that at frame `first`, below `level_db`; `last`, if
    there is none before."""
    below = np.logical_or.reduce([e[first:last] < e[first] * db_to_gain(level_db) for e in envelopes])
    return first + int(np.argmax(below)) if below.any() else last


def measure_seam(samples: Samples, rate_hz: int) -> Seam:
    """Measure how well a loop closes.

    Args:
        samples: one turn of the loop, float32, shape (channels, n).
        rate_hz: its rate.
    """
    half = samples.shape[1] // 2
    levels = _turning_envelope(samples, rate_hz)
    return _seam(np.roll(samples, half, axis=1), half, reach=1, levels=levels)


def measure_played_seam(samples: Samples, rate_hz: int, turn: int) -> Seam:
    """Measure how well a loop closes in a player's output, where seams may lie a few frames off.

    Args:
        samples: the player's output from the end of the loop's first turn on, float32, shape (channels, n).
        rate_hz: its rate.
        turn: length of the loop, frames.
    """
    edge = int(ENVELOPE_S * rate_hz)  # an envelope's ends see half a window
    levels = envelope(samples, rate_hz)[edge:-edge]
    last = samples.shape[1] // turn * turn - turn
    seams = [
        _seam(samples[:, at - turn : at + turn], turn, reach=8, levels=levels) for at in {turn, last} if at >= turn
    ]
    return max(seams, key=lambda seam: seam.flux)


def _seam(samples: Samples, at: int, reach: int, levels: NDArray[np.float32]) -> Seam:
    """Measure the seam at frame `at` of a sound; its step may lie up to `reach` frames before or after it."""
    wave = samples.mean(axis=0)
    steps = np.abs(np.diff(wave))
    step = float(steps[at - reach : at + reach - 1].max() / max(float(np.median(steps)), 1e-9))
    swing_db = gain_to_db(float(levels.max())) - gain_to_db(float(levels.min()))
    return Seam(step, _flux_across(wave, at), swing_db)


def _flux_across(wave: NDArray[np.float32], seam: int) -> float:
    """The spectral change between windows that span the seam, relative to the change between windows elsewhere.

    Windows that span the seam are taken at a quarter of the hop: with few windows the result would vary by some 15 %
    with their positions.
    """
    size, hop, closer = 2048, 512, 4
    first = max(seam - hop - size + 1, 0)
    over = _flux(stft(wave, hann(size), slice(first, seam + hop, hop // closer)), lag=closer)
    elsewhere = _flux(stft(wave, hann(size), slice(None, None, hop)), lag=1)
    starts = np.arange(len(elsewhere)) * hop
    elsewhere = elsewhere[(starts < first) | (starts >= seam)]
    return float(over.mean() / max(float(elsewhere.mean()), 1e-9))


def _flux(spectra: NDArray[np.complexfloating[Any, Any]], lag: int) -> NDArray[np.float32]:
    """The spectral change from each window to the one `lag` windows later, relative to the sum of both: 0…1."""
    magnitude = np.abs(spectra)
    change = np.abs(magnitude[lag:] - magnitude[:-lag]).sum(axis=1)
    return np.asarray(change / np.maximum((magnitude[lag:] + magnitude[:-lag]).sum(axis=1), 1e-12))


def _flattened(samples: Samples, envelope: NDArray[np.float32], first: int, end: int) -> Samples:
    """Keep a note's level between two frames at that of the first, raised to 12 dB below the attack if it is lower; the
    tail is scaled to continue at that level."""
    flat: Samples = samples.copy()
    top = int(np.argmax(envelope[:first]))
    lift = max(float(envelope[top] / envelope[first]) * db_to_gain(_LOWEST_HELD_DB), 1.0)
    if lift > 1.0:
        flat[:, top:first] *= np.geomspace(1.0, lift, first - top, dtype=np.float32)
    gain = np.float32(lift) * envelope[first] / np.maximum(envelope[first:end], envelope[first] * 1e-2)
    flat[:, first:end] *= gain
    flat[:, end:] *= gain[-1]
    return flat


def _bake(flat: Samples, start: int, end: int, alike: float, rate_hz: int) -> Samples:
    """Bake a loop into a flattened note; `alike` is the correlation of the sounds before its start and its end."""
    fade = int(_CROSSFADE_S * rate_hz)
    baked: Samples = flat.copy()
    baked[:, end - fade : end] = _crossfade(flat[:, end - fade : end], flat[:, start - fade : start], alike)
    # After the loop the sound continues as it does after the loop's start, and crossfades back to its own tail.
    back = min(fade, flat.shape[1] - end)
    onward, tail = flat[:, start : start + back], flat[:, end : end + back]
    baked[:, end : end + back] = _crossfade(onward, tail, _correlation(onward, tail))
    # Unevenness in level that the crossfade leaves is removed, so that the level at the end meets that at the start.
    turn = baked[:, start:end]
    for _ in range(2):
        levels = _turning_envelope(turn, rate_hz)
        even = np.sqrt(np.mean(levels**2)) / np.maximum(levels, 1e-9)
        turn = turn * even
        lead = int(ENVELOPE_S * rate_hz)
        baked[:, start - lead : start] *= np.linspace(1.0, even[0], lead, dtype=np.float32)
        baked[:, end:] *= even[0]
    baked[:, start:end] = turn
    return baked


def _in_phase(baked: Sequence[Samples], end: int, pitch: int, rate_hz: int) -> list[Samples]:
    """Align layers in phase where the end of their loop is crossfaded.

    A partial that meets itself in opposite phase passes through silence there, in each layer at a moment of its own;
    between these moments the layers have opposite phases. At the loop's end all stay as they are.
    """
    fade, margin, edge = (int(s * rate_hz) for s in (_CROSSFADE_S, _MARGIN_S, _EDGE_S))
    around, begin = slice(end - fade - margin, end + margin), end - fade
    middle = baked[len(baked) // 2]
    part = np.clip(np.minimum(np.arange(fade), np.arange(fade)[::-1]) / edge, 0.0, 1.0).astype(np.float32)
    for layer in baked:
        if layer is middle:
            continue
        for own, other in zip(layer, middle, strict=True):
            note, reference = (Audio(wave[np.newaxis, around], rate_hz) for wave in (own, other))
            turned = align(note, reference, pitch).samples[0, margin : margin + fade]
            own[begin:end] += part * (turned - own[begin:end])
    return list(baked)


def _most_alike(
    wave: NDArray[np.float32], first: int, end: int, part: tuple[int, int], rate_hz: int
) -> tuple[int, float]:
    """The start of the loop: the frame before which the sound correlates best with the sound before the loop's end.

    The correlation is taken over the length of the crossfade, at every frame, so that its peak also finds the start for
    which the loop's length is nearest to a whole number of cycles.

    Args:
        wave: the sound.
        first: the frame before which there is no loop.
        end: the frame at which the loop ends.
        part: which part of the possible starts is searched, and of how many.
        rate_hz: the sound's rate.

    Returns:
        The start, and the correlation there, 0…1.
    """
    import scipy.fft

    fade, shortest = int(_CROSSFADE_S * rate_hz), int(_SHORTEST_S * rate_hz)
    pattern = wave[end - fade : end]
    number, parts = part
    span = (end - shortest - fade - first) // parts
    first += number * span
    searched = wave[first : first + fade + span]
    size = fast_size(len(searched) + fade)
    products = scipy.fft.irfft(scipy.fft.rfft(searched, size) * np.conj(scipy.fft.rfft(pattern, size)), size)
    places = len(searched) - fade + 1
    squares = np.concatenate([[0.0], np.cumsum(np.square(searched, dtype=np.float64))])
    energy = squares[fade:] - squares[:-fade]
    alike = products[:places] / np.sqrt(np.maximum(energy * np.sum(pattern**2), 1e-20))
    best = int(np.argmax(alike))
    return first + best + fade, float(np.clip(alike[best], 0.0, 1.0))


def _crossfade(out: Samples, in_: Samples, alike: float) -> NDArray[np.float64]:
    """Crossfade two sounds at an even level, given their correlation (1: linear, 0: equal power).

    Source: the gain 1/sqrt(gi² + go² + 2·r·gi·go) keeps the power of two sounds that correlate by r.
    """
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(out.shape[1]) + 0.5) / max(out.shape[1], 1))
    fall = 1.0 - rise
    return np.asarray((fall * out + rise * in_) / np.sqrt(rise**2 + fall**2 + 2.0 * alike * rise * fall))


def _correlation(a: Samples, b: Samples) -> float:
    return float(np.clip(np.sum(a * b) / max(np.sqrt(np.sum(a**2) * np.sum(b**2)), 1e-20), 0.0, 1.0))


def _turning_envelope(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """The `envelope` of one turn of a loop that repeats without end."""
    n = samples.shape[1]
    lead = min(n, int(2 * ENVELOPE_S * rate_hz))
    return envelope(np.concatenate([samples[:, -lead:], samples, samples[:, :lead]], axis=1), rate_hz)[lead : lead + n]
