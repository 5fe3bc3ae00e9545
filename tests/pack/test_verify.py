"""`verify` finds nothing wrong with a good pack, and names each fault that is planted in one."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from samplepack.pack.manifest import read_manifest
from samplepack.pack.players import players
from samplepack.pack.shortfalls import shortfalls
from samplepack.pack.verify import verify
from samplepack.sound.audio import Audio, encode, read
from samplepack.sound.riff import Loop, SamplerNote
from tests.helpers.packs import build


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    recipe = folder / "r.yaml"
    recipe.write_text("recipe: 1\ncheckpoint: starter@1\nname: Good\npitches: 55-62\ntimbres: {Glass: 28, Reed: 2}\n")
    return build(recipe, folder / "output", folder / "cache").folder


@pytest.fixture
def pack(built, tmp_path):
    return shutil.copytree(built, tmp_path / "good")


def note(pack, pitch=60):
    manifest = json.loads((pack / "pack.json").read_text(encoding="utf-8"))
    return next(n for n in manifest["instruments"][0]["notes"] if n["pitch"] == pitch)


def rewrite(pack, change, root=60):
    """Plant a fault in the sound of key 60."""
    stated = note(pack)
    path = pack / stated["file"]
    samples = change(read(path).samples.copy(), *stated["loop"]["frames"])
    path.write_bytes(encode(Audio(samples, 48000), "wav", 24, 0, SamplerNote(root, Loop(*stated["loop"]["frames"]))))


def detuned(samples, start, end):
    n = samples.shape[1]
    return np.interp(np.arange(n) * 2 ** (20 / 1200), np.arange(n), samples[0])[np.newaxis].astype(np.float32)


def clicking(samples, start, end):
    samples[:, end - 400 : end + 1] *= np.linspace(1.0, -1.0, 401)
    return samples


def pumping(samples, start, end):
    samples[:, start : end + 1] *= np.linspace(1.0, 0.5, end + 1 - start)
    return samples


def wrong_root(pack):
    sfz = pack / "Instruments" / "Glass.sfz"
    text = sfz.read_text(encoding="utf-8")
    sfz.write_text(text.replace("pitch_keycenter=60", "pitch_keycenter=61"), encoding="utf-8")


def missing_region(pack):
    sfz = pack / "Instruments" / "Glass.sfz"
    text = sfz.read_text(encoding="utf-8")
    sfz.write_text(text.replace("Glass_060.wav", "Glass_600.wav"), encoding="utf-8")


def without_loop(pack):
    path = pack / "pack.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    stated = next(n for n in manifest["instruments"][0]["notes"] if n["pitch"] == 60)
    stated.update(loop=None, why_no_loop="no seamless loop")
    path.write_text(json.dumps(manifest), encoding="utf-8")


def decaying(pack):
    path = pack / "pack.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"sustain"', '"decay"', 1), encoding="utf-8")


FAULTS = {
    "a constant offset": (
        lambda p: rewrite(p, lambda samples, *_: samples + np.float32(0.02)),
        "Glass: key 60: a constant offset (DC) of -",
    ),
    "a key without a loop": (without_loop, "Glass: key 60: has no loop (no seamless loop), though the instrument sus"),
    "loops where it decays": (decaying, "Glass: key 60: has a loop, though the instrument decays"),
    "a detuned file": (lambda p: rewrite(p, detuned), "Glass: key 60: +20"),
    "a clicking loop": (lambda p: rewrite(p, clicking), "Glass: key 60: its loop is heard"),
    "a pumping loop": (lambda p: rewrite(p, pumping), "Glass: key 60: its loop is heard"),
    "a clipped file": (
        lambda p: rewrite(p, lambda samples, *_: np.clip(samples * 8, -1, 1)),
        "Glass: key 60: true peak",
    ),
    "a loud key": (lambda p: rewrite(p, lambda samples, *_: samples * 0.4), "Glass: key 60: -"),
    "a silent file": (lambda p: rewrite(p, lambda samples, *_: samples * 0), "Glass: key 60: silent"),
    "a missing file": (
        lambda p: (p / note(p)["file"]).unlink(),
        "Glass: key 60: Samples/Glass/Glass_060.wav cannot be",
    ),
    "a file that is no sound": (
        lambda p: (p / note(p)["file"]).write_bytes(b"x"),
        "Glass: key 60: Samples/Glass/Glass_",
    ),
    "a wrong root in the file": (
        lambda p: rewrite(p, lambda samples, *_: samples, root=61),
        "the file itself states root key 61",
    ),
    "a wrong root in the map": (wrong_root, "Glass: key 60: the SFZ map has root 61"),
    "a region that plays nothing": (missing_region, "Glass: key 60: the SFZ map leaves it out"),
    "a changed picture": (
        lambda p: (p / "Pictures/Glass.png").write_bytes(b"x"),
        "Pictures/Glass.png: missing, or not as",
    ),
}


@pytest.mark.parametrize("player", [False, True], ids=["files", "player"])
def test_a_good_pack_has_nothing_that_falls_short(built, run, player):
    ran = run("verify", built, *(["--player"] if player else []))
    assert ran.code == 0 and ran.err == ""
    assert "Glass: 8 keys, 8 of 8 in tune" in ran.out and "nothing falls short" in ran.out


def test_what_all_layers_of_a_key_fall_short_of_is_told_once(built):
    manifest = read_manifest(built)
    instrument = next(one for one in manifest.instruments if one.name == "Glass")
    notes = [
        note.model_copy(update={"loop": None, "why_no_loop": "dies", "layer": layer})
        for note in instrument.notes
        for layer in range(3)
    ]
    told = shortfalls(notes, "sustain", manifest)
    assert told == [
        f"key {note.pitch}: has no loop (dies), though the instrument sustains" for note in instrument.notes
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(pack, run, fault):
    plant, named = FAULTS[fault]
    plant(pack)
    ran = run("verify", pack)
    assert ran.code == 1 and named in ran.err, ran.err
    assert "Traceback" not in ran.err and "Reed: key" not in ran.err


def test_what_is_no_pack_is_told(tmp_path, run):
    missing, empty = run("verify", tmp_path / "nowhere"), run("verify", tmp_path)
    (tmp_path / "pack.json").write_text("[]")
    damaged = run("verify", tmp_path)
    assert missing.code == empty.code == damaged.code == 2
    assert "nowhere: no such folder" in missing.err and "is no pack: it has no pack.json" in empty.err
    assert "pack.json: no manifest of a pack of this version" in damaged.err


def test_a_folder_of_packs_and_a_file_are_told_from_a_pack(tmp_path, run):
    (tmp_path / "output/good").mkdir(parents=True)
    (tmp_path / "output/good/pack.json").write_text("{}")
    file, around = run("verify", tmp_path / "output/good/pack.json"), run("verify", tmp_path / "output")
    assert file.code == around.code == 2 and "is a file; a pack is a folder" in file.err
    assert f"did you mean a pack in it, such as {tmp_path / 'output/good'}?" in around.err


@pytest.mark.parametrize("command", ["verify", "diff"])
def test_a_damaged_manifest_is_told_in_a_line_wherever_it_is_read(pack, run, command):
    path = pack / "pack.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["instruments"][0]["notes"][0].pop("frames")
    path.write_text(json.dumps(manifest), encoding="utf-8")
    ran = run("verify", pack) if command == "verify" else run("diff", pack, pack)
    assert ran.code == 2 and ran.err.count("\n") == 1 and "instruments.0.notes.0.frames" in ran.err


def test_the_measurements_are_those_of_pack_json(built):
    reports = verify(built, workers=2)
    manifest = json.loads((built / "pack.json").read_text(encoding="utf-8"))
    for report, stated in zip(reports, manifest["instruments"], strict=True):
        for measured, said in zip(report.notes, stated["notes"], strict=True):
            assert measured.loudness_lufs == pytest.approx(said["loudness_lufs"], abs=0.05)
            assert measured.true_peak_db == pytest.approx(said["true_peak_db"], abs=0.05)
            assert measured.cents == pytest.approx(said["cents"], abs=0.05)
            assert soundfile.info(str(built / said["file"])).frames == said["frames"]


def test_playing_a_pack_writes_through_no_link_in_it(pack, tmp_path):
    (tmp_path / "victim.txt").write_text("a user's file")
    (pack / "Instruments" / ".check-Glass.sfz").symlink_to(tmp_path / "victim.txt")
    before = sorted(pack.rglob("*"))
    assert not any(report.problems for report in verify(pack, players()[0]))
    assert (tmp_path / "victim.txt").read_text() == "a user's file"
    assert sorted(pack.rglob("*")) == before


@pytest.mark.parametrize("frames", [[1000, 5], [1000, 1000]])
def test_a_loop_that_ends_before_it_starts_is_a_damaged_manifest(pack, run, frames):
    path = pack / "pack.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["instruments"][0]["notes"][0]["loop"]["frames"] = frames
    path.write_text(json.dumps(manifest), encoding="utf-8")
    ran = run("verify", pack)
    assert ran.code == 2 and "loop.frames: Value error, should be the first and the last frame of a loop" in ran.err


def test_sounds_that_are_no_numbers_and_maps_that_are_no_text_are_told(pack, run):
    stated = note(pack)
    soundfile.write(pack / stated["file"], np.full((48000, 1), np.nan, np.float32), 48000, subtype="FLOAT")
    (pack / "Instruments" / "Reed.sfz").write_bytes(b"\xff\xfe")
    ran = run("verify", pack)
    assert ran.code == 1 and "key 60: " in ran.err and "holds NaN or infinity" in ran.err
    assert "the SFZ map leaves it out" in ran.err and "Traceback" not in ran.err


def test_a_copy_is_told_unless_both_sounds_were_made_from_the_same_render(pack):
    manifest = json.loads((pack / "pack.json").read_text(encoding="utf-8"))
    one, other = manifest["instruments"]
    source, target = one["notes"][0], other["notes"][0]  # both of key 55
    shutil.copyfile(pack / source["file"], pack / target["file"])
    target["sha256"] = manifest["files"][target["file"]] = source["sha256"]
    for is_same_render, copies in ((False, 1), (True, 0)):
        if is_same_render:
            other["rendered"]["55"] = one["rendered"]["55"]
        (pack / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")
        problems = [problem for report in verify(pack) for problem in report.problems]
        assert len([problem for problem in problems if "is a copy of" in problem]) == copies
