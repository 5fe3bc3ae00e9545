"""A long recording of single notes, cut where they begin and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.datasets.candidates import Job, Offered, Source
from samplepack.datasets.sound_files import RATES_HZ, from_onset, open_sound, read_reason, read_stretch, shown
from samplepack.sound.audio import Audio
from samplepack.sound.spectra import stft

_FRAMES_A_SECOND = 100

_BLOCK_FRAMES = 1000
"""So many are in memory at a time."""

_WINDOW_S = 0.04
_BANDS_AN_OCTAVE = 24
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 8000.0

_FLOOR = 1e-4
"""A magnitude below this, relative to the loudest frame's, is silence."""

_LAG = 3
"""A frame is compared with the one so many before."""

_LEAST_RISE = 9.0
"""An onset's, above the mean around it."""

_PEAK_WITHIN, _MEAN_WITHIN = 4, 50

_GATE_DB, _ABOVE_NOISE_DB = -45.0, 10.0
"""A note sounds where it is within this of the loudest frame, and so much above the quietest ones."""

_SHORTEST = 10
"""Frames; onsets nearer to each other are one."""

_LEAD_IN = 2
"""Frames before an onset that belong to it."""

Curve = NDArray[np.float32]
"""A value for each 10 ms."""


def open_recording(path: Path, seconds: float, instrument: str) -> Source:
    """The notes of a recording, one after the other; their pitches are to be heard.

    Args:
        path: of the sound file.
        seconds: how much of each note is needed.
        instrument: what is recorded; empty to call it as the file is called.

    Raises:
        InputError: it can't be read as a sound file, or it is silent.
    """
    try:
        with open_sound(path) as file:
            rate_hz = int(file.samplerate)
        if rate_hz not in RATES_HZ:
            raise InputError(f"{path}: its rate is {rate_hz} Hz, which is no sound's")
        level = follow_level(path)
        rise = follow_rise(path, float(level.max(initial=0.0)))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: can't be read as a sound file: {read_reason(error)}") from error
    name = instrument or shown(path.with_suffix(""), path.parent)
    hop = rate_hz // _FRAMES_A_SECOND
    longest = int((seconds + 1.0) * rate_hz)
    notes = [(first * hop, min(last * hop, first * hop + longest)) for first, last in find_notes(level, rise)]
    if not notes:
        raise InputError(f"{path}: no note begins in it: it is silent")
    jobs = [_job(path, name, stretch, rate_hz, seconds) for stretch in notes]
    return Source(title=name, license="", jobs=jobs, total=len(jobs))


def follow_level(path: Path) -> Curve:
    """How loud a recording is: root mean square, full scale being 1. What is no number counts as silence."""
    levels = [np.sqrt((block.reshape(-1, hop) ** 2).mean(axis=1)) for block, hop in _blocks(path)]
    return np.concatenate(levels) if levels else np.zeros(0, np.float32)


def follow_rise(path: Path, loudest: float) -> Curve:
    """How much a recording's spectrum rises.

    Source: Böck & Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013: magnitudes in bands of a
    quarter tone, on a logarithmic scale; from each, the largest of itself and its neighbours three frames before is
    taken, and what is above zero summed.

    Args:
        path: of the recording.
        loudest: of its levels; what is 80 dB below is silence.
    """
    spectra = _Spectra()
    rises = [spectra.rise(block / np.float32(max(loudest, 1e-10)), hop) for block, hop in _blocks(path)]
    return np.concatenate(rises) if rises else np.zeros(0, np.float32)


class _Spectra:
    """The spectra of a recording that comes in blocks; remembers what the next block's first frames need."""

    def __init__(self) -> None:
        self._wave = np.zeros(0, np.float32)
        self._bands = np.zeros((0, 0), np.float32)

    def rise(self, block: Curve, hop: int) -> Curve:
        """Of each frame of a block, whose windows end with the frame."""
        size = 1 << round(np.log2(hop * _FRAMES_A_SECOND * _WINDOW_S))
        edges = _band_edges(size, hop * _FRAMES_A_SECOND)
        if not len(self._wave):
            self._wave = np.zeros(size - hop, np.float32)
            self._bands = np.full((_LAG, len(edges) - 1), np.log10(_FLOOR), np.float32)
        wave = np.concatenate([self._wave, block])
        self._wave = wave[len(wave) - (size - hop) :]
        spectrum = stft(wave, np.hanning(size) * 2.0 / size, slice(None, None, hop))
        power = np.add.reduceat(np.abs(spectrum) ** 2, edges, axis=1)[:, :-1]
        bands = np.concatenate([self._bands, 0.5 * np.log10(power + _FLOOR**2)])
        self._bands = bands[len(bands) - _LAG :].astype(np.float32)
        padded = np.pad(bands, ((0, 0), (1, 1)), mode="edge")
        widest = np.maximum(np.maximum(padded[:, :-2], padded[:, 2:]), bands)
        return np.asarray(np.maximum(bands[_LAG:] - widest[:-_LAG], 0.0).sum(axis=1), np.float32)


def _band_edges(size: int, rate_hz: int) -> NDArray[np.intp]:
    """First bins of bands of a quarter tone, or of one bin where that is wider; the last one ends the last band."""
    octaves = np.log2(min(_HIGHEST_HZ, 0.45 * rate_hz) / _LOWEST_HZ)
    edges_hz = _LOWEST_HZ * 2.0 ** (np.arange(int(octaves * _BANDS_AN_OCTAVE) + 1) / _BANDS_AN_OCTAVE)
    return np.unique(np.rint(edges_hz * size / rate_hz).astype(np.intp))


def _blocks(path: Path) -> Iterator[tuple[Curve, int]]:
    """A recording's sound, mono, some whole frames at a time, with the length of a frame."""
    with open_sound(path) as file:
        hop = max(1, file.samplerate // _FRAMES_A_SECOND)
        while len(samples := file.read(_BLOCK_FRAMES * hop, dtype="float32", always_2d=True)):
            mono = np.nan_to_num(samples.mean(axis=1), nan=0.0, posinf=0.0, neginf=0.0)
            yield np.pad(mono, (0, -len(mono) % hop)), hop


def find_notes(level: Curve, rise: Curve) -> list[tuple[int, int]]:
    """Where notes begin and end, in frames; the end isn't included.

    A note begins where the spectrum's rise stands out of what is around it; it ends where the next one begins, or where
    it gets silent.

    Args:
        level, rise: of each frame of the recording.
    """
    if not np.any(level):
        return []
    level_db = 20.0 * np.log10(level + 1e-10)
    loudest_db = float(level_db.max())
    gate_db = min(max(loudest_db + _GATE_DB, float(np.percentile(level_db, 2)) + _ABOVE_NOISE_DB), loudest_db - 10.0)
    is_loud = _windowed(level_db, 0, _SHORTEST).max(axis=1) > gate_db
    highest = _windowed(rise, _PEAK_WITHIN, _PEAK_WITHIN).max(axis=1)
    usual = _windowed(rise, _MEAN_WITHIN, _MEAN_WITHIN).mean(axis=1)
    onsets: list[int] = []
    for frame in np.flatnonzero((rise == highest) & (rise > usual + _LEAST_RISE) & is_loud):
        if not onsets or frame - onsets[-1] >= _SHORTEST:
            onsets.append(int(frame))
    notes = []
    for onset, following in zip(onsets, [*onsets[1:], len(level) + _LEAD_IN], strict=True):
        last = following - _LEAD_IN
        silent = np.flatnonzero(~is_loud[onset:last])
        notes.append((max(0, onset - _LEAD_IN), onset + int(silent[0]) if len(silent) else last))
    return notes


def _windowed(values: NDArray[np.floating], before: int, after: int) -> NDArray[np.floating]:
    """Each value with so many before and after it, shape (n, before + 1 + after)."""
    padded = np.pad(values, (before, after), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after)


def _job(path: Path, instrument: str, stretch: tuple[int, int], rate_hz: int, seconds: float) -> Job:
    first, last = stretch

    def load() -> Audio:
        return from_onset(read_stretch(path, first, last), seconds)

    def offers() -> Iterable[Offered]:
        minutes, second = divmod(first / rate_hz, 60.0)
        yield Offered(instrument, None, f"{shown(path, path.parent)} at {minutes:.0f}:{second:05.2f}", load)

    return offers
