import numpy as np
import pytest

from samplepack.sound.spectra import fast_size, hann, parabolic_peak, stft

NOISE = np.random.RandomState(0).uniform(-1.0, 1.0, 1000).astype(np.float32)


@pytest.mark.parametrize("starts", [slice(None, None, 64), slice(100, 500, 50), np.array([0, 3, 744])])
def test_each_frame_s_spectrum_is_that_of_its_windowed_samples(starts):
    spectra = stft(NOISE, hann(256), starts)
    firsts = np.arange(1000 - 256 + 1)[starts]
    assert spectra.shape == (len(firsts), 129) and spectra.dtype == np.complex64
    for first, spectrum in zip(firsts, spectra, strict=True):
        assert spectrum == pytest.approx(np.fft.rfft(NOISE[first : first + 256] * np.hanning(256)), abs=1e-4)


@pytest.mark.parametrize(("n", "size"), [(1, 1), (5, 5), (6, 6), (7, 8), (97, 128), (96, 96), (81, 96), (80, 80)])
def test_fast_sizes_are_the_least_power_of_two_or_3_or_5_times_one(n, size):
    assert fast_size(n) == size


@pytest.mark.parametrize("place", [-0.4, 0.0, 0.25])
def test_the_vertex_of_a_parabola_is_found(place):
    assert parabolic_peak(5.0 - (np.array([-1.0, 0.0, 1.0]) - place) ** 2) == pytest.approx(place)
    assert parabolic_peak(np.array([1.0, 2.0, 3.0])) == 0.0
