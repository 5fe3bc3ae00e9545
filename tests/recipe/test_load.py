"""Recipes: what is understood, and what is said of what isn't."""

import json
import re
import shutil
import time
from itertools import product

import jsonschema
import numpy as np
import pytest
import yaml

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.formats import WRITERS
from samplepack.models.checkpoint import CONFIG, Config, read_tensors, write_checkpoint
from samplepack.models.latent import latent_from_seed, slerp
from samplepack.recipe import json_schema, load_recipe
from samplepack.rendering.plan import timbre_latents
from tests.helpers.places import FIXTURES, REPOSITORY

*_OTHERS, _LAST = map(repr, WRITERS)
FORMATS = f"{', '.join(_OTHERS)} or {_LAST}"

RECIPES = sorted((REPOSITORY / "recipes").glob("*.yaml"))

GOOD = """\
recipe: 1
name: Glass Choir
checkpoint: starter
pitches: 36-84
timbres:
  Glass: 7
  Choir: {seed: 1312}
process:
  - Reverb: {room_size: 0.4}
"""


def problems_of(path, **options):
    with pytest.raises(InputError) as raised:
        load_recipe(path, **options)
    return [str(problem).replace(f"{path.parent}/", "") for problem in raised.value.problems]


def test_everything_in_the_format_is_understood(tmp_path):
    np.save(tmp_path / "kept.npy", np.arange(32.0))
    path = tmp_path / "all.yaml"
    path.write_text(
        GOOD
        + """\
description: Bells.
author: A. Sounddesigner
license: CC0-1.0
bank: {seeds: 100-131, name: "Bank {seed}"}
paths:
  Glass to Choir: {through: [Glass, Bank 100, Choir], steps: 5, spacing: uniform, interpolation: linear, as: instruments}
sound: {rate_hz: 44100, bits: 16, file: flac, tune: false, loop: none, peak_db: -3}
formats: [sfz]
""".replace("timbres:", "")
    )
    text = path.read_text().replace(
        "  Choir:",
        "  Breath: {seed: 3, toward: Choir, at: 0.25}\n  Kept: {latent: kept.npy}\n"
        "  Bow: {instrument: Viola, toward: Kept, at: 0.5}\n  Choir:",
    )
    path.write_text(text)
    recipe = load_recipe(path).recipe
    assert recipe.slug == "glass-choir"
    assert recipe.pitches == tuple(range(36, 85))
    assert recipe.timbres["Glass"].seed == 7 and recipe.timbres["Breath"].at == 0.25
    assert recipe.timbres["Kept"].latent.values.tolist() == list(range(32))
    assert recipe.timbres["Bow"].origin == "instrument: Viola, toward: Kept, at: 0.5"
    assert recipe.bank.seeds == tuple(range(100, 132)) and recipe.bank.timbre(131) == "Bank 131"
    assert recipe.paths["Glass to Choir"].through == ("Glass", "Bank 100", "Choir")
    assert [type(effect).__name__ for effect in recipe.effects] == ["Reverb"]
    assert recipe.sound.rate_hz == 44100 and recipe.sound.bits == 16 and recipe.sound.file == "flac"


@pytest.mark.parametrize(
    ("written", "pitches"),
    [
        ("36-84", tuple(range(36, 85))),
        ("36-84/3", tuple(range(36, 85, 3))),
        ("[43, 36, 40]", (36, 40, 43)),
        ("60", (60,)),
        ("24-84/60", (24, 84)),
    ],
)
def test_pitches_are_a_range_a_stepped_range_or_a_list(tmp_path, written, pitches):
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("36-84", written))
    assert load_recipe(path).recipe.pitches == pitches


def test_what_is_left_out_has_a_sane_default(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("recipe: 1\nname: Least\ntimbres: {Glass: 7}\n")
    recipe = load_recipe(path).recipe
    assert recipe.checkpoint.path == "starter" and recipe.pitches == tuple(range(36, 85))
    assert recipe.sound.rate_hz == 48000 and recipe.sound.bits == 24 and recipe.formats == ("sfz",)


def npy_header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


BAD = {
    # what is changed in GOOD → every problem that is told, in full
    ("name: Glass Choir\n", ""): ["r.yaml:1:1: 'name' is missing"],
    ("process:", "velocity: {layers: 3, towrad: Choir}\nprocess:"): [
        "r.yaml:8:23: velocity: unknown key 'towrad'; did you mean 'toward'?"
    ],
    ("recipe: 1\n", ""): ["r.yaml:1:1: 'recipe' is missing"],
    ("recipe: 1", "recipe: 2"): ["r.yaml:1:9: recipe: should be 1, not 2"],
    ("name:", "nmae:"): ["r.yaml:1:1: 'name' is missing", "r.yaml:2:1: unknown key 'nmae'; did you mean 'name'?"],
    ("Glass Choir", "a/b"): ["r.yaml:2:7: name: 'a/b' can't be a file name: it holds /"],
    ("Glass Choir", "CON"): ["r.yaml:2:7: name: 'CON' can't be a file name on every system"],
    ("Glass Choir", "x" * 81): ["r.yaml:2:7: name: a name has 80 characters at most; this one has 81"],
    ("Glass Choir", "🎹" * 80): ["r.yaml:2:7: name: a name takes 200 bytes of UTF-8 at most; this one takes 320"],
    ("Glass Choir", '"\\ud800"'): ["r.yaml:2:7: not text: '\\ud800' holds half of a character"],
    ("Glass Choir", '"\\U00110000"'): ["r.yaml:2:10: not YAML: an escape or a version that is out of range"],
    ("Glass Choir", '"\\UFFFFFFFF"'): ["r.yaml:2:10: not YAML: an escape or a version that is out of range"],
    ("Glass Choir", "!!timestamp foo"): ["r.yaml:2:7: 'foo' cannot be read as !!timestamp"],
    ("Glass Choir", "!!bool foo"): ["r.yaml:2:7: 'foo' cannot be read as !!bool"],
    ("Glass Choir", "!!int ''"): ["r.yaml:2:7: '' cannot be read as !!int"],
    ("Glass Choir", "!!float ''"): ["r.yaml:2:7: '' cannot be read as !!float"],
    ("Glass Choir", "!!binary Z2xhc3M="): [
        "r.yaml:2:7: a recipe holds text and numbers, no !!binary; write it in quotes"
    ],
    ("Glass Choir", "2026-01-01"): ["r.yaml:2:7: a recipe holds text and numbers, no !!timestamp; write it in quotes"],
    ("Glass Choir", "2026-13-01"): ["r.yaml:2:7: '2026-13-01' cannot be read as !!timestamp: month must be in 1..12"],
    ("recipe: 1\n", "%YAML 1." + "1" * 5000 + "\n---\nrecipe: 1\n"): [
        "r.yaml:1:9: not YAML: an escape or a version that is out of range"
    ],
    ("recipe: 1", "recipe: true"): ["r.yaml:1:9: recipe: should be a whole number, not True"],
    ("recipe: 1", "recipe: 1.0"): ["r.yaml:1:9: recipe: should be a whole number, not 1.0"],
    ("process:", "sound: {bits: 24.0}\nprocess:"): ["r.yaml:8:15: sound.bits: should be a whole number, not 24.0"],
    ("process:", "sound: {rate_hz: 48000.0}\nprocess:"): [
        "r.yaml:8:18: sound.rate_hz: should be a whole number, not 48000.0"
    ],
    ("Glass: 7", "Glass: 0x" + "F" * 5000): ["r.yaml:6:10: a number of more than 400 digits"],
    ("Glass: 7", "Glass: " + "9" * 5000): ["r.yaml:6:10: a number of more than 400 digits"],
    ("Glass: 7", "Glass: 0x1" + "0" * 17): ["r.yaml:6:10: a number beyond 2^64"],
    ("  Choir: {seed: 1312}", "  Choir: &a {seed: 1312}\n  Breath: {<<: *a, at: 0.5}"): [
        "r.yaml:8:12: merge keys (<<) aren't supported; write the keys out"
    ],
    ("Glass Choir", "' '"): ["r.yaml:2:7: name: a name can't be empty"],
    ("Glass Choir", "[]"): ["r.yaml:2:7: name: should be a valid string"],
    ("Glass Choir", "'{bad}/{name}'"): ["r.yaml:2:7: name: '{bad}/{name}' can't be a file name: it holds /"],
    ("  Glass: 7", "  ../x: 7"): ["r.yaml:6:3: timbres: '../x' can't be a file name: it holds /"],
    ("  Glass: 7", "  $x: 7"): ["r.yaml:6:3: timbres: '$x' can't be a file name: it holds $"],
    ("  Glass: 7", "  choir: 7"): ["r.yaml:7:3: two instruments would be called 'Choir'"],
    ("  Glass: 7", "  Choir: 7"): ["r.yaml:7:3: 'Choir' stands here for the second time"],
    ("  Glass: 7", "  Yes: 7"): ["r.yaml:6:3: a key must be text; write it in quotes: 'Yes'"],
    ("Glass: 7", "Glass: -1"): ["r.yaml:6:10: timbres.Glass.seed: should be greater than or equal to 0, not -1"],
    ("Glass: 7", "Glass: 4294967296"): [
        "r.yaml:6:10: timbres.Glass.seed: should be less than or equal to 4294967295, not 4294967296"
    ],
    ("Glass: 7", "Glass: 7.5"): ["r.yaml:6:10: timbres.Glass.seed: should be a valid integer, not 7.5"],
    ("Glass: 7", "Glass: seven"): ["r.yaml:6:10: timbres.Glass.seed: should be a valid integer, not 'seven'"],
    ("Glass: 7", "Glass: {}"): ["r.yaml:6:10: timbres.Glass: should have one of: seed, instrument, latent, like"],
    ("Glass: 7", "Glass: {seed: 7, instrument: Viola}"): [
        "r.yaml:6:10: timbres.Glass: should have one of: seed, instrument, latent, like"
    ],
    ("Glass: 7", "Glass: {instrument: 7}"): [
        "r.yaml:6:23: timbres.Glass.instrument: should be the name of an instrument"
    ],
    ("Glass: 7", "Glass: {instrument: violla}"): [
        "r.yaml:6:23: timbres.Glass.instrument: checkpoint 'starter' has no instrument 'violla'; did you mean 'Viola'? "
        "(`samplepack checkpoints info starter` lists all 111)"
    ],
    ("Glass: 7", "Glass: {sed: 7}"): [
        "r.yaml:6:11: timbres.Glass: unknown key 'sed'; did you mean 'seed'?",
    ],
    ("Glass: 7", "Glass: {seed: 7, at: 0.5}"): ["r.yaml:6:10: timbres.Glass: 'toward' and 'at' belong together"],
    ("Glass: 7", "Glass: {seed: 7, toward: Chior, at: 0.5}"): [
        "r.yaml:6:28: timbres.Glass.toward: no timbre is called 'Chior'; did you mean 'Choir'?"
    ],
    ("Glass: 7", "Glass: {seed: 7, toward: Glass, at: 0.5}"): [
        "r.yaml:6:28: 'Glass' lies toward itself"
    ],
    ("  Glass: 7\n  Choir: {seed: 1312}", "  A: {seed: 1, toward: B, at: 0}\n  B: {seed: 2, toward: C, at: 0}\n  C: {seed: 3, toward: B, at: 0}"): [
        "r.yaml:7:24: 'B' lies toward itself, by way of C"
    ],
    ("  Glass: 7", "  E\u0301: {seed: 1, toward: F\u0301, at: 0.5}\n  F\u0301: {seed: 2, toward: \u00c9, at: 0.5}"): [
        "r.yaml:6:25: 'É' lies toward itself, by way of F\u0301"
    ],
    ("  Glass: 7", "  E\u0301: 7\n  \u00c9: 7"): ["r.yaml:7:3: 'É' stands here for the second time"],
    ("  Glass: 7", "  OverView: 7"): ["r.yaml:6:3: 'OverView' is the name of a picture of the pack"],
    ("Glass: 7", "Glass: {seed: 7, toward: Choir, at: 1.5}"): [
        "r.yaml:6:39: timbres.Glass.at: should be less than or equal to 1, not 1.5"
    ],
    ("Glass: 7", "Glass: {latent: nowhere.npy}"): ["r.yaml:6:19: timbres.Glass.latent: 'nowhere.npy': no such file"],
    ("Glass: 7", "Glass: {latent: text.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'text.npy': not a .npy file of numbers"
    ],
    ("Glass: 7", 'Glass: {latent: "\\0"}'): ["r.yaml:6:19: timbres.Glass.latent: '\\x00': no such file"],
    ("Glass: 7", "Glass: {latent: " + "x" * 5000 + "}"): [
        f"r.yaml:6:19: timbres.Glass.latent: '{'x' * 5000}': no such file"
    ],
    ("Glass: 7", "Glass: {latent: .}"): ["r.yaml:6:19: timbres.Glass.latent: '.': cannot be read"],
    ("Glass: 7", "Glass: {latent: huge.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'huge.npy': holds NaN or infinity, or nothing but zeros"
    ],
    ("Glass: 7", "Glass: {latent: minute.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'minute.npy': holds NaN or infinity, or nothing but zeros"
    ],
    ("Glass: 7", "Glass: {latent: long.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'long.npy': has 33 numbers; a latent of this checkpoint has 32"
    ],
    ("Glass: 7", "Glass: {latent: nan.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'nan.npy': holds NaN or infinity, or nothing but zeros"
    ],
    ("Glass: 7", "Glass: {latent: square.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'square.npy': should hold one row of numbers"
    ],
    ("Glass: 7", "Glass: {latent: objects.npy}"): [
        "r.yaml:6:19: timbres.Glass.latent: 'objects.npy': not a .npy file of numbers"
    ],
    ("starter", "startr"): [
        "r.yaml:3:13: no checkpoint is called 'startr'; did you mean 'starter'? "
        f"(known: {', '.join(['starter', *library.STARTERS])}; a path starts with ./)"
    ],
    ("starter", "./nowhere"): ["r.yaml:3:13: checkpoint './nowhere': no such file or folder"],
    ("starter", "./" + "x" * 5000): [f"r.yaml:3:13: checkpoint './{'x' * 5000}': no such file or folder"],
    ("starter", "acoustic_only"): [
        "r.yaml:3:13: checkpoint 'acoustic_only' is not on this machine; run: samplepack checkpoints fetch acoustic_only"
    ],
    ("starter", "{path: starter, sha256: abc}"): [
        "r.yaml:3:37: checkpoint.sha256: should match pattern '^[0-9a-fA-F]{64}$', not 'abc'"
    ],
    ("36-84", "84-36"): ["r.yaml:4:10: pitches: '84-36' is no range of pitches: the lower one comes first"],
    ("36-84", "36-84/0"): ["r.yaml:4:10: pitches: '36-84/0' is no range of pitches: the lower one comes first"],
    ("36-84", "20-84"): ["r.yaml:4:10: pitches: 20 is outside what the checkpoint can play, 24-84"],
    ("36-84", "C3-C5"): [
        "r.yaml:4:10: pitches: should be a range such as 36-84 or 36-84/3, or a list such as [36, 40, 43]"
    ],
    ("36-84", "[36, 36]"): ["r.yaml:4:10: pitches: a pitch stands twice in the list"],
    ("36-84", "[]"): ["r.yaml:4:10: pitches: should be a range such as 36-84 or 36-84/3, or a list such as [36, 40, 43]"],
    ("  - Reverb: {room_size: 0.4}", "  - Revreb: {room_size: 0.4}"): [
        "r.yaml:9:5: process[0]: Pedalboard has no effect 'Revreb'; did you mean 'Reverb'?"
    ],
    ("room_size: 0.4", "roomsize: 0.4"): [
        "r.yaml:9:14: process[0].Reverb: Reverb has no parameter 'roomsize'; did you mean 'room_size'?"
    ],
    ("room_size: 0.4", "room_size: 4"): [
        "r.yaml:9:25: process[0].Reverb.room_size: 4.0: Room Size value must be between 0.0 and 1.0."
    ],
    ("room_size: 0.4", "room_size: big"): [
        "r.yaml:9:25: process[0].Reverb.room_size: should be a valid number, not 'big'"
    ],
    ("room_size: 0.4", "room_size: .nan"): [
        "r.yaml:9:25: process[0].Reverb.room_size: should be a finite number, not nan"
    ],
    ("Reverb: {room_size: 0.4}", "LowpassFilter: {cutoff_frequency_hz: 24000}"): [
        "r.yaml:9:42: process[0].LowpassFilter.cutoff_frequency_hz: 24000.0 is not below half the rate, 24000.0 Hz"
    ],
    ("Reverb: {room_size: 0.4}", "VST3Plugin: {path_to_plugin_file: x.vst3}"): [
        "r.yaml:9:39: process[0].VST3Plugin.path_to_plugin_file: 'x.vst3' is a program that would run; if you trust it, "
        "build with --allow-plugins"
    ],
    ("- Reverb: {room_size: 0.4}", "- {Reverb: {}, Chorus: {}}"): [
        "r.yaml:9:5: process[0]: a step is one effect and its parameters; write one step a line"
    ],
    ("  - Reverb: {room_size: 0.4}", "  Reverb"): ["r.yaml:9:3: process: should be a list, not 'Reverb'"],
    ("  - Reverb: {room_size: 0.4}", "  - 7"): ["r.yaml:9:5: process[0]: should be a mapping, not 7"],
    ("  - Reverb: {room_size: 0.4}", "  - Reverb: 7"): ["r.yaml:9:13: process[0].Reverb: should be a mapping, not 7"],
    ("  - Reverb: {room_size: 0.4}", "  - Convolution: {impulse_response_filename: '{x}.wav'}"): [
        "r.yaml:9:46: process[0].Convolution.impulse_response_filename: '{x}.wav': no such file"
    ],
    ("  - Reverb: {room_size: 0.4}", "  - Convolution: {impulse_response_filename: " + "x" * 5000 + "}"): [
        f"r.yaml:9:46: process[0].Convolution.impulse_response_filename: '{'x' * 5000}': no such file"
    ],
    ("process:", "paths: 7\nprocess:"): ["r.yaml:8:8: paths: should be a mapping, not 7"],
    ("process:", "bank: {seeds: 9-3}\nprocess:"): ["r.yaml:8:15: bank.seeds: '9-3' is no range of seeds from 0 to 4294967295"],
    ("process:", "bank: {seeds: [1000, 1], name: '{seed}" + "x" * 77 + "'}\nprocess:"): [
        "r.yaml:8:7: bank: a name has 80 characters at most; this one has 81"
    ],
    ("process:", "bank: {seeds: 1-3, name: Bank}\nprocess:"): ["r.yaml:8:7: bank: the name of a bank needs {seed} in it"],
    ("process:", "bank: {seeds: 0-4000000000}\nprocess:"): ["r.yaml:8:15: bank.seeds: '0-4000000000' is more than 10000 seeds"],
    ("process:", "paths: {P: {through: [Glass, Chor], steps: 3}}\nprocess:"): [
        "r.yaml:8:30: paths.P.through[1]: no timbre is called 'Chor'; did you mean 'Choir'?"
    ],
    ("process:", "paths: {P: {through: [Glass, Choir], by: wheel, steps: 3}}\nprocess:"): [
        "r.yaml:8:38: paths.P.by: only a morph has `by`; write as: morph, or leave it out"
    ],
    ("process:", "paths: {P: {through: [Glass], steps: 1}}\nprocess:"): [
        "r.yaml:8:22: paths.P.through: should have at least 2 items",
        "r.yaml:8:38: paths.P.steps: should be greater than or equal to 2, not 1",
    ],
    ("process:", "paths: {P: {through: [Glass, Choir], steps: 3, spacing: evn}}\nprocess:"): [
        "r.yaml:8:57: paths.P.spacing: should be 'even' or 'uniform', not 'evn'; did you mean 'even'?"
    ],
    ("process:", "sound: {rate_hz: 22050}\nprocess:"): [
        "r.yaml:8:18: sound.rate_hz: should be 44100, 48000, 88200, 96000 or 'native', not 22050"
    ],
    ("process:", "sound: {bits: 32, file: flac}\nprocess:"): [
        "r.yaml:8:8: sound: FLAC has no 32-bit float; write bits: 24, or file: wav"
    ],
    ("process:", "sound: {peak_db: 3}\nprocess:"): [
        "r.yaml:8:18: sound.peak_db: should be less than or equal to 0, not 3"
    ],
    ("process:", "formats: [exs24]\nprocess:"): [
        f"r.yaml:8:11: formats[0]: should be {FORMATS}, not 'exs24'"
    ],
    ("process:", "formats: []\nprocess:"): ["r.yaml:8:10: formats: should have at least 1 item"],
    ("timbres:\n  Glass: 7\n  Choir: {seed: 1312}\n", ""): [
        "r.yaml:1:1: nothing to build: a recipe needs timbres, a bank or paths"
    ],
    (GOOD, ""): ["r.yaml:1:1: empty; a recipe starts with: recipe: 1"],
    (GOOD, "just words"): ["r.yaml:1:1: a recipe is a mapping that starts with: recipe: 1"],
    (GOOD, "name: [unclosed"): ["r.yaml:1:16: not YAML: expected ',' or ']', but got '<stream end>'"],
    (GOOD, "a: 1\n\tb: 2"): ["r.yaml:2:1: not YAML: found character '\\t' that cannot start any token"],
    (GOOD, "!!python/object/apply:os.system [id]"): ["r.yaml:1:1: a recipe is a mapping that starts with: recipe: 1"],
    (GOOD, "a: !!python/name:os.system x"): [
        "r.yaml:1:4: cannot be read as a value: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/name:os.system'"
    ],
    (GOOD, "[" * 3000): ["r.yaml: nested too deeply"],
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BAD.items(), ids=lambda value: repr(value)[:70])
def test_a_bad_recipe_is_told_what_is_wrong_and_where(tmp_path, change, told):
    (tmp_path / "text.npy").write_text("not an array")
    np.save(tmp_path / "long.npy", np.ones(33))
    np.save(tmp_path / "nan.npy", np.full(32, np.nan))
    np.save(tmp_path / "huge.npy", np.full(32, 1e300))
    np.save(tmp_path / "minute.npy", np.full(32, 1e-300))
    np.save(tmp_path / "square.npy", np.ones((4, 8)))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert change[0] in GOOD
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace(*change))
    problems = problems_of(path)
    assert len(problems) == len(told)
    for problem, expected in zip(problems, told, strict=True):
        assert problem == expected or (expected.endswith("…") and problem.startswith(expected[:-1]))


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + bytes(60),
        npy_header("{'descr': ("),
        npy_header("(" * 5000),
        npy_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**82},)}}"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
        npy_header("{}"),
        b"\x93NUMPY\x01",
        b"",
    ],
    ids=lambda content: repr(content)[:40],
)
def test_a_latent_file_with_a_bad_header_is_told(tmp_path, content):
    (tmp_path / "bad.npy").write_bytes(content)
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("Glass: 7", "Glass: {latent: bad.npy}"))
    assert problems_of(path) == ["r.yaml:6:19: timbres.Glass.latent: 'bad.npy': not a .npy file of numbers"]


def test_a_name_is_the_same_however_its_accents_are_encoded_and_a_path_is_left_alone(tmp_path):
    np.save(tmp_path / "e\u0301.npy", np.ones(32))
    path = tmp_path / "r.yaml"
    path.write_text(
        "recipe: 1\nname: E\u0301\ntimbres: {E\u0301: {latent: e\u0301.npy}, A: {seed: 1, toward: \u00c9, at: 0.5}}\n"
        "bank: {seeds: 1-2, name: 'o\u0308 {seed}'}\n"
        "paths: {U\u0308: {through: [\u00c9, E\u0301, \u00f6 1], steps: 2}}\n"
    )
    recipe = load_recipe(path).recipe
    assert recipe.name == "\u00c9" and list(recipe.timbres) == ["\u00c9", "A"] and list(recipe.paths) == ["\u00dc"]
    assert recipe.paths["\u00dc"].through == ("\u00c9", "\u00c9", "\u00f6 1")


def test_an_instrument_is_the_latent_that_the_checkpoint_holds_by_that_name(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("Glass: 7", "Glass: {instrument: Shanai}"))
    loaded = load_recipe(path)
    assert loaded.checkpoint.config.instruments[-1] == "Shanai"
    latents = read_tensors(loaded.checkpoint)["instruments"]
    assert np.array_equal(timbre_latents(loaded.recipe, 32)["Glass"], latents[-1])


def test_a_latent_of_zeros_is_good_where_the_network_can_play_it(tmp_path):
    np.save(tmp_path / "zero.npy", np.zeros(32))
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("Glass: 7", "Glass: {latent: zero.npy, toward: Choir, at: 0.5}"))
    assert "nothing but zeros" in problems_of(path)[0]
    np.save(
        tmp_path / "zero.npy",
        np.zeros(json.loads((FIXTURES / "magenta-tiny" / "experiment.json").read_text())["latent_vector_size"]),
    )
    path.write_text(path.read_text().replace("starter", str(FIXTURES / "magenta-tiny")) + f"reads: [{FIXTURES}]\n")
    assert not load_recipe(path, allow_reads=True).recipe.timbres["Glass"].stored.values.any()


def test_a_checkpoint_without_instruments_says_so(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        GOOD.replace("Glass: 7", "Glass: {instrument: Viola}").replace("starter", str(FIXTURES / "magenta-tiny"))
        + f"reads: [{FIXTURES}]\n"
    )
    (problem,) = problems_of(path, allow_reads=True)
    assert problem.startswith("r.yaml:6:23: timbres.Glass.instrument: checkpoint '")
    assert problem.endswith("/magenta-tiny' has no instruments with names; write a seed instead")


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        ({"instruments": np.ones((2, 32))}, "instruments has shape (2, 32), should have (1, 32)"),
        ({"instruments": np.full((1, 32), np.nan)}, "instruments holds NaN or infinite weights"),
        (
            {"other": np.ones(1)},
            "weights.safetensors: no latents of instruments: File does not contain tensor instruments",
        ),
    ],
)
def test_a_checkpoint_whose_instruments_are_damaged_says_so(tmp_path, tensor, told):
    folder = shutil.copytree(library.STARTER, tmp_path / "own")
    config = json.loads((folder / CONFIG).read_text())
    write_checkpoint(folder, Config.model_validate({**config, "instruments": ["Viola"]}), tensor)
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("Glass: 7", "Glass: {instrument: Viola}").replace("starter", "./own"))
    assert problems_of(path) == [f"r.yaml:6:23: timbres.Glass.instrument: checkpoint './own': {told}"]


def test_a_long_chain_of_timbres_is_no_trouble(tmp_path):
    links = "".join(f"  T{i}: {{seed: {i}, toward: T{i + 1}, at: 0.5}}\n" for i in range(3000))
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("  Glass: 7\n", links + "  T3000: 7\n"))
    latents = timbre_latents(load_recipe(path).recipe, 32)
    assert list(latents)[:2] == ["T0", "T1"] and len(latents) == 3002
    assert np.array_equal(latents["T2999"], slerp(latent_from_seed(2999, 32), latent_from_seed(7, 32), 0.5))


def test_the_recipe_is_kept_as_it_was_read(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_recipe(path).text == path.read_bytes()


@pytest.mark.parametrize("pitches, told", [
    ([40, 60], None),
    ([20, 30], "r.yaml:1:1: pitches: 36 is outside what the checkpoint can play, 20-30"),
])  # fmt: skip
def test_a_recipe_without_pitches_has_what_the_checkpoint_can_play_of_36_to_84(tmp_path, run, pitches, told):
    folder = shutil.copytree(library.STARTER, tmp_path / "own")
    config = json.loads((folder / CONFIG).read_text())
    write_checkpoint(folder, Config.model_validate({**config, "pitches": pitches}), {"a": np.ones(1)})
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("starter", "./own").replace("pitches: 36-84\n", ""))
    if told:
        assert problems_of(path) == [told]
        return
    assert load_recipe(path).recipe.pitches == tuple(range(40, 61))
    assert "pitches: 40-60, which is what the checkpoint can play of 36-84" in run("check", path).out
    path.write_text(path.read_text() + "pitches: 36-84\n")  # one that asks for them is told so
    assert "pitches: 36 is outside what the checkpoint can play, 40-60" in problems_of(path)[0]


def test_files_that_are_no_text_or_not_there_are_told(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "nul.yaml").write_bytes(b"a: \x00")
    assert problems_of(tmp_path / "binary.yaml") == ["binary.yaml: not UTF-8 text (byte 128)"]
    assert "not YAML" in problems_of(tmp_path / "nul.yaml")[0]
    assert problems_of(tmp_path / "none.yaml") == ["none.yaml: cannot read it: No such file or directory"]


def test_billions_of_values_in_a_few_lines_are_refused_at_once(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    path = tmp_path / "laughs.yaml"
    path.write_text("\n".join(lines))
    assert "more than 40000 values" in problems_of(path)[0]


HEAD = "recipe: 1\nname: R\n"
MANY = {
    "combining marks": ("recipe: 1\nname: a" + "\u0323\u0301" * 200_000, "r.yaml:2:7: not text: it holds more than 30"),
    "wrong references": (
        HEAD + "timbres:\n" + "".join(f"  T{i}: {{seed: 1, toward: U{i}, at: 0.5}}\n" for i in range(900)),
        "r.yaml: and 700 more problems",
    ),
    "wrong timbres": (
        HEAD + "timbres:\n" + "".join(f"  T{i}: x\n" for i in range(900)),
        "r.yaml: and 700 more problems",
    ),
    "timbres": (HEAD + "timbres:\n" + "".join(f"  T{i}: {i}\n" for i in range(40_000)), "more than 40000 values"),
    "timbres of one name": (
        HEAD
        + "timbres: {A: 1}\npaths:\n"
        + "".join(
            f"  {name}: {{through: [A, A], steps: 128}}\n"
            for name in ("".join(letters) for letters in product(*[(c, c.upper()) for c in "abcdefghi"]))
        ),
        "two instruments would be called 'abcdefghI 001'",
    ),
    "effects": (HEAD + "timbres: {A: 1}\nprocess: [" + "PitchShift," * 5000 + "]", "process: should have at most 64"),
    "stations": (
        HEAD + "timbres: {A: 1}\npaths: {P: {steps: 2, through: [" + "A," * 2000 + "]}}",
        "should have at most 128",
    ),
    "copies of a text": (
        f"a: &a {'x' * 900_000}\nb: [" + "*a," * 20_000 + "]",
        "more than 2 million characters of text",
    ),
    "values": ("a: [" + "a," * 500_000 + "]", "more than 40000 values"),
    "bytes": ("#" * ((1 << 20) + 1), "longer than 1 MiB"),
    "keys": ("".join(f"k{i}: 1\n" for i in range(6000)), "r.yaml:1:1: more than 5000 keys"),
    "characters of a name": (HEAD.replace("R", "x" * 100_000), "a name has 80 characters at most"),
}


@pytest.mark.parametrize("what", MANY)
def test_too_much_of_anything_is_told_in_a_second_or_two(tmp_path, what):
    text, message = MANY[what]
    path = tmp_path / "r.yaml"
    path.write_text(text)
    began_s = time.process_time()
    told = problems_of(path)
    assert time.process_time() - began_s < 5.0
    assert any(message in problem for problem in told) and all(len(problem) < 6500 for problem in told)
    assert len(told) < 350


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("36-84", "1-2").replace("starter", "nope").replace("Reverb", "Revreb") + "x: 1\n")
    lines = [int(problem.split(":")[1]) for problem in problems_of(path)]
    assert lines == [3, 9, 10]


def test_multisample_holds_wav_alone(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(GOOD + "sound: {file: flac}\nformats: [sfz, multisample]\n")
    assert problems_of(path) == ["r.yaml:11:10: formats: multisample holds WAV alone; write file: wav"]


def test_the_shipped_schema_is_what_the_code_says():
    shipped = json.loads((REPOSITORY / "recipes" / "recipe.schema.json").read_text(encoding="utf-8"))
    assert shipped == json_schema()


def schema_problems(text):
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", [*RECIPES, REPOSITORY / "README.md"], ids=lambda path: path.name)
def test_the_schema_takes_what_samplepack_shows(path):
    text = path.read_text(encoding="utf-8")
    texts = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if path.suffix == ".md" else [text]
    assert texts
    for one in texts:
        assert schema_problems(one) == []


@pytest.mark.parametrize(
    "change",
    [
        ("- Reverb: {room_size: 0.4}", "- Reverb"),
        ("- Reverb: {room_size: 0.4}", "- Reverb:"),
        ("checkpoint: starter", "checkpoint: {path: starter}"),
        ("36-84", "36 - 84 / 3"),
        ("36-84", "60"),
        ("process:", "bank: {seeds: 1 - 3}\nprocess:"),
        ("process:", "bank: {seeds: [1, 3]}\nprocess:"),
        ("process:", "paths: {P: {through: [Glass, Choir], steps: 3, as: morph, by: wheel}}\nprocess:"),
        ("process:", "paths: {P: {through: [Glass, Choir], as: wavetable, at: 48, frames: 64}}\nprocess:"),
    ],
    ids=str,
)
def test_schema_and_code_take_the_same_shorthands(tmp_path, change):
    assert change[0] in GOOD
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace(*change))
    load_recipe(path)
    assert schema_problems(path.read_text()) == []


@pytest.mark.parametrize(
    "change",
    [
        ("- Reverb: {room_size: 0.4}", "- Revreb"),
        ("- Reverb: {room_size: 0.4}", "- Convolution"),
        ("- Reverb: {room_size: 0.4}", "- {Reverb: {}, Chorus: {}}"),
        ("- Reverb: {room_size: 0.4}", "- {}"),
        ("checkpoint: starter", "checkpoint: 7"),
        ("Glass: 7", "Glass: -1"),
        ("Glass: 7", "Glass: {sed: 7}"),
        ("process:", "bank: {seeds: [-1]}\nprocess:"),
        ("process:", "bank: {seeds: [one]}\nprocess:"),
        ("process:", "paths: {P: {through: [Glass, Choir], steps: 3, by: wheel}}\nprocess:"),
        ("process:", "paths: {P: {through: [Glass, Choir], steps: 3, as: morph, at: 48}}\nprocess:"),
    ],
    ids=str,
)
def test_schema_and_code_refuse_the_same(tmp_path, change):
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace(*change))
    assert problems_of(path) and schema_problems(path.read_text())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_recipes_that_come_with_samplepack_are_good(path):
    if path.name == "magenta-glass.yaml":
        assert "is not on this machine" in problems_of(path)[0] and len(problems_of(path)) == 1
    else:
        load_recipe(path)


def test_velocity_layers_and_vibrato_that_a_morph_cannot_have_are_told(write_recipe):
    text = "paths: {Way: {through: [Glass, Choir], steps: 3, as: morph}}\nvelocity: 3\nplay: {vibrato: wheel}\n"
    with pytest.raises(InputError) as raised:
        load_recipe(write_recipe(text, timbres="{Glass: 7, Choir: 12}"))
    velocity, vibrato = raised.value.problems
    assert (velocity.line, velocity.column) == (6, 1) and "'Way' is a morph, which has no velocity" in velocity.message
    assert vibrato.line == 7 and "the mod wheel moves the morph 'Way'" in vibrato.message


def test_velocity_layers_that_are_all_the_same_are_told(write_recipe, run):
    text = "velocity: {layers: 2, toward: Glass}\n"
    with pytest.raises(InputError) as raised:
        load_recipe(write_recipe(text, timbres="{Glass: 7}"))
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (5, 31)
    assert problem.message.startswith("velocity.toward: 'Glass' is the only timbre, so that all its layers would be")
    remark = "velocity: the layers of 'Glass' itself are all the same, since they lie toward it"
    for several in (write_recipe(text, timbres="{Glass: 7, Choir: 9}"), write_recipe(f"{text}bank: {{seeds: 1-2}}\n")):
        assert remark in run("check", several).out and remark in run("plan", several).out
    assert "all the same" not in run("check", write_recipe("velocity: 2\n", timbres="{Glass: 7}")).out


def test_a_morph_of_many_steps_is_told(write_recipe):
    text = "paths: {Way: {through: [Glass, Choir], steps: 17, as: morph}}\n"
    with pytest.raises(InputError, match="Way.steps: a morph has a layer for each step; it has 16 at most"):
        load_recipe(write_recipe(text, timbres="{Glass: 7, Choir: 12}"))


@pytest.mark.parametrize("path, told", [
    (
        "{through: [Glass, Chor], steps: 17, as: morph}",
        ["paths.Way.through[1]: no timbre is called 'Chor'", "paths.Way.steps: a morph has a layer for each step"],
    ),
    ("{through: [Glass, Choir], steps: 3, by: keys}", ["paths.Way.by: only a morph has `by`; write as: morph"]),
    ("{through: [Glass, Choir], by: keys}", ["paths.Way.by: only a morph has `by`; write as: morph"]),
    ("{through: [Glass, Choir], steps: 3, by: wheel}", ["paths.Way.by: only a morph has `by`; write as: morph"]),
    ("{through: [Glass, Choir], as: wavetable, by: wheel}", ["paths.Way.by: only a morph has `by`; write as: morph"]),
    (
        "{through: [Glass, Choir], steps: 3, as: morph, at: 48, frames: 64}",
        [
            "paths.Way.at: only a wavetable has `at`; write as: wavetable",
            "paths.Way.frames: only a wavetable has `frames`; write as: wavetable",
        ],
    ),
    ("{through: [Glass, Choir], steps: 3, as: moprh, by: keys}", ["paths.Way.as: should be 'instruments', 'morph' or"]),
    (
        "{through: [Glass, Choir], steps: 3, as: morph, by: keys}",
        ["paths.Way.steps: a morph by keys has a point of the path for each key; leave steps out"],
    ),
    ("{through: [Glass, Choir], as: morph, by: velocity}", ["paths.Way: 'steps' is missing"]),
    ("{through: [Glass, Choir], as: morph, by: whel}", ["paths.Way.by: should be 'wheel', 'velocity' or 'keys'"]),
])  # fmt: skip
def test_all_that_is_wrong_with_a_path_is_told_at_once(write_recipe, path, told):
    with pytest.raises(InputError) as raised:
        load_recipe(write_recipe(f"paths: {{Way: {path}}}\n", timbres="{Glass: 7, Choir: 12}"))
    messages = [problem.message for problem in raised.value.problems]
    assert len(messages) == len(told) and all(map(str.startswith, messages, told)), messages


@pytest.mark.parametrize("by", ["velocity", "keys"])
def test_a_morph_that_the_wheel_does_not_move_leaves_it_to_vibrato_but_has_no_velocity_layers(write_recipe, by):
    steps = "" if by == "keys" else "steps: 3, "
    text = f"paths: {{Way: {{through: [Glass, Choir], {steps}as: morph, by: {by}}}}}\nplay: {{vibrato: wheel}}\n"
    load_recipe(write_recipe(text, timbres="{Glass: 7, Choir: 12}"))
    with pytest.raises(InputError, match="velocity: 'Way' is a morph, which has no velocity layers"):
        load_recipe(write_recipe(text + "velocity: 3\n", timbres="{Glass: 7, Choir: 12}"))


def test_a_morph_by_keys_needs_two_keys_and_has_a_name_of_its_own(write_recipe):
    text = "paths: {glass: {through: [Glass, Choir], as: morph, by: keys}}\n"
    with pytest.raises(InputError) as raised:
        load_recipe(write_recipe(text, timbres="{Glass: 7, Choir: 12}", pitches="60"))
    name, one_key = sorted(problem.message for problem in raised.value.problems)[::-1]
    assert name == "two instruments would be called 'glass'" and one_key.startswith("paths.glass.by: ")
