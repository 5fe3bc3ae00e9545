"""Reading the sound of one note for a fit."""

import numpy as np
import pytest
import soundfile

from samplepack.base.errors import InputError
from samplepack.datasets.one_note import read_note
from tests.helpers.bad_sounds import BAD_SOUNDS, write_sound
from tests.helpers.tones import RATE_HZ
from tests.helpers.tones import steady_wave as tone


@pytest.mark.parametrize("rate_hz", [8000, 44100, 192000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_note_is_read_from_its_onset_at_any_rate(tmp_path, rate_hz, channels):
    wave = np.concatenate([np.zeros(rate_hz // 2), tone(60, rate_hz), np.zeros(rate_hz)])
    soundfile.write(tmp_path / "a.wav", np.repeat(wave[:, None], channels, axis=1), rate_hz)
    note = read_note(tmp_path / "a.wav", RATE_HZ, 64000, range(24, 85))
    assert note.pitch == 60 and note.wave.shape == (64000,) and note.wave.dtype == np.float32
    assert np.abs(note.wave).max() == pytest.approx(0.8, abs=1e-6)
    assert np.flatnonzero(np.abs(note.wave) > 0.02)[0] < 0.008 * RATE_HZ


def test_a_long_note_is_cut_without_a_click(tmp_path):
    soundfile.write(tmp_path / "a_60.wav", tone(60, seconds=6.0), RATE_HZ)
    wave = read_note(tmp_path / "a_60.wav", RATE_HZ, 64000, range(24, 85)).wave
    assert len(wave) == 64000 and abs(wave[-1]) < 1e-4


@pytest.mark.parametrize("name", BAD_SOUNDS)
def test_a_bad_sound_is_told(tmp_path, name):
    samples, told = BAD_SOUNDS[name]
    write_sound(tmp_path / name, samples)
    with pytest.raises(InputError) as raised:
        read_note(tmp_path / name, RATE_HZ, 64000, range(24, 85))
    assert str(raised.value).startswith(f"{tmp_path / name}: {told}")
