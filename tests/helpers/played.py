"""Small packs, and faults that a player hears, to plant in them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from samplepack.sound.audio import Audio, encode, read
from samplepack.sound.riff import Loop, SamplerNote
from tests.helpers.packs import build

PACKS = {
    "plain": "pitches: [55, 60]\ntimbres: {Glass: 28}\n",
    "pair": "pitches: [60]\ntimbres: {Glass: 28, Reed: 2, Bow: 5}\n",
    "morph": "pitches: [60]\ntimbres: {Dawn: 28, Noon: 2}\n"
    "paths: {Drift: {through: [Dawn, Noon], steps: 3, as: morph}}\n",
    "touch": "pitches: [60]\ntimbres: {Dawn: 28, Noon: 2}\n"
    "paths: {Drift: {through: [Dawn, Noon], steps: 3, as: morph, by: velocity}}\n",
    "dying": "pitches: [60]\ntimbres: {Glass: 28}\nsound: {loop: decay}\n",
    "wet": "pitches: [60]\ntimbres: {Glass: 28}\nprocess: [Reverb: {room_size: 0.9, wet_level: 0.4}]\n",
    "wide": "pitches: [60]\ntimbres: {Glass: 28}\nsound: {channels: stereo}\n",
    "turns": "pitches: [60]\ntimbres: {Glass: 28}\nround_robin: 2\n",
}
"""Name → the recipe of a pack, without its name."""


class Fault(NamedTuple):
    """A fault to plant."""

    pack: str
    """The pack that it is planted in."""

    plant: Callable[[Path], None]
    named: str
    """A regular expression for what names it, with a place for the player."""

    in_sf2: bool = True
    """Whether it is heard in a conversion to SF2, too."""


def plant(folder: Path, fault: str) -> None:
    """Plant a fault in a pack."""
    FAULTS[fault].plant(folder)


def _edit(instrument: str, *changes: tuple[str, str]) -> Callable[[Path], None]:
    """A change of a map, by regular expressions of which each is found."""

    def edit(folder: Path) -> None:
        path = folder / "Instruments" / f"{instrument}.sfz"
        text = path.read_text(encoding="utf-8")
        for pattern, new in changes:
            assert re.search(pattern, text), pattern
            text = re.sub(pattern, new, text)
        path.write_text(text, encoding="utf-8")

    return edit


def _gated(folder: Path) -> None:
    """Regions that sound only where the wheel was when they were struck."""
    path = folder / "Instruments" / "Drift.sfz"
    header, *regions = path.read_text(encoding="utf-8").split("<region>\n")
    gates = ("locc1=0 hicc1=63\n", "locc1=1 hicc1=126\n", "locc1=64 hicc1=127\n")
    assert len(regions) == len(gates)
    text = "".join(f"<region>\n{gate}{region}" for gate, region in zip(gates, regions, strict=True))
    path.write_text(header + text, encoding="utf-8")


def _sound(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """A change of the samples of the first sound of a pack, of which its `pack.json` knows."""

    def rewrite(folder: Path) -> None:
        manifest = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
        note = manifest["instruments"][0]["notes"][0]
        loop = Loop(*note["loop"]["frames"]) if note["loop"] else None
        audio = read(folder / note["file"])
        changed = Audio(change(audio.samples.copy()).astype(np.float32), audio.rate_hz)
        wav = encode(changed, "wav", 24, 0, SamplerNote(note["pitch"], loop))
        (folder / note["file"]).write_bytes(wav)
        note["sha256"] = manifest["files"][note["file"]] = sha256(wav).hexdigest()
        (folder / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")

    return rewrite


def _copied(folder: Path) -> None:
    """A sound of one instrument that is a copy of another's."""
    manifest = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    one, other = (manifest["instruments"][i]["notes"][0] for i in (0, 1))
    shutil.copyfile(folder / one["file"], folder / other["file"])
    other["sha256"] = manifest["files"][other["file"]] = one["sha256"]
    (folder / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")


def _velocity_left_out(folder: Path) -> None:
    """A pack whose recipe asks for velocity layers."""
    manifest = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    manifest["velocity"] = {"layers": 2}
    (folder / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")


FAULTS = {
    "a morph falls silent under the wheel": Fault("morph", _gated, "the mod wheel changes the level .* in {player}"),
    "a morph is cut off in the middle of the wheel's way": Fault(
        "morph",
        _edit(
            "Drift",
            (r"xfout_locc1=\d+ xfout_hicc1=\d+", "xfout_locc1=40 xfout_hicc1=41"),
            (r"xfin_locc1=\d+ xfin_hicc1=\d+", "xfin_locc1=80 xfin_hicc1=81"),
        ),
        "the mod wheel changes the level .* in {player}",
    ),
    "a morph sinks between its layers": Fault(
        "morph",
        _edit("Drift", (r"xfout_locc1=\d+ xfout_hicc1=64", "xfout_locc1=0 xfout_hicc1=20")),
        "the mod wheel changes the level .* in {player}",
    ),
    "velocity that travels the other way": Fault(
        "touch",
        _edit("Drift", ("_1.wav", "_0.wav"), ("_3.wav", "_1.wav"), ("_0.wav", "_3.wav")),
        "the softest note is layer 3 of 3 in {player}; should be 1",
        in_sf2=False,
    ),
    "a hole between two layers by velocity": Fault(
        "touch",
        _edit("Drift", (r"xfout_lovel=\d+ xfout_hivel=126", "xfout_lovel=64 xfout_hivel=80")),
        r"a harder note is \d+\.\d dB quieter in {player}",
        in_sf2=False,
    ),
    "a key dies among looped ones": Fault(
        "plain",
        _edit("Glass", (r"(pitch_keycenter=60[^<]*)loop_mode=loop_sustain", r"\1loop_mode=no_loop")),
        "key 60: dies away under a held key in {player}",
    ),
    "a key holds among dying ones": Fault(
        "dying",
        _edit("Glass", ("loop_mode=no_loop", "loop_mode=loop_continuous loop_start=20000 loop_end=40000")),
        "key 60: holds in {player}",
    ),
    "a tail is cut at key-up": Fault(
        "wet",
        _edit("Glass", (r"ampeg_release=[\d.]+", "ampeg_release=0.3")),
        "key-up cuts the tail of the effects in {player}",
    ),
    "a constant offset": Fault("plain", _sound(lambda x: x + 0.05), "a constant offset .* in {player}"),
    "left is the opposite of right": Fault(
        "wide", _sound(lambda x: x[:1] * np.array([[1.0], [-1.0]])), "left and right correlate by -1.00 in {player}"
    ),
    "a key off pitch": Fault(
        "plain",
        _edit("Glass", ("(pitch_keycenter=60)", r"\1 tune=20")),
        r"key 60: \+(19|20)\.\d cents off in {player}",
    ),
    "a key quieter than the others": Fault(
        "plain", _edit("Glass", ("(pitch_keycenter=60)", r"\1 volume=-9")), "uneven: {player} plays it -"
    ),
    "an instrument quieter than the others": Fault(
        "pair", _edit("Reed", ("(pitch_keycenter=60)", r"\1 volume=-9")), r"Reed: {player} plays it -9\.[01] dB beside"
    ),
    "velocity that changes no brightness": Fault(
        "plain", _edit("Glass", (r"cutoff_oncc131=-?\d+", "")), "velocity hardly changes the brightness in {player}",
        in_sf2=False,
    ),
    "takes that are one sound": Fault(
        "turns", _edit("Glass", ("_rr2", "_rr1")), "hits one after the other are the same sound in {player}",
        in_sf2=False,
    ),
    "controllers without effect": Fault(
        "plain",
        _edit("Glass", (r"\w+_oncc7[1-4]=-?[\d.]+", "")),
        r"without effect in {player}: brightness \(CC74\), resonance \(CC71\), attack \(CC73\), release \(CC72\)",
        in_sf2=False,
    ),
    "copies of sounds": Fault("pair", _copied, "Reed: .* is a copy of Samples/Glass/.*, byte for byte", in_sf2=False),
    "a morph without the velocity layers that are asked for": Fault(
        "morph", _velocity_left_out, "Drift: the recipe's velocity layers are left out: it is a morph", in_sf2=False
    ),
    "a note that hangs": Fault(
        "plain",
        _edit("Glass", ("loop_mode=loop_sustain", "loop_mode=loop_continuous"), (r"ampeg_release=[\d.]+", "ampeg_release=90")),
        "a note of a phrase hangs after key-up in {player}",
    ),
    "a map without a region for a key": Fault(
        "plain", _edit("Glass", ("lokey=58 hikey=72", "lokey=1 hikey=1")),
        r"key 60: (silent in|uneven: {player} plays it -\d\d)",  # FluidSynth is never wholly silent
    ),
}  # fmt: skip
"""Name → fault. The first ones are faults that players found in packs which passed every other check."""


def packs_in(folder):
    """A function from a name of `PACKS` to the folder of that pack, which is built below a folder at its first call."""
    packs = {}

    def get(name):
        if name not in packs:
            recipe = folder / f"{name}.yaml"
            recipe.write_text(f"recipe: 1\ncheckpoint: starter@1\nname: {name}\n{PACKS[name]}", encoding="utf-8")
            packs[name] = build(recipe, folder / "output", folder / "cache").folder
        return packs[name]

    return get
