"""Files of every kind, mutated at random: each must be read, or told to be wrong, within seconds.

    python -m tests.attack recipes --rounds 10000 --seed 1
    python -m tests.attack others --rounds 2000 --seed 1

`tests/test_attack.py` runs a few rounds of each.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from samplepack.base.errors import InputError, SamplepackError
from samplepack.checkpoints import library
from samplepack.clips.score import read_midi
from samplepack.datasets.dataset import read_dataset
from samplepack.datasets.sfz import BrokenMap, read_map
from samplepack.datasets.soundfont import read_soundfont
from samplepack.models import checkpoint
from samplepack.pack import lock
from samplepack.pack.diff import compare
from samplepack.pack.manifest import listed_files
from samplepack.pack.recipes import check
from samplepack.pack.verify import verify
from samplepack.training.config import load_training
from tests.helpers.places import FIXTURES, REPOSITORY

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

SLOWEST_S = 5.0
"""The processor time within which every file is read or told to be wrong."""

VALUES: list[Any] = [
    None, True, 0, 1, -1, 2, 60, 128, 10**6, 2**31, 2**63, 2**70, 0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"),
    "", " ", "x", "Glass", "Choir", "../x", "/", "/etc/passwd", ".", "~", "a\0b", "a\nb", "\x1b[2J", "x" * 300, "\u202e",
    "e\u0301" * 40, "\U0001f3b9", "36-84", "36-84/3", "0-127", "84-36", "100-131", "0-4294967295", "{seed}", "{0.x}", "%s",
    "$x", "#include", "<region>", "kept.npy", "tune.mid", "hall.wav", "starter", "starter@1", "./c", "all_instruments",
    "native", "auto", "none", "slerp", "linear", "even", "morph", "instruments", "Reverb", "Convolution", "PitchShift",
    "VST3Plugin", "Limiter", "nan", "1e999", "0x7f", "1_000", "2001-01-01", "yes", "null",
    [], {}, [[]], {"": ""}, [None], {"x": {"x": {}}}, [1] * 200, ["Glass"] * 130, {str(i): i for i in range(50)},
]  # fmt: skip

PIECES = [
    b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n", b"\n  ", b": ", b"- ", b"{", b"}", b"[", b"]", b"[" * 50, b"&a ",
    b"*a", b"<<: ", b"!!python/object:os.system ", b"!!binary ", b"|\n", b">\n", b"---\n", b"%YAML 9.9\n", b"'", b'"', b"#",
    b"1e999", b"-", b"\t", b"$", b"\\u0000", b"NaN", b"null", b"true", b"\xcc\xa3\xcc\x81" * 20, b"9" * 500, b"/* ", b"//",
    b"#define $a $a$a\n", b'#include "m.sfz"\n', b"<region>", b"sample=", b"default_path=", b"\xff\xff\xff\xff", b"\x7f" * 8,
]  # fmt: skip

Attack = Callable[[random.Random, Path], None]
"""Mutates one file of a folder and reads it; raises nothing but the errors that users are told."""


def mutated_bytes(content: bytes, draw: random.Random) -> bytes:
    """Some bytes with a few changes."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        at = draw.randrange(len(changed) + 1)
        end = min(len(changed), at + draw.choice((1, 1, 2, 4, 16, 300)))
        match draw.randrange(7):
            case 0:
                changed[at:end] = b""
            case 1:
                changed[at:end] = changed[at:end] * draw.choice((2, 3, 100))
            case 2:
                changed[at:at] = draw.choice(PIECES)
            case 3:
                changed[at:end] = draw.choice(PIECES)
            case 4:
                changed[at:end] = draw.randbytes(end - at)
            case 5 if at < len(changed):
                changed[at] ^= 1 << draw.randrange(8)
            case 6 if draw.random() < 0.2:
                del changed[at:]
    return bytes(changed)


def mutated_data(data: Any, draw: random.Random) -> Any:
    """Plain data with a few changes."""
    data = json.loads(json.dumps(data))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        places = list(_places(data))
        if not places:
            return draw.choice(VALUES)
        parent, key = draw.choice(places)
        match draw.randrange(6):
            case 0:
                del parent[key]
            case 1:
                parent[key] = [parent[key]]
            case 2 if isinstance(parent, dict):
                parent[draw.choice(["x", "", "seed", "toward", "at", str(key).upper(), f"{key} "])] = parent[key]
            case 3:
                other, other_key = draw.choice(places)
                parent[key] = json.loads(json.dumps(other[other_key]))
            case 4 if isinstance(parent, list):
                parent.extend(parent[:100])
            case _:
                parent[key] = draw.choice(VALUES)
    return data


def _places(data: Any) -> Any:
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield data, key
        yield from _places(value)


WHOLE = """\
recipe: 1
name: Whole
description: All keys.
author: Nobody
license: CC0-1.0
reads: [sounds]
checkpoint: {path: starter}
pitches: [48, 60, 72]
timbres:
  Glass: 7
  Choir: {seed: 1312}
  Between: {seed: 7, toward: Choir, at: 0.25}
  Kept: {latent: kept.npy}
  Bow: {instrument: Viola}
bank: {seeds: 100-103, name: "Bank {seed}"}
paths:
  Way: {through: [Glass, Kept, Choir], steps: 4, spacing: even, interpolation: slerp, as: morph}
velocity: {layers: 3, toward: Choir}
clips:
  Song: {midi: tune.mid, timbres: [Glass, {timbre: Choir}], slow: 1.2}
  Other: {midi: tune.mid, seconds_per_instrument: 5.0, seed: 3, tracks: [1], drums: true}
process:
  - HighpassFilter: {cutoff_frequency_hz: 30}
  - Chorus
  - Convolution: {impulse_response_filename: sounds/hall.wav, mix: 0.3}
  - Reverb: {room_size: 0.4, wet_level: 0.2}
sound: {rate_hz: 44100, bits: 16, file: wav, tune: true, channels: stereo, peak_db: -2.0}
formats: [sfz, multisample, decentsampler]
"""

TRAINING = """\
train: 1
name: tiny
data: set
network: {latent_dim: 4, channels: [8, 8, 8, 8], pitches: [60, 84]}
reconstruction: {images: 160, batch: 4, coarse_share: 0.5}
notices: [hall.txt]
"""

MAP = b"""\
// a comment
<control> default_path=sounds/
#define $ROOT 60
#include "more.inc"
<global> ampeg_release=1 /* over
lines */
<group> lovel=0 hivel=70 pitch_keycenter=c4 <region> sample=hall.wav lokey=55 hikey=$ROOT
<region> sample=hall.wav key=$ROOT offset=10 end=100
"""


def prepare(folder: Path) -> None:
    """Write what the mutated files refer to."""
    (folder / "sounds").mkdir(parents=True)
    soundfile.write(folder / "sounds" / "hall.wav", np.random.RandomState(0).standard_normal(4000) * 0.1, 44100)
    np.save(folder / "kept.npy", np.random.RandomState(1).standard_normal(32).astype(np.float32))
    shutil.copy(FIXTURES / "clip.mid", folder / "tune.mid")
    shutil.copytree(library.STARTER, folder / "c")
    (folder / "hall.txt").write_text("a notice")
    (folder / "more.inc").write_text("<region> sample=hall.wav key=40\n")
    (folder / "set").mkdir()
    note = {"instrument": "A", "pitch": 60, "source": "a.wav", "peak_db": -1.0, "cents": 0.5}
    contents = {"title": "A", "source": "a", "rate_hz": 16000, "samples": 1200, "notes": [note, {**note, "pitch": 62}]}
    (folder / "set" / "dataset.json").write_text(json.dumps(contents))
    (folder / "set" / "waves.s16").write_bytes(bytes(2 * 2 * 1200))


def attack_recipe(draw: random.Random, folder: Path) -> None:
    """Check a mutated recipe."""
    texts = [WHOLE] * 4 + [path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "recipes").glob("*.yaml"))]
    text = draw.choice(texts)
    path = folder / "r.yaml"
    if draw.random() < 0.5:
        path.write_bytes(mutated_bytes(text.encode(), draw))
    else:
        path.write_text(
            yaml.dump(mutated_data(yaml.load(text, LOADER), draw), Dumper=DUMPER, allow_unicode=True), "utf-8"
        )
    if problems := check([path]):
        assert all(str(problem).isprintable() and len(str(problem)) < 7000 for problem in problems)
        raise InputError(*problems)


def attack_latent(draw: random.Random, folder: Path) -> None:
    """Check a recipe whose latent, sound or MIDI file is mutated."""
    name = draw.choice(["kept.npy", "sounds/hall.wav", "tune.mid"])
    whole = (folder / name).read_bytes()
    (folder / "r.yaml").write_text(WHOLE)
    try:
        (folder / name).write_bytes(mutated_bytes(whole, draw))
        check([folder / "r.yaml"])
    finally:
        (folder / name).write_bytes(whole)


def attack_checkpoint(draw: random.Random, folder: Path) -> None:
    """Read a checkpoint whose config or weights are mutated, with the digest that belongs to them."""
    config = json.loads((library.STARTER / "config.json").read_text(encoding="utf-8"))
    weights = (library.STARTER / "weights.safetensors").read_bytes()
    header = weights[: 8 + int.from_bytes(weights[:8], "little")]
    if draw.random() < 0.5:
        config = mutated_data(config, draw)
    else:
        weights = mutated_bytes(header, draw) + weights[len(header) :]
    try:
        digest = checkpoint._digest(checkpoint.Config.model_validate(config), hashlib.sha256(weights).hexdigest())
        config = {**config, "digest": digest}
    except (ValueError, TypeError):
        pass
    (folder / "c" / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "c" / "weights.safetensors").write_bytes(weights)
    (folder / "r.yaml").write_text("recipe: 1\nname: R\ncheckpoint: ./c\nbank: {seeds: 1-3}\nprocess: [Reverb]\n")
    check([folder / "r.yaml"])
    found = library.resolve("./c", folder)
    checkpoint.read_instruments(found)
    checkpoint.read_tensors(found)


def attack_magenta(draw: random.Random, folder: Path) -> None:
    """Look at a mutated zip of Magenta's."""
    path = folder / "m.zip"
    if not (folder / "whole.zip").exists():
        shutil.make_archive(str(folder / "whole"), "zip", FIXTURES / "magenta-tiny")
    whole = (folder / "whole.zip").read_bytes()
    tail = len(whole) - 1500 if draw.random() < 0.7 else 0
    path.write_bytes(whole[:tail] + mutated_bytes(whole[tail:], draw))
    library.resolve("./m.zip", folder)


def attack_map(draw: random.Random, folder: Path) -> None:
    """Read a mutated SFZ map."""
    (folder / "m.sfz").write_bytes(mutated_bytes(MAP, draw))
    read_map(folder / "m.sfz", folder)


def attack_midi(draw: random.Random, folder: Path) -> None:
    """Read a mutated MIDI file."""
    (folder / "m.mid").write_bytes(mutated_bytes((FIXTURES / "clip.mid").read_bytes(), draw))
    read_midi(folder / "m.mid", range(36, 85), slow=draw.choice((0.1, 1.0, 10.0)))


def attack_soundfont(draw: random.Random, folder: Path) -> None:
    """Read the presets of a mutated soundfont."""
    record = b"Organ".ljust(20, b"\0") + bytes([3, 0, 0, 0]) + bytes(14)
    phdr = b"pdtaphdr" + len(record * 2).to_bytes(4, "little") + record * 2
    body = b"sfbkLIST" + len(phdr).to_bytes(4, "little") + phdr
    (folder / "m.sf2").write_bytes(mutated_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body, draw))
    read_soundfont(folder / "m.sf2")


def attack_set(draw: random.Random, folder: Path) -> None:
    """Read a mutated data set."""
    table = folder / "set" / "dataset.json"
    whole = table.read_text(encoding="utf-8")
    try:
        _write_mutated(table, whole, draw)
        opened = read_dataset(folder / "set")
        assert opened.digest and len(opened.held_out(0.5)) == len(opened.waves)
    finally:
        table.write_text(whole, "utf-8")


def attack_training(draw: random.Random, folder: Path) -> None:
    """Read a mutated training configuration."""
    path = folder / "t.yaml"
    if draw.random() < 0.5:
        path.write_bytes(mutated_bytes(TRAINING.encode(), draw))
    else:
        path.write_text(yaml.dump(mutated_data(yaml.load(TRAINING, LOADER), draw), Dumper=DUMPER), "utf-8")
    load_training(path)


def attack_pack(draw: random.Random, folder: Path) -> None:
    """Verify a pack with a mutated `pack.json`, and compare it with itself."""
    manifest = folder / "pack" / "pack.json"
    whole = manifest.read_text(encoding="utf-8")
    try:
        _write_mutated(manifest, whole, draw)
        with contextlib.suppress(InputError):
            listed_files(folder / "pack")
        now = lock.lock_of_pack(folder / "pack")
        compare(now, lock.read_lock(folder / "small.lock"))
        verify(folder / "pack", workers=1)
    finally:
        manifest.write_text(whole, "utf-8")


def attack_lock(draw: random.Random, folder: Path) -> None:
    """Read a mutated lock file, compare a pack with it, and write the lock anew."""
    path = folder / "mutated.lock"
    whole = (folder / "small.lock").read_text(encoding="utf-8")
    _write_mutated(path, whole, draw)
    made = lock.read_lock(folder / "small.lock")
    lock.keep_lock(path, made, update=False)
    _write_mutated(path, whole, draw)
    read = lock.read_lock(path)
    lock.compare_to_lock(made, read).lines()
    compare(read, made)


def _write_mutated(path: Path, whole: str, draw: random.Random) -> None:
    if draw.random() < 0.3:
        path.write_bytes(mutated_bytes(whole.encode(), draw))
    else:
        path.write_text(json.dumps(mutated_data(json.loads(whole), draw)), "utf-8")


def build_pack(folder: Path) -> None:
    """Build a pack with its lock file for `attack_pack` and `attack_lock`."""
    from samplepack import build

    recipe = folder / "small.yaml"
    recipe.write_text("recipe: 1\nname: Pack\npitches: [60]\ntimbres: {Glass: 7}\nsound: {tune: false, loop: none}\n")
    build(recipe, folder)


OTHERS: tuple[Attack, ...] = (
    attack_latent, attack_checkpoint, attack_magenta, attack_map, attack_midi, attack_soundfont, attack_set,
    attack_training, attack_pack, attack_lock,
)  # fmt: skip


def attack(attacks: tuple[Attack, ...], rounds: range, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Run rounds of attacks, each with random numbers of its own, in a folder that `prepare` and `build_pack` filled.

    Returns:
        How many files were read and how many told to be wrong, and a report of each that ended otherwise: with another
        error, after more than `SLOWEST_S`, or with a file outside of the folder.
    """
    ends, faults = Counter[str](), list[str]()
    before = sorted(folder.parent.iterdir())
    for number in rounds:
        function = attacks[number % len(attacks)]
        draw = random.Random(f"{seed} {number}")
        began_s = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                function(draw, folder)
            ends["read"] += 1
        except (SamplepackError, BrokenMap):
            ends["told"] += 1
        except OSError as error:  # the command line tells it in a line
            ends["told by the system"] += 1
            assert error.strerror, traceback.format_exc()
        except Exception:
            faults.append(f"{function.__name__}, seed {seed}, round {number}:\n{traceback.format_exc()}")
        if (took_s := time.process_time() - began_s) > SLOWEST_S:
            faults.append(f"{function.__name__}, seed {seed}, round {number}: {took_s:.1f} s")
    if sorted(folder.parent.iterdir()) != before:
        faults.append("files lie outside the folder")
    return ends, faults


def main() -> None:
    """Attack, and print what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("recipes", "others"))
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "attacked")
        prepare(folder)
        if given.what == "others":
            build_pack(folder)
        attacks = (attack_recipe,) if given.what == "recipes" else OTHERS
        ends, found = Counter[str](), 0
        for first in range(0, given.rounds, 100):
            rounds = range(first, min(first + 100, given.rounds))
            of_these, faults = attack(attacks, rounds, given.seed, folder)
            ends += of_these
            found += len(faults)
            print("\n".join([*faults, f"{rounds.stop} rounds: {dict(ends)}; {found} faults"]), flush=True)


if __name__ == "__main__":
    main()
