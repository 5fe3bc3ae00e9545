"""The files of a pack: sounds, maps, and what tells about them."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from samplepack.base.errors import InputError
from samplepack.base.files import sha256_of_file
from samplepack.base.parallel import Map
from samplepack.base.version import __version__
from samplepack.clips import pictures as views
from samplepack.clips.clip import PlannedClip
from samplepack.clips.score import NO_READER, left_out
from samplepack.finishing.finish import FinishedNote
from samplepack.finishing.levels import even_gains_db, matched_gains_db
from samplepack.formats import WRITERS
from samplepack.formats.instrument import Instrument, Range, Zone, key_ranges, velocity_ranges, wheel_ranges
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import Engine
from samplepack.pack.manifest import MANIFEST, VERSION, Manifest, listed_files, read_manifest, write_manifest
from samplepack.recipe import LoadedRecipe, Recipe, Sound
from samplepack.rendering.plan import Axis, PlannedInstrument
from samplepack.sound.audio import Audio, db_to_gain, encode
from samplepack.sound.riff import Loop, SamplerNote

IN_TUNE_CENTS = 3.0
"""A key within this of its pitch is in tune."""

_LIBRARIES = ("keras", "numpy", "pedalboard", "pyloudnorm", "scipy", "soundfile", "soxr", "matplotlib", "pillow")
"""What else decides a pack's bytes."""


_READERS = ("note_seq", "pretty_midi", "mido")
"""And of one with clips."""


def versions(engine: str, recipe: Recipe) -> dict[str, str]:
    """Everything whose version decides a pack's bytes, beside recipe and checkpoint.

    Raises:
        InputError: the recipe has clips, and nothing is installed that reads them.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        readers = {name: version(name) for name in _READERS if recipe.clips}
    except PackageNotFoundError:
        raise InputError(NO_READER) from None
    return {"samplepack": __version__, "engine": engine, **{name: version(name) for name in _LIBRARIES}, **readers}


def inputs_digest(loaded: LoadedRecipe, checkpoint: Checkpoint, engine: str) -> str:
    """A hash of all that a pack is made from: two builds with the same one are the same pack."""
    digest = hashlib.sha256(
        json.dumps([VERSION, versions(engine, loaded.recipe), checkpoint.digest, checkpoint.config.license]).encode()
    )
    digest.update(hashlib.sha256(loaded.text).digest())
    for timbre in loaded.recipe.timbres.values():
        if timbre.stored:
            digest.update(timbre.stored.values.astype("<f4").tobytes())
    for file in loaded.input_files():
        digest.update(bytes.fromhex(sha256_of_file(file)))
    return digest.hexdigest()


def summary(notes: Sequence[dict[str, Any]]) -> str:
    """What an instrument's notes measure, in a line."""
    off = [abs(note["cents"]) for note in notes if note["cents"] is not None]
    loops = [note["loop"] for note in notes if note["loop"]]
    reasons = [reason for note in notes if (reason := note["why_no_loop"])]
    keys, layers = len({note["pitch"] for note in notes}), 1 + max((note["layer"] for note in notes), default=0)
    parts = [f"{keys} keys in {layers} layers" if layers > 1 else f"{keys} keys"]
    if off:
        parts.append(f"{sum(c <= IN_TUNE_CENTS for c in off)} of {len(off)} in tune (worst {max(off):.1f} cents)")
    if loops:
        parts.append(f"{len(loops)} loops (worst flux {max(loop['flux'] for loop in loops):.2f})")
    parts += [f"{reasons.count(reason)} unlooped ({reason})" for reason in sorted(set(reasons))]
    if (loudness := middle_loudness(notes)) is not None:
        parts.append(f"{loudness:.1f} LUFS")
    return ", ".join([*parts, f"peak {max((note['true_peak_db'] for note in notes), default=-200.0):.1f} dBTP"])


def middle_loudness(notes: Sequence[dict[str, Any]]) -> float | None:
    """The loudness of an instrument, LUFS: that of its middle key's last layer; None where all are silent."""
    last = max((note["layer"] for note in notes), default=0)
    heard = [n["loudness_lufs"] for n in notes if n["layer"] == last and n["loudness_lufs"] is not None]
    return median(heard) if heard else None


def read_built(folder: Path, inputs: str, map_: Map) -> Manifest | None:
    """What `pack.json` says, if a folder holds, whole and untouched, the pack of these inputs; all its files are read,
    by that map."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.says["inputs"] != inputs:
        return None
    said: dict[str, str] = manifest.says["files"]
    with closing(map_(lambda file: sha256_of_file(folder / file), said)) as found:
        try:
            whole = all(digest == own for digest, own in zip(said.values(), found, strict=True))
        except OSError:
            return None
    return manifest if whole else None


def is_replaceable(folder: Path) -> bool:
    """Whether a folder is a pack with nothing in it but what a build made, and files that a system hides."""
    listed = listed_files(folder)
    if listed is None:
        return False
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    hidden = {file for file in there if file.rpartition("/")[2].startswith(".")}
    return there - hidden <= listed


@dataclass(frozen=True)
class SpooledNote:
    """A finished note whose samples wait on disk until all levels are known."""

    finished: FinishedNote
    """Without its samples."""

    file: Path
    """Its samples, float32, channel by channel, without a header: NumPy's own files are read by Python's parser, which
    in Python 3.11 isn't safe in threads."""


@dataclass(frozen=True)
class SpooledKey:
    """What became of the notes of one key."""

    layers: tuple[SpooledNote, ...]
    rendered: str
    """Fingerprints of the notes as the network made them, before all else."""


def write_instruments(
    folder: Path, instruments: Sequence[tuple[PlannedInstrument, Sequence[SpooledKey]]], recipe: Recipe, map_: Map
) -> Iterator[dict[str, Any]]:
    """Write the sound files of each instrument once, at their final level, and its maps once for each format.

    Args:
        folder: of the pack.
        instruments: each with its keys, from the lowest.
        recipe: how to write them.
        map_: what to write them with.

    Yields:
        What `pack.json` says of each, once it is written.
    """
    all_spooled = [[note for key in keys for note in key.layers] for _, keys in instruments]
    gains = _gains_db(all_spooled, recipe.sound)
    (folder / "Instruments").mkdir()
    for (planned, keys), spooled, gains_db in zip(instruments, all_spooled, gains, strict=True):
        (folder / "Samples" / planned.name).mkdir(parents=True)
        write = partial(_write_note, folder, planned.name, recipe.sound, _layers(spooled))
        notes = list(map_(write, zip(spooled, gains_db, strict=True)))
        instrument = Instrument(planned.name, _zones(notes, planned.axis, _layers(spooled)))
        for name in recipe.formats:
            suffix, write_map = WRITERS[name]
            (folder / "Instruments" / f"{planned.name}{suffix}").write_bytes(write_map(instrument, folder))
        latents = [[float(str(value)) for value in z] for z in planned.layers]
        yield {
            "name": planned.name,
            "origin": planned.origin,
            "axis": planned.axis,
            "latents": latents,
            "rendered": {str(key.layers[0].finished.pitch): key.rendered for key in keys},
            "notes": notes,
        }


def _layers(spooled: Sequence[SpooledNote]) -> int:
    return 1 + max(note.finished.layer for note in spooled)


def _zones(notes: Sequence[dict[str, Any]], axis: Axis, layers: int) -> tuple[Zone, ...]:
    keys = key_ranges(sorted({note["pitch"] for note in notes}))
    velocities = velocity_ranges(layers) if axis == "velocity" else [Range(1, 127)] * layers
    wheel = wheel_ranges(layers) if axis == "wheel" else [None] * layers
    return tuple(
        Zone(
            note["file"],
            note["frames"],
            note["pitch"],
            keys[note["pitch"]],
            velocities[note["layer"]],
            wheel[note["layer"]],
            Loop(*note["loop"]["frames"]) if note["loop"] else None,
        )
        for note in notes
    )


def _gains_db(instruments: Sequence[Sequence[SpooledNote]], sound: Sound) -> list[list[float]]:
    """The gain of each note of each instrument: the same for all layers of a key, which are matched already."""
    own = []
    for spooled in instruments:
        last = _layers(spooled) - 1
        loudness = [note.finished.loudness_lufs for note in spooled if note.finished.layer == last]
        even = even_gains_db(loudness) if sound.level == "even" else [0.0] * len(loudness)
        own.append([gain for gain in even for _ in range(last + 1)])
    measured = [
        [_leveled(note.finished, gain) for note, gain in zip(spooled, gains, strict=True)]
        for spooled, gains in zip(instruments, own, strict=True)
    ]
    middles = [middle_loudness(notes) for notes in measured]
    peaks = [max(note["true_peak_db"] for note in notes) for notes in measured]
    matched = matched_gains_db(middles, peaks, sound.peak_db)
    return [[gain + of_all for gain in gains] for gains, of_all in zip(own, matched, strict=True)]


def _leveled(note: FinishedNote, gain_db: float) -> dict[str, Any]:
    """What a gain makes of a note's levels."""
    return {
        "layer": note.layer,
        "true_peak_db": note.true_peak_db + gain_db,
        "loudness_lufs": None if note.loudness_lufs is None else note.loudness_lufs + gain_db,
    }


def _write_note(
    folder: Path, instrument: str, sound: Sound, layers: int, leveled: tuple[SpooledNote, float]
) -> dict[str, Any]:
    spooled, gain_db = leveled
    note, looped = spooled.finished, spooled.finished.looped
    samples = np.fromfile(spooled.file, "<f4").reshape(looped.audio.samples.shape[0], -1)
    audio = Audio(samples * np.float32(db_to_gain(gain_db)), looped.audio.rate_hz)
    layer = f"_{note.layer + 1}" if layers > 1 else ""
    file = f"Samples/{instrument}/{instrument}_{note.pitch:03d}{layer}.{sound.file}"
    sampler_note = SamplerNote(note.pitch, looped.loop)
    encoded = encode(audio, sound.file, sound.bits, zlib.crc32(file.encode()), sampler_note)
    (folder / file).write_bytes(encoded)
    levels = {key: value if key == "layer" else _rounded(value) for key, value in _leveled(note, gain_db).items()}
    return {
        "pitch": note.pitch,
        "file": file,
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "frames": audio.samples.shape[1],
        "tuning": note.tuning and {"state": note.tuning.state, "was_off_cents": _rounded(note.tuning.cents)},
        "cents": _rounded(note.cents),
        "loop": looped.loop
        and looped.seam
        and {
            "frames": [looped.loop.start, looped.loop.end],
            "step": _rounded(looped.seam.step),
            "flux": _rounded(looped.seam.flux),
            "swing_db": _rounded(looped.seam.swing_db),
        },
        "why_no_loop": looped.why_not,
        "gain_db": _rounded(gain_db),
        **levels,
    }


def _rounded(value: float | None) -> float | None:
    """A measurement as `pack.json` keeps it."""
    return None if value is None else round(value, 2) + 0.0


def write_clip(folder: Path, planned: PlannedClip, audio: Audio, loaded: LoadedRecipe) -> dict[str, Any]:
    """Write a clip's sound file and picture, and give what `pack.json` says of it."""
    sound = loaded.recipe.sound
    file = f"Clips/{planned.name}.{sound.file}"
    (folder / "Clips").mkdir(exist_ok=True)
    (folder / file).write_bytes(encode(audio, sound.file, sound.bits, zlib.crc32(file.encode())))
    notes = planned.score.notes
    views.draw_clip(folder / "Clips" / f"{planned.name}.png", planned.name, audio, notes, planned.path_positions)
    return {
        "name": planned.name,
        "file": file,
        "how": described_clips(loaded)[planned.name],
        "notes": len(notes),
        "dropped": list(planned.score.dropped),
        "length_s": _rounded(planned.score.length_s),
    }


def described_clips(loaded: LoadedRecipe) -> dict[str, dict[str, Any]]:
    """How a recipe's clips are played, as plain data; files by their path from its folder."""
    folder = loaded.path.parent
    return {
        name: clip.model_dump(mode="json") | {"midi": Path(os.path.relpath(clip.midi, folder)).as_posix()}
        for name, clip in loaded.recipe.clips.items()
    }


def write_about(
    folder: Path,
    loaded: LoadedRecipe,
    checkpoint: Checkpoint,
    inputs: str,
    engine: Engine,
    instruments: Sequence[Any],
    clips: Sequence[dict[str, Any]],
) -> Manifest:
    """Write what tells about a pack; `pack.json` last, over all that stands in the folder."""
    recipe = loaded.recipe
    (folder / "recipe.yaml").write_bytes(loaded.text)
    (folder / "README.md").write_text(_readme(recipe, instruments, clips), encoding="utf-8")
    (folder / "LICENSE.txt").write_text(_license(recipe, checkpoint), encoding="utf-8")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    hashed = {note["file"]: note["sha256"] for instrument in instruments for note in instrument["notes"]}
    says = {
        "pack": VERSION,
        "name": recipe.name,
        "description": recipe.description,
        "author": recipe.author,
        "license": recipe.license,
        "versions": versions(str(engine), recipe),
        "precision": engine.precision,
        "checkpoint": {
            "name": Path(checkpoint.name).name,
            "family": checkpoint.config.family,
            "digest": checkpoint.digest,
        },
        "inputs": inputs,
        "rate_hz": recipe.sound.rate_for(checkpoint.rate_hz),
        "velocity": recipe.velocity and recipe.velocity.model_dump(mode="json"),
        "process": described_effects(recipe, loaded.path.parent),
        "sound": recipe.sound.model_dump(mode="json"),
        "formats": list(recipe.formats),
        "instruments": instruments,
        "clips": clips,
        "files": {file: hashed.get(file) or sha256_of_file(folder / file) for file in files},
    }
    return write_manifest(folder, says)


def described_effects(recipe: Recipe, folder: Path) -> list[dict[str, dict[str, Any]]]:
    """A recipe's effects with all of their parameters, as plain data; files by their path from a folder."""

    def plain(value: Any) -> Any:
        return Path(os.path.relpath(value, folder)).as_posix() if isinstance(value, Path) else value

    return [{type(effect).__name__: {key: plain(value) for key, value in effect}} for effect in recipe.effects]


def _readme(recipe: Recipe, instruments: Sequence[Any], clips: Sequence[dict[str, Any]]) -> str:
    lines = [f"# {recipe.name}", ""]
    if recipe.description:
        lines += [recipe.description, ""]
    lines += [
        "![How the instruments sound over the keyboard](Pictures/overview.png)",
        "",
        f"{len(instruments)} sampler instruments, in `Instruments/`: an .sfz loads into sforzando, sfizz, Bitwig,",
        "Ardour, Reaper (with sfizz or sforzando) and others, a .multisample into Bitwig and Studio One, a .dspreset",
        "into DecentSampler. Keep the folders together, since the maps look for their sounds in `Samples/`.",
        "",
        "| instrument | what was measured |",
        "|---|---|",
    ]
    lines += [f"| {instrument['name']} | {summary(instrument['notes'])} |" for instrument in instruments]
    if clips:
        lines += ["", "Played along a path of timbres, in `Clips/`:", ""]
        lines += [f"- {c['name']}: {c['notes']} notes, {c['length_s']:.0f} s{left_out(c['dropped'])}" for c in clips]
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
