import io

import numpy as np
import pytest

from samplepack.sound.audio import Audio, encode
from samplepack.sound.riff import Loop, SamplerNote, chunks, content, form, read_sampler_note

TONE = Audio(np.sin(np.arange(3001, dtype=np.float32) * 0.1)[np.newaxis] * np.float32(0.5), 48000)


@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("note", [SamplerNote(60, None), SamplerNote(36, Loop(100, 2999))])
def test_a_wav_s_root_key_and_loop_are_read_back_as_written_and_its_sound_stays(bits, note):
    plain, stated = encode(TONE, "wav", bits, 0), encode(TONE, "wav", bits, 0, note)
    assert read_sampler_note(io.BytesIO(stated)) == note
    assert read_sampler_note(io.BytesIO(plain)) is None
    assert _sound(stated) == _sound(plain)
    assert int.from_bytes(stated[4:8], "little") == len(stated) - 8


def test_no_root_key_is_read_from_what_is_no_wav_or_cut_off():
    stated = encode(TONE, "wav", 24, 0, SamplerNote(60, Loop(100, 2999)))
    assert form(io.BytesIO(stated)) == b"WAVE"
    assert read_sampler_note(io.BytesIO(b"")) is None
    assert read_sampler_note(io.BytesIO(encode(TONE, "flac", 24, 0, SamplerNote(60, None)))) is None
    assert read_sampler_note(io.BytesIO(stated[:-40])) is None
    assert read_sampler_note(io.BytesIO(stated[:-4])) == SamplerNote(60, None)


def test_a_float_wav_holds_no_time_of_writing():
    encoded = io.BytesIO(encode(TONE, "wav", 32, 0))
    (peak,) = [content(encoded, chunk) for chunk in chunks(encoded) if chunk.name == b"PEAK"]
    assert peak[4:8] == bytes(4)


def _sound(wav):
    file = io.BytesIO(wav)
    return [content(file, chunk) for chunk in chunks(file) if chunk.name == b"data"]
