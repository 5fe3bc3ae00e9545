"""Sound files that are no notes, and what is said of each."""

from __future__ import annotations

import numpy as np
import soundfile

from tests.helpers.tones import RATE_HZ
from tests.helpers.tones import steady_wave as tone


def noise(n=RATE_HZ):
    return np.random.RandomState(1).uniform(-0.5, 0.5, n)


BAD_SOUNDS = {
    # name and samples → what is told
    "text_60.wav": ("not audio", "can't be read: "),
    "empty_60.wav": (np.zeros(0), "too short: lasts 0 ms"),
    "silent_60.wav": (np.zeros(RATE_HZ), "silent: "),
    "nan_60.wav": (np.where(np.arange(RATE_HZ) == 9, np.nan, tone(60)), "not a number: "),
    "short_60.wav": (tone(60)[:1000], "too short: lasts 62 ms; a note needs 100 ms or more"),
    "long_60.wav": (np.zeros(61 * RATE_HZ), "too long for one note: lasts 61 s"),
    "noise.wav": (noise(), "no pitch: none is surely heard, and neither its name nor a smpl chunk says it"),
    "high_100.wav": (noise(), "outside 24-84: its pitch is 100"),
    "wrong_66.wav": (tone(60), "mislabelled: said to be F#4 (66), but C4 (60) is heard"),
}  # fmt: skip


def write_sound(path, samples):
    if isinstance(samples, str):
        path.write_text(samples)
    else:
        soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
