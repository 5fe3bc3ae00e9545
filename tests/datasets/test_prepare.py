"""Preparing sets of notes: what is taken, what is dropped, and what is said of it."""

import json
import os
import struct

import numpy as np
import pytest
import soundfile

from samplepack.base import parallel
from samplepack.base.errors import InputError
from samplepack.datasets import recording, sfz, soundfont
from samplepack.datasets.dataset import PEAK, read_dataset
from samplepack.datasets.prepare import parse_pitches, prepare
from samplepack.formats import WRITERS
from samplepack.sound import key_names as pitch_names
from samplepack.sound.audio import Audio, encode
from samplepack.sound.pitch import estimate_pitch, pitch_hz
from samplepack.sound.riff import SamplerNote
from tests.helpers.instruments import INSTRUMENTS, ROOTS

RATE_HZ = 16000
SECONDS = 0.6


def tone(pitch, seconds=0.8, rate_hz=RATE_HZ, peak=0.5, partials=8):
    """A harmonic sound that decays."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    numbers = [n for n in range(1, partials + 1) if n * pitch_hz(pitch) < 0.45 * rate_hz]
    wave = sum(np.sin(2 * np.pi * n * pitch_hz(pitch) * time_s) / n for n in numbers) * np.exp(-2.0 * time_s)
    return (wave * peak / np.abs(wave).max()).astype(np.float32)


def write(path, wave, rate_hz=RATE_HZ, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate_hz, **how)
    return path


@pytest.fixture
def folder(tmp_path):
    """For the source."""
    (tmp_path / "sounds").mkdir()
    return tmp_path / "sounds"


@pytest.fixture
def made(tmp_path):
    """Prepare a set of short notes, and give its contents."""

    def make(source, **how):
        return prepare(source, tmp_path / "set", parallel.threads(2), **{"seconds": SECONDS, **how})

    return make


def places(contents):
    return [(note.instrument, note.pitch) for note in contents.notes]


def why(contents):
    return {one.source: one.why for one in contents.dropped}


# Names


@pytest.mark.parametrize(
    "stem, instrument, pitch, velocity",
    [
        ("piano_62", "piano", 62, None),
        ("C#4", "", 61, None),
        ("Db3", "", 49, None),
        ("piano-c4-v100", "piano", 60, 100),
        ("bass_synthetic_033-022-050", "bass_synthetic_033", 22, 50),
        ("Flute.vib.ff.C5.stereo", "Flute.vib.ff", 72, None),
        ("violin_As3_1_forte_arco-normal", "violin", 58, None),
        ("D#1v16", "", 27, 16),
        ("1st-violins-sus-a#3", "1st-violins-sus", 58, None),
        ("MiniMoogBb2", "MiniMoog", 46, None),
        ("01 Strings 60 127", "01 Strings", 60, None),
        ("Lead C-4", "Lead", 60, None),
        ("Dawn_036", "Dawn", 36, None),
        ("kick 2", "", None, None),
        ("Take one", "", None, None),
        ("tr808 vel90", "", None, 90),
        ("", "", None, None),
    ],
)
def test_a_file_s_name_tells_instrument_pitch_and_velocity(stem, instrument, pitch, velocity):
    assert pitch_names.parse(stem) == (instrument, pitch, velocity)


def test_key_names_count_c4_as_60():
    assert [pitch_names.key_number(text) for text in ("60", "c4", "C-1", "Bb3", "h4", "")] == [
        60,
        60,
        0,
        58,
        None,
        None,
    ]
    assert all(pitch_names.key_number(pitch_names.key_name(pitch)) == pitch for pitch in range(128))


# Folders of sound files


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
    contents = made(folder)
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


# SFZ


def test_an_sfz_map_gives_each_sample_at_its_root(folder, made):
    for pitch in (48, 60, 72):
        write(folder / "My Samples" / f"soft {pitch}.wav", tone(pitch, peak=0.2))
        write(folder / "My Samples" / f"loud {pitch}.wav", tone(pitch, peak=0.9))
    write(folder / "My Samples" / "noise.wav", tone(50))
    (folder / "keys.inc").write_text("<group> key=$LOW\n<region> sample=$DYN $LOW.wav\n")
    (folder / "Bell Tree.sfz").write_text(
        "// a comment with sample=nonsense.wav\n"
        "<control> default_path=My Samples\\\n"
        "#define $LOW 48\n#define $DYN loud\n"
        '#include "keys.inc"\n'
        "<global> ampeg_release=1 /* over\nlines <region> sample=no.wav */\n"
        "<group> lovel=0 hivel=70 pitch_keycenter=c4 <region> sample=soft 60.wav lokey=55\n"
        "<group> lovel=71\n<region> pitch_keycenter=60 sample=loud 60.wav\n"
        "<region>\nsample=loud 72.wav\nkey=72\n"
        "<region> trigger=release sample=noise.wav key=50\n\n"
        "<region> key=41 sample=gone.wav\n<region> sample=../../../../etc/passwd key=42\n<region> key=z9 sample=x.wav\n"
        f"<region> key=43 sample={'long' * 100}.wav\n",
        encoding="utf-8",
    )
    contents = made(folder / "Bell Tree.sfz")
    assert [(n.instrument, n.pitch, n.source) for n in contents.notes] == [
        ("Bell Tree", 48, "Bell Tree.sfz: My Samples/loud 48.wav"),
        ("Bell Tree", 60, "Bell Tree.sfz: My Samples/loud 60.wav"),
        ("Bell Tree", 72, "Bell Tree.sfz: My Samples/loud 72.wav"),
    ]
    assert {source.rsplit("/", 1)[1]: text.split(": ")[0] for source, text in why(contents).items()} == {
        "noise.wav": "not a note",
        "gone.wav": "missing",
        f"{'long' * 100}.wav": "missing",
        "passwd": "outside the instrument",
        "x.wav": "no pitch",
        "soft 60.wav": "another of the same instrument and pitch",
    }
    assert places(made(folder)) == places(contents), "a folder with a map is read by its map"


def test_maps_that_cannot_be_read_are_told(folder, made):
    write(folder / "a.wav", tone(60))
    (folder / "good.sfz").write_text("<region> sample=a.wav key=60 <region> sample=*sine key=62")
    (folder / "circle.sfz").write_text('#include "circle.sfz"')
    (folder / "empty.sfz").write_text("<region> key=60")
    (folder / "binary.sfz").write_bytes(bytes(range(256)))
    (folder / "away.sfz").write_text('#include "../../../x.sfz"')
    (folder / "gone.sfz").write_text('#include "x.sfz"')
    (folder / "bomb.sfz").write_text("".join(f"#define $A{n:02} {f'$A{n + 1:02}' * 9}\n" for n in range(30)) + "$A00\n")
    contents = made(folder)
    assert places(contents) == [("good", 60)]
    assert {source: text.split(": ", 1)[1][:17] for source, text in why(contents).items()} == {
        "good.sfz: *sine": "a generator of th",
        "circle.sfz": "its #include line",
        "empty.sfz": "it has no region ",
        "binary.sfz": "it has no region ",
        "away.sfz": "it includes ../..",
        "gone.sfz": "cannot read x.sfz",
        "bomb.sfz": "its #define lines",
    }


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_a_pack_of_samplepack_s_own_is_a_source(folder, made, instrument):
    for zone in instrument.zones:
        write(folder / zone.file, tone(zone.root))
    (folder / "Instruments").mkdir()
    (folder / "Instruments" / f"{instrument.name}.sfz").write_bytes(WRITERS["sfz"][1](instrument, folder))
    for source in (folder, folder / "Instruments"):
        assert places(made(source)) == [(instrument.name, root) for root in ROOTS]


def test_a_region_may_play_a_stretch_of_a_file(folder, tmp_path):
    (folder / "m.sfz").write_text(
        "<region> sample=a.wav key=60 offset=100 end=199 <region> sample=a.wav key=62 offset=200"
    )
    (first, second) = sfz.read_map(folder / "m.sfz", tmp_path)
    assert (first["offset"], first["end"], second["offset"]) == ("100", "199", "200")


# NSynth


def test_nsynth_s_layout_gives_its_instruments_the_velocity_nearest_to_100(folder, made):
    def entry(pitch, velocity, instrument="flute_acoustic_002"):
        return {"pitch": pitch, "velocity": velocity, "instrument_str": instrument, "sample_rate": 16000}

    examples = {f"flute_acoustic_002-{p:03}-{v:03}": entry(p, v) for p in (60, 62) for v in (25, 100, 127)}
    for name, about in examples.items():
        write(folder / "audio" / f"{name}.wav", tone(about["pitch"]))
    examples |= {
        "../../secret": entry(60, 100),
        "flute_acoustic_002-064-100": entry(64, 100),
        "flute_acoustic_002-065-100": {"pitch": 65},
        "flute_acoustic_002-099-100": entry(99, 100),
        "\ud800": entry(66, 100),
        "flute_acoustic_002-067-100": entry(67, 100, "\ud800"),
    }
    (folder / "examples.json").write_text(json.dumps(examples))
    contents = made(folder)
    assert [note.source for note in contents.notes] == [f"audio/flute_acoustic_002-{p:03}-100.wav" for p in (60, 62)]
    assert "CC BY 4.0" in contents.license
    reasons = {source.removeprefix("audio/"): text.split(": ")[0] for source, text in why(contents).items()}
    assert reasons.pop("../../secret.wav") == reasons.pop("?.wav") == "outside audio"
    assert reasons.pop("flute_acoustic_002-067-100.wav") == "damaged entry in examples.json"
    assert reasons.pop("flute_acoustic_002-064-100.wav") == "can't be read"
    assert reasons.pop("flute_acoustic_002-065-100.wav") == "damaged entry in examples.json"
    assert reasons.pop("flute_acoustic_002-099-100.wav") == "outside 24-84"
    assert set(reasons.values()) == {"another of the same instrument and pitch"} and len(reasons) == 4


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"x"', "[" * 100000, "\udcff"])
def test_a_broken_examples_json_is_told(folder, made, text):
    (folder / "audio").mkdir()
    (folder / "examples.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="examples.json"):
        made(folder)


# Recordings


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


# Soundfonts, as far as FluidSynth isn't needed: the rest is in tests/system


def soundfont_bytes(presets, about=()):
    def chunk(name, content):
        return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)

    headers = b"".join(struct.pack("<20s3H3I", n.encode(), p, b, 0, 0, 0, 0) for n, b, p in [*presets, ("EOP", 0, 0)])
    info = chunk(b"LIST", b"INFO" + b"".join(chunk(name, text) for name, text in about))
    body = b"sfbk" + info + chunk(b"LIST", b"pdta" + chunk(b"phdr", headers))
    return chunk(b"RIFF", body)


def fluidsynth_at(folder, monkeypatch, script):
    program = folder / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def test_a_soundfont_s_presets_are_named_as_it_names_them(folder, monkeypatch):
    fluidsynth_at(folder, monkeypatch, "exit 1")
    path = folder / "own.sf2"
    presets = [("Organ", 0, 3), ("Harp", 0, 1), ("Harp", 0, 2), ("", 0, 9), ("Drums", 128, 0), ("Organ, again", 0, 3)]
    path.write_bytes(soundfont_bytes(presets, [(b"INAM", b"Own\0"), (b"ICOP", b"Me.\0"), (b"ICMT", b"CC0\0\0")]))
    opened = soundfont.open_soundfont(path, 4.0, range(60, 62))
    assert (opened.title, opened.license, opened.total) == ("Own", "Me. CC0", 8)
    assert [one.source for one in opened.dropped] == ["bank 128, program 0: Drums"]
    assert [preset.name for preset in soundfont.read_soundfont(path)[1]] == ["Harp", "Harp", "Organ", "", "Drums"]


def test_a_soundfont_with_128_programs_is_one_of_general_midi(folder, monkeypatch):
    fluidsynth_at(folder, monkeypatch, "exit 1")
    path = folder / "gm.sf2"
    path.write_bytes(soundfont_bytes([(f"Own {n}", 0, n) for n in range(128)]))
    opened = soundfont.open_soundfont(path, 4.0, range(60, 61))
    assert opened.total == 111 and len(opened.dropped) == 17


def test_a_missing_or_failing_fluidsynth_is_told_in_a_line(folder, monkeypatch, run, tmp_path):
    path = folder / "own.sf2"
    path.write_bytes(soundfont_bytes([("Organ", 0, 3)]))
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run("dataset", path, "-o", tmp_path / "set")
    assert ran.code == 2 and "apt install fluidsynth" in ran.err and ran.err.count("\n") == 1
    fluidsynth_at(folder, monkeypatch, "echo 'fluidsynth: error: out of luck' >&2")
    ran = run("dataset", path, "-o", tmp_path / "set")
    assert (ran.code, ran.err) == (1, "own.sf2: FluidSynth failed on program 3: out of luck\n")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("presets, message", [([], "lists no presets"), ([("Drums", 128, 0)], "no program in bank 0")])
def test_a_soundfont_without_programs_is_told(folder, made, monkeypatch, presets, message):
    fluidsynth_at(folder, monkeypatch, "exit 1")
    path = folder / "x.sf2"
    path.write_bytes(soundfont_bytes(presets))
    with pytest.raises(InputError, match=message):
        made(path)


# The command


def test_the_command_says_what_was_taken_dropped_and_why(folder, run, tmp_path):
    for pitch in (60, 61, 63, 90):
        write(folder / f"harp_{pitch}.wav", tone(pitch))
    ran = run("dataset", folder, "-o", tmp_path / "set", "--seconds", SECONDS, "--title", "Harps", "--license", "CC0")
    assert ran.code == 0 and ran.err == ""
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == f"{tmp_path / 'set'}: 3 notes of 1 instruments"
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
