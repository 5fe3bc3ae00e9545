import subprocess
import sys
import warnings

import numpy as np
import pedalboard
import pytest
from pydantic import ValidationError

from samplepack.finishing.effects import EFFECTS, Step
from samplepack.finishing.process import apply
from samplepack.sound.audio import Audio, encode


def effect(name, **parameters):
    return Step.model_validate({name: parameters}).effect


def noise(rate_hz=16000, seconds=1.0):
    return Audio(np.random.RandomState(1).uniform(-0.5, 0.5, (1, int(rate_hz * seconds))).astype(np.float32), rate_hz)


def test_every_built_in_effect_of_pedalboard_is_there():
    expected = {
        "Bitcrush", "Chorus", "Clipping", "Compressor", "Convolution", "Delay", "Distortion", "GSMFullRateCompressor",
        "Gain", "HighShelfFilter", "HighpassFilter", "Invert", "LadderFilter", "Limiter", "LowShelfFilter",
        "LowpassFilter", "MP3Compressor", "NoiseGate", "PeakFilter", "Phaser", "PitchShift", "Resample", "Reverb",
    }  # fmt: skip
    assert expected <= set(EFFECTS)
    assert not {"ExternalPlugin", "Chain", "Plugin"} & set(EFFECTS)


@pytest.mark.parametrize("name", sorted(set(EFFECTS) - {"Convolution", "VST3Plugin"}))
def test_an_effects_defaults_are_pedalboards_own(name):
    ours, theirs = effect(name), getattr(pedalboard, name)()
    played = apply([ours], noise(48000))
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


def test_an_effect_that_reads_a_file_is_made_without_a_warning(tmp_path):
    impulse = tmp_path / "impulse.wav"
    impulse.write_bytes(encode(Audio(np.eye(1, 100, dtype=np.float32), 48000), "wav", 24, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convolution = effect("Convolution", impulse_response_filename=str(impulse))
        assert convolution.plugin().impulse_response_filename == str(impulse)
    assert convolution.files() == [impulse]


def test_effects_are_the_same_where_pedalboard_loads_other_plugins_too():
    """On macOS Pedalboard has `AudioUnitPlugin`, whose signature is no effect's."""
    program = "import pedalboard\nfrom samplepack.finishing.effects import EFFECTS\nprint(sorted(EFFECTS))\n"
    as_on_macos = program.replace("\n", "\npedalboard.AudioUnitPlugin = pedalboard.VST3Plugin\n", 1)
    plain, mac = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
        for text in (program, as_on_macos)
    )
    assert mac == plain and "VST3Plugin" in mac and "AudioUnitPlugin" not in mac
