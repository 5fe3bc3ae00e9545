"""Pictures of notes and clips: what their colours mean, and that the same sound gives the same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from samplepack.base.errors import InputError
from samplepack.clips import pictures
from samplepack.clips.score import PlayedNote
from samplepack.sound.audio import Audio
from samplepack.sound.constant_q import BINS_A_SEMITONE, LOWEST_PITCH

RATE_HZ = 16000


def sine(pitch, cents=0.0):
    frequency_hz = 440.0 * 2.0 ** ((pitch - 69 + cents / 100) / 12)
    wave = np.sin(2 * np.pi * frequency_hz * np.arange(2 * RATE_HZ) / RATE_HZ)
    return Audio(wave[np.newaxis].astype("float32"), RATE_HZ)


def middle_colour(audio, pitch):
    """The colour of a key's own bin in the middle of a rainbowgram."""
    image = pictures.rainbow(audio)
    return image[(pitch - LOWEST_PITCH) * BINS_A_SEMITONE, image.shape[1] // 2]


def test_in_a_rainbowgram_brightness_is_level_and_colour_is_deviation():
    image = pictures.rainbow(sine(60))
    assert image.dtype == np.float32 and image.shape[2] == 3 and 0.0 <= image.min() <= image.max() <= 1.0
    bins = image[:, image.shape[1] // 2].sum(axis=-1)
    assert abs(int(np.argmax(bins)) - (60 - LOWEST_PITCH) * BINS_A_SEMITONE) <= 1
    flat, level, sharp = (middle_colour(sine(72, cents), 72) for cents in (-15.0, 0.0, 15.0))
    # Matplotlib's rainbow: violet below, green at the key, red above.
    assert np.argmax(level) == 1 and flat[2] > level[2] and sharp[0] > level[0]


def test_the_same_clip_gives_the_same_picture(tmp_path):
    notes = [PlayedNote(60, 100, 0.0, 1.0), PlayedNote(67, 100, 1.0, 2.0)]
    for name in ("one.png", "two.png", "one.svg", "two.svg"):
        pictures.draw_clip(tmp_path / name, "Clip", sine(60), notes, (0.0, 1.0))
    for suffix in ("png", "svg"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    assert b">Clip<" in (tmp_path / "one.svg").read_bytes() or b"<!-- Clip -->" in (tmp_path / "one.svg").read_bytes()


def test_timbres_are_named_where_they_are_heard(tmp_path):
    notes = [PlayedNote(60, 100, 0.0, 1.0), PlayedNote(67, 100, 1.0, 2.0)]
    for count, named in ((2, 2), (100, 50)):
        timbres = [(2.0 * i / count, f"Timbre {i} $_$") for i in range(count)]
        pictures.draw_clip(tmp_path / "clip.svg", "Clip", sine(60), notes, (0.0, 1.0), timbres)
        assert (tmp_path / "clip.svg").read_text().count("<!-- Timbre ") == named


def test_silence_has_a_picture_and_a_stream_takes_it():
    stream = io.BytesIO()
    pictures.draw_sound(stream, "Silence", Audio(np.zeros((2, RATE_HZ), np.float32), RATE_HZ))
    assert Image.open(stream).format == "PNG"


def test_a_picture_is_png_or_svg(tmp_path):
    with pytest.raises(InputError, match="should end in .png or .svg"):
        pictures.draw_sound(tmp_path / "sound.jpg", "Sound", sine(60))
