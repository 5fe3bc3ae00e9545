"""Finishing a key: tuning, effects, velocity layers, loop and measures; not its gain, which depends on other keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from samplepack.finishing import process
from samplepack.finishing.align import LOOSELY_S, align
from samplepack.finishing.behaviour import Behaviour, course, settled
from samplepack.finishing.brightness import soft_cutoff_hz
from samplepack.finishing.effects import Effect
from samplepack.finishing.levels import LIMITED_S
from samplepack.finishing.loop import FIRST_S, LAST_S, Looped, find_loops, with_low_tail
from samplepack.finishing.stereo import Width, measure_width, narrowed
from samplepack.finishing.tune import STEADY_CENTS, Tuning, lowered, measure_cents, tune
from samplepack.sound.audio import Audio, db_to_gain
from samplepack.sound.loudness import attack_loudness_lufs, loudness_lufs, true_peaks_db
from samplepack.sound.partials import measure_partials
from samplepack.sound.pitch import pitch_hz

SOFTER_DB = 3.0
"""How much quieter each velocity layer is than the next louder one, in addition to the sampler's velocity tracking."""

_RETUNED_CENTS = 2.0
"""A note that deviates by more after it is finished is finished again, lowered by that deviation."""

_ALIKE_S = 0.1

_MATCHED_S: dict[Behaviour, tuple[float, float]] = {"sustain": (FIRST_S, LAST_S), "decay": (0.0, FIRST_S)}
"""The part of a note that has the same level in all layers and channels of its key: where a layer decays, what is left
of it later says nothing of how loud it is."""

_DARKEST_HARMONIC, _BRIGHTEST_HARMONIC = 3.0, 12.0
"""Cutoffs of the low-pass of the softest layer and of the loudest but one, as multiples of the fundamental."""


@dataclass(frozen=True)
class Finishing:
    """Settings by which all notes of a recipe are finished."""

    effects: Sequence[Effect]
    rate_hz: int
    tail_s: float
    """Time for the effects to ring after the note, seconds."""

    tune: bool
    loop: bool
    """Whether notes of instruments that sustain get loops."""

    velocity_layers: int
    """The number of layers of different brightness and level that are made of a single render."""

    channels: int
    """1, or 2 for stereo: left and right are renders of neighbouring latents."""


@dataclass(frozen=True)
class FinishedNote:
    """A note as the sampler plays it, but without its gain, and its measures."""

    pitch: int
    layer: int
    """The layer's number from 0, which is the softest layer or that of the mod wheel's lower end."""

    looped: Looped
    tuning: Tuning | None
    """The tuning of the note as rendered; None if the recipe doesn't ask for tuning."""

    cents: float | None
    """Deviation of the finished note from its pitch; None if it has no steady pitch."""

    loudness_lufs: float | None
    """Of an instrument that decays: that of the first 0.4 s."""

    true_peak_db: float
    held_peak_db: float
    """The true peak of what isn't limited: from shortly before the loop on; of a note without a loop, all of it."""

    decay_s: float | None
    """Of an instrument that decays: the time to 20 dB below the note's attack."""

    offset_db: float
    """The constant offset (DC), relative to the note's level."""

    width: Width | None
    """How alike left and right are; None for a mono note."""

    alike: float | None
    """Correlation of the sustained sound with that of the next layer, from which their crossfade follows: see
    `_alike`; None for the last layer."""

    soft_cutoff_hz: float
    """Cutoff of the low-pass by which samplers darken the note when it is struck softly."""

    def without_samples(self) -> FinishedNote:
        """The same note with an empty sound, to keep its measures in little memory."""
        empty = Audio(self.looped.audio.samples[:, :0].copy(), self.looped.audio.rate_hz)
        return replace(self, looped=replace(self.looped, audio=empty))


@dataclass(frozen=True)
class _Layer:
    """A layer of a key after one pass of finishing; a second pass may follow."""

    looped: Looped
    tuning: Tuning | None
    cents: float | None


def finish_key(raws: Sequence[Audio], pitch: int, settings: Finishing, behaviour: Behaviour) -> list[FinishedNote]:
    """Finish all layers of one key.

    The layers are cut at a common onset, aligned in phase and level, and loop at the same frames.

    Args:
        raws: the rendered sounds, one channel each: the channels of the softest layer, then those of the next layer.
        pitch: the key, MIDI.
        settings: the recipe's.
        behaviour: the instrument's; where it sustains, the notes get loops, unless the recipe asks for none.

    Returns:
        A note for each layer, the softest first.
    """
    if behaviour == "decay":
        settings, raws = replace(settings, loop=False), [settled(raw) for raw in raws]
    layers = _finish_layers(raws, pitch, settings, behaviour)
    if settings.tune and _worst_cents(layers) > _RETUNED_CENTS:
        # The finished note is a part of the rendered one, or a loop, and its pitch may differ from that of the whole.
        off = layers if len(raws) > settings.channels else layers[-1:]
        lower_cents = [layer.cents or 0.0 for layer in off for _ in range(settings.channels)]
        again = _finish_layers(raws, pitch, settings, behaviour, lower_cents)
        layers = min(layers, again, key=lambda each: (not all(layer.looped.loop for layer in each), _worst_cents(each)))
    layers = [_unsteady(layer) if settings.tune and _worst_cents([layer]) > STEADY_CENTS else layer for layer in layers]
    return [
        FinishedNote(
            pitch,
            number,
            layer.looped,
            layer.tuning,
            layer.cents,
            (loudness_lufs if behaviour == "sustain" else attack_loudness_lufs)(layer.looped.audio),
            *true_peaks_db(layer.looped.audio, _held_from(layer.looped)),
            course(layer.looped.audio).decay_s if behaviour == "decay" else None,
            process.offset_db(layer.looped.audio),
            measure_width(layer.looped.audio),
            _alike(layer.looped, layers[number + 1].looped) if number + 1 < len(layers) else None,
            soft_cutoff_hz(layer.looped.audio),
        )
        for number, layer in enumerate(layers)
    ]


def _held_from(looped: Looped) -> int:
    """The frame shortly before a note's loop; 0 without a loop."""
    return looped.loop.start - 2 * round(LIMITED_S * looped.audio.rate_hz) if looped.loop else 0


def _unsteady(layer: _Layer) -> _Layer:
    return replace(layer, cents=None, tuning=replace(layer.tuning, state="unsteady") if layer.tuning else None)


def _worst_cents(layers: Sequence[_Layer]) -> float:
    """The largest deviation from the pitch among some layers, cents."""
    return max((abs(layer.cents) for layer in layers if layer.cents is not None), default=0.0)


def _finish_layers(
    raws: Sequence[Audio], pitch: int, settings: Finishing, behaviour: Behaviour, lower_cents: Sequence[float] = ()
) -> list[_Layer]:
    audios, tunings = in_tune(raws, pitch, settings.tune, settings.channels, behaviour, lower_cents)
    audios = [process.apply_chain(audio, settings.effects, settings.rate_hz, settings.tail_s) for audio in audios]
    if len(audios) == 1:
        audios = _softer_layers(audios[0], pitch, settings.velocity_layers)
    audios = [narrowed(audio) for audio in audios]
    looped = find_loops(audios, pitch) if settings.loop else [Looped(audio, None, None, None) for audio in audios]
    looped = [replace(one, audio=narrowed(one.audio)) for one in looped]  # a loop may be wider than what it was made of
    looped = [with_low_tail(one) for one in looped]
    if len(raws) > settings.channels:
        looped, tunings = _at_one_level(looped, behaviour), tunings[:: settings.channels]
    else:
        tunings = [tunings[0]] * len(looped)
    return [_Layer(layer, tuning, _cents(layer.audio, pitch)) for layer, tuning in zip(looped, tunings, strict=True)]


def in_tune(
    raws: Sequence[Audio],
    pitch: int,
    tuned: bool,
    channels: int,
    behaviour: Behaviour = "sustain",
    lower_cents: Sequence[float] = (),
) -> tuple[list[Audio], list[Tuning | None]]:
    """The sounds of one key from their common onset on, tuned, aligned, and grouped into channels.

    Args:
        raws: the rendered sounds, one channel each.
        pitch: the key, MIDI.
        tuned: whether to tune them.
        channels: how many neighbours in `raws` become the channels of one sound.
        behaviour: what they do while a key is held, by which their levels are compared.
        lower_cents: by how much to lower each of them after tuning; empty: not at all.

    Returns:
        The sounds, `len(raws) / channels` of them, and the tuning of each of `raws` (None without tuning).
    """
    audios, tunings = _from_their_onset(raws), list[Tuning | None]([None] * len(raws))
    if tuned:
        tuning = [tune(audio, pitch) for audio in audios]
        audios, tunings = [audio for audio, _ in tuning], [found for _, found in tuning]
    if lower_cents:
        audios = [lowered(audio, cents) for audio, cents in zip(audios, lower_cents, strict=True)]
    return _with_channels(_aligned(audios, pitch, channels, behaviour), channels), tunings


def _alike(one: Looped, other: Looped) -> float:
    """The correlation r of two layers of one key by which their crossfade is evenest, from `FIRST_S` to the end of
    their loop or, without one, to `LAST_S`.

    Halfway the level of the mix is as 1 + r, and r changes over time: this is the geometric mean of the highest and the
    lowest 1 + r in windows of 0.1 s, less 1.
    """
    a, b = (layer.audio.samples[:, _held(one)].astype(np.float64) for layer in (one, other))
    window = min(int(_ALIKE_S * one.audio.rate_hz), a.shape[1], b.shape[1])
    windows = min(a.shape[1], b.shape[1]) // max(window, 1)
    if not windows:
        return 1.0
    a, b = (layer[:, : windows * window].reshape(len(layer), windows, window) for layer in (a, b))
    product, aa, bb = (np.einsum("cwn,cwn->w", x, y) for x, y in ((a, b), (a, a), (b, b)))
    r = product / np.maximum(np.sqrt(aa * bb), 1e-30)
    return float(np.sqrt((1.0 + r.max()) * max(1.0 + r.min(), 0.0))) - 1.0


def _cents(audio: Audio, pitch: int) -> float | None:
    found = measure_cents(measure_partials(audio, pitch))
    return found.cents if found.state == "corrected" else None


def _from_their_onset(raws: Sequence[Audio]) -> list[Audio]:
    start = min(process.onset(raw) for raw in raws)
    return [Audio(raw.samples[:, start:], raw.rate_hz) for raw in raws]


def _aligned(audios: Sequence[Audio], pitch: int, channels: int, behaviour: Behaviour) -> list[Audio]:
    """Cut sounds to one length and bring them to the level of the middle one and to the phases of its channels, which
    are aligned loosely with each other; a single sound of one channel is kept."""
    if len(audios) == 1:
        return list(audios)
    length = min(audio.samples.shape[1] for audio in audios)
    cut = [Audio(audio.samples[:, :length], audio.rate_hz) for audio in audios]
    first = len(cut) // channels // 2 * channels
    *sides, last = cut[first : first + channels]
    middle = [*(align(side, last, pitch, LOOSELY_S) for side in sides), last]
    matched = _matched(behaviour, last.rate_hz)
    level = _level(last, matched)
    aligned = [
        middle[i - first] if first <= i < first + channels else align(audio, middle[i % channels], pitch)
        for i, audio in enumerate(cut)
    ]
    return [_at_level(audio, level, matched) for audio in aligned]


def _at_one_level(layers: Sequence[Looped], behaviour: Behaviour) -> list[Looped]:
    """Bring layers to the level of the last one, so that crossfades between them neither swell nor dip."""
    last = layers[-1]
    matched = _held(last) if last.loop else _matched(behaviour, last.audio.rate_hz)
    level = _level(last.audio, matched)
    return [replace(layer, audio=_at_level(layer.audio, level, matched)) for layer in layers]


def _matched(behaviour: Behaviour, rate_hz: int) -> slice:
    first_s, last_s = _MATCHED_S[behaviour]
    return slice(int(first_s * rate_hz), int(last_s * rate_hz))


def _held(looped: Looped) -> slice:
    """The frames of a note from `FIRST_S` to the end of its loop or, without one, to `LAST_S`."""
    rate_hz = looped.audio.rate_hz
    return slice(int(FIRST_S * rate_hz), looped.loop.end + 1 if looped.loop else int(LAST_S * rate_hz))


def _at_level(audio: Audio, level: float, frames: slice) -> Audio:
    """Scale a note to a level over some of its frames; silence stays silent."""
    own = _level(audio, frames)
    return Audio(audio.samples * np.float32(level / own if own > 0.0 else 1.0), audio.rate_hz)


def _level(audio: Audio, frames: slice) -> float:
    """Root mean square of some frames of a note."""
    samples = audio.samples[:, frames]
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def _with_channels(audios: Sequence[Audio], channels: int) -> list[Audio]:
    """Join each group of `channels` neighbouring sounds into one sound with as many channels."""
    grouped = (audios[i : i + channels] for i in range(0, len(audios), channels))
    return [Audio(np.concatenate([audio.samples for audio in group]), group[0].rate_hz) for group in grouped]


def _softer_layers(hardest: Audio, pitch: int, layers: int) -> list[Audio]:
    """Velocity layers of a note: darker and quieter versions of it, the softest first, and the note itself last."""
    softer = []
    for layer in range(layers - 1):
        position = layer / max(layers - 2, 1)
        harmonic = _DARKEST_HARMONIC * (_BRIGHTEST_HARMONIC / _DARKEST_HARMONIC) ** position
        dark = process.darkened(hardest, min(harmonic * pitch_hz(pitch), 0.45 * hardest.rate_hz))
        gain = np.float32(db_to_gain(-SOFTER_DB * (layers - 1 - layer)))
        softer.append(Audio(dark.samples * gain, dark.rate_hz))
    return [*softer, hardest]
