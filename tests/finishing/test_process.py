import subprocess
import sys

import numpy as np
import pedalboard
import pytest
from pydantic import ValidationError

from samplepack.finishing import process
from samplepack.sound.audio import Audio


def effect(name, **parameters):
    return process.Step.model_validate({name: parameters}).effect


def noise(rate_hz=16000, seconds=1.0):
    return Audio(np.random.RandomState(1).uniform(-0.5, 0.5, (1, int(rate_hz * seconds))).astype(np.float32), rate_hz)


def test_every_built_in_effect_of_pedalboard_is_there():
    expected = {
        "Bitcrush", "Chorus", "Clipping", "Compressor", "Convolution", "Delay", "Distortion", "GSMFullRateCompressor",
        "Gain", "HighShelfFilter", "HighpassFilter", "Invert", "LadderFilter", "Limiter", "LowShelfFilter",
        "LowpassFilter", "MP3Compressor", "NoiseGate", "PeakFilter", "Phaser", "PitchShift", "Resample", "Reverb",
    }  # fmt: skip
    assert expected <= set(process.EFFECTS)
    assert not {"ExternalPlugin", "Chain", "Plugin"} & set(process.EFFECTS)


@pytest.mark.parametrize("name", sorted(set(process.EFFECTS) - {"Convolution", "VST3Plugin"}))
def test_an_effects_defaults_are_pedalboards_own(name):
    ours, theirs = effect(name), getattr(pedalboard, name)()
    played = process.apply([ours], noise(48000))
    assert np.array_equal(played.samples, theirs(noise(48000).samples, 48000))


def test_parameters_reach_pedalboard_enums_among_them():
    plugin = effect("LadderFilter", mode="HPF24", cutoff_hz=500).plugin()
    assert plugin.mode == pedalboard.LadderFilter.Mode.HPF24
    assert plugin.cutoff_hz == 500


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Reverb", {"room_size": 1.5}),
        ("Chorus", {"feedback": 2.0}),
        ("Phaser", {"centre_frequency_hz": -1.0}),
        ("HighpassFilter", {"cutoff_frequency_hz": float("nan")}),
        ("MP3Compressor", {"vbr_quality": float("nan")}),
        ("Gain", {"gain_db": 1e6}),
        ("Gain", {"gain_db": "loud"}),
        ("LadderFilter", {"mode": "LPF99"}),
        ("BrickwallLimiter", {"lookahead_ms": 0.0}),
        ("Convolution", {"impulse_response_filename": "nowhere.wav"}),
        ("Convolution", {}),
    ],
)
def test_values_that_cannot_be_played_are_refused(name, parameters):
    with pytest.raises(ValidationError):
        effect(name, **parameters)


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
    finished = process.finish(note, [echo], 48000, process.tail_s([echo], 48000))
    assert finished.duration_s == pytest.approx(2.0, abs=0.05)
    dry = process.finish(note, [], 48000, 0.0)
    assert dry.duration_s == pytest.approx(1.0, abs=0.01)


def test_silence_at_the_start_is_cut_and_the_ends_are_faded():
    late = Audio(np.concatenate([np.zeros((1, 8000), np.float32), noise().samples], axis=1), 16000)
    assert process.onset(late) == 8000
    finished = process.finish(noise(), [], 16000, 0.0)
    assert finished.duration_s == pytest.approx(1.0, abs=0.001)
    assert finished.samples[0, 0] == 0.0 and abs(finished.samples[0, -1]) < 0.02


def test_a_silent_note_stays_silent_and_whole():
    silent = Audio(np.zeros((1, 16000), np.float32), 16000)
    finished = process.finish(silent, [effect("Reverb")], 48000, 0.5)
    assert not finished.samples.any() and finished.duration_s > 0.9


def test_an_effect_that_cannot_play_at_a_rate_is_found_out():
    assert "MP3 only supports" in process.failure([effect("MP3Compressor")], 96000)
    assert process.failure([effect("MP3Compressor")], 48000) is None


def test_effects_are_the_same_where_pedalboard_loads_other_plugins_too():
    """On macOS Pedalboard has `AudioUnitPlugin`, whose signature is no effect's."""
    program = "import pedalboard\nfrom samplepack.finishing.process import EFFECTS\nprint(sorted(EFFECTS))\n"
    as_on_macos = program.replace("\n", "\npedalboard.AudioUnitPlugin = pedalboard.VST3Plugin\n", 1)
    plain, mac = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
        for text in (program, as_on_macos)
    )
    assert mac == plain and "VST3Plugin" in mac and "AudioUnitPlugin" not in mac
