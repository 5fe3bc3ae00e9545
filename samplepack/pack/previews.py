"""Previews: a phrase for each instrument of a pack, played by its own sound files as a sampler plays them."""

from __future__ import annotations

import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.clips.score import PlayedNote
from samplepack.formats.instrument import Instrument, Range, Zone, velocity_gain
from samplepack.sound.audio import Audio, Samples, db_to_gain, encode, read, resample
from samplepack.sound.loudness import true_peak_db

_MOST_HZ = 48_000

_MOST_RELEASE_S = 2.0
"""The longest release: a preview is no longer than 10 s."""

_RELEASED_DB = -80.0
"""Where a release ends, as in players."""

_MIDDLE = 60
_CHORDS = ((-12, 0, 4, 7, 14), (-15, 0, 4, 9, 12), (-19, -3, 0, 4, 7))
"""What an instrument that sustains plays, softly first: semitones from the middle key."""

_LINE = (-12, 0, 4, 7, 12, 7, 4, 7, -15, -3, 0, 4, 9, 4, 0, 4)
"""What an instrument that decays plays, softly first, before a last chord."""

_CHORD_S, _STEP_S, _SWEEP_S = 2.4, 0.26, 8.0
_SOFTEST, _HARDEST = 56, 112


def write_preview(folder: Path, instrument: Instrument, peak_db: float) -> str:
    """Play an instrument's phrase and write it as FLAC with 16 bits, at 48 kHz or the lower rate of its sound files.

    Args:
        folder: the pack's folder, which has these sound files.
        instrument: the instrument.
        peak_db: the true peak of the preview, dBTP.

    Returns:
        The file, relative to the pack's folder: `Previews/NAME.flac`.
    """
    played = play_phrase(folder, instrument)
    audio = resample(played, min(played.rate_hz, _MOST_HZ))
    gain = db_to_gain(peak_db - true_peak_db(audio)) if audio.peak else 1.0
    file = f"Previews/{instrument.name}.flac"
    (folder / "Previews").mkdir(exist_ok=True)
    scaled = Audio(audio.samples * np.float32(gain), audio.rate_hz)
    (folder / file).write_bytes(encode(scaled, "flac", 16, zlib.crc32(file.encode())))
    return file


def phrase(instrument: Instrument) -> list[PlayedNote]:
    """What an instrument plays, within the range of its sounds, 8 s at most: chords where it sustains, a line where it
    decays, each from soft to hard; one chord where it sustains and the mod wheel moves it."""
    roots = [zone.root for zone in instrument.zones]
    lowest, highest = min(roots), max(roots)

    def chord(steps: tuple[int, ...], velocity: int, start_s: float, end_s: float) -> list[PlayedNote]:
        keys = sorted({_within(_MIDDLE + step, lowest, highest) for step in steps})
        return [PlayedNote(key, velocity, start_s, end_s) for key in keys]

    if instrument.behaviour == "decay":
        velocities = np.linspace(_SOFTEST, _HARDEST, len(_LINE)).astype(int)
        starts_s = [i * _STEP_S for i in range(len(_LINE) + 1)]
        notes = [
            PlayedNote(_within(_MIDDLE + step, lowest, highest), int(velocity), start_s, start_s + 2 * _STEP_S)
            for step, velocity, start_s in zip(_LINE, velocities, starts_s, strict=False)
        ]
        return notes + chord(_CHORDS[0], _HARDEST, starts_s[-1], starts_s[-1] + _CHORD_S)
    if any(zone.wheel for zone in instrument.zones):
        return chord(_CHORDS[0], _HARDEST, 0.0, _SWEEP_S)
    velocities = np.linspace(_SOFTEST, _HARDEST, len(_CHORDS)).astype(int)
    return [
        note
        for i, (steps, velocity) in enumerate(zip(_CHORDS, velocities, strict=True))
        for note in chord(steps, int(velocity), i * _CHORD_S, (i + 1) * _CHORD_S)
    ]


def _within(key: int, lowest: int, highest: int) -> int:
    """A key brought into a range by octaves or, where the range has no such key, to its nearest end."""
    while key < lowest:
        key += 12
    while key > highest:
        key -= 12
    return max(key, lowest)


def play_phrase(folder: Path, instrument: Instrument) -> Audio:
    """Play an instrument's phrase as a sampler does, while the mod wheel travels from 0 to 127 and back.

    Loops hold notes, takes play in turn, layers crossfade by velocity and wheel, volume follows velocity, and notes
    have the instrument's attack and release; its filter stays open.

    Args:
        folder: the pack's folder.
        instrument: the instrument.
    """
    notes = phrase(instrument)
    end_s = max(note.end_s for note in notes)
    sound = cache(lambda file: read(folder / file))
    rate_hz = sound(instrument.zones[0].file).rate_hz
    release_s = min(instrument.release_s, _MOST_RELEASE_S)
    length = round((end_s + release_s) * rate_hz)
    mixed = np.zeros((len(sound(instrument.zones[0].file).samples), length))
    wheel = np.interp(np.arange(length) / rate_hz, [0.0, 0.5 * end_s, end_s], [0.0, 127.0, 0.0])
    tracking_percent, curve = instrument.velocity_tracking_percent, instrument.playing.velocity_curve
    struck: Counter[int] = Counter()
    for note in notes:
        start = round(note.start_s * rate_hz)
        level = velocity_gain(note.velocity, tracking_percent, curve)
        for zone in _heard(instrument, note, struck[note.pitch]):
            voice = _voice(sound(zone.file), zone, note, instrument.playing.attack_s, release_s)[:, : length - start]
            heard = slice(start, start + voice.shape[1])
            gains = _gains(zone.velocities, np.array([float(note.velocity)])) * level
            if zone.wheel:
                gains = gains * _gains(zone.wheel, wheel[heard])
            mixed[:, heard] += voice * gains
        struck[note.pitch] += 1
    return Audio(mixed.astype(np.float32), rate_hz)


def _heard(instrument: Instrument, note: PlayedNote, struck: int) -> list[Zone]:
    """The zones that a key starts, which was struck so many times before."""
    return [
        zone
        for zone in instrument.zones
        if zone.keys.low <= note.pitch <= zone.keys.high
        and zone.velocities.low <= note.velocity <= zone.velocities.high
        and struck % zone.turns == zone.turn - 1
    ]


def _voice(sound: Audio, zone: Zone, note: PlayedNote, attack_s: float, release_s: float) -> Samples:
    """The sound of a held key: round its loop until key-up, then on to its end, at the pitch of the key."""
    import soxr

    ratio = 2.0 ** ((note.pitch - zone.root) / 12.0)
    per_s = sound.rate_hz * ratio
    held = round((note.end_s - note.start_s) * per_s)
    attack, release = round(attack_s * per_s), round(release_s * per_s)
    parts, at = [], 0
    if zone.loop and held > zone.loop.end:
        length = zone.loop.end + 1 - zone.loop.start
        rounds, at = divmod(held - zone.loop.start, length)
        at += zone.loop.start
        parts = [sound.samples[:, : zone.loop.start], *[sound.samples[:, zone.loop.start :][:, :length]] * rounds]
        parts.append(sound.samples[:, zone.loop.start : at])
    played = np.concatenate([*parts, sound.samples[:, at:]], axis=1)[:, : held + release]
    gains = np.ones(played.shape[1], np.float32)
    gains[:attack] = np.linspace(0.0, 1.0, attack)[: len(gains)]
    gains[held:] *= np.geomspace(1.0, db_to_gain(_RELEASED_DB), max(release, 1))[: max(len(gains) - held, 0)]
    played = played * gains
    if ratio == 1.0:
        return played
    return np.ascontiguousarray(soxr.resample(played.T, per_s, sound.rate_hz, quality="HQ").T)


def _gains(values: Range, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """The gains of a range at controller values within it."""
    rise = (at - values.low) / values.low_fade if values.low_fade else (at >= values.low)
    fall = (values.high - at) / values.high_fade if values.high_fade else (at <= values.high)
    return np.clip(np.minimum(rise, fall), 0.0, 1.0)
