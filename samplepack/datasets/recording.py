"""Segmentation of a long recording into single notes."""

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
"""Number of frames that are held in memory at a time."""

_WINDOW_S = 0.04
_BANDS_AN_OCTAVE = 24
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 8000.0

_FLOOR = 1e-4
"""Magnitude, relative to that of the loudest frame, below which a band counts as silent."""

_LAG = 3
"""Number of frames between the two frames whose spectra are compared."""

_LEAST_RISE = 9.0
"""Least spectral rise of an onset above the mean of the frames around it."""

_PEAK_WITHIN, _MEAN_WITHIN = 4, 50
"""Frames on each side of an onset in which it is the maximum, and over which the mean is taken."""

_GATE_DB, _ABOVE_NOISE_DB = -45.0, 10.0
"""Level of the noise gate: relative to the loudest frame, and above the quietest frames. The higher one applies."""

_SHORTEST = 10
"""Shortest distance between two onsets, in frames; closer ones count as one."""

_LEAD_IN = 2
"""Number of frames before an onset that belong to its note."""

Curve = NDArray[np.float32]
"""Values of one kind, such as a level for each frame of 10 ms or the samples of a block, shape (n,)."""


def open_recording(path: Path, seconds: float, instrument: str) -> Source:
    """Open a recording of several notes, one after the other; their pitches have to be measured.

    Args:
        path: the sound file.
        seconds: length of each note that is needed.
        instrument: name of the instrument; empty to use the file name.

    Raises:
        InputError: the file can't be read as a sound file, or it is silent.
    """
    try:
        with open_sound(path) as file:
            rate_hz = int(file.samplerate)
        if rate_hz not in RATES_HZ:
            raise InputError(f"{path}: its rate is {rate_hz} Hz, should be from {RATES_HZ[0]} to {RATES_HZ[-1]}")
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
    """Return the root mean square level of each frame, full scale being 1, shape (frames,); NaN counts as silence."""
    levels = [np.sqrt((block.reshape(-1, hop) ** 2).mean(axis=1)) for block, hop in _blocks(path)]
    return np.concatenate(levels) if levels else np.zeros(0, np.float32)


def follow_rise(path: Path, loudest: float) -> Curve:
    """Return how much the spectrum of a recording rises at each frame: its spectral flux, shape (frames,).

    Source: Böck & Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013. Magnitudes are taken in
    bands of a quarter tone, on a logarithmic scale. From each band, the maximum of the band and its two neighbours
    three frames earlier is subtracted; the positive differences are summed over the bands.

    Args:
        path: the recording.
        loudest: the highest of its levels; magnitudes 80 dB and more below it count as silence.
    """
    spectra = _Spectra()
    rises = [spectra.rise(block / np.float32(max(loudest, 1e-10)), hop) for block, hop in _blocks(path)]
    return np.concatenate(rises) if rises else np.zeros(0, np.float32)


class _Spectra:
    """Spectral flux of a recording that is read in blocks; the end of a block is kept for the next one."""

    def __init__(self) -> None:
        self._wave = np.zeros(0, np.float32)
        self._bands = np.zeros((0, 0), np.float32)

    def rise(self, block: Curve, hop: int) -> Curve:
        """Return the spectral flux at each frame of a block; the window of a frame ends with the frame."""
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
    """Return the first bins of bands of a quarter tone, at least one bin wide; the last entry ends the last band."""
    octaves = np.log2(min(_HIGHEST_HZ, 0.45 * rate_hz) / _LOWEST_HZ)
    edges_hz = _LOWEST_HZ * 2.0 ** (np.arange(int(octaves * _BANDS_AN_OCTAVE) + 1) / _BANDS_AN_OCTAVE)
    return np.unique(np.rint(edges_hz * size / rate_hz).astype(np.intp))


def _blocks(path: Path) -> Iterator[tuple[Curve, int]]:
    """Yield blocks of whole frames of a recording, mixed to mono, each with the length of a frame in samples."""
    with open_sound(path) as file:
        hop = max(1, file.samplerate // _FRAMES_A_SECOND)
        while len(samples := file.read(_BLOCK_FRAMES * hop, dtype="float32", always_2d=True)):
            mono = np.nan_to_num(samples.mean(axis=1), nan=0.0, posinf=0.0, neginf=0.0)
            yield np.pad(mono, (0, -len(mono) % hop)), hop


def find_notes(level: Curve, rise: Curve) -> list[tuple[int, int]]:
    """Find the first and last frames of the notes of a recording; the last frame isn't included.

    A note begins at a local maximum of the spectral flux that is well above the local mean. It ends before the next one
    begins, or at the first silent frame.

    Args:
        level: root mean square level of each frame, shape (frames,).
        rise: spectral flux at each frame, shape (frames,).
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
    if not onsets:  # a sound that is faded in, or a click
        return []
    notes = []
    for onset, following in zip(onsets, [*onsets[1:], len(level) + _LEAD_IN], strict=True):
        last = following - _LEAD_IN
        silent = np.flatnonzero(~is_loud[onset:last])
        notes.append((max(0, onset - _LEAD_IN), onset + int(silent[0]) if len(silent) else last))
    return notes


def _windowed(values: NDArray[np.floating], before: int, after: int) -> NDArray[np.floating]:
    """Return each value with its neighbours on both sides, shape (n, before + 1 + after)."""
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
