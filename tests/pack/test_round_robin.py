"""Takes of a key that play in turn: how they lie, how they are written, and what sfizz plays."""

import json
import shutil
from functools import cache

import numpy as np
import pytest

from samplepack.evaluation.measures import log_mel, log_mel_distance_db
from samplepack.pack.players import players
from samplepack.pack.verify import verify
from samplepack.sound.audio import read
from tests.helpers.packs import build, files, play

RECIPE = """\
recipe: 1
checkpoint: starter@1
name: Turns
pitches: [48, 60]
timbres: {Reed: 2, Bow: {instrument: Viola}}
"""


def make(folder, more):
    recipe = folder / "r.yaml"
    recipe.write_text(RECIPE + more)
    return build(recipe, folder / "output", folder / "cache")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return make(tmp_path_factory.mktemp("turns"), "round_robin: 3\nformats: [sfz, multisample, decentsampler]\n")


@pytest.fixture
def pack(built, tmp_path):
    return shutil.copytree(built.folder, tmp_path / "turns")


def strike(sfz, key, strikes, velocity=127, held_s=0.5):
    """What sfizz plays when a key is struck again and again, float32, shape (2, samples) each."""
    synth, _ = play(sfz, 127 if key < 54 else 0, 0.01, 0.01)  # a key of the other sounds
    played = []
    for _ in range(strikes):
        synth._synth.all_sound_off()
        played.append(np.array(synth.render_note(key, velocity, held_s, held_s)))
    return played


def correlation(a, b):
    length = min(len(a), len(b))
    a, b = a[:length], b[:length]
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def heard(pack, played, notes):
    """The take whose sound file it is that was played."""
    sounds = {note.take: read(pack / note.file).samples.sum(axis=0) for note in notes}
    likeness = {take: correlation(played.sum(axis=0), sound) for take, sound in sounds.items()}
    *_, second, first = sorted(likeness.values())
    assert first > 0.98 and second < 0.95
    return max(likeness, key=likeness.get)


def test_sfizz_plays_the_takes_in_turn_and_begins_again(built):
    for instrument in built.manifest.instruments:
        notes = [note for note in instrument.notes if note.pitch == 48]
        played = strike(built.folder / "Instruments" / f"{instrument.name}.sfz", 48, 7)
        assert [heard(built.folder, sound, notes) for sound in played] == [0, 1, 2, 0, 1, 2, 0]


def test_takes_are_the_same_instrument_and_yet_differ(built):
    def timbre(note):
        audio = read(built.folder / note.file)
        return log_mel(audio.samples[0, : 2 * audio.rate_hz], audio.rate_hz)

    reed, bow = built.manifest.instruments
    for pitch in (48, 60):
        first, *others = [timbre(note) for note in bow.notes if note.pitch == pitch]
        distances = [log_mel_distance_db(first, other) for other in others]
        another = log_mel_distance_db(first, next(timbre(note) for note in reed.notes if note.pitch == pitch))
        assert min(distances) > 0.1 and max(distances) < 0.5 * another


def test_each_take_is_tuned_looped_and_as_loud_as_the_first(built):
    for instrument in built.manifest.instruments:
        assert [(n.pitch, n.take) for n in instrument.notes] == [(p, t) for p in (48, 60) for t in range(3)]
        assert all(abs(note.cents) < 1.0 and note.loop for note in instrument.notes)
        for pitch in (48, 60):
            assert np.ptp([note.loudness_lufs for note in instrument.notes if note.pitch == pitch]) < 0.05
    assert "Samples/Bow/Bow_060_rr3.wav" in files(built.folder)
    assert "Each key has 3 takes" in (built.folder / "README.md").read_text(encoding="utf-8")


def test_the_first_take_is_the_timbre_itself(built, tmp_path):
    alone = make(tmp_path, "")
    for one, three in zip(alone.manifest.instruments, built.manifest.instruments, strict=True):
        for pitch, fingerprint in one.rendered.items():
            assert three.rendered[pitch].startswith(fingerprint)
            assert len(set(three.rendered[pitch].split())) == 3 * len(fingerprint.split())


LAYERS, MORPH = (
    "velocity: {layers: 2, toward: Reed}\n",
    "paths: {Drift: {through: [Reed, Bow], steps: 2, as: morph}}\n",
)


@pytest.fixture(scope="module")
def stereo(tmp_path_factory):
    """What a recipe says more → its pack of two takes in stereo, built once."""

    @cache
    def made(more):
        texts = f"round_robin: 2\nsound: {{channels: stereo}}\nformats: [sfz, multisample]\n{more}"
        return make(tmp_path_factory.mktemp("stereo"), texts)

    return made


@pytest.mark.parametrize("more", [LAYERS, MORPH], ids=["layers", "morph"])
def test_nothing_is_wrong_with_takes_of_layers_stereo_and_morphs(stereo, more):
    reports = verify(stereo(more).folder, players()[0])
    assert not [problem for report in reports for problem in report.problems]


@pytest.mark.parametrize(
    ("more", "name", "velocity", "layer", "file"),
    [
        (LAYERS, "Bow", 20, 0, "Bow_060_1_rr1.wav"),
        (LAYERS, "Bow", 127, 1, "Bow_060_2_rr1.wav"),
        (MORPH, "Drift", 127, 0, "Drift_060_1_rr1.wav"),
    ],
    ids=["soft", "hard", "morph"],
)
def test_takes_go_with_layers_stereo_and_morphs(stereo, more, name, velocity, layer, file):
    pack = stereo(more)
    assert f"Samples/{name}/{file}" in files(pack.folder)
    instrument = next(one for one in pack.manifest.instruments if one.name == name)
    notes = [note for note in instrument.notes if note.pitch == 60 and note.layer == layer]
    played = strike(pack.folder / "Instruments" / f"{name}.sfz", 60, 4, velocity)
    assert [heard(pack.folder, sound, notes) for sound in played] == [0, 1, 0, 1]


def the_same_sound_twice(pack):
    shutil.copy2(pack / "Samples/Bow/Bow_060_rr1.wav", pack / "Samples/Bow/Bow_060_rr2.wav")


def a_softer_take(pack):
    import soundfile

    path = pack / "Samples/Bow/Bow_060_rr2.wav"
    audio = read(path)
    soundfile.write(path, 0.7 * audio.samples.T, audio.rate_hz, subtype="PCM_24")


def a_wrong_turn(pack):
    sfz = pack / "Instruments/Bow.sfz"
    text = sfz.read_text(encoding="utf-8").replace("position=2", "position=x").replace("position=1", "position=2")
    sfz.write_text(text.replace("position=x", "position=1"), encoding="utf-8")


@pytest.mark.parametrize(
    ("plant", "player", "named"),
    [
        (the_same_sound_twice, [], ["Bow: key 60: take 2 is the same sound as one before it"]),
        (a_softer_take, [], ["Bow: key 60: take 2 is -3.1 dB from the first, more than 0.5"]),
        (
            a_wrong_turn,
            ["--player"],
            [
                "Bow: key 60: the SFZ map plays take 2 at turn 1",
                "Bow: key 60: sfizz plays take 2 when it should be 1's turn",
            ],
        ),
    ],
    ids=["the same sound", "softer", "a wrong turn"],
)
def test_a_fault_among_takes_is_named(pack, run, plant, player, named):
    plant(pack)
    ran = run("verify", pack, *player)
    assert ran.code == 1 and all(line in ran.err for line in named), ran.err


def test_recipes_and_plans_say_how_many_takes_there_are(run, write_recipe):
    recipe = write_recipe("round_robin: 3\n", pitches="60")
    assert "Glass: 3 notes, 0 of them in the cache, 3 takes of each key (seed: 7)" in run("plan", recipe).out
    (instrument,) = json.loads(run("plan", recipe, "--json").out)["instruments"]
    assert instrument["takes"] == 3 and instrument["pitches"] == [60] and instrument["notes"] == 3
    before = write_recipe("", name="before.yaml", pitches="60")
    changed = run("diff", before, recipe).out
    assert "round_robin: 1 → 3" in changed and "notes: 2 to render anew, 1 as before" in changed
    for wrong in ("0", "9", "two", "2.5", "true"):
        ran = run("check", write_recipe(f"round_robin: {wrong}\n"))
        assert ran.code == 2 and "small.yaml:5:14: round_robin" in ran.err, ran.err
