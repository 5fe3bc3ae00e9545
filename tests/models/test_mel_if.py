"""The spectral path alone, against Magenta's."""

import numpy as np

from samplepack.models.backend import start_backend
from tests.helpers.differences import relative_rms
from tests.helpers.places import FIXTURES

start_backend()

from samplepack.models.mel_if import (  # noqa: E402
    MelToSound,
    SoundToMel,
    linear_to_mel_matrix,
    mel_to_linear_matrix,
)


def test_mel_matrices_are_magentas_widened_bands_and_all():
    golden = np.load(FIXTURES / "mel.npz")
    matrix = linear_to_mel_matrix(1024, 16000)
    assert np.abs(matrix - golden["linear_to_mel"]).max() < 1e-9
    assert np.abs(mel_to_linear_matrix(matrix) - golden["mel_to_linear"]).max() < 1e-9


def test_magentas_network_output_becomes_magentas_wave():
    golden = np.load(FIXTURES / "magenta-tiny" / "golden.npz")
    denormalised = (golden["network_output_0"] - [0.113718730221, 0.0]) / [0.0661371661726, 0.8]
    to_sound = MelToSound(128, 1024, 64000, 16000, "direct", 0.0)
    wave = np.asarray(to_sound(denormalised[np.newaxis].astype("float32")))
    assert relative_rms(wave, golden["waves"][:1]) < 5e-4


def test_the_starter_decoded_the_direct_way_agrees_with_its_reference():
    golden = np.load(FIXTURES / "starter-golden.npz")
    denormalised = (golden["network_output_0"] - [0.113718730221, 0.0]) / [0.0661371661726, 0.8]
    to_sound = MelToSound(128, 1024, 64000, 16000, "direct", 0.0)
    wave = np.asarray(to_sound(denormalised[np.newaxis].astype("float32")))
    assert relative_rms(wave, golden["waves_direct_0"][np.newaxis]) < 1e-4


def test_silence_without_a_peak_stays_silent_and_finite_when_locked_to_peaks():
    silent = np.zeros((1, 8, 64, 2), "float32")
    silent[..., 0] = -30.0
    wave = np.asarray(MelToSound(8, 64, 300, 16000, "peak-locked", 0.0)(silent))
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() < 1e-2


def test_a_wave_becomes_the_spectrogram_that_magenta_makes_of_it():
    golden = np.load(FIXTURES / "spectral.npz")
    made, theirs = SoundToMel(128, 1024, 16000)(golden["wave"][np.newaxis])[0, golden["frames"]], golden["melspecgram"]
    heard = theirs[..., 0] > theirs[..., 0].max() - np.log(1e6)
    assert np.abs(made - theirs)[..., 0][heard].max() < 2e-3
    turned = made[..., 1] - theirs[..., 1]
    assert np.abs(turned - 2.0 * np.round(turned / 2.0))[heard].max() < 2e-3
    np.testing.assert_allclose(made[0, :, 1], theirs[0, :, 1], atol=1e-5)  # a phase, not unwrapped


def test_a_wave_comes_back_from_its_spectrogram_as_loud_as_it_was():
    time_s = np.arange(64000) / 16000
    tone = sum(0.1 * np.sin(2.0 * np.pi * 220.0 * k * time_s) for k in range(1, 8)).astype("float32")
    back = np.asarray(MelToSound(128, 1024, 64000, 16000, "peak-locked", 0.0)(SoundToMel(128, 1024, 16000)(tone[None])))
    middle = slice(8000, 56000)
    assert abs(20.0 * np.log10(np.std(back[0, middle]) / np.std(tone[middle]))) < 1.0
