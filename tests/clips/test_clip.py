"""Clips in recipes, in packs and on their own."""

import shutil

import numpy as np
import pytest
import soundfile

from tests.helpers.places import FIXTURES

CLIPS = """\
clips:
  Along: {midi: tune.mid, timbres: [Glass, {timbre: Choir}], slow: 1.5}
  Any: {midi: tune.mid, seconds_per_instrument: 2.0, seed: 3, drums: true}
process: [{Reverb: {room_size: 0.2}}]
"""


@pytest.fixture
def with_clips(write_recipe, tmp_path):
    shutil.copy(FIXTURES / "clip.mid", tmp_path / "tune.mid")
    return write_recipe(CLIPS, timbres="{Glass: 7, Choir: 12}", pitches="[60]")


def test_a_recipe_has_its_clips_in_its_pack_and_in_its_lock_file(run, with_clips, tmp_path):
    assert run("build", with_clips, "--output", tmp_path / "one").code == 0
    pack = tmp_path / "one/small"
    assert sorted(file.name for file in (pack / "Clips").iterdir()) == ["Along.png", "Along.wav", "Any.png", "Any.wav"]
    assert "Along: 7 notes, 9 s; left out: 1 note of drums, 3 notes outside 36-84" in (pack / "README.md").read_text()
    lock = with_clips.with_suffix(".lock").read_text()
    assert '"tune.mid"' in lock and '"Clips/Along.wav"' in lock
    again = run("build", with_clips, "--output", tmp_path / "two", "--locked")
    assert again.code == 0 and "every byte agrees" in again.out
    assert run("verify", pack).code == 0
    samples, rate_hz = soundfile.read(pack / "Clips/Along.wav")
    # The last note starts at 3 s and is held for 3 s at most; the reverb rings on.
    assert rate_hz == 48000 and len(samples) / rate_hz == pytest.approx(6.3, abs=1.0)
    assert np.abs(samples).max() == pytest.approx(10 ** (-1.0 / 20), abs=0.01)


def test_a_clip_that_changed_is_told_by_diff(run, with_clips, tmp_path):
    assert run("build", with_clips, "--output", tmp_path / "one").code == 0
    with_clips.write_text(with_clips.read_text().replace("slow: 1.5", "slow: 2.0"))
    assert "Along: slow: 1.5 → 2.0" in run("diff", with_clips.with_suffix(".lock"), with_clips).out


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ("{midi: none.mid, timbres: [Glass]}", "clips.A.midi: 'none.mid': no such file, or one that can't be read"),
        ("{midi: small.yaml, timbres: [Glass]}", "clips.A.midi: 'small.yaml': not a MIDI file"),
        ("{midi: tune.mid}", "clips.A: should have one of: timbres, seconds_per_instrument"),
        (
            "{midi: tune.mid, timbres: [{timbre: Glass, att: 0.5}]}",
            "clips.A.timbres[0]: unknown key 'att'; did you mean 'at'?",
        ),
        ("{midi: tune.mid, timbres: [Glass], tracks: [9]}", "clips.A.midi: it has no track 9 with notes"),
        ("{midi: tune.mid, seconds_per_instrument: 1.0e-6}", "should be greater than or equal to 0.1"),
        ("{midi: tune.mid, timbres: [Glas]}", "no timbre is called 'Glas'; did you mean 'Glass'?"),
        ("{midi: tune.mid, timbres: [{timbre: Glass, at: 0.5}, Choir]}", "either all have 'at', or none"),
        ("{midi: tune.mid, timbres: [Glass], slow: 0}", "clips.A.slow: should be greater than or equal to 0.1, not 0"),
        ("{midi: ../tune.mid, timbres: [Glass]}", "lies outside the recipe's folder"),
    ],
)
def test_what_is_wrong_with_a_clip_is_told_at_its_place(run, write_recipe, tmp_path, clip, message):
    (tmp_path / "inner").mkdir()
    for folder in (tmp_path, tmp_path / "inner"):
        shutil.copy(FIXTURES / "clip.mid", folder / "tune.mid")
    recipe = write_recipe(f"clips: {{A: {clip}}}\n", name="inner/small.yaml", timbres="{Glass: 7, Choir: 12}")
    ran = run("check", recipe)
    assert ran.code == 2 and message in ran.err and f"{recipe}:5:" in ran.err


def test_a_clip_on_its_own_has_a_picture_and_says_what_was_left_out(run, write_recipe, tmp_path):
    recipe = write_recipe(timbres="{Glass: 7, Choir: 12}")
    ran = run("clip", recipe, FIXTURES / "clip.mid", "-o", tmp_path / "tune.flac", "--timbre", "Choir", "--at", "0.5")
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{tmp_path / 'tune.flac'}: 7 notes, ")
    assert "left out: 1 note of drums\n" in ran.out
    assert soundfile.info(tmp_path / "tune.flac").samplerate == 48000
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")
