"""Sound files of notes for sets, and what a set says of them."""

from __future__ import annotations

import numpy as np
import soundfile

from samplepack.sound.pitch import pitch_hz

RATE_HZ = 16000
SECONDS = 0.6


def tone(pitch, seconds=0.8, rate_hz=RATE_HZ, peak=0.5, partials=8):
    """A harmonic sound that decays."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    numbers = [n for n in range(1, partials + 1) if n * pitch_hz(pitch) < 0.45 * rate_hz]
    wave = sum(np.sin(2 * np.pi * n * pitch_hz(pitch) * time_s) / n for n in numbers) * np.exp(-2.0 * time_s)
    return (wave * peak / np.abs(wave).max()).astype(np.float32)


def write(path, wave, rate_hz=RATE_HZ, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate_hz, **how)
    return path


def places(contents):
    return [(note.instrument, note.pitch) for note in contents.notes]


def why(contents):
    return {one.source: one.why for one in contents.dropped}
