import numpy as np
import pytest

from samplepack.finishing.stereo import measure_width, narrowed
from samplepack.sound.audio import Audio
from tests.helpers.tones import tone


def wide(correlation, seed=1):
    a, b = np.random.RandomState(seed).standard_normal((2, 48000))
    samples = np.stack([a, correlation * a + np.sqrt(1 - correlation**2) * b])
    return Audio((0.1 * samples).astype(np.float32), 48000)


@pytest.mark.parametrize("correlation", [-0.3, 0.0, 0.17, 0.45])
def test_a_sound_that_is_too_wide_is_made_narrower_and_its_sum_stays(correlation):
    audio = wide(correlation)
    after = narrowed(audio)
    width = measure_width(after)
    assert measure_width(audio).correlation == pytest.approx(correlation, abs=0.02)
    assert width.correlation == pytest.approx(0.6, abs=0.01) and -1.01 < width.mono_db < -0.9
    assert np.allclose(after.samples.sum(axis=0), audio.samples.sum(axis=0), atol=1e-6)


def test_a_sound_is_as_wide_as_its_widest_second():
    """A held key repeats its loop, which may be wider than the rest of the note."""
    late = Audio(np.concatenate([wide(0.95).samples, wide(0.95).samples, wide(0.2, 2).samples], axis=1), 48000)
    assert measure_width(late).correlation == pytest.approx(0.2, abs=0.03)
    loop = narrowed(late).samples[:, 96000:]
    assert np.corrcoef(loop)[0, 1] == pytest.approx(0.6, abs=0.02)
    hiss = Audio(np.concatenate([wide(0.95).samples, 0.01 * wide(0.0, 2).samples], axis=1), 48000)
    assert narrowed(hiss) is hiss  # 40 dB below the rest


def test_a_sound_that_is_narrow_enough_or_mono_stays_as_it_is():
    for audio in (wide(0.7), tone(60), Audio(np.zeros((2, 100), np.float32), 48000)):
        assert narrowed(audio) is audio
    assert measure_width(tone(60)) is None
    assert measure_width(wide(1.0)).mono_db == pytest.approx(0.0, abs=0.01)
