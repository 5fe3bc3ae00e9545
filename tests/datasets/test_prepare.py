"""Preparing sets of notes: what is taken, what is dropped, and what is said of it."""

import json
import os

import numpy as np
import pytest

from samplepack.base import parallel
from samplepack.base.errors import InputError
from samplepack.datasets.dataset import PEAK, read_dataset
from samplepack.datasets.prepare import parse_pitches, prepare
from samplepack.sound.audio import Audio, encode
from samplepack.sound.pitch import estimate_pitch, pitch_hz
from samplepack.sound.riff import SamplerNote
from tests.helpers.notes import RATE_HZ, SECONDS, places, tone, why, write


def test_a_folder_becomes_a_set_of_one_rate_length_and_level(folder, made, tmp_path):
    write(folder / "piano_60.wav", tone(60, rate_hz=44100), 44100)
    write(folder / "piano_62.flac", np.stack([tone(62), 0.5 * tone(62)], axis=1))
    write(folder / "piano_D#4.aiff", tone(63, rate_hz=192000, seconds=0.7), 192000, subtype="PCM_24")
    write(folder / "piano_64.wav", tone(64, rate_hz=8000), 8000, subtype="PCM_U8")
    write(folder / "piano_65.ogg", tone(65))
    write(folder / "piano_66.wav", np.concatenate([np.zeros(RATE_HZ, np.float32), tone(66, peak=0.01)]))
    (folder / "notes.txt").write_text("nothing to hear")
    (folder / "._piano_67.wav").write_text("a Mac's")
    contents = made(folder)
    assert places(contents) == [("piano", pitch) for pitch in (60, 62, 63, 64, 65, 66)] and contents.dropped == []
    assert (contents.title, contents.source, contents.rate_hz) == ("sounds", "sounds", RATE_HZ)
    prepared = read_dataset(tmp_path / "set")
    assert prepared.waves.shape == (6, int(SECONDS * RATE_HZ))
    for index, note in enumerate(contents.notes):
        wave = prepared.wave(index)
        assert np.abs(wave).max() == pytest.approx(PEAK, abs=1e-3)
        assert np.argmax(np.abs(wave) > 0.05) < 0.02 * RATE_HZ, "silence in front is cut"
        assert abs(estimate_pitch(Audio(wave[None], RATE_HZ)).cents_above(note.pitch)) < 5 and abs(note.cents) < 5
    assert contents.notes[-1].peak_db == pytest.approx(-40, abs=0.5)
    assert (tmp_path / "set" / "table.png").stat().st_size > 1000


def test_the_same_source_gives_the_same_bytes_whatever_the_map(folder, tmp_path):
    for pitch in (50, 60, 70):
        write(folder / f"x_{pitch}.wav", tone(pitch))
    for name, map_ in (("a", parallel.threads(1)), ("b", parallel.threads(3)), ("a", map)):
        prepare(folder, tmp_path / name, map_ if map_ is not map else parallel.threads(2), seconds=SECONDS)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["dataset.json", "table.png", "waves.s16"]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_what_is_cut_short_ends_in_a_fade(folder, made, tmp_path):
    write(folder / "a_60.wav", np.sin(2 * np.pi * pitch_hz(60) * np.arange(2 * RATE_HZ) / RATE_HZ))
    write(folder / "a_62.wav", np.sin(2 * np.pi * pitch_hz(62) * np.arange(RATE_HZ // 4) / RATE_HZ))
    made(folder)
    long, short = read_dataset(tmp_path / "set").waves
    assert long[-1] == 0 and np.abs(long[-400:-200]).max() > 20000
    end = np.flatnonzero(short)[-1]
    assert end < RATE_HZ // 4 and np.abs(short[end - 5 : end + 1]).max() < 2000


def test_instruments_are_named_by_files_then_folders(folder, made):
    for name in ("Strings/Cello/cello_60.wav", "Strings/Viola/C4.wav", "Winds/oboe_60.wav", "Winds/flute_60.wav"):
        write(folder / name, tone(60))
    named = {note.source: note.instrument for note in made(folder).notes}
    assert named == {
        "Strings/Cello/cello_60.wav": "Strings Cello",
        "Strings/Viola/C4.wav": "Strings Viola",
        "Winds/flute_60.wav": "Winds flute",
        "Winds/oboe_60.wav": "Winds oboe",
    }
    write(folder / "alone" / "60.wav", tone(60))
    assert places(made(folder / "alone")) == [("alone", 60)]
    assert places(made(folder / "Winds", instrument="Wind")) == [("Wind", 60)]


def test_without_a_name_the_smpl_chunk_tells_the_pitch_and_else_the_ear(folder, made):
    audio = Audio(tone(57)[None], RATE_HZ)
    (folder / "one.wav").write_bytes(encode(audio, "wav", 24, 0, SamplerNote(57, None)))
    (folder / "two.wav").write_bytes(encode(Audio(tone(71)[None], RATE_HZ), "wav", 16, 0, SamplerNote(60, None)))
    write(folder / "three.wav", tone(64))
    write(folder / "four.wav", np.random.default_rng(0).normal(0, 0.1, RATE_HZ))
    contents = made(folder)
    assert {note.source: note.pitch for note in contents.notes} == {"one.wav": 57, "three.wav": 64}
    assert why(contents)["two.wav"].startswith("mislabelled: said to be C4 (60), but B4 ")
    assert why(contents)["four.wav"].startswith("no pitch: ")


def test_a_mislabelled_note_is_dropped_and_an_octave_remarked(folder, made):
    write(folder / "a_60.wav", tone(61))
    for pitch in (60, 62, 64):
        write(folder / f"low_{pitch}.wav", tone(pitch - 12))
    contents = made(folder)
    assert why(contents) == {"a_60.wav": "mislabelled: said to be C4 (60), but C#4 (61) is heard"}
    assert places(contents) == [("low", 60), ("low", 62), ("low", 64)]
    (remark,) = contents.remarks
    assert remark.startswith("low: 3 of 3 notes are heard 1 octave below their pitch")


def test_a_bell_whose_strongest_partial_is_in_tune_is_no_mislabelled_note(folder, made):
    time_s = np.arange(RATE_HZ) / RATE_HZ
    bar = sum(
        gain * np.sin(2 * np.pi * ratio * pitch_hz(60) * time_s)
        for ratio, gain in ((1, 1), (5.795, 0.28), (2.995, 0.12))
    )
    write(folder / "bar_60.wav", 0.3 * bar * np.exp(-2 * time_s))
    assert places(made(folder)) == [("bar", 60)]


def test_each_sound_that_is_no_note_is_dropped_with_a_reason(folder, made):
    good = tone(60)
    write(folder / "a_60.wav", good)
    write(folder / "a_61.wav", np.where(np.arange(len(good)) == 99, np.nan, good), subtype="FLOAT")
    write(folder / "a_62.wav", np.full(len(good), np.inf), subtype="FLOAT")
    write(folder / "a_63.wav", 0 * good)
    write(folder / "a_64.wav", good[:800])
    write(folder / "a_65.wav", good[:0])
    write(folder / "a_90.wav", tone(90))
    write(folder / "a_66.wav", np.zeros(61 * 8000), 8000)
    (folder / "a_67.wav").write_text("RIFF, but no sound")
    (folder / "a_68.wav").write_bytes(b"")
    (folder / "a_69.m4a").write_bytes(b"")
    write(folder / "a_70.wav", np.stack([good, -good], axis=1))
    write(folder / "a_71.wav", good, 50)
    write(folder / "b" / "a_60.wav", good)
    write(folder / "c" / "a_60_v90.wav", good)
    write(folder / "c" / "a_60_v30.wav", good)
    contents = made(folder, one_velocity=True)
    assert places(contents) == [("b", 60), ("c", 60), ("sounds", 60)]
    reasons = {source: text.split(": ")[0] for source, text in why(contents).items()}
    assert reasons == {
        "a_61.wav": "not a number",
        "a_62.wav": "not a number",
        "a_63.wav": "silent",
        "a_64.wav": "too short",
        "a_65.wav": "too short",
        "a_66.wav": "too long for one note",
        "a_67.wav": "can't be read",
        "a_68.wav": "can't be read",
        "a_69.m4a": "can't be read",
        "a_70.wav": "silent",
        "a_71.wav": "can't be read",
        "a_90.wav": "outside 24-84",
        "c/a_60_v30.wav": "another of the same instrument and pitch",
    }
    assert contents.remarks == ["Every note has one pitch, 60: a network can't learn from it what pitch is."]


def test_names_may_be_any_bytes(tmp_path, run):
    folder = tmp_path / os.fsdecode(b"\xff [red]\x1b[31m")
    folder.mkdir()
    write(tmp_path / "a.wav", tone(60)).rename(folder / os.fsdecode(b"\xfe_60.wav"))
    write(tmp_path / "b.wav", 0 * tone(60)).rename(folder / os.fsdecode(b"\xfe_61.wav"))
    write(tmp_path / "c.wav", tone(64)).rename(folder / os.fsdecode(b"\xfe.wav"))
    ran = run("dataset", folder, "-o", tmp_path / "set", "--seconds", SECONDS)
    assert ran.code == 0 and "\x1b" not in ran.out and "\ufffd_61.wav: mixed to mono" in ran.out
    assert read_dataset(tmp_path / "set").contents.source == "\ufffd [red]\x1b[31m"


@pytest.mark.parametrize("names, message", [([], "no sound file in it"), (["a.txt"], "no sound file in it")])
def test_a_folder_without_sounds_is_told(folder, made, names, message):
    for name in names:
        (folder / name).write_text("")
    with pytest.raises(InputError, match=message):
        made(folder)


def test_a_set_without_a_note_is_told_with_reasons_and_not_written(folder, made, tmp_path):
    write(folder / "a_60.wav", np.zeros(9000))
    with pytest.raises(InputError, match=r"no note could be taken: a_60.wav: silent"):
        made(folder)
    assert not (tmp_path / "set").exists()


def test_nothing_but_a_set_is_replaced_and_a_set_is_no_source(folder, made, tmp_path):
    write(folder / "a_60.wav", tone(60))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="didn't make"):
        made(folder)
    (tmp_path / "set" / "thesis.txt").rename(tmp_path / "thesis.txt")
    (tmp_path / "set").rmdir()
    made(folder)
    made(folder)
    with pytest.raises(InputError, match="prepared set already"):
        made(tmp_path / "set")
    with pytest.raises(InputError, match="no such file or folder"):
        made(tmp_path / "none")


def test_pitches_rate_and_length_can_be_chosen(folder, made, tmp_path):
    for pitch in (24, 96):
        write(folder / f"a_{pitch}.wav", tone(pitch, rate_hz=48000), 48000)
    contents = made(folder, pitches=parse_pitches("90-100"), rate_hz=32000, seconds=0.5)
    assert places(contents) == [("a", 96)] and (contents.rate_hz, contents.samples) == (32000, 16000)
    for text in ("84-24", "x", "0-128", "24", "-5-20"):
        with pytest.raises(InputError, match="24-84"):
            parse_pitches(text)


def test_the_command_says_what_was_taken_dropped_and_why(folder, run, tmp_path):
    for pitch in (60, 61, 63, 90):
        write(folder / f"harp_{pitch}.wav", tone(pitch))
    ran = run("dataset", folder, "-o", tmp_path / "set", "--seconds", SECONDS, "--title", "Harps", "--license", "CC0")
    assert ran.code == 0 and ran.err == ""
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == f"{tmp_path / 'set'}: 3 notes of 1 instrument"
    assert lines[1:3] == ["instrument notes pitches missing", "harp 3 60-63 1"]
    assert lines[3].startswith("dropped: 1, ") and lines[4:] == [
        "outside 24-84: 1",
        "harp_90.wav: its pitch is 90",
    ]
    told = json.loads(run("dataset", folder, "-o", tmp_path / "set", "--seconds", SECONDS, "--json").out)
    assert len(told["notes"]) == 3 and told["title"] == "sounds"
    assert run("dataset", tmp_path / "none", "-o", tmp_path / "set").code == 2
    assert run("dataset", folder, "-o", tmp_path / "set", "--pitches", "high").code == 2
    assert read_dataset(tmp_path / "set").contents.title == "sounds"
