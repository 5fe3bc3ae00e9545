"""samplepack from Python: arrays as soundfile has them, finished notes as a pack has them, nothing that clips."""

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import samplepack
from samplepack import api
from samplepack.base.errors import InputError
from samplepack.checkpoints.library import STARTER
from samplepack.sound.audio import Audio
from samplepack.sound.loudness import true_peak_db
from tests.helpers.places import FIXTURES


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMPLEPACK_HOME", str(tmp_path_factory.mktemp("home")))
        return samplepack.load("starter")


@pytest.mark.parametrize("module", [samplepack, api], ids=["samplepack", "samplepack.api"])
def test_examples_in_docstrings_run(module, player, tmp_path, monkeypatch):
    examples = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert examples
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bell.yaml").write_text("recipe: 1\nname: Bell\npitches: [60]\ntimbres: {Glass: 7}\n")
    monkeypatch.setattr(samplepack, "load", lambda checkpoint: player)  # the network is read once
    runner = doctest.DocTestRunner()
    for example in examples:
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


def test_a_raw_note_is_an_array_of_mono_sound(player):
    note = player.render(7, pitch=60)
    assert note.samples.shape == (192000,) and note.samples.dtype == np.float32
    assert note.sample_rate == 48000 and note.duration_s == 4.0 and len(note) == 192000
    assert np.array_equal(np.asarray(note), note.samples) and np.asarray(note, np.float64).dtype == np.float64
    assert note.loop is None and note.cents is None and repr(note).startswith("<Rendered 'seed 7, pitch 60': 4.00 s")


def test_soundfile_takes_it_as_it_is(player, tmp_path):
    for sound in (player.render(7), player.note(7, channels="stereo")):
        soundfile.write(tmp_path / "written.wav", sound, sound.sample_rate, subtype="FLOAT")
        samples, rate_hz = soundfile.read(tmp_path / "written.wav", dtype="float32")
        assert rate_hz == sound.sample_rate and np.array_equal(samples, sound.samples)


def test_what_is_above_full_scale_is_brought_below_it_by_a_gain_that_it_tells(player):
    note, key = player.render(0, pitch=60), player._studio.key(player.latent(0), 60)
    (raw,) = player._studio.render([key])
    assert raw.peak > 1.3
    assert note.gain_db == pytest.approx(-1.0 - true_peak_db(raw))
    np.testing.assert_allclose(note.samples / 10 ** (note.gain_db / 20), raw.samples[0], rtol=1e-6, atol=1e-9)


def test_nothing_clips(player, tmp_path):
    gains = []
    for seed in range(40):
        note = player.render(seed, pitch=60)
        gains.append(note.gain_db)
        assert true_peak_db(Audio(note.samples[np.newaxis], note.sample_rate)) <= -1.0 + 1e-3
        note.save(tmp_path / "note.flac")
        saved, _ = soundfile.read(tmp_path / "note.flac", dtype="int32")
        np.testing.assert_allclose(saved / 2**31, note.samples, atol=2**-23)
    assert 10 <= sum(gain < 0.0 for gain in gains) < 40 and max(gains) == 0.0


@pytest.mark.parametrize("channels", ["mono", "stereo"])
def test_a_finished_note_is_that_of_a_pack_before_its_levelling(player, run, write_recipe, tmp_path, channels):
    sound = f"checkpoint: starter\nsound: {{bits: 32, channels: {channels}, level: natural}}\nprocess: [{{Reverb: {{room_size: 0.4}}}}]\n"
    assert run("build", write_recipe(sound, pitches="[60]"), "--output", tmp_path).code == 0
    manifest = json.loads((tmp_path / "small/pack.json").read_text(encoding="utf-8"))
    (entry,) = manifest["instruments"][0]["notes"]
    packed, rate_hz = soundfile.read(tmp_path / "small" / entry["file"], dtype="float32")
    note = player.note(7, pitch=60, effects=[{"Reverb": {"room_size": 0.4}}], channels=channels)
    assert note.sample_rate == rate_hz == 48000 and note.samples.shape == packed.shape
    assert list(note.loop) == entry["loop"]["frames"] and note.cents == pytest.approx(entry["cents"], abs=0.006)
    # One gain lies between them, that of the whole file, up to the last bit of two roundings.
    ours, theirs = note.samples.astype(np.float64), packed.astype(np.float64)
    gain = np.vdot(ours, theirs) / np.vdot(ours, ours)
    np.testing.assert_allclose(ours * gain, theirs, rtol=2e-7, atol=1e-12)
    assert 20 * np.log10(gain) == pytest.approx(entry["gain_db"] - note.gain_db, abs=0.006)


def test_a_saved_note_tells_samplers_its_key_and_its_loop(player, tmp_path):
    note = player.note("Viola", pitch=55)
    note.save(tmp_path / "viola.wav")
    content = (tmp_path / "viola.wav").read_bytes()
    fields = np.frombuffer(content, "<u4", 15, content.index(b"smpl") + 8)
    assert fields[3] == 55 and fields[7] == 1 and tuple(fields[11:13]) == note.loop
    assert soundfile.info(tmp_path / "viola.wav").subtype == "PCM_24"


def test_instruments_have_names_in_any_case_and_latents_that_play_the_same(player):
    viola = player.render("viola", 60)
    assert np.array_equal(player.render("Viola", 60).samples, viola.samples)
    assert np.array_equal(player.render(player.latent("VIOLA").tolist(), 60).samples, viola.samples)
    assert np.array_equal(player.render(np.int64(7), np.int64(60)).samples, player.render(7, 60).samples)


def test_between_two_timbres_lies_an_arc(player):
    a, b = player.latent(7), player.latent("Viola")
    np.testing.assert_allclose(player.between(7, "Viola", 0.0), a, atol=1e-6)
    np.testing.assert_allclose(player.between(7, "Viola", 1.0), b, atol=1e-6)
    half = player.between(a, b, 0.5)
    cosine = [half @ end / np.linalg.norm(half) / np.linalg.norm(end) for end in (a, b)]
    assert half.dtype == np.float32 and cosine[0] > a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert len(player.render(half, 60)) == 192000


def test_a_checkpoint_is_loaded_by_name_path_or_text_with_a_slash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bell.yaml").write_text("recipe: 1\nname: Bell\npitches: [60]\ntimbres: {Glass: 7}\n")
    Path("own").symlink_to(STARTER)
    digest = samplepack.load("starter").checkpoint.digest
    for checkpoint in (STARTER, str(STARTER), Path("own"), "./own"):
        assert samplepack.load(checkpoint).checkpoint.digest == digest
    with pytest.raises(InputError, match="no checkpoint is called 'own'"):
        samplepack.load("own")


def test_the_network_is_loaded_once(player, monkeypatch):
    player.render(7, pitch=61)
    monkeypatch.setattr("samplepack.api.load_model", None)
    assert len(player.render(8, pitch=62)) == 192000


NAN = [0.5] * 31 + [float("nan")]


@pytest.mark.parametrize(
    ("timbre", "message"),
    [
        ([0] * 32, "the latent has a mean square of 0.0, and this checkpoint divides latents by its root"),
        ([1e-30] * 32, "the latent has a mean square of 0.0"),
        ([1e30] * 32, "the latent has a mean square of inf"),
        ([1e300] * 32, "the latent holds NaN or infinity"),
        (NAN, "the latent holds NaN or infinity"),
        ([0.5] * 31, r"the latent has shape \(31,\); it should have \(32,\)"),
        ([[0.5] * 32], r"the latent has shape \(1, 32\); it should have \(32,\)"),
        ([[0.5], [0.5, 1.0]], "a timbre should be a seed .a whole number., .* not list"),
        (7.0, "a timbre should be a seed .a whole number., an instrument's name or a latent .32 finite numbers., not 7.0"),
        (True, "a timbre should be a seed .a whole number., .* not True"),
        (None, "a timbre should be a seed .a whole number., .* not None"),
        (-1, "seed -1 should be a whole number from 0 to 4294967295"),
        (2**32, "seed 4294967296 should be a whole number from 0 to 4294967295"),
        ("Violla", "checkpoint 'starter' has no instrument 'Violla'; did you mean 'Viola'"),
    ],
)  # fmt: skip
def test_a_timbre_that_is_none_is_refused_in_a_line(player, timbre, message):
    for use in (player.render, player.note, lambda timbre: player.between(7, timbre, 0.5)):
        with pytest.raises(InputError, match=message) as caught:
            use(timbre)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pitch": 12}, "pitch 12 is outside what the checkpoint can play, 24-84"),
        ({"pitch": 60.0}, "pitch 60.0 should be a whole number"),
        ({"pitch": "C4"}, "pitch 'C4' should be a whole number"),
        ({"effects": [{"Revreb": {}}]}, r"effects\[0\]: Pedalboard has no effect 'Revreb'; did you mean 'Reverb'"),
        ({"effects": [{"Reverb": {"size": 1}}]}, r"effects\[0\].Reverb: Reverb has no parameter 'size'"),
        ({"effects": ["Reverb", {"Reverb": {"room_size": 2.0}}]}, r"effects\[1\].Reverb.room_size: 2.0"),
        ({"effects": [{"Gain": {"gain_db": -120.0}}]}, r"effects\[0\]: Gain: it turns sound into silence"),
        ({"effects": {"Reverb": {"room_size": 2.0}}}, "effects should be a list of steps"),
        ({"effects": "Reverb"}, "effects should be a list of steps"),
        ({"effects": None}, "effects should be a list of steps"),
        ({"channels": "quad"}, "channels: should be 'mono' or 'stereo'"),
    ],
)
def test_a_note_that_cannot_be_is_refused_in_a_line(player, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        player.note(7, **arguments)
    assert "\n" not in str(caught.value)


def test_no_arc_leaves_its_ends_or_leads_to_nothing(player):
    for t in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="it should be from 0.0 to 1.0"):
            player.between(7, 8, t)


def test_without_a_shell_a_latent_of_zeros_plays_but_has_no_arc(player):
    config = player.checkpoint.config.model_copy(update={"latent_normalisation": "none"})
    bare = api.Player(type(player.checkpoint)("bare", STARTER, config))
    assert not bare.latent([0.0] * 32).any()
    with pytest.raises(InputError, match="a latent of zeros has no direction"):
        bare.between([0.0] * 32, 7, 0.5)


def test_in_a_notebook_notes_and_clips_have_a_player_and_a_picture(player, tmp_path):
    import note_seq  # takes more than a second, which the other tests don't need

    shown = player.render(7, pitch=60)._repr_html_()
    assert '<audio controls src="data:audio/flac;base64,' in shown and "data:image/png;base64," in shown
    clip = player.clip(FIXTURES / "clip.mid", timbres=[7, player.instruments[0], player.latent(3)])
    assert clip.title == "7 notes; left out: 1 note of drums; left out: 3 notes outside 36-84"
    assert clip.sample_rate == 48000 and clip.samples.ndim == 1 and "data:audio/flac" in clip._repr_html_()
    assert true_peak_db(Audio(clip.samples[np.newaxis], 48000)) == pytest.approx(-1.0, abs=1e-3)
    same = player.clip(note_seq.midi_file_to_note_sequence(str(FIXTURES / "clip.mid")), [7, player.instruments[0], 3])
    assert len(same) == len(clip) and np.array_equal(same.samples, clip.samples)
    clip.draw(tmp_path / "clip.svg")
    picture = (tmp_path / "clip.svg").read_text()
    assert all(f"<!-- {name} -->" in picture for name in ("seed 7", player.instruments[0], "latent"))


def test_what_cannot_be_played_from_python_is_told(player):
    with pytest.raises(InputError, match="give timbres, or seconds_per_instrument"):
        player.clip(FIXTURES / "clip.mid")
    with pytest.raises(InputError, match="'at' should give a rising fraction"):
        player.clip(FIXTURES / "clip.mid", timbres=[7, 8], at=[0.5, 0.5])


def test_a_timbre_is_moved_along_directions_of_the_checkpoint():
    starter = samplepack.load("starter@1")
    moved = starter.move("Viola", {"brightness": 1.5, "pc3": -0.8})
    steps = {name: direction.values for name, direction in starter.directions.items()}
    assert moved == pytest.approx(starter.latent("Viola") + 1.5 * steps["brightness"] - 0.8 * steps["pc3"], abs=1e-5)
    with pytest.raises(InputError, match=r"no direction is called 'warmth' \(the checkpoint has brightness, "):
        starter.move(7, {"warmth": 1.0})
    with pytest.raises(InputError, match="should be a finite number, not nan"):
        starter.move(7, {"brightness": float("nan")})
