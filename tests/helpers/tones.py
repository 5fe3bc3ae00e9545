"""Tones of known pitch."""

from __future__ import annotations

import numpy as np

from samplepack.sound.audio import Audio

RATE_HZ = 16000


def steady_wave(pitch, rate_hz=RATE_HZ, seconds=1.0, harmonics=6):
    """A steady note, float64, shape (n,)."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    frequency_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    return sum(np.sin(2 * np.pi * frequency_hz * h * time_s) / h for h in range(1, harmonics + 1)) * 0.3


def tone(pitch, rate_hz=48000, partials=8, seconds=3.0, without=()):
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    f0 = 440.0 * 2.0 ** ((pitch - 69) / 12)
    wanted = [k for k in range(1, partials + 1) if k not in without and k * f0 < rate_hz / 2]
    wave = sum(np.sin(2 * np.pi * k * f0 * t + k) / k for k in wanted)
    return Audio(0.3 * wave.astype(np.float32)[np.newaxis], rate_hz)
