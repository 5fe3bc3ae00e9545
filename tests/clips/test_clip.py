"""Clips against what Magenta's own `generate_util` makes, where that is right."""

import shutil

import mido
import note_seq
import numpy as np
import pytest
import soundfile

import samplepack
from samplepack.base.errors import InputError
from samplepack.clips.mix import envelope, mix
from samplepack.clips.path import TimbrePath, random_path
from samplepack.clips.score import PlayedNote, read_midi
from samplepack.clips.walk import walk_latents
from samplepack.models.latent import slerp
from tests.helpers.places import FIXTURES

MAGENTA = np.load(FIXTURES / "clip.npz")


def test_latents_between_two_timbres_are_magentas():
    for one, two, t, out in zip(*(MAGENTA[f"slerp_{name}"] for name in ("p0", "p1", "t", "out")), strict=True):
        np.testing.assert_allclose(slerp(one, two, float(t)), out, atol=1e-6)


@pytest.mark.parametrize("case", ["a", "b"])
def test_each_note_has_magentas_latent(case):
    path = TimbrePath(tuple(MAGENTA[f"zn_{case}_t"]), tuple(MAGENTA[f"zn_{case}_z"]))
    for start_s, out in zip(MAGENTA[f"zn_{case}_start"], MAGENTA[f"zn_{case}_out"], strict=True):
        np.testing.assert_allclose(path.at(float(start_s)), out, atol=1e-6)


def test_before_the_first_timbre_and_after_the_last_one_there_is_no_extrapolation():
    rng = np.random.default_rng(0)
    path = TimbrePath((1.0, 2.0), tuple(rng.standard_normal((2, 8)).astype("float32")))
    assert np.array_equal(path.at(0.0), path.latents[0])
    assert np.array_equal(path.at(9.5), path.latents[1])


def test_equal_timbres_give_that_timbre_where_magenta_gives_nan():
    z = np.ones(8, np.float32)
    np.testing.assert_allclose(TimbrePath((0.0, 1.0), (z, z)).at(0.5), z)


def test_random_timbres_are_magentas():
    path = random_path(30.0, 6.0, seed=0, latent_dim=256)
    np.testing.assert_allclose(path.latents, MAGENTA["ri_z_seed0_30s"], atol=1e-6)
    # Magenta's first one stands a little before the start, so that a note at 0 has one before it.
    np.testing.assert_allclose(path.times_s, MAGENTA["ri_t_30s"], atol=1.1e-4)


def test_a_clip_shorter_than_one_instrument_has_one():
    assert len(random_path(1.0, 6.0, seed=0, latent_dim=4).latents) == 1


@pytest.mark.parametrize("case", range(6))
def test_envelopes_are_magentas(case):
    np.testing.assert_allclose(envelope(float(MAGENTA[f"env_{case}_len"]), 16000), MAGENTA[f"env_{case}"], atol=1e-6)


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


def magentas_notes():
    for i, wave in enumerate(MAGENTA["comb_audio"]):
        # Magenta divides each note by its maximum, which here and there is less than its largest magnitude.
        start_s, end_s = MAGENTA["midi_start_times"][i], MAGENTA["midi_end_times"][i]
        level = envelope(end_s - start_s, 16000)
        sound = wave[: len(level)] * level
        velocity = MAGENTA["midi_velocities"][i] * np.abs(sound).max() / sound.max()
        yield PlayedNote(60, velocity, float(start_s), float(end_s)), wave[np.newaxis]


def test_the_mix_is_magentas_but_for_its_levels():
    mixed = mix(magentas_notes(), float(MAGENTA["midi_end_times"].max()), 16000)[0]
    expected = MAGENTA["comb_out"]
    at_magentas_level = mixed / mixed.max() / 2.0
    np.testing.assert_allclose(at_magentas_level, expected[: len(mixed)], atol=1e-6)
    assert not expected[len(mixed) :].any()
    # Divided by its maximum its negative half would be clipped, were it at full scale.
    assert -expected.min() > 0.5


def test_a_clip_ends_with_the_last_release_whatever_the_order_of_notes():
    wave = np.ones((1, 64000), np.float32)
    notes = [(PlayedNote(60, 127, 2.0, 3.0), wave), (PlayedNote(60, 127, 0.0, 1.0), wave)]
    mixed = mix(notes, 3.0, 16000)
    assert mixed.shape[1] == pytest.approx(3.3 * 16000, abs=1)
    assert mixed[0, int(2.5 * 16000)] == 1.0


def test_silence_stays_silence():
    mixed = mix([(PlayedNote(60, 127, 0.0, 1.0), np.zeros((1, 64000), np.float32))], 1.0, 16000)
    assert np.isfinite(mixed).all()
    assert not mixed.any()


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


def test_a_clip_on_its_own_has_a_picture_and_says_what_was_left_out(run, write_recipe, tmp_path):
    recipe = write_recipe(timbres="{Glass: 7, Choir: 12}")
    ran = run("clip", recipe, FIXTURES / "clip.mid", "-o", tmp_path / "tune.flac", "--timbre", "Choir", "--at", "0.5")
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{tmp_path / 'tune.flac'}: 7 notes, ")
    assert "left out: 1 note of drums\n" in ran.out
    assert soundfile.info(tmp_path / "tune.flac").samplerate == 48000
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")


def test_without_note_seq_a_clip_says_how_to_install_it(run, write_recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "note_seq", None)
    ran = run("clip", write_recipe(), FIXTURES / "clip.mid", "-o", tmp_path / "out.wav")
    assert ran.code == 2 and "pip install 'samplepack[midi]'" in ran.err and ran.err.count("\n") == 1


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


def test_what_lies_beside_a_new_sound_file_is_left_alone(run, write_recipe, tmp_path):
    (tmp_path / "walk.png").write_text("mine")
    ran = run("walk", write_recipe(), "-o", tmp_path / "walk.wav")
    assert ran.code == 2 and "walk.png is there already" in ran.err
    assert (tmp_path / "walk.png").read_text() == "mine" and not (tmp_path / "walk.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spacing", "nan"], "should be numbers of seconds"),
        (["--attack", "0", "--sustain", "0", "--decay", "0"], "is silence"),
        (["--seeds", "3,x"], "'x' is no seed"),
        (["--steps", "1000", "--seeds", "1,2,3"], "a walk of 2001 steps; it takes 1000 at most"),
        (["--pitch", "12"], "pitch 12 is outside what the checkpoint can play, 24-84"),
    ],
)
def test_a_walk_that_cannot_be_is_told_in_a_line(run, write_recipe, tmp_path, arguments, message):
    ran = run("walk", write_recipe(), "-o", tmp_path / "walk.wav", *arguments)
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1


def test_a_walk_passes_its_key_points():
    points = [np.random.RandomState(seed).standard_normal(8).astype("float32") for seed in (3, 17, 8, 3)]
    passed = walk_latents(points, 5)
    assert len(passed) == 16
    for i, point in enumerate(points):
        np.testing.assert_allclose(passed[5 * i], point, atol=1e-6)


def test_notes_are_coloured_by_their_place_along_the_path():
    z = np.ones(4, np.float32)
    path = TimbrePath((0.0, 9.0, 10.0), (z, z, z))
    assert [path.position(t) for t in (0.0, 4.5, 9.0, 9.5, 12.0)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert TimbrePath((0.0,), (z,)).position(3.0) == 0.0


def test_a_walk_is_a_long_sound_and_an_instrument(run, write_recipe, tmp_path):
    recipe = write_recipe(timbres="{Glass: 7, Choir: 12}")
    ran = run("walk", recipe, "-o", tmp_path / "w/walk.wav", "--steps", "4", "--spacing", "0.5", "--instrument")
    assert ran.code == 0, ran.err
    # Five notes, half a second apart, the last of which fades out in 1.8 s.
    assert soundfile.info(tmp_path / "w/walk.wav").duration == pytest.approx(4 * 0.5 + 1.8, abs=0.3)
    assert "lokey=0 hikey=127 pitch_keycenter=48" in (tmp_path / "w/walk.sfz").read_text()


def test_a_preview_has_an_index(run, tmp_path):
    ran = run("preview", "--bank", "5-7", "-o", tmp_path / "bank.wav", "--pitches", "60,67", "--chord")
    assert ran.code == 0, ran.err
    assert (tmp_path / "bank.csv").read_text().splitlines() == [
        "start_s,name,origin", "0.00,Bank 5,seed: 5", "2.50,Bank 6,seed: 6", "5.00,Bank 7,seed: 7",
    ]  # fmt: skip
    assert soundfile.info(tmp_path / "bank.wav").duration == pytest.approx(7.3, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["preview", "-o", "x.wav"], "give a recipe, or --bank"),
        (["preview", "--bank", "7-5", "-o", "x.wav"], "seeds: "),
        (["preview", "--bank", "5-7", "-o", "x.mp3"], "'x.mp3' should end in .wav or .flac"),
        (["preview", "--bank", "5-7", "-o", "x.wav", "--pitches", "60,x"], "should be pitches such as 60,64,67"),
        (["preview", "--bank", "5-7", "-o", "x.wav", "--pitches", "12"], "outside what the checkpoint can play, 24-84"),
    ],
)
def test_what_cannot_be_previewed_is_told_in_a_line(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments)
    assert ran.code == 2 and message in ran.err
    assert list(tmp_path.iterdir()) == []


def test_in_a_notebook_notes_and_clips_have_a_player_and_a_picture(tmp_path):
    starter = samplepack.load("starter")
    note = starter.render(seed=7, pitch=60)
    assert note.audio.samples.shape == (1, 64000) and note.audio.rate_hz == 16000
    shown = note._repr_html_()
    assert '<audio controls src="data:audio/wav;base64,' in shown and "data:image/png;base64," in shown
    note.save(tmp_path / "note.wav")
    assert soundfile.info(tmp_path / "note.wav").frames == 64000
    clip = starter.clip(FIXTURES / "clip.mid", timbres=[7, starter.instruments[0], starter.latent(3)])
    assert clip.title == "7 notes; left out: 1 note of drums; left out: 3 notes outside 36-84"
    same = starter.clip(note_seq.midi_file_to_note_sequence(str(FIXTURES / "clip.mid")), [7, 1, 3])
    assert same.audio.samples.shape[0] == 1
    clip.draw(tmp_path / "clip.svg")
    assert b"<svg" in (tmp_path / "clip.svg").read_bytes()


def test_what_cannot_be_played_from_python_is_told():
    starter = samplepack.load("starter")
    with pytest.raises(InputError, match="pitch 12 is outside"):
        starter.render(seed=7, pitch=12)
    with pytest.raises(InputError, match="no instrument is called 'Violla'; did you mean 'Viola'"):
        starter.render("Violla")
    with pytest.raises(InputError, match="give timbres, or seconds_per_instrument"):
        starter.clip(FIXTURES / "clip.mid")
