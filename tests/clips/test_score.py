"""MIDI files as scores: the notes that Magenta reads, and files that are refused."""

import mido
import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.clips.score import read_midi
from tests.helpers.places import FIXTURES

MAGENTA = np.load(FIXTURES / "clip.npz")


def fields(score):
    return {
        "pitches": [note.pitch for note in score.notes],
        "velocities": [note.velocity for note in score.notes],
        "start_times": [note.start_s for note in score.notes],
        "end_times": [note.end_s for note in score.notes],
    }


@pytest.mark.parametrize(("prefix", "lowest"), [("midi", 36), ("midi24", 24)])
def test_notes_of_a_file_are_those_that_magenta_reads(prefix, lowest):
    score = read_midi(FIXTURES / "clip.mid", range(lowest, 85), drums=True)
    for name, values in fields(score).items():
        np.testing.assert_allclose(values, MAGENTA[f"{prefix}_{name}"], atol=1e-6)


def test_a_file_that_would_take_long_to_read_is_refused(tmp_path):
    (tmp_path / "long.mid").write_bytes(b"MThd" + bytes(512 << 10))
    with pytest.raises(InputError, match="longer than 512 KiB"):
        read_midi(tmp_path / "long.mid", range(36, 85))


def test_drums_are_left_out_unless_asked_for_and_it_says_what_was_dropped():
    score = read_midi(FIXTURES / "clip.mid", range(36, 85))
    assert len(score.notes) == 7
    assert score.dropped == ("1 note of drums", "3 notes outside 36-84")


def test_slow_stretches_time():
    usual, slow = (read_midi(FIXTURES / "clip.mid", range(36, 85), slow=factor) for factor in (1.0, 1.3))
    assert slow.length_s == pytest.approx(1.3 * usual.length_s)


def test_tracks_are_chosen_by_number():
    assert len(read_midi(FIXTURES / "clip.mid", range(36, 85), tracks=[1]).notes) == 2
    with pytest.raises(InputError, match=r"it has no track 7 with notes \(there are: 1, 2, 3\)"):
        read_midi(FIXTURES / "clip.mid", range(36, 85), tracks=[7])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a MIDI file"),
        (b"MThd", "a MIDI file that can't be read"),
        (b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0", "nothing in it can be played: it has no notes"),
    ],
)
def test_a_broken_or_empty_file_is_told_in_a_line(run, write_recipe, tmp_path, content, message):
    (tmp_path / "bad.mid").write_bytes(content)
    ran = run("clip", write_recipe(), tmp_path / "bad.mid", "-o", tmp_path / "out.wav")
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1
    assert not (tmp_path / "out.wav").exists()


def test_whatever_stands_in_a_file_it_is_read_or_refused(tmp_path):
    whole = (FIXTURES / "clip.mid").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        bad = bytearray(whole if rng.random() < 0.7 else whole[: rng.integers(4, len(whole))])
        for _ in range(rng.integers(0, 4)):
            bad[rng.integers(4, max(len(bad), 5)) % len(bad)] = rng.integers(0, 256)
        bad[:4] = b"MThd"
        (tmp_path / "bad.mid").write_bytes(bad)
        try:
            score = read_midi(tmp_path / "bad.mid", range(36, 85))
            assert 0 < len(score.notes) <= 11 and score.length_s <= 3600.0
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert 0 < refused < 300


def test_without_note_seq_a_clip_says_how_to_install_it(run, write_recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "note_seq", None)
    ran = run("clip", write_recipe(), FIXTURES / "clip.mid", "-o", tmp_path / "out.wav")
    assert ran.code == 2 and "pip install note-seq" in ran.err and ran.err.count("\n") == 1


def test_a_file_of_many_ticks_takes_no_memory(tmp_path):
    track = b"\x00\x90\x3c\x40" + b"\xff\xff\xff\x7f\x80\x3c\x40" * 40 + b"\x00\xff\x2f\x00"
    (tmp_path / "long.mid").write_bytes(b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + len(track).to_bytes(4, "big") + track)
    with pytest.raises(InputError, match="a MIDI file that can't be read"):
        read_midi(tmp_path / "long.mid", range(36, 85))


def test_tempo_that_is_not_honoured_is_told(tmp_path):
    tempo, notes = mido.MidiTrack(), mido.MidiTrack()
    notes += [mido.Message("note_on", note=60, velocity=64), mido.Message("note_off", note=60, time=480)]
    tempo.append(mido.MetaMessage("set_tempo", tempo=250000))
    mido.MidiFile(tracks=[tempo, notes]).save(tmp_path / "first.mid")
    mido.MidiFile(tracks=[notes, tempo]).save(tmp_path / "second.mid")
    assert read_midi(tmp_path / "first.mid", range(36, 85)).length_s == pytest.approx(0.25)
    assert read_midi(tmp_path / "second.mid", range(36, 85)).dropped == ("changes of tempo outside the first track",)
