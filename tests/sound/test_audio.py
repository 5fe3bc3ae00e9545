import io

import numpy as np
import pytest
import soundfile

from samplepack.sound.audio import Audio, encode, resample


def sine(rate_hz, frequency_hz=1000.0, seconds=1.0, level=0.5):
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    return Audio((level * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)[np.newaxis], rate_hz)


@pytest.mark.parametrize(("bits", "file", "error_db"), [(16, "wav", -90), (24, "wav", -138), (24, "flac", -138)])
def test_what_is_read_back_is_what_was_written_up_to_one_step(bits, file, error_db):
    audio = sine(48000)
    samples, rate_hz = soundfile.read(io.BytesIO(encode(audio, file, bits, dither_seed=1)), always_2d=True)
    assert rate_hz == 48000
    error = samples.T - audio.samples
    assert np.abs(error).max() <= 2.0 / 2 ** (bits - 1)
    assert 20 * np.log10(np.sqrt((error**2).mean())) < error_db


def test_float_files_hold_the_samples_bit_for_bit_and_no_time_of_day():
    audio = sine(44100, level=1.5)
    encoded = encode(audio, "wav", 32, dither_seed=0)
    samples, _ = soundfile.read(io.BytesIO(encoded), dtype="float32", always_2d=True)
    assert np.array_equal(samples.T, audio.samples)
    peak = encoded.index(b"PEAK")
    assert encoded[peak + 12 : peak + 16] == bytes(4)


def test_integers_are_clipped_not_wrapped():
    for bits in (16, 24):
        samples, _ = soundfile.read(io.BytesIO(encode(sine(48000, level=1.5), "wav", bits, 0)))
        assert samples.max() == pytest.approx(1.0, abs=1e-4) and samples.min() == -1.0


def test_dither_is_noise_that_the_seed_decides():
    quiet = sine(48000, level=0.2 / 2**15)
    assert encode(quiet, "wav", 16, 5) == encode(quiet, "wav", 16, 5)
    assert encode(quiet, "wav", 16, 5) != encode(quiet, "wav", 16, 6)
    samples, _ = soundfile.read(io.BytesIO(encode(quiet, "wav", 16, 5)))
    tone = quiet.samples[0] / np.linalg.norm(quiet.samples[0])
    # A tone far below one step survives: that is what dither is for.
    assert samples @ tone == pytest.approx(np.linalg.norm(quiet.samples[0]), rel=0.2)


@pytest.mark.parametrize("rate_hz", [44100, 48000, 96000])
def test_resampling_a_tone_keeps_it_and_adds_nothing(rate_hz):
    resampled = resample(sine(16000), rate_hz)
    expected = sine(rate_hz)
    n = resampled.samples.shape[1]
    inner = slice(n // 10, n - n // 10)
    error = resampled.samples[0, inner] - expected.samples[0, :n][inner]
    assert 20 * np.log10(np.abs(error).max()) < -110
