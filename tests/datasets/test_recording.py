"""Sets from recordings, which are cut into their notes."""

import numpy as np
import pytest
import soundfile

from samplepack.base.errors import InputError
from samplepack.datasets import recording
from tests.helpers.notes import RATE_HZ, places, tone, write


def test_a_recording_is_cut_into_its_notes(folder, made):
    pause = np.zeros(RATE_HZ // 2, np.float32)
    parts = [pause]
    for pitch in (60, 64, 67, 60, 30 - 12):
        parts += [tone(pitch, 0.7), pause]
    parts += [tone(72, 0.7), tone(73, 0.7), tone(74, 0.7)]  # and three without a pause
    write(folder / "scale.flac", np.concatenate(parts))
    contents = made(folder / "scale.flac", instrument="Harp")
    assert places(contents) == [("Harp", pitch) for pitch in (60, 64, 67, 72, 73, 74)]
    assert contents.notes[1].source == "scale.flac at 0:01.69"
    assert len(contents.dropped) == 2


@pytest.mark.parametrize("sound", ["faded in", "a click"])
def test_a_recording_without_an_onset_is_told(folder, made, sound):
    wave = np.zeros(4 * RATE_HZ, np.float32)
    if sound == "a click":
        wave[0] = 0.9
    else:
        wave = np.sin(np.arange(4 * RATE_HZ) * 2 * np.pi * 440 / RATE_HZ) * np.linspace(0, 1, 4 * RATE_HZ) ** 4
    with pytest.raises(InputError):
        made(write(folder / "x.wav", wave.astype(np.float32)))


def test_a_recording_is_never_in_memory_as_a_whole(folder, monkeypatch):
    monkeypatch.setattr(recording, "_BLOCK_FRAMES", 7)
    wave = np.concatenate([np.concatenate([tone(p, 0.7), np.zeros(8000)]) for p in (60, 62, 64)])
    path = write(folder / "x.wav", wave)
    most = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n, **how: most.append(n) or read(self, n, **how))
    level = recording.follow_level(path)
    in_blocks = recording.follow_rise(path, level.max())
    assert max(most) == 7 * RATE_HZ // 100
    monkeypatch.setattr(recording, "_BLOCK_FRAMES", 10**6)
    np.testing.assert_allclose(in_blocks, recording.follow_rise(path, level.max()), atol=1e-4)
    starts = [first for first, _ in recording.find_notes(level, in_blocks)]
    assert starts == pytest.approx([0, 120, 240], abs=3)


@pytest.mark.parametrize("content", [b"", b"not a sound", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"RIFF\x04\0\0\0sfbk"])
def test_a_file_that_is_no_sound_is_told(folder, made, content):
    (folder / "x.wav").write_bytes(content)
    with pytest.raises(InputError, match="x.wav"):
        made(folder / "x.wav")


def test_a_recording_of_silence_or_at_no_rate_is_told(folder, made):
    with pytest.raises(InputError, match="50 Hz"):
        made(write(folder / "y.wav", tone(60), 50))
    with pytest.raises(InputError, match="silent"):
        made(write(folder / "x.wav", np.zeros(RATE_HZ)))
