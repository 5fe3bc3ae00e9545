"""The spectral path alone, against Magenta's."""

import numpy as np
import pytest
from pydantic import ValidationError

from samplepack.models.backend import start_backend
from tests.helpers.differences import relative_rms
from tests.helpers.places import FIXTURES

start_backend()

from samplepack.evaluation.measures import noise_db, noise_of_bands_db  # noqa: E402
from samplepack.models.config import Analysis, Decoder, GANSynthConfig, Normaliser, Spectra  # noqa: E402
from samplepack.models.mel_if import (  # noqa: E402
    MelToSound,
    SoundToMel,
    linear_to_mel_matrix,
    mel_to_linear_matrix,
)


def sizes(phase="peak-locked", **others):
    normaliser = Normaliser(magnitude=(0.07, 0.1), frequency=(0.8, 0.0))
    about = {"family": "gansynth", "latent_dim": 1, "pitches": (60, 60), "sample_rate_hz": 16000, "start": (1, 1)}
    decoder = Decoder(phase=phase)
    return GANSynthConfig(**about | others, channels=(1,), normaliser=normaliser, decoder=decoder)


def magentas(phase):
    return sizes(phase, frames=128, bins=1024, samples=64000)


def test_mel_matrices_are_magentas_widened_bands_and_all():
    golden = np.load(FIXTURES / "mel.npz")
    matrix = linear_to_mel_matrix(1024, 16000)
    assert np.abs(matrix - golden["linear_to_mel"]).max() < 1e-9
    assert np.abs(mel_to_linear_matrix(matrix) - golden["mel_to_linear"]).max() < 1e-9


def test_magentas_network_output_becomes_magentas_wave():
    golden = np.load(FIXTURES / "magenta-tiny" / "golden.npz")
    denormalised = (golden["network_output_0"] - [0.113718730221, 0.0]) / [0.0661371661726, 0.8]
    to_sound = MelToSound(magentas("direct"))
    wave = np.asarray(to_sound(denormalised[np.newaxis].astype("float32")))
    assert relative_rms(wave, golden["waves"][:1]) < 5e-4


def test_the_starter_decoded_the_direct_way_agrees_with_its_reference():
    golden = np.load(FIXTURES / "starter-golden.npz")
    denormalised = (golden["network_output_0"] - [0.113718730221, 0.0]) / [0.0661371661726, 0.8]
    to_sound = MelToSound(magentas("direct"))
    wave = np.asarray(to_sound(denormalised[np.newaxis].astype("float32")))
    assert relative_rms(wave, golden["waves_direct_0"][np.newaxis]) < 1e-4


def test_silence_without_a_peak_stays_silent_and_finite_when_locked_to_peaks():
    silent = np.zeros((1, 8, 64, 2), "float32")
    silent[..., 0] = -30.0
    wave = np.asarray(MelToSound(sizes(frames=8, bins=64, samples=300))(silent))
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() < 1e-2


def test_a_wave_becomes_the_spectrogram_that_magenta_makes_of_it():
    golden = np.load(FIXTURES / "spectral.npz")
    made, theirs = (
        SoundToMel(magentas("peak-locked"))(golden["wave"][np.newaxis])[0, golden["frames"]],
        golden["melspecgram"],
    )
    heard = theirs[..., 0] > theirs[..., 0].max() - np.log(1e6)
    assert np.abs(made - theirs)[..., 0][heard].max() < 2e-3
    turned = made[..., 1] - theirs[..., 1]
    assert np.abs(turned - 2.0 * np.round(turned / 2.0))[heard].max() < 2e-3
    np.testing.assert_allclose(made[0, :, 1], theirs[0, :, 1], atol=1e-5)  # a phase, not unwrapped


def test_a_wave_comes_back_from_its_spectrogram_as_loud_as_it_was():
    time_s = np.arange(64000) / 16000
    tone = sum(0.1 * np.sin(2.0 * np.pi * 220.0 * k * time_s) for k in range(1, 8)).astype("float32")
    back = np.asarray(MelToSound(magentas("peak-locked"))(SoundToMel(magentas("peak-locked"))(tone[None])))
    middle = slice(8000, 56000)
    assert abs(20.0 * np.log10(np.std(back[0, middle]) / np.std(tone[middle]))) < 1.0


FULL_BAND = {"sample_rate_hz": 48000, "frames": 64, "bins": 384, "samples": 48000}


@pytest.mark.parametrize(("fft_size", "hop"), [(3072, 768), (2048, 512), (4096, 512)])
def test_a_tone_at_48_khz_comes_back_as_loud_and_as_high_from_frames_of_any_size(fft_size, hop):
    config = sizes(**FULL_BAND | {"frames": 52000 // hop}, analysis=Analysis(fft_size=fft_size, hop=hop))
    time_s = np.arange(48000) / 48000
    tone = sum(0.1 * np.sin(2.0 * np.pi * 440.0 * k * time_s + k) for k in range(1, 40)).astype("float32")
    back = np.asarray(MelToSound(config)(SoundToMel(config)(tone[None])))[0]
    middle = slice(12000, 36000)
    assert abs(20.0 * np.log10(np.std(back[middle]) / np.std(tone[middle]))) < 0.5
    spectra = [np.abs(np.fft.rfft(wave[middle] * np.hanning(24000))) for wave in (tone, back)]
    for partial in range(1, 40):
        near = slice(220 * partial - 20, 220 * partial + 21)  # bins are 2 Hz apart
        assert abs(int(np.argmax(spectra[0][near])) - int(np.argmax(spectra[1][near]))) <= 1
        powers = [np.square(spectrum[220 * partial - 100 : 220 * partial + 100]).sum() for spectrum in spectra]
        assert abs(10.0 * np.log10(powers[1] / powers[0])) < 2.5


@pytest.fixture
def noisy():
    """Decodes a tone of A4, 1.5 s long, with the given noise in each of six bands, as the note of a label."""
    spectra = Spectra(
        courses=1, hidden=1, start=384, channels=(1,), floor=-1.0, pitch_width_semitones=1.0, noise_bands=6
    )
    frames = {"frames": 96, "samples": 72000}
    config = sizes(**FULL_BAND | frames, analysis=Analysis(fft_size=3072, hop=768), spectra=spectra)
    time_s = np.arange(72000) / 48000
    tone = sum(0.1 / k * np.sin(2.0 * np.pi * 440.0 * k * time_s) for k in range(1, 50)).astype("float32")
    spectrogram, decoder = SoundToMel(config)(tone[None]), MelToSound(config)

    def decode(noise_db=None, label=0):
        if noise_db is None:
            return np.asarray(decoder(spectrogram))[0, 6000:66000]
        levels = np.broadcast_to(np.asarray(noise_db, "float32") * np.float32(np.log(10) / 10), (1, 6))
        return np.asarray(decoder(spectrogram, levels, np.array([label], "int32")))[0, 6000:66000]

    return decode


@pytest.mark.parametrize("share_db", [-40.0, -30.0, -20.0, -10.0, -3.0])
def test_noise_has_its_share_of_a_note_which_stays_as_loud(noisy, share_db):
    clean, wave = noisy(), noisy(share_db)
    assert noise_db(clean, 69, 48000) < -48.0
    assert noise_db(wave, 69, 48000) == pytest.approx(share_db - 1.6, abs=1.0)
    assert abs(20.0 * np.log10(np.std(wave) / np.std(clean))) < 0.5


def test_noise_lies_in_its_bands_alone(noisy):
    wave = noisy([-60.0, -60.0, -60.0, -15.0, -60.0, -60.0])
    edges_hz = 700.0 * np.expm1(np.linspace(0.0, np.log1p(24000.0 / 700.0), 7))
    of_bands_db = noise_of_bands_db(wave, 69, 48000, edges_hz)
    assert of_bands_db[3] == pytest.approx(-16.6, abs=2.5)
    assert max(of_bands_db[0], of_bands_db[5]) < -35.0


def test_keys_have_noise_of_their_own_which_is_the_same_in_each_render(noisy):
    clean = noisy()
    one, other = (noisy(-20.0, label) - clean for label in (7, 8))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1
    np.testing.assert_array_equal(noisy(-20.0, 7), noisy(-20.0, 7))


def test_a_mel_bin_has_the_frequency_of_its_strongest_partial():
    config = sizes(**FULL_BAND, analysis=Analysis(fft_size=3072, hop=768))
    time_s = np.arange(48000) / 48000
    strong, weak = 10000.0, 10020.0  # in one mel bin
    wave = np.sin(2.0 * np.pi * strong * time_s) + 0.1 * np.sin(2.0 * np.pi * weak * time_s)
    spectrogram = SoundToMel(config)(0.5 * wave[None].astype("float32"))[0, 20:50]
    loudest = int(spectrogram[..., 0].mean(axis=0).argmax())
    advance = strong * 768 / 48000 * 2.0 % 2.0  # in units of π per frame
    off = spectrogram[:, loudest, 1] - advance
    assert np.abs(off - 2.0 * np.round(off / 2.0)).max() < 0.1


def test_sizes_that_contradict_each_other_are_named():
    with pytest.raises(ValidationError, match="hop is 1000; fft_size, 3072, should be"):
        Analysis(fft_size=3072, hop=1000)
    with pytest.raises(ValidationError, match="should be the lowest and the highest MIDI velocity"):
        sizes(frames=8, bins=64, velocities=(90, 40))
