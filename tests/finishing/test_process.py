import numpy as np
import pytest

from samplepack.finishing import process
from samplepack.finishing.effects import Step
from samplepack.sound.audio import Audio


def effect(name, **parameters):
    return Step.model_validate({name: parameters}).effect


def noise(rate_hz=16000, seconds=1.0):
    return Audio(np.random.RandomState(1).uniform(-0.5, 0.5, (1, int(rate_hz * seconds))).astype(np.float32), rate_hz)


def test_gains_that_sum_to_nothing_give_the_input_back():
    played = process.apply([effect("Gain", gain_db=6.0), effect("Gain", gain_db=-6.0)], noise())
    assert np.allclose(played.samples, noise().samples, atol=1e-6)


def test_the_tail_of_a_delay_is_as_long_as_its_echoes():
    once = effect("Delay", delay_seconds=0.3, feedback=0.0, mix=0.5)
    assert process.tail_s([once], 48000) == pytest.approx(0.3, abs=0.01)
    # 0.5 each time: the 13th echo is the last above -80 dB
    often = effect("Delay", delay_seconds=0.3, feedback=0.5, mix=0.5)
    assert process.tail_s([often], 48000) == pytest.approx(0.3 * 13, abs=0.61)
    assert process.tail_s([effect("Gain")], 48000) == 0.0
    assert process.tail_s([], 48000) == 0.0


def test_a_tail_is_kept_whole_and_silence_after_it_is_cut():
    echo = effect("Delay", delay_seconds=1.0, feedback=0.0, mix=0.5)
    note = noise(seconds=1.0)
    finished = process.apply_chain(note, [echo], 48000, process.tail_s([echo], 48000))
    assert finished.duration_s == pytest.approx(2.0, abs=0.05)
    dry = process.apply_chain(note, [], 48000, 0.0)
    assert dry.duration_s == pytest.approx(1.0, abs=0.01)


def test_silence_at_the_start_is_cut_and_the_ends_are_faded():
    late = Audio(np.concatenate([np.zeros((1, 8000), np.float32), noise().samples], axis=1), 16000)
    assert process.onset(late) == 8000
    finished = process.apply_chain(noise(), [], 16000, 0.0)
    assert finished.duration_s == pytest.approx(1.0, abs=0.001)
    assert finished.samples[0, 0] == 0.0 and abs(finished.samples[0, -1]) < 0.02


def test_a_silent_note_stays_silent_and_whole():
    silent = Audio(np.zeros((1, 16000), np.float32), 16000)
    finished = process.apply_chain(silent, [effect("Reverb")], 48000, 0.5)
    assert not finished.samples.any() and finished.duration_s > 0.9


def test_an_effect_that_cannot_play_at_a_rate_is_found_out():
    assert "MP3 only supports" in process.failure([effect("MP3Compressor")], 96000)
    assert process.failure([effect("MP3Compressor")], 48000) is None


def test_the_offset_that_a_chain_adds_is_removed():
    names = ["Distortion", "Chorus", "Phaser", "Delay", "Reverb", "PitchShift", "Limiter"]
    chain = [effect(name, **({"drive_db": 25.0} if name == "Distortion" else {})) for name in names]
    t = np.arange(2 * 16000) / 16000
    wave = np.exp(-t) * (np.sin(2 * np.pi * 110 * t) + 0.6 * np.cos(2 * np.pi * 220 * t))
    note = Audio(wave.astype(np.float32)[np.newaxis], 16000)
    plain = process.apply(chain, Audio(process.resample(note, 48000).samples, 48000))
    assert process.offset_db(plain) > -15.0
    finished = process.apply_chain(note, chain, 48000, 1.0)
    assert process.offset_db(finished) < -40.0 and finished.duration_s < 3.1
    assert process.offset_db(Audio(np.full((2, 9), 0.5, np.float32), 9)) == pytest.approx(0.0)
