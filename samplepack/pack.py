"""The files of a pack: sounds, maps, and what tells about them."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samplepack import __version__
from samplepack.analysis import cents_between, fundamental_hz, pitch_hz
from samplepack.audio import Audio, db_to_gain, encode, gain_to_db
from samplepack.checkpoint import Checkpoint
from samplepack.files import sha256_of_file
from samplepack.formats import WRITERS
from samplepack.instrument import Instrument, Zone, key_ranges
from samplepack.parallel import Map
from samplepack.plan import PlannedInstrument
from samplepack.recipe import LoadedRecipe, Recipe, Sound

VERSION = 1
"""Of the layout of `pack.json`."""

MANIFEST = "pack.json"

_LIBRARIES = ("numpy", "pedalboard", "soundfile", "soxr", "matplotlib")
"""What else decides a pack's bytes."""


def versions(engine: str) -> dict[str, str]:
    """Everything whose version decides a pack's bytes, beside recipe and checkpoint."""
    from importlib.metadata import version

    return {"samplepack": __version__, "engine": engine, **{name: version(name) for name in _LIBRARIES}}


def inputs_digest(loaded: LoadedRecipe, checkpoint: Checkpoint, engine: str) -> str:
    """A hash of all that a pack is made from: two builds with the same one are the same pack."""
    digest = hashlib.sha256(json.dumps([VERSION, versions(engine), checkpoint.digest]).encode())
    digest.update(hashlib.sha256(loaded.text).digest())
    for file in loaded.input_files():
        digest.update(bytes.fromhex(sha256_of_file(file)))
    return digest.hexdigest()


def is_built(folder: Path, inputs: str) -> bool:
    """Whether a folder holds, whole and untouched, the pack of these inputs."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["inputs"] != inputs:
            return False
        files: dict[str, str] = manifest["files"]
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        return there == {*files, MANIFEST} and all(sha256_of_file(folder / f) == files[f] for f in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_instrument(
    folder: Path, planned: PlannedInstrument, sounds: Mapping[int, Audio], recipe: Recipe, map_: Map
) -> dict[str, Any]:
    """Write an instrument's sound files once, and its map once for each format.

    Args:
        folder: of the pack.
        planned: the instrument.
        sounds: pitch → finished note; one gain brings the loudest to the recipe's `peak_db`.
        recipe: how to write them.
        map_: what to write them with.

    Returns:
        What `pack.json` says of the instrument.
    """
    loudest = max(audio.peak for audio in sounds.values())
    gain = db_to_gain(recipe.sound.peak_db) / loudest if loudest > 0.0 else 1.0
    (folder / "Samples" / planned.name).mkdir(parents=True)
    write_note = partial(_write_note, folder, planned.name, recipe.sound, gain)
    notes = list(map_(write_note, sorted(sounds.items())))
    keys = key_ranges([note["pitch"] for note in notes])
    zones = (Zone(note["file"], note["frames"], note["pitch"], keys[note["pitch"]]) for note in notes)
    instrument = Instrument(planned.name, tuple(zones))
    maps = folder / "Instruments"
    maps.mkdir(exist_ok=True)
    for name in recipe.formats:
        suffix, write = WRITERS[name]
        (maps / f"{planned.name}{suffix}").write_bytes(write(instrument, folder))
    return {"name": planned.name, "latent": [float(str(value)) for value in planned.z], "notes": notes}


def _write_note(folder: Path, instrument: str, sound: Sound, gain: float, pitched: tuple[int, Audio]) -> dict[str, Any]:
    pitch, audio = pitched
    audio = Audio(audio.samples * np.float32(gain), audio.rate_hz)
    file = f"Samples/{instrument}/{instrument}_{pitch:03d}.{sound.file}"
    encoded = encode(audio, sound.file, sound.bits, dither_seed=zlib.crc32(file.encode()))
    (folder / file).write_bytes(encoded)
    heard_hz = fundamental_hz(audio)
    return {
        "pitch": pitch,
        "file": file,
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "cents": None if heard_hz is None else round(cents_between(heard_hz, pitch_hz(pitch)), 1),
        "peak_db": round(gain_to_db(audio.peak), 2),
        "frames": audio.samples.shape[1],
    }


def write_about(
    folder: Path,
    loaded: LoadedRecipe,
    checkpoint: Checkpoint,
    inputs: str,
    engine: str,
    instruments: Sequence[Any],
) -> None:
    """Write what tells about a pack; `pack.json` last, over all that stands in the folder."""
    recipe = loaded.recipe
    (folder / "recipe.yaml").write_bytes(loaded.text)
    (folder / "README.md").write_text(_readme(recipe, instruments), encoding="utf-8")
    (folder / "LICENSE.txt").write_text(_license(recipe, checkpoint), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest: Mapping[str, Any] = {
        "pack": VERSION,
        "name": recipe.name,
        "description": recipe.description,
        "author": recipe.author,
        "license": recipe.license,
        "versions": versions(engine),
        "checkpoint": {
            "name": Path(checkpoint.name).name,
            "family": checkpoint.config.family,
            "digest": checkpoint.digest,
        },
        "inputs": inputs,
        "rate_hz": checkpoint.rate_hz if recipe.sound.rate_hz == "native" else recipe.sound.rate_hz,
        "instruments": instruments,
        "files": {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in files},
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _readme(recipe: Recipe, instruments: Sequence[Any]) -> str:
    lines = [f"# {recipe.name}", ""]
    if recipe.description:
        lines += [recipe.description, ""]
    lines += [
        "![How the instruments sound over the keyboard](Pictures/overview.png)",
        "",
        f"{len(instruments)} sampler instruments. Load one of `Instruments/*.sfz` into sforzando, sfizz, Bitwig,",
        "Ardour, Reaper (with sfizz or sforzando) or any other player of SFZ; keep the folders together, since the",
        "maps look for their sounds in `Samples/`.",
        "",
        "| instrument | keys sampled |",
        "|---|---|",
    ]
    for instrument in instruments:
        pitches = [note["pitch"] for note in instrument["notes"]]
        lines.append(f"| {instrument['name']} | {len(pitches)}, from {pitches[0]} to {pitches[-1]} |")
    lines += [
        "",
        f"Made by samplepack {__version__} from `recipe.yaml`. What was measured stands in `{MANIFEST}`.",
        "",
    ]
    return "\n".join(lines)


def _license(recipe: Recipe, checkpoint: Checkpoint) -> str:
    whose = f"by {recipe.author}" if recipe.author else "in this pack"
    lines = [f"The sounds {whose}: {recipe.license or 'no licence is stated; ask their author'}.", ""]
    lines += ["They were rendered by samplepack, which claims no rights in what its users make with it.", ""]
    if checkpoint.config.license:
        lines += [f"Checkpoint '{Path(checkpoint.name).name}': {checkpoint.config.license}", ""]
    return "\n".join(lines)
