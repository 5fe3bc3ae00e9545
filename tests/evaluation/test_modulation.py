"""Vibrato and tremolo of tones whose pitch and level change in a known way."""

import numpy as np
import pytest

from samplepack.evaluation.modulation import tremolo, vibrato
from samplepack.sound.pitch import pitch_hz

RATES = (16000, 44100, 48000)


def modulated(pitch, rate_hz=16000, vibrato=(5.0, 0.0), tremolo=(5.0, 0.0), seconds=4.0, decay_s=10.0):
    """A tone of partials whose levels fall by 6 dB an octave; depths are greatest deviations, in cents and dB."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    (vibrato_hz, cents), (tremolo_hz, db) = vibrato, tremolo
    frequency_hz = pitch_hz(pitch) * 2.0 ** (cents / 1200.0 * np.sin(2 * np.pi * vibrato_hz * time_s))
    phase = 2 * np.pi * np.cumsum(frequency_hz) / rate_hz
    wave = sum(np.sin(k * phase) / k for k in range(1, min(30, int(0.4 * rate_hz / pitch_hz(pitch))) + 1))
    level = 10.0 ** (db / 20.0 * np.sin(2 * np.pi * tremolo_hz * time_s)) * np.exp(-time_s / decay_s)
    return (0.4 * wave * level).astype("float32")


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch", [36, 60, 84])
def test_a_vibrato_has_its_rate_and_depth(pitch, rate_hz):
    found = vibrato(modulated(pitch, rate_hz, vibrato=(5.5, 30.0)), pitch, rate_hz)
    assert found.is_clear
    assert found.rate_hz == pytest.approx(5.5, abs=0.05) and found.depth == pytest.approx(30.0, rel=0.05)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch", [36, 60, 84])
def test_a_tremolo_has_its_rate_and_depth(pitch, rate_hz):
    found = tremolo(modulated(pitch, rate_hz, tremolo=(6.5, 3.0)), rate_hz)
    assert found.is_clear
    assert found.rate_hz == pytest.approx(6.5, abs=0.05) and found.depth == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("hz", [3.5, 8.0, 11.0])
def test_slow_and_fast_changes_are_as_deep(hz):
    both = modulated(60, vibrato=(hz, 60.0), tremolo=(hz, 1.5), decay_s=1.5)
    assert vibrato(both, 60, 16000).depth == pytest.approx(60.0, rel=0.06)
    assert tremolo(both, 16000).depth == pytest.approx(1.5, rel=0.06)


@pytest.mark.parametrize("pitch", [36, 60, 84])
@pytest.mark.parametrize("decay_s", [0.3, 1.0, 10.0])
def test_a_steady_or_decaying_tone_has_neither(pitch, decay_s):
    steady = modulated(pitch, decay_s=decay_s)
    for found in (vibrato(steady, pitch, 16000), tremolo(steady, 16000)):
        assert not found.is_clear and found.depth < 1.0


def test_each_is_found_without_the_other():
    trembling = modulated(60, tremolo=(6.0, 6.0))
    assert not vibrato(trembling, 60, 16000).is_clear
    swaying = modulated(60, vibrato=(6.0, 50.0))
    assert not tremolo(swaying, 16000).is_clear


def test_irregular_changes_are_neither():
    noise = np.random.default_rng(0).standard_normal(64000).astype("float32")
    assert not vibrato(noise, 60, 16000).is_clear and not tremolo(noise, 16000).is_clear


def test_short_and_silent_notes_are_not_measured():
    for wave in (modulated(60, seconds=1.2), np.zeros(64000, "float32"), modulated(60, decay_s=0.1)):
        assert vibrato(wave, 60, 16000) is None and tremolo(wave, 16000) is None
