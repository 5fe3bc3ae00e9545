"""Single cycles of notes: levels of partials, phases, loudness, and what isn't in them."""

import numpy as np
import pytest

from samplepack.finishing.wavetable import FRAME, partial_amplitudes, wavetable
from samplepack.sound.audio import Audio
from samplepack.sound.loudness import loudness_lufs
from samplepack.sound.pitch import pitch_hz


def note(levels_db, pitch=48, rate_hz=48000, seconds=3.0, seed=0, off_cents=0.0, falls_db=0.0):
    """A note whose partials have given levels, random phases, and fall over time."""
    random = np.random.RandomState(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.zeros(len(time_s))
    for number, level_db in enumerate(levels_db, start=1):
        hz = number * pitch_hz(pitch) * 2.0 ** (off_cents * random.uniform(-1, 1) / 1200.0)
        wave += 10.0 ** (level_db / 20.0) * np.cos(2.0 * np.pi * (hz * time_s + random.uniform()))
    wave *= 10.0 ** (-falls_db * time_s / seconds / 20.0)
    return Audio((0.05 * wave).astype(np.float32)[np.newaxis], rate_hz)


def levels_of(cycle, partials):
    return 20.0 * np.log10(np.abs(np.fft.rfft(cycle))[1 : partials + 1])


@pytest.mark.parametrize("pitch", [36, 48, 60])
@pytest.mark.parametrize(("off_cents", "falls_db"), [(0.0, 0.0), (3.0, 0.0), (2.0, 12.0)])
def test_partials_have_the_levels_of_the_notes(pitch, off_cents, falls_db):
    random = np.random.RandomState(3)
    wanted = [-0.8 * np.arange(32) + random.uniform(-6, 6, 32) for _ in range(3)]
    notes = [note(levels, pitch, seed=i, off_cents=off_cents, falls_db=falls_db) for i, levels in enumerate(wanted)]
    for cycle, levels_db in zip(wavetable(notes, pitch, -1.0), wanted, strict=True):
        off_db = levels_of(cycle, 32) - levels_db
        assert np.ptp(off_db) < 0.5


def test_noise_around_partials_counts_and_noise_between_them_does_not():
    noise = Audio(np.random.RandomState(0).normal(0, 0.1, (1, 144000)).astype(np.float32), 48000)
    amplitudes = partial_amplitudes(noise, 48)
    held = noise.samples[:, 12000:132000]
    assert np.sum(amplitudes**2) / 2.0 == pytest.approx(0.5 * np.mean(held**2), rel=0.03)


def test_a_crossfade_of_two_cycles_loses_nothing():
    one, two = wavetable([note([0, -3, -6], seed=1), note([0, -12, -2], seed=2)], 48, -1.0).astype(np.float64)
    mixed = np.abs(np.fft.rfft(0.5 * (one + two)))[1:4]
    assert mixed == pytest.approx(0.5 * (np.abs(np.fft.rfft(one)) + np.abs(np.fft.rfft(two)))[1:4], rel=1e-3)


def test_cycles_are_evenly_loud_without_offset_and_reach_the_peak():
    notes = [note([0]), note([-20] * 20, seed=1), note(-3.0 * np.arange(30), seed=2)]
    frames = wavetable(notes, 48, -3.0)
    assert frames.shape == (3, FRAME) and frames.dtype == np.float32
    assert np.max(np.abs(frames)) == pytest.approx(10.0 ** (-3.0 / 20.0), rel=1e-5)
    assert np.max(np.abs(frames.mean(axis=1))) < 1e-6
    # Played at 48000 / 2048 Hz · 5, which takes every fifth sample round and round.
    played = [Audio(np.resize(frame[::5], (1, 48000)), 48000) for frame in np.tile(frames, 5)]
    assert np.ptp([loudness_lufs(audio) for audio in played]) < 0.3


def test_no_partial_lies_beyond_those_of_the_note():
    cycle = wavetable([note([0] * 8, 60), note([0] * 8, 60, seed=1)], 60, -1.0)[0]
    spectrum = np.abs(np.fft.rfft(cycle))
    assert spectrum[1:9].min() > 1000.0 * spectrum[10:].max()


def test_silence_and_short_notes_give_cycles():
    silent = Audio(np.zeros((1, 48000), np.float32), 48000)
    short = note([0, -6], seconds=0.05)
    frames = wavetable([silent, note([0]), short], 48, -1.0)
    assert not frames[0].any() and np.isfinite(frames).all()
    assert not wavetable([silent, silent], 48, -1.0).any()
