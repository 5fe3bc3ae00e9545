"""The phrases that instruments play."""

import numpy as np
import pytest
import soundfile

from samplepack.clips.score import PlayedNote
from samplepack.formats.instrument import Instrument, Playing, Range, Zone
from samplepack.pack import previews
from samplepack.sound.audio import Audio, encode, read
from samplepack.sound.loudness import true_peak_db
from samplepack.sound.riff import Loop
from tests.helpers.packs import build, files

RATE_HZ = 48000


def sine(hz, seconds, level=0.1):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def zone(folder, name, wave, **more):
    audio = Audio(wave[np.newaxis], RATE_HZ)
    (folder / name).write_bytes(encode(audio, "wav", 32, 0))
    return Zone(name, len(wave), 60, Range(48, 72), **more)


def strength(wave, hz):
    """The level of a frequency in a stretch of sound."""
    window = np.hanning(len(wave))
    return abs(np.dot(wave * window, np.exp(-2j * np.pi * hz * np.arange(len(wave)) / RATE_HZ))) * 2 / window.sum()


@pytest.fixture
def one_note(monkeypatch):
    """Phrases are one note: of key 60 for 4 s."""
    monkeypatch.setattr(previews, "phrase", lambda instrument: [PlayedNote(60, 127, 0.0, 4.0)])


def test_a_loop_holds_a_note_without_a_seam_and_then_it_is_released(tmp_path, one_note):
    looped = zone(tmp_path, "a.wav", sine(480.0, 1.0), loop=Loop(4800, 38399))  # whole periods of 100 samples
    played = previews.play_phrase(tmp_path, Instrument("A", (looped,), playing=Playing(release_s=0.5)))
    wave = played.samples[0]
    assert played.duration_s == pytest.approx(4.5, abs=0.01)
    held = wave[100 : 4 * RATE_HZ]
    assert np.abs(held - sine(480.0, 4.0)[100:]).max() < 1e-4
    assert np.abs(wave[-480:]).max() < 1e-4


def test_the_wheel_goes_up_and_down_again_over_a_morph(tmp_path, one_note):
    layers = {"low": (480.0, Range(0, 127, 0, 127)), "high": (960.0, Range(0, 127, 127, 0))}
    zones = [
        zone(tmp_path, f"{name}.wav", sine(hz, 1.0), wheel=wheel, loop=Loop(4800, 38399))
        for name, (hz, wheel) in layers.items()
    ]
    wave = previews.play_phrase(tmp_path, Instrument("A", tuple(zones))).samples[0]
    start, middle, end = (wave[int(t * RATE_HZ) :][:4800] for t in (0.01, 1.95, 3.85))
    for stretch, loud, silent in ((start, 480.0, 960.0), (middle, 960.0, 480.0), (end, 480.0, 960.0)):
        assert strength(stretch, loud) > 10 * strength(stretch, silent)


def test_a_key_beside_a_sound_plays_it_at_the_keys_own_pitch(tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "phrase", lambda instrument: [PlayedNote(67, 127, 0.0, 1.0)])
    wave = previews.play_phrase(tmp_path, Instrument("A", (zone(tmp_path, "a.wav", sine(440.0, 3.0)),))).samples[0]
    spectrum = np.abs(np.fft.rfft(wave[4800:43200] * np.hanning(38400)))
    assert np.argmax(spectrum) * RATE_HZ / 38400 == pytest.approx(440.0 * 2 ** (7 / 12), abs=1.3)


def test_takes_play_in_turn_and_soft_notes_are_softer(tmp_path, monkeypatch):
    notes = [PlayedNote(60, velocity, float(i), i + 0.5) for i, velocity in enumerate((127, 127, 40))]
    monkeypatch.setattr(previews, "phrase", lambda instrument: notes)
    zones = [zone(tmp_path, f"{i}.wav", sine(hz, 1.0), turn=i + 1, turns=2) for i, hz in enumerate((480.0, 960.0))]
    wave = previews.play_phrase(tmp_path, Instrument("A", tuple(zones), "decay")).samples[0]
    first, second, third = (wave[i * RATE_HZ :][4800:19200] for i in range(3))
    assert strength(first, 480.0) > 0.09 > 0.01 > strength(first, 960.0)
    assert strength(second, 960.0) > 0.09 > 0.01 > strength(second, 480.0)
    assert strength(third, 480.0) == pytest.approx(0.1 * (0.2 + 0.8 * (40 / 127) ** 2), rel=0.02)


@pytest.mark.parametrize("roots", [[60], [36, 60, 84], list(range(36, 85)), [100, 101], [24]])
@pytest.mark.parametrize("behaviour", ["sustain", "decay"])
def test_phrases_stay_within_the_sounds_and_below_ten_seconds(roots, behaviour):
    zones = tuple(Zone(f"{root}.wav", 1, root, Range(root, root)) for root in roots)
    notes = previews.phrase(Instrument("A", zones, behaviour))
    assert all(min(roots) <= note.pitch <= max(roots) for note in notes)
    assert max(note.end_s for note in notes) <= 8.0
    at_once = max(sum(other.start_s <= note.start_s < other.end_s for other in notes) for note in notes)
    if len(roots) == 49:
        assert at_once >= 4 if behaviour == "sustain" else at_once >= 2
        # A line has its notes one after another.
        assert len({note.start_s for note in notes}) == (3 if behaviour == "sustain" else 17)


def test_a_pack_has_a_preview_for_each_sound_of_its_own_and_its_manifest_lists_it(write_recipe, tmp_path):
    more = "paths: {Way: {through: [Glass, Choir], steps: 2}}\nsound: {channels: stereo, rate_hz: 96000, peak_db: -3}\n"
    recipe = write_recipe(more, timbres="{Glass: 7, Choir: 1312}", pitches="[60]")
    pack = build(recipe, tmp_path / "o", tmp_path / "c")
    assert [file for file in files(pack.folder) if file.startswith("Previews/")] == [
        "Previews/Choir.flac", "Previews/Glass.flac",
    ]  # fmt: skip
    previewed = {instrument.name: instrument.preview for instrument in pack.manifest.instruments}
    assert previewed["Way 1"] == previewed["Glass"] == "Previews/Glass.flac" in pack.manifest.files
    info = soundfile.info(pack.folder / "Previews/Glass.flac")
    assert (info.samplerate, info.channels, info.subtype) == (48000, 2, "PCM_16") and 3.0 < info.duration <= 10.0
    assert true_peak_db(read(pack.folder / "Previews/Glass.flac")) == pytest.approx(-3.0, abs=0.1)
