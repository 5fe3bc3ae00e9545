"""The lock file beside a recipe: what it says, what --locked refuses, and how it judges."""

import base64
import hashlib
import json
import shutil

import numpy as np
import pytest
import soundfile

from samplepack.models.engine import Engine
from samplepack.pack import build as building
from samplepack.pack import lock
from samplepack.pack.diff import read
from samplepack.pack.lock import compare_to_lock, read_lock
from tests.helpers.packs import build

RECIPE = "velocity: {layers: 2, toward: Choir}\nprocess: [{Reverb: {room_size: 0.3}}]\n"
REMARK = "samplepack: velocity: the layers of 'Choir' itself are all the same, since they lie toward it\n"


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    recipe = folder / "small.yaml"
    recipe.write_text(f"recipe: 1\nname: Small\npitches: [48, 60]\ntimbres: {{Glass: 7, Choir: 9}}\n{RECIPE}")
    planned = read(str(recipe))
    built = build(recipe, folder / "output", folder / "notes")
    lock.write_lock(folder / "small.lock", lock.lock_after_build(planned, built.folder, built.manifest))
    return folder


@pytest.fixture
def locked(built_once, tmp_path, home):
    """A recipe that was built, with its lock file and its pack; its notes are in the cache."""
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    shutil.move(tmp_path / "notes", home / "notes")
    return tmp_path / "small.yaml"


def rewrite(path, change):
    says = json.loads(path.read_text(encoding="utf-8"))
    change(says)
    path.write_text(json.dumps(says), encoding="utf-8")


def rebuilt(run, recipe, output):
    return run("build", recipe, "--output", output, "--locked")


def test_a_build_writes_it_and_the_same_build_writes_the_same(run, locked, tmp_path):
    path = locked.with_suffix(".lock")
    first = path.read_bytes()
    path.unlink()
    assert run("build", locked, "--output", tmp_path / "elsewhere").code == 0
    assert path.read_bytes() == first
    says = read_lock(path)
    pack = tmp_path / "output" / "small"
    assert says.files.keys() == {p.relative_to(pack).as_posix() for p in pack.rglob("*") if p.is_file()}
    assert says.inputs.keys() == {"small.yaml"} and says.pitches == [48, 60]
    assert [list(i.rendered) for i in says.instruments.values()] == [["48", "60"]] * 2
    assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_a_locked_build_says_that_every_byte_agrees(run, locked, tmp_path, home):
    before = locked.with_suffix(".lock").read_bytes()
    for path in home.rglob("*.wave"):
        path.unlink()
    again = rebuilt(run, locked, tmp_path / "elsewhere")
    assert again.code == 0 and "every byte agrees" in again.out
    assert locked.with_suffix(".lock").read_bytes() == before


def test_a_locked_build_refuses_what_was_not_locked(run, locked, tmp_path):
    text = locked.read_text()
    path = locked.with_suffix(".lock")
    whole = path.read_bytes()
    for change, told in (
        (lambda: locked.write_text(text + "# a remark\n"), "small.yaml has changed"),
        (lambda: path.unlink(), "cannot read the lock file"),
        (lambda: path.write_text("{"), "not even JSON"),
        (lambda: path.write_text('{"lock": 2}'), "no lock file of this version"),
        (lambda: path.write_bytes(b"\xff\x00"), "not even JSON"),
        (lambda: rewrite(path, lambda says: says["checkpoint"].update(digest="0" * 64)), "has the digest 1"),
        (lambda: rewrite(path, lambda says: says["inputs"].update({"kept.npy": "0" * 64})), "is no longer used"),
        (lambda: rewrite(path, lambda says: says["inputs"].clear()), "the lock knows no small.yaml"),
        (lambda: rewrite(path, lambda says: says["instruments"]["Glass"].update(latents=["?"])), "latents"),
        (lambda: rewrite(path, lambda says: says["instruments"]["Glass"].update(rendered={"48": "x"})), "fingerprints"),
    ):
        change()
        refused = rebuilt(run, locked, tmp_path / "new")
        assert (refused.code, refused.out) == (2, ""), refused
        assert told.replace("digest 1", "digest") in refused.err and "small.lock" in refused.err
        assert not (tmp_path / "new").exists()
        locked.write_text(text)
        path.write_bytes(whole)


def test_every_input_file_counts(run, write_recipe, tmp_path):
    np.save(tmp_path / "kept.npy", np.random.RandomState(7).standard_normal(32))
    soundfile.write(tmp_path / "hall.wav", np.hanning(64), 48000)
    recipe = write_recipe(
        "process: [{Convolution: {impulse_response_filename: hall.wav, mix: 0.5}}]\n",
        timbres="{Kept: {latent: kept.npy}}",
        pitches="60",
    )
    assert run("build", recipe, "--output", tmp_path / "output").code == 0
    assert read_lock(tmp_path / "small.lock").inputs.keys() == {"small.yaml", "kept.npy", "hall.wav"}
    soundfile.write(tmp_path / "hall.wav", np.hanning(65), 48000)
    refused = rebuilt(run, recipe, tmp_path / "output")
    assert refused.code == 2 and "hall.wav has changed" in refused.err


def off_by(line, below_db):
    """Fingerprints of which the first one's wave differs by so much."""
    _, sketch, *others = line.split()
    sums = np.frombuffer(base64.b64decode(sketch), "<f4")
    noise = np.random.default_rng(0).standard_normal(15) * np.sqrt(sums[15] / 15) * 10 ** (-below_db / 20)
    changed = np.append(sums[:15] + noise, sums[15]).astype("<f4")
    return " ".join(["0" * 64, base64.b64encode(changed.tobytes()).decode(), *others])


def test_other_bytes_from_the_same_machine_are_a_failure(run, locked, tmp_path):
    rewrite(locked.with_suffix(".lock"), lambda says: says["files"].update({"README.md": "0" * 64}))
    judged = rebuilt(run, locked, tmp_path / "output")
    assert judged.code == 1 and "1 of 20 files differ" in judged.err and "README.md" in judged.err


@pytest.mark.parametrize(("below_db", "code", "told"), [(100, 0, ": rounding"), (50, 1, ": more than rounding")])
def test_on_another_machine_notes_must_agree_but_not_bytes(run, locked, tmp_path, below_db, code, told):
    def elsewhere(says):
        says["made_by"]["machine"] = "arm64 ASIMD"
        says["files"]["Samples/Glass/Glass_048_2.wav"] = "0" * 64
        rendered = says["instruments"]["Choir"]["rendered"]
        rendered["60"] = off_by(rendered["60"], below_db)

    rewrite(locked.with_suffix(".lock"), elsewhere)
    judged = rebuilt(run, locked, tmp_path / "output")
    assert judged.code == code and told in judged.out + judged.err
    assert "arm64 ASIMD in the lock" in judged.out + judged.err


@pytest.mark.parametrize(
    ("locked_on", "made_on", "differs"),
    [
        (Engine(), Engine(device="gpu", memory_gib=64), "gpu float32, 64 GiB here, {engine} in the lock"),
        (Engine(device="gpu", memory_gib=64), Engine(device="gpu", memory_gib=8), "float32, 8 GiB here"),
        (
            Engine(device="gpu", memory_gib=64),
            Engine(device="gpu", memory_gib=64),
            "a GPU's libraries choose by timing",
        ),
        (Engine(), Engine(), None),
    ],
)
def test_notes_of_a_gpu_must_agree_but_not_bytes(built_once, locked_on, made_on, differs):
    written = read_lock(built_once / "small.lock")

    def by(engine, **changes):
        return written.model_copy(update={"made_by": {**written.made_by, "engine": str(engine)}, **changes})

    rendered = {pitch: off_by(line, 70) for pitch, line in written.instruments["Glass"].rendered.items()}
    glass = written.instruments["Glass"].model_copy(update={"rendered": rendered})
    files = {**written.files, "Samples/Glass/Glass_048_2.wav": "0" * 64}
    made = by(made_on, files=files, instruments={**written.instruments, "Glass": glass})
    judged = compare_to_lock(made, by(locked_on))
    assert judged.good == (differs is not None)
    assert (differs or "the same kind of machine").format(engine=locked_on) in judged.lines()[0]


def test_a_lock_that_cannot_be_written_costs_a_word_but_not_the_pack(run, write_recipe, tmp_path):
    recipe = write_recipe(pitches="60")
    (tmp_path / "small.lock").mkdir()
    built = run("build", recipe, "--output", tmp_path / "output")
    assert built.code == 0 and "small.lock can't be written" in built.err
    assert (tmp_path / "output" / "small" / "pack.json").is_file()


def test_a_file_of_somebody_else_is_not_overwritten(run, write_recipe, tmp_path):
    (tmp_path / "small.lock").write_text("poetry's own")
    built = run("build", write_recipe(pitches="60"), "--output", tmp_path / "output")
    assert built.code == 0 and "something else is called so" in built.err
    assert (tmp_path / "small.lock").read_text() == "poetry's own"


def test_the_lock_is_of_what_was_read_whatever_is_saved_meanwhile(run, write_recipe, tmp_path, monkeypatch):
    recipe = write_recipe(pitches="60")
    text = recipe.read_bytes()
    really = building.build_pack

    def build_while_someone_saves(*arguments, **keywords):
        built = really(*arguments, **keywords)
        recipe.write_bytes(text + b"# saved meanwhile\n")
        return built

    monkeypatch.setattr(building, "build_pack", build_while_someone_saves)
    assert run("build", recipe, "--output", tmp_path / "output").code == 0
    assert read_lock(tmp_path / "small.lock").inputs == {"small.yaml": hashlib.sha256(text).hexdigest()}


def test_other_versions_with_the_same_notes(run, locked, tmp_path):
    def elsewhere(says):
        says["made_by"]["soxr"] = "0.0.1"
        says["files"]["Samples/Glass/Glass_048_2.wav"] = "0" * 64

    rewrite(locked.with_suffix(".lock"), elsewhere)
    judged = rebuilt(run, locked, tmp_path / "output")
    assert judged.code == 0 and "the network's notes are the same" in judged.out and "soxr: " in judged.out


def test_a_lock_of_the_same_inputs_from_elsewhere_stays_unless_it_is_to_be_updated(run, locked, tmp_path):
    def elsewhere(says):
        says["made_by"]["machine"] = "arm64 ASIMD"
        says["files"]["Samples/Glass/Glass_048_2.wav"] = "0" * 64

    path = locked.with_suffix(".lock")
    ours = path.read_bytes()
    rewrite(path, elsewhere)
    theirs = path.read_bytes()
    built = run("build", locked, "--output", tmp_path / "output")
    assert built.code == 0 and path.read_bytes() == theirs
    assert "small.lock stays as it is" in built.err and "the network's notes are the same" in built.err
    assert "--update-lock" in built.err
    updated = run("build", locked, "--output", tmp_path / "output", "--update-lock")
    assert (updated.code, updated.err) == (0, REMARK) and path.read_bytes() == ours


def test_a_lock_of_other_inputs_is_written_anew(run, locked, tmp_path):
    path = locked.with_suffix(".lock")
    rewrite(path, lambda says: says["made_by"].update(machine="arm64 ASIMD"))
    locked.write_text(locked.read_text() + "# a remark\n")
    built = run("build", locked, "--output", tmp_path / "output")
    assert (built.code, built.err) == (0, REMARK)
    assert read_lock(path).inputs["small.yaml"] == hashlib.sha256(locked.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "damage", [lambda lock: b"", lambda lock: lock.replace(b"\n", b"\r\n"), lambda lock: lock[:99]]
)
def test_a_damaged_lock_is_written_anew(run, locked, tmp_path, damage):
    path = locked.with_suffix(".lock")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert run("build", locked, "--output", tmp_path / "output").code == 0
    assert path.read_bytes() == whole


def test_a_lock_of_the_same_bytes_from_another_machine_stays(run, locked, tmp_path):
    path = locked.with_suffix(".lock")
    rewrite(path, lambda says: says["made_by"].update(machine="arm64 ASIMD"))
    theirs = path.read_bytes()
    built = run("build", locked, "--output", tmp_path / "output")
    assert (built.code, built.err) == (0, REMARK) and path.read_bytes() == theirs


@pytest.mark.parametrize(
    "content", ['{"name": "x", "lock": "mine"}', '{"lock": "mine"}', '{"lock": 2, "what": "next"}']
)
def test_a_lock_of_others_or_of_a_later_version_is_left_alone(run, locked, tmp_path, content):
    path = locked.with_suffix(".lock")
    path.write_text(content)
    built = run("build", locked, "--output", tmp_path / "output", "--update-lock")
    assert built.code == 0 and "can't be written" in built.err and path.read_text() == content


def test_update_lock_goes_alone(run, locked):
    assert run("build", locked, "--update-lock", "--locked").code == 2
    assert run("build", locked, "--update-lock", "--precision", "bfloat16").code == 2
