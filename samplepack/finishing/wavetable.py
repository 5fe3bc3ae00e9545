"""Wavetables: single cycles that have the spectra of notes, so that a synthesizer plays them at any pitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samplepack.sound.audio import Audio, db_to_gain
from samplepack.sound.loudness import loudness_lufs
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.spectra import hann

FRAME = 2048
"""Samples of a cycle."""

Frames = NDArray[np.float32]
"""Cycles, float32, shape (frames, `FRAME`)."""

_FIRST_S, _LENGTH_S = 0.25, 2.5
"""The part of a note whose spectrum is taken: what is held, without its attack."""

_HALF_BAND = 0.25
"""What counts as a partial: so far to either side of its frequency, as a share of the fundamental's."""

_PHASES_AT_S, _PERIODS = 1.0, 8
"""Where the phases are taken, and over how many periods: over a longer time, partials that aren't quite harmonic turn
away."""

_PLAYED_S, _PLAYED_HZ = 0.5, 48_000
"""How long and at which rate cycles are played to measure their loudness."""


def wavetable(notes: Sequence[Audio], pitch: int, peak_db: float) -> Frames:
    """Make single cycles of notes, one of each.

    A cycle's partials have the levels of the note's. The phases are those of the middle note in all cycles, so that a
    synthesizer that crossfades two of them never dips, and every cycle begins where the fundamental rises through zero.
    The cycles are brought to one loudness, as played at the notes' key, and together to a peak. They have no constant
    offset (DC), and no partial beyond what the notes have.

    Args:
        notes: one channel each, in tune, of one key and rate.
        pitch: their key, MIDI.
        peak_db: the highest peak of all cycles, dB.

    Returns:
        float32, shape (len(notes), 2048); a silent note gives a silent cycle.
    """
    amplitudes = np.stack([partial_amplitudes(note, pitch) for note in notes])
    phases = _phases(notes[len(notes) // 2], pitch, amplitudes.shape[1])
    loudness = [loudness_lufs(played) for played in _played(amplitudes, phases, pitch)]
    quietest = min((value for value in loudness if value is not None), default=0.0)
    gains = [1.0 if value is None else db_to_gain(quietest - value) for value in loudness]
    spectra = np.zeros((len(notes), FRAME // 2 + 1), np.complex128)
    spectra[:, 1 : amplitudes.shape[1] + 1] = amplitudes * np.exp(1j * phases) * np.array(gains)[:, np.newaxis]
    frames = np.fft.irfft(spectra, axis=1)
    peak = float(np.max(np.abs(frames)))
    return np.asarray(frames * (db_to_gain(peak_db) / peak if peak else 1.0), dtype=np.float32)


def partial_amplitudes(note: Audio, pitch: int) -> NDArray[np.float64]:
    """The amplitudes of a note's partials from the fundamental: the square root of twice the mean power around the
    partial, within a quarter of the distance to the next, from 0.25 s to 2.75 s under a Hann window.

    Args:
        note: one channel.
        pitch: its key, MIDI.

    Returns:
        float64, shape (partials,): those whose whole band lies below half the rate, 1023 at most.
    """
    first, last = (round(s * note.rate_hz) for s in (_FIRST_S, _FIRST_S + _LENGTH_S))
    held = note.samples[0, first:last].astype(np.float64)
    held = np.pad(held, (0, max(0, 2 * round(note.rate_hz / pitch_hz(pitch)) - len(held))))
    window = hann(len(held))
    # Of a real wave's spectrum, half lies below zero.
    power = 2.0 * np.abs(np.fft.rfft(held * window)) ** 2 / (len(held) * np.sum(window**2))
    place = np.arange(len(power)) * note.rate_hz / len(held) / pitch_hz(pitch)
    number = np.rint(place).astype(int)
    power[np.abs(place - number) > _HALF_BAND] = 0.0  # noise between partials
    partials = min(int(note.rate_hz / 2 / pitch_hz(pitch) - 0.5), FRAME // 2 - 1)
    return np.asarray(np.sqrt(2.0 * np.bincount(number, power, partials + 1)[1 : partials + 1]))


def _phases(note: Audio, pitch: int, partials: int) -> NDArray[np.float64]:
    """The phases of a note's partials, turned in time so that its fundamental begins as a sine, shape (partials,)."""
    period = note.rate_hz / pitch_hz(pitch)
    at = max(0, min(round(_PHASES_AT_S * note.rate_hz), note.samples.shape[1] - round(_PERIODS * period)))
    wave = note.samples[0, at : at + round(_PERIODS * period)].astype(np.float64)
    wave, turns = wave * hann(len(wave)), np.arange(len(wave)) / period
    numbers = np.arange(1, partials + 1)
    phases = np.angle([np.dot(np.exp(-2j * np.pi * number * turns), wave) for number in numbers])
    return np.asarray(phases - numbers * (phases[0] + 0.5 * np.pi))


def _played(amplitudes: NDArray[np.float64], phases: NDArray[np.float64], pitch: int) -> list[Audio]:
    """The cycles as a synthesizer plays them at a key, one channel each."""
    audible = range(1, min(len(phases), int(_PLAYED_HZ / 2 / pitch_hz(pitch))) + 1)
    time_s = np.arange(round(_PLAYED_S * _PLAYED_HZ)) / _PLAYED_HZ
    waves = np.zeros((len(amplitudes), len(time_s)))
    for number in audible:
        partial = np.cos(2.0 * np.pi * number * pitch_hz(pitch) * time_s + phases[number - 1])
        waves += np.outer(amplitudes[:, number - 1], partial)
    return [Audio(wave[np.newaxis].astype(np.float32), _PLAYED_HZ) for wave in waves]
