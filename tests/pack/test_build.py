"""From a recipe to a pack, and the pack in a real sampler."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import samplepack
from samplepack.base.errors import InputError, SamplepackError
from samplepack.finishing import process
from samplepack.pack import instrument as instrument_module
from samplepack.recipe import load_recipe
from samplepack.sound.audio import Audio, read
from samplepack.sound.loudness import loudness_lufs, true_peak_db
from samplepack.sound.pitch import pitch_hz
from tests.helpers.hearing import cents_between, fundamental_hz
from tests.helpers.packs import build, contents, files, play
from tests.helpers.places import FIXTURES, REPOSITORY

RECIPE = """\
paths: {Way: {through: [Glass, Choir], steps: 3}}
process:
  - Chorus: {mix: 0.3}
  - Delay: {delay_seconds: 0.2, mix: 0.3}
"""


@pytest.fixture
def recipe(write_recipe):
    return write_recipe(RECIPE, timbres="{Glass: 7, Choir: {seed: 1312}}", pitches="[36, 60, 84]")


def test_the_library_builds_the_pack_that_the_command_builds(recipe, run, tmp_path):
    assert run("build", recipe, "--output", tmp_path / "command").code == 0
    reports, packs = [], []
    (built,) = samplepack.build(
        recipe, tmp_path / "library", progress=lambda *report: reports.append(report), on_built=packs.append
    )
    assert contents(built.folder) == contents(tmp_path / "command" / "small") and packs == [built]
    assert reports[-1] == ("Small", 9, 9) and built.lock.written
    assert samplepack.build([recipe], tmp_path / "library", locked=True)[0].comparison.differing == []
    assert samplepack.check(recipe) == [] and not any(r.problems for r in samplepack.verify(built.folder))
    assert samplepack.diff(recipe, built.folder).to_render == 0


def test_a_build_makes_exactly_these_files(recipe, tmp_path):
    built = build(recipe, tmp_path / "output", tmp_path / "cache")
    names = ["Glass", "Choir", "Way 1", "Way 2", "Way 3"]
    assert built.folder == tmp_path / "output" / "small" and len(built.manifest.instruments) == 5
    assert files(built.folder) == sorted(
        [f"Instruments/{name}.sfz" for name in names]
        + [f"Samples/{name}/{name}_{pitch:03d}.wav" for name in ("Glass", "Choir", "Way 2") for pitch in (36, 60, 84)]
        + [f"Previews/{name}.flac" for name in ("Glass", "Choir", "Way 2")]
        + [f"Pictures/{name}.png" for name in [*names, "overview"]]
        + ["recipe.yaml", "pack.json", "README.md", "LICENSE.txt", "cover.png"]
    )
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["small"]
    assert (built.folder / "recipe.yaml").read_bytes() == recipe.read_bytes()


def test_pack_json_says_what_is_there_and_nothing_of_when_or_where(recipe, tmp_path):
    folder = build(recipe, tmp_path / "output", tmp_path / "cache").folder
    text = (folder / "pack.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert str(tmp_path) not in text
    assert manifest["files"].keys() | {"pack.json"} == set(files(folder))
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    glass = manifest["instruments"][0]
    assert glass["name"] == "Glass"
    assert np.array_equal(
        np.float32(glass["latents"][0]), np.random.RandomState(7).standard_normal(32).astype(np.float32)
    )
    assert [note["pitch"] for note in glass["notes"]] == [36, 60, 84]
    peaks = [note["true_peak_db"] for one in manifest["instruments"] for note in one["notes"]]
    assert max(peaks) <= -1.0
    for note in glass["notes"]:
        samples, rate_hz = soundfile.read(folder / note["file"])
        assert rate_hz == manifest["rate_hz"] == 48000
        assert len(samples) == note["frames"]
        assert note["true_peak_db"] - 1.0 < 20 * np.log10(np.abs(samples).max()) < note["true_peak_db"] + 0.01


def test_a_build_that_falls_short_says_so_and_fails_if_strict(write_recipe, run, tmp_path):
    recipe = write_recipe("sound: {loudness_lufs: 0}\n", timbres="{Glass: 28}", pitches="60")
    line = "Glass: -"
    lenient = run("build", recipe, "--output", tmp_path)
    strict = run("build", recipe, "--output", tmp_path, "--strict")
    assert lenient.code == 0 and strict.code == 1
    for ran in (lenient, strict, run("verify", tmp_path / "small")):
        assert line in ran.err and "dB from 0.0" in ran.err
    with pytest.raises(SamplepackError, match=r"dB from 0\.0"):
        samplepack.build(recipe, tmp_path, strict=True)


def test_a_key_that_cannot_be_looped_plays_the_render_of_the_nearest(write_recipe, monkeypatch, tmp_path):
    finish_key, finished = instrument_module.finish_key, []

    def finish(raws, pitch, settings, behaviour):
        finished.append(pitch)
        fails = pitch == 60 and finished.count(60) == 1
        return finish_key(raws, pitch, replace(settings, loop=False) if fails else settings, behaviour)

    monkeypatch.setattr(instrument_module, "finish_key", finish)
    recipe = write_recipe(timbres="{Glass: 28}", pitches="[57, 60, 64]")
    built = build(recipe, tmp_path / "output", tmp_path / "cache")
    notes = built.manifest.instruments[0].notes
    assert [note.render_of for note in notes] == [None, 57, None] and all(note.loop for note in notes)
    played = read(built.folder / notes[1].file)
    assert abs(cents_between(fundamental_hz(played), pitch_hz(60))) < 3.0


def test_builds_with_other_workers_and_caches_are_byte_identical(recipe, tmp_path):
    one = build(recipe, tmp_path / "a", tmp_path / "cache-a", workers=1)
    two = build(recipe, tmp_path / "b", tmp_path / "cache-b", workers=3)
    from_cache = build(recipe, tmp_path / "c", tmp_path / "cache-a", workers=2)
    assert contents(one.folder) == contents(two.folder) == contents(from_cache.folder)


@pytest.mark.parametrize(
    "sound",
    [
        "{bits: 16}", "{bits: 32}", "{file: flac}", "{file: flac, bits: 16}",
        "{rate_hz: 44100, peak_db: -10}", "{rate_hz: 96000, loudness_lufs: -24}", "{rate_hz: native}",
    ],
)  # fmt: skip
def test_every_kind_of_sound_file_is_written_as_asked_twice_the_same_and_plays(write_recipe, tmp_path, sound):
    recipe = write_recipe(f"sound: {sound}\n", pitches="60")
    packs = [build(recipe, tmp_path / output, tmp_path / "cache").folder for output in ("a", "b")]
    assert contents(packs[0]) == contents(packs[1])
    asked = load_recipe(recipe).recipe.sound
    (file,) = packs[0].glob("Samples/Glass/*")
    info = soundfile.info(str(file))
    assert info.samplerate == (16000 if asked.rate_hz == "native" else asked.rate_hz)
    assert (info.format, info.subtype) == (asked.file.upper(), "FLOAT" if asked.bits == 32 else f"PCM_{asked.bits}")
    written = read(file)
    is_at_its_peak = true_peak_db(written) == pytest.approx(asked.peak_db, abs=0.05)
    is_as_loud_as_asked = loudness_lufs(written) == pytest.approx(asked.loudness_lufs, abs=0.05)
    assert (is_at_its_peak, is_as_loud_as_asked) == ((True, False) if asked.peak_db == -10 else (False, True))
    _, audio = play(packs[0] / "Instruments" / "Glass.sfz", 60)
    assert audio.peak > 0.03


def test_an_unchanged_recipe_is_not_built_again_and_a_touched_pack_is(write_recipe, tmp_path):
    recipe = write_recipe()
    folder = build(recipe, tmp_path / "output", tmp_path / "cache").folder
    whole = contents(folder)
    assert build(recipe, tmp_path / "output", tmp_path / "cache").unchanged
    for touch in (
        lambda: (folder / "README.md").unlink(),
        lambda: (folder / "Samples/Glass/Glass_060.wav").write_bytes(b"x"),
    ):
        touch()
        assert not build(recipe, tmp_path / "output", tmp_path / "cache").unchanged
        assert contents(folder) == whole


def test_files_of_the_users_own_are_never_lost(write_recipe, tmp_path):
    folder = build(write_recipe(), tmp_path / "output", tmp_path / "cache").folder
    (folder / ".DS_Store").write_text("a system's own")
    (folder / "notes.txt").write_text("precious")
    assert build(write_recipe(), tmp_path / "output", tmp_path / "cache").unchanged
    changed = write_recipe("process: [Invert]\n")
    with pytest.raises(InputError, match="holds something that samplepack didn't make"):
        build(changed, tmp_path / "output", tmp_path / "cache")
    assert (folder / "notes.txt").read_text() == "precious"
    (folder / "notes.txt").unlink()
    assert not build(changed, tmp_path / "output", tmp_path / "cache").unchanged


def test_a_damaged_list_of_files_is_told_and_nothing_is_replaced(write_recipe, tmp_path):
    folder = build(write_recipe(), tmp_path / "output", tmp_path / "cache").folder
    whole = (folder / "pack.json").read_bytes()
    for damaged in (b"", whole[:100], b"[]", b'{"files": 1}'):
        (folder / "pack.json").write_bytes(damaged)
        with pytest.raises(InputError, match="pack.json is damaged.*; delete the folder"):
            build(write_recipe(), tmp_path / "output", tmp_path / "cache")
        assert (folder / "README.md").exists() and (folder / "pack.json").read_bytes() == damaged


def test_changing_an_effect_renders_nothing(write_recipe, tmp_path):
    build(write_recipe(), tmp_path / "output", tmp_path / "cache")
    notes = files(tmp_path / "cache")
    changed = build(write_recipe("process: [Reverb]\n"), tmp_path / "output", tmp_path / "cache")
    assert not changed.unchanged and files(tmp_path / "cache") == notes


def test_a_damaged_cache_entry_is_rendered_again(write_recipe, tmp_path):
    first = build(write_recipe(), tmp_path / "a", tmp_path / "cache")
    entries = list((tmp_path / "cache").rglob("*.wave"))
    assert len(entries) == 3
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-1] + b"\x01")
    assert contents(build(write_recipe(), tmp_path / "b", tmp_path / "cache").folder) == contents(first.folder)


def test_when_a_build_fails_the_earlier_pack_stays(write_recipe, tmp_path, monkeypatch):
    first = build(write_recipe(), tmp_path / "output", tmp_path / "cache")
    whole = contents(first.folder)

    def fail(*arguments):
        raise SamplepackError("the disk is on fire")

    monkeypatch.setattr(process, "apply_chain", fail)
    with pytest.raises(SamplepackError, match="on fire"):
        build(write_recipe("process: [Reverb]\n"), tmp_path / "output", tmp_path / "cache")
    assert contents(first.folder) == whole
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["small"]


def test_a_second_build_imports_no_tensorflow(write_recipe, tmp_path):
    recipe = write_recipe()
    build(recipe, tmp_path / "output", tmp_path / "cache")
    script = f"""
import sys
from dataclasses import replace
from pathlib import Path
from samplepack.base.parallel import threads
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.pack.build import build_pack
from samplepack.pack.plan import plan_pack, summarise
from samplepack.pack.recipes import check_recipe
from samplepack.rendering.cache import Cache
plan = plan_pack(check_recipe(Path({str(recipe)!r})), DEFAULT_ENGINE)
cache = Cache(Path({str(tmp_path / "cache")!r}))
for output, unchanged in (("output", True), ("elsewhere", False)):
    _, _, was_there = build_pack(plan, Path({str(tmp_path)!r}) / output, cache, threads(1))
    assert was_there == unchanged
summarise(plan, cache)
assert not {{"tensorflow", "keras", "jax"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_saved_latent_sounds_as_the_seed_it_was_saved_from(write_recipe, tmp_path):
    np.save(tmp_path / "kept.npy", np.random.RandomState(7).standard_normal(32))
    folder = build(
        write_recipe(timbres="{Glass: 7, Kept: {latent: kept.npy}}", pitches="60"), tmp_path / "o", tmp_path / "c"
    ).folder
    assert "sample=../Samples/Glass/Glass_060.wav" in (folder / "Instruments" / "Kept.sfz").read_text(encoding="utf-8")
    np.save(tmp_path / "kept.npy", np.random.RandomState(8).standard_normal(32))
    build(load := tmp_path / "small.yaml", tmp_path / "o", tmp_path / "c")
    assert load.exists() and (folder / "Samples" / "Kept" / "Kept_060.wav").exists()


@pytest.fixture(scope="module")
def first_light(tmp_path_factory):
    """The demo with every sixth of its keys: CI builds and plays all of them."""
    folder = tmp_path_factory.mktemp("first-light")
    recipe = folder / "first-light.yaml"
    recipe.write_bytes((REPOSITORY / "recipes" / recipe.name).read_bytes() + b"pitches: 36-84/6\n")
    return build(recipe, folder, folder / "cache").folder


def test_every_map_of_the_demo_loads_in_sfizz_and_every_key_to_an_octave_beyond_sounds(first_light):
    maps = sorted(first_light.glob("Instruments/*.sfz"))
    assert len(maps) == 8
    for sfz in maps:
        synth, _ = play(sfz, 60, 0.1, 0.1)
        assert synth._synth.get_num_regions() == 9
        for key in (0, 23, 24, *range(36, 85), 96, 97, 127):
            synth._synth.all_sound_off()
            audio = np.array(synth.render_note(key, 100, 0.4, 0.5))
            if 24 <= key <= 96:  # an octave beyond the rendered keys
                assert 0.003 < np.abs(audio).max() <= 1.0
            else:
                assert not audio.any()


def test_the_demos_timbres_are_in_tune(first_light):
    """At least 95 % of keys within 50 cents, octaves aside, and half of them within 10, by a measure of its own."""
    for timbre in ("Dawn", "Noon", "Haze"):
        off = []
        for pitch in range(36, 85, 6):
            samples, rate_hz = soundfile.read(
                first_light / f"Samples/{timbre}/{timbre}_{pitch:03d}.wav", dtype="float32"
            )
            heard_hz = fundamental_hz(Audio(samples[np.newaxis], rate_hz))
            cents = cents_between(heard_hz, pitch_hz(pitch)) if heard_hz else 600.0
            off.append(abs((cents + 600.0) % 1200.0 - 600.0))
        assert np.mean(np.array(off) <= 50.0) >= 0.95
        assert np.median(off) <= 10.0


def test_a_key_between_two_samples_plays_at_its_own_pitch(write_recipe, tmp_path):
    folder = build(write_recipe(pitches="60-63/3"), tmp_path / "o", tmp_path / "c").folder
    synth, at_root = play(folder / "Instruments" / "Glass.sfz", 60)
    _, above = play(folder / "Instruments" / "Glass.sfz", 61)
    assert synth._synth.get_num_regions() == 2
    assert cents_between(fundamental_hz(above), fundamental_hz(at_root)) == pytest.approx(100.0, abs=1.0)


def test_names_with_spaces_accents_and_sharps_play(write_recipe, tmp_path):
    recipe = write_recipe(timbres="{'Été C# (1) & ~x': 7}", pitches="60")
    folder = build(recipe, tmp_path / "o", tmp_path / "c").folder
    _, audio = play(folder / "Instruments" / "Été C# (1) & ~x.sfz", 60)
    assert audio.peak > 0.03


def test_the_packs_licence_names_the_author_and_the_checkpoints_notice(first_light):
    text = (first_light / "LICENSE.txt").read_text(encoding="utf-8")
    assert "The samplepack authors: CC0-1.0" in text and "FluidR3" in text
    assert "Checkpoint 'starter', trained on Fluid R3 GM, with the digest " in text
    text = Path(first_light / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# First Light\n")


def test_a_packs_readme_names_the_formats_that_it_holds(write_recipe, tmp_path):
    folder = build(write_recipe("formats: [decentsampler]\n", pitches="60"), tmp_path / "o", tmp_path / "c").folder
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "1 sampler instrument, in `Instruments/`: a .dspreset loads into DecentSampler.\n" in text
    assert ".sfz" not in text and ".multisample" not in text


def test_a_readme_counts_in_the_singular_too(write_recipe, tmp_path):
    text = (build(write_recipe(pitches="60"), tmp_path / "o", tmp_path / "c").folder / "README.md").read_text()
    assert "1 sampler instrument, in `Instruments/`" in text and "| Glass | 1 key, 1 of 1 in tune" in text


def test_a_midi_file_that_changes_while_another_pack_is_built_makes_the_next_build_anew(write_recipe, tmp_path):
    shutil.copy(FIXTURES / "clip.mid", tmp_path / "song.mid")
    first = write_recipe(pitches="60", name="first.yaml")
    song = "clips: {Song: {midi: song.mid, timbres: [Glass], tracks: [1]}}\n"
    second = write_recipe(song, pitches="60", name="second.yaml")
    second.write_text(second.read_text().replace("name: Small", "name: Second"))

    def change(built):
        (tmp_path / "song.mid").write_bytes((FIXTURES / "clip.mid").read_bytes() + b"\0")

    samplepack.build([first, second], tmp_path / "output", on_built=change)
    assert not samplepack.build(second, tmp_path / "output")[0].unchanged
    assert samplepack.build(second, tmp_path / "output")[0].unchanged


@pytest.mark.parametrize(
    "wrong", [{"precision": "float64"}, {"device": "tpu"}, {"workers": 0}, {"locked": True, "update_lock": True}]
)
def test_arguments_are_checked_before_anything_renders(write_recipe, tmp_path, wrong):
    with pytest.raises(InputError):
        samplepack.build(write_recipe(), tmp_path / "output", **wrong)
    assert not (tmp_path / "output").exists()
