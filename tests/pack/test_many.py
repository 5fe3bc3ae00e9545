"""Many recipes in one build: networks are loaded once, notes shared, and one that fails costs no other."""

import json

import pytest

import samplepack
from samplepack.base.errors import SamplepackError
from samplepack.checkpoints.library import STARTER
from samplepack.models.checkpoint import read_checkpoint, read_tensors, write_checkpoint
from samplepack.pack import build as build_module
from tests.helpers.networks import Tones
from tests.helpers.packs import contents


@pytest.fixture
def network(monkeypatch):
    """Plays tones, and writes down the checkpoints that it was loaded from."""
    tones, tones.loaded = (made := Tones()), []

    def load(checkpoint, engine):
        made.loaded.append(checkpoint.name)
        return made

    monkeypatch.setattr(build_module, "load_model", load)
    return tones


@pytest.fixture
def recipes(tmp_path):
    """Of two checkpoints in turn; two of each checkpoint have a note in common."""
    starter = read_checkpoint(STARTER, "starter")
    decoder = {**starter.config.model_dump()["decoder"], "floor_power": 1e-9}
    write_checkpoint(tmp_path / "other", starter.config.model_copy(update={"decoder": decoder}), read_tensors(starter))
    made = []
    for name, more in {
        "Alto": "timbres: {Glass: 7}",
        "Bass": "timbres: {Glass: 7}\ncheckpoint: ./other",
        "Cello": "timbres: {Glass: 7}",
        "Dulcimer": "timbres: {Glass: 7}\ncheckpoint: ./other",
    }.items():
        made.append(tmp_path / f"{name.lower()}.yaml")
        made[-1].write_text(f"recipe: 1\nname: {name}\npitches: [60]\nsound: {{loop: none}}\n{more}\n")
    return made


def test_each_network_is_loaded_once_and_notes_are_shared(recipes, network, tmp_path):
    done = []
    built = samplepack.build(recipes, tmp_path / "output", on_built=lambda one: done.append(one.folder.name))
    assert network.loaded == ["starter", "./other"] and network.rendered == 2
    assert done == ["alto", "cello", "bass", "dulcimer"]
    assert [one.folder.name for one in built] == [one.manifest.name.lower() for one in built] == sorted(done)


def test_one_that_fails_costs_no_other_is_told_at_the_end_and_the_next_build_goes_on(recipes, network, run, tmp_path):
    output = tmp_path / "output"
    (output / "bass").mkdir(parents=True)
    (output / "bass" / "mine.wav").write_text("not samplepack's")
    with pytest.raises(SamplepackError, match=r"^\S*bass.yaml: \S*bass holds something .*mine.wav; move it away$"):
        samplepack.build(recipes[:2], output)
    ran = run("build", *recipes, "--output", output, "--json")
    assert ran.code == 1 and ran.err.startswith(f"{recipes[1]}: ") and ran.err.count("\n") == 1
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["recipe"], "problems" in line, line.get("unchanged")) for line in lines] == [
        (str(recipes[0]), False, True),
        (str(recipes[2]), False, False),
        (str(recipes[1]), True, None),
        (str(recipes[3]), False, False),
    ]
    (output / "bass" / "mine.wav").unlink()
    ran = run("build", *recipes, "--output", output, "--json")
    assert ran.code == 0 and [json.loads(line)["unchanged"] for line in ran.out.splitlines()] == [
        True,
        True,
        False,
        True,
    ]
    alone = samplepack.build(recipes[1], tmp_path / "alone")
    assert contents(alone[0].folder) == contents(output / "bass")
