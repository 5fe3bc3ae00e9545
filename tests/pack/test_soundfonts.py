"""A pack with soundfonts: which files it has, and faults of its soundfonts that `verify` names."""

import json
import shutil
import struct
from hashlib import sha256

import pytest

from samplepack.formats.instrument import Instrument
from samplepack.formats.sf2 import write_bank
from samplepack.formats.soundfont import read_presets
from samplepack.models.checkpoint import write_checkpoint
from samplepack.pack.manifest import read_manifest
from samplepack.pack.verify import verify
from samplepack.pack.write import zones_of
from samplepack.rendering import render as render_module
from tests.helpers.networks import Tones, random_tensors, small_config
from tests.helpers.packs import build, files

RECIPE = """\
recipe: 1
name: Tiny
checkpoint: ./tiny
pitches: [60, 62]
timbres: {Glass: 7, Grün: 8}
paths: {Drift: {through: [Glass, Grün], steps: 3, as: morph}}
sound: {loop: sustain}
formats: [sfz, sf2]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A pack of a tiny checkpoint, in whose place tones are played, since its own notes are too short for a loop."""
    folder = tmp_path_factory.mktemp("soundfonts")
    config = small_config()
    write_checkpoint(folder / "tiny", config, random_tensors(config))
    (folder / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        tones = Tones()
        patch.setattr(render_module, "load_model", lambda checkpoint, engine: tones)
        return build(folder / "tiny.yaml", folder / "output", folder / "cache").folder


@pytest.fixture
def pack(built, tmp_path):
    return shutil.copytree(built, tmp_path / "tiny")


def problems(pack):
    """What verify says of soundfonts; digests are left out, since a change of any file is told by them."""
    lines = [problem for report in verify(pack, workers=2) for problem in report.problems]
    return [line for line in lines if ".sf2" in line and "not as it was built" not in line]


def test_the_pack_has_a_map_and_a_soundfont_of_each_instrument_and_one_of_all(built):
    names = ("Drift", "Glass", "Grün")
    instruments = [f"Instruments/{name}.{suffix}" for name in names for suffix in ("sf2", "sfz")]
    found = files(built)
    assert [file for file in found if file.startswith("Instruments/")] == instruments
    assert [file for file in found if file.endswith(".sf2") and "/" not in file] == ["Tiny.sf2"]
    samples = [f"Samples/{name}/{name}_{pitch:03d}.wav" for name in ("Glass", "Grün") for pitch in (60, 62)]
    samples += [f"Samples/Drift/Drift_{pitch:03d}_{layer}.wav" for pitch in (60, 62) for layer in (1, 2, 3)]
    assert [file for file in found if file.startswith("Samples/")] == sorted(samples)
    assert set(read_manifest(built).files) == set(found) - {"pack.json"}


def test_the_soundfonts_of_a_good_pack_are_as_its_manifest_says(built):
    assert problems(built) == []
    assert list(read_presets(built / "Tiny.sf2")) == ["Glass", "Grun", "Drift"]
    (zones,) = read_presets(built / "Instruments" / "Glass.sf2").values()
    assert {zone.root for zone in zones} == {60, 62}


def edited(file, name, change):
    """Plant a fault in a table of a soundfont: `change` gets its bytes."""

    def plant(pack):
        content = (pack / file).read_bytes()
        at = content.rindex(name) + 8
        size = struct.unpack("<I", content[at - 4 : at])[0]
        table = bytearray(content[at : at + size])
        change(table)
        (pack / file).write_bytes(content[:at] + bytes(table) + content[at + size :])

    return plant


def other_order(pack):
    manifest = read_manifest(pack)
    instruments = [Instrument(one.name, zones_of(one, 12)) for one in reversed(manifest.instruments)]
    (pack / "Tiny.sf2").unlink()
    assert write_bank("Tiny", Instrument("", ()).about, instruments, pack, pack / "Tiny.sf2")


GLASS = "Instruments/Glass.sf2"
FAULTS = {
    "a file that is cut": (lambda p: (p / GLASS).write_bytes((p / GLASS).read_bytes()[:-40]), "Glass.sf2 can't be read"),
    "a file of another kind": (lambda p: (p / GLASS).write_bytes(b"RIFF\4\0\0\0WAVE"), "it is no soundfont"),
    "a missing file": (lambda p: (p / GLASS).unlink(), "Glass.sf2 can't be read"),
    "a sound that is too short": (
        edited(GLASS, b"shdr", lambda t: struct.pack_into("<I", t, 24, struct.unpack_from("<I", t, 24)[0] - 9)),
        "key 60: Instruments/Glass.sf2 has keys",
    ),
    "another root key": (
        edited(GLASS, b"shdr", lambda t: t.__setitem__(40, 65)),
        "key 60: Instruments/Glass.sf2 has too few sounds; should be keys",
    ),
    "keys of another sound": (
        edited("Tiny.sf2", b"igen", lambda t: t.__setitem__(t.index(bytes((43, 0))) + 3, 99)),
        "key 60: Glass in Tiny.sf2 has keys",
    ),
    "presets in another order": (other_order, "Tiny.sf2: its presets are Drift, Grun, Glass; should be Glass, Grun, Dr"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(pack, fault):
    plant, named = FAULTS[fault]
    plant(pack)
    (problem, *_) = problems(pack)
    assert named in problem


def test_a_loop_that_is_elsewhere_is_named(pack):
    manifest = json.loads((pack / "pack.json").read_text(encoding="utf-8"))
    note = manifest["instruments"][0]["notes"][0]
    font = pack / GLASS
    (zones,) = read_presets(font).values()
    is_looped = {zone.root: zone.loop for zone in zones}[note["pitch"]] is not None
    assert is_looped == (note["loop"] is not None)
    note["loop"] = None if is_looped else {"frames": [100, 9000], "step": 1.0, "flux": 1.0, "swing_db": 0.0}
    note["why_no_loop"] = "planted" if is_looped else None
    manifest["files"][GLASS] = sha256(font.read_bytes()).hexdigest()
    (pack / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert any(f"key {note['pitch']}: {GLASS} has keys" in problem for problem in problems(pack))
