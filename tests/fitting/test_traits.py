"""Figures of notes by which named directions are found: each rises with what its name says, and is NaN or finite."""

import numpy as np
import pytest

from samplepack.fitting.traits import TRAITS
from samplepack.sound.pitch import pitch_hz

RATE_HZ, PITCH = 16000, 57
TIME_S = np.arange(3 * RATE_HZ) / RATE_HZ


def tone(levels, cents=0.0, vibrato_cents=0.0):
    """A steady tone of partials with the given levels, detuned, or with a vibrato of 5 Hz."""
    turns = np.cumsum(2.0 ** ((cents + vibrato_cents * np.sin(2 * np.pi * 5.0 * TIME_S)) / 1200.0)) / RATE_HZ
    wave = sum(level * np.sin(2 * np.pi * pitch_hz(PITCH) * n * turns) for n, level in enumerate(levels, start=1))
    return (0.1 * wave).astype(np.float32)


SAW = tone([1 / n for n in range(1, 12)])
NOISE = np.random.RandomState(0).standard_normal(len(TIME_S)).astype(np.float32)

LESS_AND_MORE = {
    "brightness": (tone([1 / n**3 for n in range(1, 12)]), SAW),
    "hollowness": (SAW, tone([n % 2 / n for n in range(1, 12)])),
    "attack": (SAW, SAW * np.minimum(TIME_S / 0.3, 1.0).astype(np.float32)),
    "decay": (SAW * np.exp(-8.0 * TIME_S).astype(np.float32), SAW),
    "noise": (SAW, SAW + 0.01 * NOISE),
    "vibrato": (SAW, tone([1 / n for n in range(1, 12)], vibrato_cents=20.0)),
    "detune": (SAW, SAW + tone([1 / n for n in range(1, 12)], cents=12.0)),
}


@pytest.mark.parametrize("name", TRAITS)
def test_a_trait_rises_with_what_its_name_says(name):
    less, more = (TRAITS[name].measure(wave, PITCH, RATE_HZ) for wave in LESS_AND_MORE[name])
    assert more > less + 0.5


@pytest.mark.parametrize("name", TRAITS)
@pytest.mark.parametrize(
    "wave", [np.zeros(len(TIME_S), "f4"), NOISE, SAW[: RATE_HZ // 4]], ids=["silence", "noise", "short"]
)
def test_a_trait_of_any_sound_is_a_number_or_none(name, wave):
    assert not np.isinf(TRAITS[name].measure(wave, PITCH, RATE_HZ))
