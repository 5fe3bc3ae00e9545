"""Fitting the timbres of a recipe, and sounds alone."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.fitting import fit as fitting
from samplepack.models.checkpoint import CONFIG, Config, write_checkpoint
from samplepack.recipe import load_recipe
from samplepack.recipe.fits import fits_file
from samplepack.rendering.plan import timbre_latents
from tests.helpers.bad_sounds import BAD_SOUNDS, write_sound
from tests.helpers.tones import RATE_HZ
from tests.helpers.tones import steady_wave as tone


def test_every_bad_sound_of_a_folder_is_told_at_once_before_anything_is_fitted(tmp_path, run, write_recipe):
    for name, (samples, _) in BAD_SOUNDS.items():
        write_sound(tmp_path / name, samples)
    recipe = write_recipe(timbres="{Mine: {like: .}}")
    ran = run("fit", recipe)
    assert ran.code == 2 and len(ran.err.splitlines()) == len(BAD_SOUNDS) and not fits_file(recipe).exists()


@pytest.fixture
def at_once(monkeypatch):
    """Fits that take no time: every latent is made of ones. Gives what was fitted to."""
    told = []

    def fit(checkpoint, notes, on_step):
        told.append([note.pitch for note in notes])
        on_step(1, 1)
        return SimpleNamespace(latent=np.ones(32, "f4"), nearest="Viola", nearest_db=9.0, fitted_db=6.0)

    monkeypatch.setattr(fitting, "_fit", fit)
    return told


@pytest.fixture
def mine(tmp_path, write_recipe):
    (tmp_path / "sounds").mkdir()
    for pitch in (60, 64):
        soundfile.write(tmp_path / "sounds" / f"mine_{pitch}.wav", tone(pitch), RATE_HZ)
    return write_recipe(timbres="{Mine: {like: sounds/mine_60.wav}, Both: {like: sounds, toward: Mine, at: 0.5}}")


def problems_of(path):
    with pytest.raises(InputError) as raised:
        load_recipe(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in raised.value.problems]


def test_a_recipe_is_fitted_once_and_then_good(mine, run, at_once):
    assert problems_of(mine) == [
        "small.yaml:4:24: timbres.Mine.like: no latent has been fitted to it; run: samplepack fit small.yaml",
        "small.yaml:4:58: timbres.Both.like: no latent has been fitted to it; run: samplepack fit small.yaml",
    ]
    ran = run("fit", mine)
    assert ran.code == 0 and ran.err == ""
    assert ran.out.splitlines() == [
        "Mine: nearest is Viola, 9.0 dB away; fitted to 1 note: 6.0 dB",
        "Both: nearest is Viola, 9.0 dB away; fitted to 2 notes: 6.0 dB",
    ]
    assert at_once == [[60], [60, 64]]
    assert run("check", mine).out == f"{mine}: good\n"
    assert run("fit", mine).out == "everything is fitted already\n" and len(at_once) == 2
    assert timbre_latents(load_recipe(mine).recipe, 32)["Mine"].tolist() == [1.0] * 32
    planned = run("plan", mine).out
    assert "(like: sounds/mine_60.wav)" in planned and "(like: sounds, toward: Mine, at: 0.5)" in planned


def test_what_is_kept_is_a_file_that_diffs_line_by_line(mine, run, at_once):
    assert json.loads(run("fit", mine, "--json").out)[1] == {
        "name": "Both", "notes": 2, "nearest": "Viola", "nearest_db": 9.0, "fitted_db": 6.0,
    }  # fmt: skip
    kept = fits_file(mine).read_text(encoding="utf-8")
    assert fits_file(mine).name == "small.fit.json" and str(mine.parent) not in kept and len(kept.splitlines()) == 17
    first, second = json.loads(kept)["fits"]
    assert first["like"] == ["sounds/mine_60.wav"] and second["like"] == ["sounds"] and first["latent"] == [1.0] * 32


def test_a_timbre_may_be_renamed_and_another_added_without_fitting_it_again(mine, run, at_once):
    run("fit", mine)
    mine.write_text(
        mine.read_text().replace("Mine", "Ours").replace("Both:", "New: {like: [sounds/mine_64.wav]}, Both:")
    )
    assert run("fit", mine).out.startswith("New: ") and at_once[2:] == [[64]]
    assert run("check", mine).code == 0


@pytest.mark.parametrize("change", ["content", "name", "more"])
def test_other_sounds_are_fitted_anew(mine, run, at_once, change):
    run("fit", mine)
    sound = mine.parent / "sounds" / "mine_64.wav"
    if change == "content":
        soundfile.write(sound, tone(64) * 0.5, RATE_HZ)
    elif change == "name":
        sound.rename(sound.with_name("mine_E4.wav"))
    else:
        soundfile.write(sound.with_name("mine_67.wav"), tone(67), RATE_HZ)
    assert problems_of(mine) == [
        "small.yaml:4:58: timbres.Both.like: the sounds aren't those that a latent was fitted to; "
        "run: samplepack fit small.yaml"
    ]
    assert run("fit", mine).out.count("\n") == 1 and run("check", mine).code == 0


def test_another_checkpoint_is_fitted_anew(mine, run, at_once):
    run("fit", mine)
    config = json.loads((library.STARTER / CONFIG).read_text())
    write_checkpoint(mine.parent / "own", Config.model_validate({**config, "instruments": []}), {"a": np.ones(1)})
    mine.write_text(mine.read_text().replace("checkpoint: starter@1", "checkpoint: ./own"))
    assert problems_of(mine)[0] == (
        "small.yaml:4:24: timbres.Mine.like: its latent was fitted for starter@1; run: samplepack fit small.yaml"
    )
    assert len(run("fit", mine).out.splitlines()) == 2 and run("check", mine).code == 0


BAD_LIKES = {
    "7": "should be the path of a sound file or of a folder of them, or a list of such paths",
    "[]": "should be the path of a sound file or of a folder of them, or a list of such paths",
    "[7]": "should be the path of a sound file or of a folder of them, or a list of such paths",
    "nowhere.wav": "'nowhere.wav': no such file or folder",
    "[sounds, nowhere.wav]": "'nowhere.wav': no such file or folder",
    '"\\0"': "'\\x00': no such file or folder",
    "x" * 5000: f"'{'x' * 5000}': no such file or folder",
    "empty": "'empty': holds no sound files (.wav, .wave, .aif, .aiff, .aifc, .flac, .ogg, .oga, .opus, .mp3)",
    "many": "201 sound files; a dozen notes are enough, 200 the most",
    "huge": "'huge.wav': longer than 100 MB, which no note is",
}


@pytest.mark.parametrize("like", BAD_LIKES, ids=lambda like: like[:30])
def test_what_cannot_be_sounds_is_told_where_it_stands(mine, like):
    folder = mine.parent
    for name in ("empty", "many", "huge"):
        (folder / name).mkdir()
    for number in range(201):
        (folder / "many" / f"{number}.wav").touch()
    with (folder / "huge" / "huge.wav").open("wb") as file:
        file.truncate(100_000_001)
    mine.write_text(
        mine.read_text()
        .replace("sounds/mine_60.wav", like)
        .replace(", Both: {like: sounds, toward: Mine, at: 0.5}", "")
    )
    assert problems_of(mine) == [f"small.yaml:4:24: timbres.Mine.like: {BAD_LIKES[like]}"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "no file of fits, not even JSON: "),
        (b"\xff", "no file of fits, not even JSON: "),
        (b"[" * 100_000, "no file of fits, not even JSON: "),
        (b"[]", "no file of fits of this version: Input should be"),
        (
            b'{"fit": 2, "fits": []}',
            "no file of fits of this version: fit: Input should be less than or equal to 1; delete it and fit anew",
        ),
        (
            b'{"fit": 1, "fits": [{}]}',
            "no file of fits of this version: fits.0.like: Field required; delete it and fit anew",
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_damaged_file_of_fits_is_told(mine, run, content, told):
    fits_file(mine).write_bytes(content)
    for command in ("check", "fit"):
        ran = run(command, mine)
        assert ran.code == 2 and any(line.startswith(f"{fits_file(mine)}: {told}") for line in ran.err.splitlines())


def test_a_fit_with_numbers_that_are_none_is_damaged(mine, run, at_once):
    run("fit", mine)
    fits_file(mine).write_text(fits_file(mine).read_text().replace("1.0, 1.0]", "1.0, NaN]"))
    assert "latent.31: Input should be a finite number" in run("check", mine).err


@pytest.mark.parametrize("sound", ["sounds", "sounds/mine_60.wav", "sounds/gone_60.WAV"])
def test_sounds_without_a_place_for_their_latent_are_told(mine, run, sound):
    path = mine.parent / sound
    told = f"{path}: sounds, not a recipe; say with --output which .npy file their latent goes to\n"
    assert run("fit", path).err == told


def test_a_recipe_that_is_like_nothing_has_nothing_to_fit(run, write_recipe):
    ran = run("fit", write_recipe())
    assert ran.code == 2 and "no timbre is `like` a sound" in ran.err


def test_fitted_sounds_without_a_good_place_to_go_are_told(tmp_path, run):
    soundfile.write(tmp_path / "a_60.wav", tone(60), RATE_HZ)
    ran = run("fit", tmp_path / "a_60.wav", "-o", tmp_path / "a")
    assert ran.code == 2 and "a latent is written as .npy; call it a.npy" in ran.err
    assert (
        run("fit", tmp_path / "b_60.wav", "-o", tmp_path / "a.npy").err
        == f"'{tmp_path / 'b_60.wav'}': no such file or folder\n"
    )
    assert not (tmp_path / "a.npy").exists()
