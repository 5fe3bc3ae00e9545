"""Wavetables in a pack: their files, what they sound like beside the notes, and faults that `verify` names."""

import io
import json
import shutil
import struct

import numpy as np
import pytest
import soundfile

from samplepack.base.errors import InputError
from samplepack.pack.verify import verify
from samplepack.pack.wavetables import play_cycle
from samplepack.recipe import load_recipe
from samplepack.sound import riff
from samplepack.sound.audio import read
from samplepack.sound.pitch import pitch_hz
from tests.helpers.packs import build, contents, files

RECIPE = """\
recipe: 1
name: Tables
pitches: [48]
timbres: {Reed: 2, Bow: {instrument: Viola}}
paths: {"Reed – Bow #2": {through: [Reed, Bow], as: wavetable, at: 48, frames: 5}}
sound: {level: natural, loop: none}
"""
NAME = "Reed – Bow #2"


def make(folder, text=RECIPE):
    recipe = folder / "r.yaml"
    recipe.write_text(text, encoding="utf-8")
    return build(recipe, folder / "output", folder / "cache")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return make(tmp_path_factory.mktemp("tables"))


@pytest.fixture
def pack(built, tmp_path):
    return shutil.copytree(built.folder, tmp_path / "tables")


def cycles_of(pack):
    return read(pack / f"Wavetables/{NAME}.wav").samples.reshape(-1, 2048)


def partials_db(audio, pitch, number):
    """The levels of the lowest partials: the power around each in one spectrum of 0.25 s to 2.75 s. Its window is that of
    the cycles: partials of a timbre die at different rates, and each window weighs the time otherwise."""
    held = audio.samples[0, audio.rate_hz // 4 : audio.rate_hz * 11 // 4].astype(np.float64)
    power = np.abs(np.fft.rfft(held * np.hanning(len(held)))) ** 2
    hz = np.fft.rfftfreq(len(held), 1.0 / audio.rate_hz)
    of = [power[np.abs(hz - k * pitch_hz(pitch)) < 0.25 * pitch_hz(pitch)].sum() for k in range(1, number + 1)]
    return 10.0 * np.log10(np.array(of))


def test_a_pack_has_the_files_of_a_wavetable(built):
    assert [file for file in files(built.folder) if file.startswith("Wavetables/")] == [
        f"Wavetables/{NAME}.png",
        f"Wavetables/{NAME}.wav",
        f"Wavetables/{NAME}.wt",
    ]
    assert f"{NAME}: wavetable of 5 cycles through Reed, Bow" in (built.folder / "README.md").read_text("utf-8")
    (stated,) = json.loads((built.folder / "pack.json").read_text("utf-8"))["wavetables"]
    assert stated["path"]["as"] == "wavetable" and stated["path"]["frames"] == 5 and stated["loudness_db"] <= 0.1
    assert not [problem for report in verify(built.folder) for problem in report.problems]


def test_played_as_a_cycle_partials_agree_with_those_of_the_notes(built):
    """The ends of the path are the timbres themselves, whose notes are in the pack, too."""
    cycles = cycles_of(built.folder)
    for cycle, instrument in ((cycles[0], "Reed"), (cycles[-1], "Bow")):
        note = partials_db(read(built.folder / f"Samples/{instrument}/{instrument}_048.wav"), 48, 32)
        played = partials_db(play_cycle(cycle, 48, 3.0), 48, 32)
        off_db = (played - note)[note > note.max() - 60.0]
        assert len(off_db) >= 12 and np.max(np.abs(off_db - np.median(off_db))) < 1.0


def test_the_wav_says_how_long_a_cycle_is_before_its_samples(built):
    content = (built.folder / f"Wavetables/{NAME}.wav").read_bytes()
    chunks = {chunk.name: chunk for chunk in riff.chunks(io.BytesIO(content))}
    text = content[chunks[b"clm "].start :][: chunks[b"clm "].size]
    assert text == b"<!>2048 10000000 wavetable (samplepack)"
    assert list(chunks).index(b"clm ") < list(chunks).index(b"data")
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    info = soundfile.info(built.folder / f"Wavetables/{NAME}.wav")
    assert (info.subtype, info.channels, info.frames) == ("FLOAT", 1, 5 * 2048)


def test_surges_own_format_holds_the_same_cycles(built):
    content = (built.folder / f"Wavetables/{NAME}.wt").read_bytes()
    assert content[:12] == b"vawt" + (2048).to_bytes(4, "little") + (5).to_bytes(2, "little") + bytes(2)
    assert np.array_equal(np.frombuffer(content[12:], "<f4").reshape(5, 2048), cycles_of(built.folder))


def test_two_builds_are_the_same_bytes(built, tmp_path):
    assert contents(make(tmp_path).folder) == contents(built.folder)


def an_offset(frames):
    frames[1] += 0.01


def a_loud_cycle(frames):
    frames[2] *= 0.5


def a_silent_cycle(frames):
    frames[3] = 0.0


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        (an_offset, "cycle 2 has a constant offset (DC)"),
        (a_loud_cycle, "its cycles differ by 6.0 dB, more than 0.5"),
        (a_silent_cycle, "cycle 4 is silent"),
    ],
)
def test_a_fault_of_a_wavetable_is_named(pack, run, plant, named):
    frames = cycles_of(pack).copy()
    plant(frames)
    soundfile.write(pack / f"Wavetables/{NAME}.wav", frames.ravel(), 44100, subtype="FLOAT")
    ran = run("verify", pack)
    assert ran.code == 1 and f"{NAME}: {named}" in ran.err, ran.err
    assert "doesn't state the length of a cycle" in ran.err and "its files hold different cycles" in ran.err


def test_plans_locks_and_differences_know_wavetables(run, write_recipe):
    timbres = "{Glass: 7, Choir: 8}"
    table = "paths: {T: {through: [Glass, Choir], as: wavetable, frames: %d}}\n"
    four, six = (write_recipe(table % n, name=f"{n}.yaml", pitches="[48]", timbres=timbres) for n in (4, 6))
    assert "T: wavetable, 4 notes of key 48, 0 of them in the cache (path: Glass, Choir)" in run("plan", four).out
    assert "to render: 4 notes" in run("plan", four).out
    changed = run("diff", four, six).out
    assert "wavetables:\n  T: frames: 4 → 6\n" in changed and "notes: 4 to render anew, 2 as before" in changed
    assert run("build", four, "--output", four.parent / "out").code == 0
    lock = json.loads(four.with_suffix(".lock").read_text("utf-8"))
    assert lock["wavetables"]["T"]["path"]["frames"] == 4
    again = run("build", four, "--output", four.parent / "again", "--locked")
    assert again.code == 0 and "every byte agrees" in again.out
    assert "nothing differs" in run("diff", four.with_suffix(".lock"), four.parent / "out/small").out


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{through: [Glass, Glass], as: wavetable, steps: 4}", "a wavetable has `frames` instead of `steps`"),
        ("{through: [Glass, Glass], as: wavetable, at: 23}", "at: 23 is outside what the checkpoint can play"),
        ("{through: [Glass, Glass], as: wavetable, frames: 257}", "should be less than or equal to 256"),
        ("{through: [Glass, Glass], steps: 4, frames: 4}", "only a wavetable has `frames`"),
        ("{through: [Glass, Glass], as: morph}", "'steps' is missing"),
    ],
)
def test_wrong_wavetables_are_told(write_recipe, path, message):
    with pytest.raises(InputError) as refused:
        load_recipe(write_recipe(f"paths: {{T: {path}}}\n"))
    assert message in str(refused.value.problems[0])


def test_names_of_wavetables_differ_in_more_than_case(write_recipe):
    table = "{through: [Glass, Glass], as: wavetable}"
    load_recipe(write_recipe(f"paths: {{Glass: {table}}}\n"))
    with pytest.raises(InputError, match="two wavetables would be called 'glass'"):
        load_recipe(write_recipe(f"paths: {{Glass: {table}, glass: {table}}}\n"))
