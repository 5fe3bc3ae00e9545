"""Soundfonts, as far as FluidSynth isn't needed: the rest is in tests/system."""

import struct

import pytest

from samplepack.base.errors import InputError
from samplepack.datasets import soundfont


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
    opened = soundfont.open_soundfont(path, 4.0, range(60, 62), one_velocity=True)
    assert (opened.title, opened.license, opened.total) == ("Own", "Me. CC0", 8)
    assert [one.source for one in opened.dropped] == ["bank 128, program 0: Drums"]
    assert [preset.name for preset in soundfont.read_soundfont(path)[1]] == ["Harp", "Harp", "Organ", "", "Drums"]


def test_programs_that_midi_lacks_are_dropped(folder, monkeypatch):
    fluidsynth_at(folder, monkeypatch, "exit 1")
    path = folder / "own.sf2"
    path.write_bytes(soundfont_bytes([("Organ", 0, 3), ("Harp", 0, 300)]))
    opened = soundfont.open_soundfont(path, 4.0, range(60, 62), one_velocity=True)
    assert opened.total == 2
    assert [(one.source, one.why) for one in opened.dropped] == [
        ("bank 0, program 300: Harp", "no program: MIDI has 0 to 127")
    ]


def test_a_soundfont_with_128_programs_is_one_of_general_midi(folder, monkeypatch):
    fluidsynth_at(folder, monkeypatch, "exit 1")
    path = folder / "gm.sf2"
    path.write_bytes(soundfont_bytes([(f"Own {n}", 0, n) for n in range(128)]))
    opened = soundfont.open_soundfont(path, 4.0, range(60, 61), one_velocity=False)
    assert opened.total == 3 * 111 and len(opened.dropped) == 17


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
