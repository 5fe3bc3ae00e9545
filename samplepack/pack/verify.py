"""Measuring a built pack, from its files alone, against what samplepack promises."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from samplepack.base.files import sha256_of_file
from samplepack.base.parallel import threads
from samplepack.base.progress import Progress, Task, silent
from samplepack.finishing.behaviour import Behaviour, course
from samplepack.finishing.loop import measure_seam
from samplepack.finishing.process import offset_db
from samplepack.finishing.stereo import measure_width
from samplepack.finishing.tune import measure_cents
from samplepack.pack.manifest import (
    Manifest,
    PackedInstrument,
    PackedLoop,
    PackedNote,
    PackedWidth,
    last_layer,
    read_manifest,
)
from samplepack.pack.played import OFF_LEVEL_DB, SAME_SOUND, Played, beginning, correlation, play_instrument
from samplepack.pack.players import Player
from samplepack.pack.shortfalls import shortfalls
from samplepack.pack.soundfonts import bank_problems, soundfont_problems
from samplepack.pack.wavetables import wavetable_shortfalls
from samplepack.sound.audio import read
from samplepack.sound.loudness import attack_loudness_lufs, loudness_lufs, true_peak_db
from samplepack.sound.partials import measure_partials
from samplepack.sound.riff import SamplerNote, read_sampler_note

TAKES_DB = 0.5
"""The largest difference in loudness between takes of a key."""

_SHORTEST_LOOP_S = 0.1


@dataclass(frozen=True)
class Report:
    """What was measured of one instrument."""

    name: str
    notes: list[PackedNote]
    """As in `pack.json`, but measured anew; notes whose file can't be read are left out."""

    problems: list[str]
    """What falls short, each with its key where it has one."""

    played: list[Played] = field(default_factory=list)
    """What each player made of it."""


def verify(
    pack: str | Path, players: Sequence[Player] = (), workers: int | None = None, progress: Progress = silent
) -> list[Report]:
    """Measure a built pack, from its files alone, and say what falls short.

    Args:
        pack: the folder of the pack.
        players: samplers that are to play every SFZ map; see `samplepack.pack.players.players`.
        workers: how many notes are measured side by side; all cores, where left out.
        progress: receives reports of what is played.

    Returns:
        A report for each instrument, one without notes for each wavetable, and one more where other files of the pack
        aren't as they were built. Nothing falls short where no report has problems.

    Raises:
        InputError: the folder is no pack.
        SamplepackError: a player fails.
    """
    folder = Path(pack)
    manifest = read_manifest(folder)
    map_ = threads(workers or os.cpu_count() or 1)
    reports = []
    for instrument in manifest.instruments:
        measured = list(map_(partial(_measure_note, folder, instrument.behaviour), instrument.notes))
        notes = [note for note, _ in measured if note]
        problems = [problem for _, of_note in measured for problem in of_note]
        problems += shortfalls(notes, instrument.behaviour, manifest) + _map_problems(folder, instrument)
        problems += soundfont_problems(folder, manifest, instrument)
        problems += _take_problems(folder, notes) + _layer_problems(manifest, instrument)
        played = []
        if notes and (folder / "Instruments" / f"{instrument.name}.sfz").is_file():
            for player in players:
                task = Task(f"{instrument.name} in {player.name}", progress)
                played.append(play_instrument(folder, manifest, instrument, notes, player, task))
        problems += [problem for one in played for problem in one.problems]
        reports.append(Report(instrument.name, notes, problems, played))
    _compare_players(reports)
    _find_copies(manifest, reports)
    for wavetable in manifest.wavetables:
        reports.append(Report(wavetable.name, [], wavetable_shortfalls(folder, wavetable, manifest.sound.peak_db)))
    others = manifest.files.keys() - {note.file for instrument in manifest.instruments for note in instrument.notes}
    changed = [file for file in sorted(others) if _changed(folder, file, manifest.files[file])]
    of_pack = bank_problems(folder, manifest) + [f"{file}: missing, or not as it was built" for file in changed]
    if of_pack:
        reports.append(Report(manifest.name, [], of_pack))
    return reports


def _measure_note(folder: Path, behaviour: Behaviour, stated: PackedNote) -> tuple[PackedNote | None, list[str]]:
    """A note as its file has it, and where the file isn't what `pack.json` states."""
    key, file = f"key {stated.pitch}", folder / stated.file
    problems = []
    try:
        audio = read(file)
    except (OSError, RuntimeError) as error:
        return None, [f"{key}: {stated.file} cannot be read: {error}"]
    if not np.isfinite(audio.samples).all():
        return None, [f"{key}: {stated.file} holds NaN or infinity"]
    if _changed(folder, stated.file, stated.sha256):
        problems.append(f"{key}: {stated.file} is not as it was built")
    found = measure_cents(measure_partials(audio, stated.pitch))
    # A note that the build found to have no steady pitch is not held to one.
    has_pitch = found.state == "corrected" and (stated.tuning is None or stated.tuning.state == "corrected")
    loop, width = stated.loop, measure_width(audio)
    if loop and loop.frames[1] >= audio.samples.shape[1]:
        problems.append(f"{key}: its loop lies beyond its end")
    elif loop and loop.frames[1] - loop.frames[0] < _SHORTEST_LOOP_S * audio.rate_hz:
        problems.append(f"{key}: its loop is too short to be one")
    elif loop:
        start, end = loop.frames
        seam = measure_seam(audio.samples[:, start : end + 1], audio.rate_hz)
        loop = PackedLoop(frames=loop.frames, step=seam.step, flux=seam.flux, swing_db=seam.swing_db)
    if file.suffix == ".wav":
        wanted = SamplerNote(stated.pitch, loop.loop if loop else None)
        with file.open("rb") as wav:
            stated_in_file = read_sampler_note(wav)
        if stated_in_file != wanted:
            problems.append(f"{key}: the file itself states {stated_in_file or 'no root key'}; should be {wanted}")
    measured = {
        "cents": found.cents if has_pitch else None,
        "true_peak_db": true_peak_db(audio),
        "loudness_lufs": (loudness_lufs if behaviour == "sustain" else attack_loudness_lufs)(audio),
        "decay_s": course(audio).decay_s if behaviour == "decay" else None,
        "offset_db": offset_db(audio),
        "width": PackedWidth(correlation=width.correlation, mono_db=width.mono_db) if width else None,
        "loop": loop,
    }
    return stated.model_copy(update=measured), problems


def _take_problems(folder: Path, notes: Sequence[PackedNote]) -> list[str]:
    """Takes of a key, in its last layer, that differ in loudness or are the same sound."""
    problems = []
    by_pitch: dict[int, list[PackedNote]] = {}
    for note in last_layer(notes):
        by_pitch.setdefault(note.pitch, []).append(note)
    for pitch, (first, *others) in by_pitch.items():
        sounds = [beginning(read(folder / note.file)) for note in (first, *others)] if others else []
        for i, note in enumerate(others, start=1):
            if note.loudness_lufs is not None and first.loudness_lufs is not None:
                off_db = note.loudness_lufs - first.loudness_lufs
                if abs(off_db) > TAKES_DB:
                    problems.append(
                        f"key {pitch}: take {note.take + 1} is {off_db:+.1f} dB from the first, more than {TAKES_DB}"
                    )
            if max(correlation(sounds[i], earlier) for earlier in sounds[:i]) > SAME_SOUND:
                problems.append(f"key {pitch}: take {note.take + 1} is the same sound as one before it")
    return problems


def _layer_problems(manifest: Manifest, instrument: PackedInstrument) -> list[str]:
    """Velocity layers that the recipe asks for and an instrument doesn't have."""
    if not manifest.velocity or instrument.axis == "velocity":
        return []
    kind = "an instrument of one layer" if instrument.axis == "none" else "a morph"
    return [f"the recipe's velocity layers are left out: it is {kind}"]


def _compare_players(reports: Sequence[Report]) -> None:
    """Add to each report how far its instrument lies from the others in a player's loudness, beside its files."""
    for name in {one.player for report in reports for one in report.played}:
        of_player = [(report, one.level_db) for report in reports for one in report.played if one.player == name]
        levels = [(report, level_db) for report, level_db in of_player if level_db is not None]
        for report, level_db in levels:
            off_db = level_db - median(level for _, level in levels)
            if abs(off_db) > OFF_LEVEL_DB:
                report.problems.append(f"{name} plays it {off_db:+.1f} dB beside the other instruments and their files")


def _find_copies(manifest: Manifest, reports: Sequence[Report]) -> None:
    """Add sounds that a pack holds more than once to the reports, unless they were made from the same renders, as
    where two paths have a point in common."""
    first: dict[str, tuple[str, list[str]]] = {}
    for instrument, report in zip(manifest.instruments, reports, strict=True):
        copies, renders = [], _renders(instrument)
        for file, digest in dict.fromkeys((note.file, note.sha256) for note in instrument.notes):
            original, of_original = first.setdefault(digest, (file, renders[file]))
            if original != file and renders[file] != of_original:
                copies.append(f"{file} is a copy of {original}")
        if copies:
            more = f", and {len(copies) - 1} more of its files are copies" if len(copies) > 1 else ""
            report.problems.append(f"{copies[0]}, byte for byte{more}")


def _renders(instrument: PackedInstrument) -> dict[str, list[str]]:
    """File → the fingerprints of the notes that it was made from."""
    files: dict[int, list[str]] = {}
    for note in instrument.notes:  # in the order of the fingerprints: of each key, take by take, layer by layer
        files.setdefault(note.pitch, []).append(note.file)
    renders: dict[str, list[str]] = {}
    for pitch, of_key in files.items():
        fingerprints = instrument.rendered.get(str(pitch), "").split()
        each = len(fingerprints) // len(of_key)
        renders |= {file: fingerprints[i * each : (i + 1) * each] for i, file in enumerate(of_key)}
    return renders


def _map_problems(folder: Path, instrument: PackedInstrument) -> list[str]:
    """Regions of an SFZ map that don't play the note that they should."""
    path = folder / "Instruments" / f"{instrument.name}.sfz"
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    regions = re.findall(r"<region>(.*?pitch_keycenter=(-?\d+).*?)sample=\.\./([^\n]*)", text, re.DOTALL)
    roots = {file: int(root) for _, root, file in regions}
    turns = {file: int(turn) for opcodes, _, file in regions for turn in re.findall(r"seq_position=(\d+)", opcodes)}
    problems = []
    for note in instrument.notes:
        root, turn = roots.get(note.file), turns.get(note.file, 1)
        if root is not None and turn != note.take + 1:
            problems.append(f"key {note.pitch}: the SFZ map plays take {note.take + 1} at turn {turn}")
        if root != note.pitch:
            said = "leaves it out" if root is None else f"has root {root}"
            problems.append(f"key {note.pitch}: the SFZ map {said}")
    return problems


def _changed(folder: Path, file: str, digest: str) -> bool:
    try:
        return sha256_of_file(folder / file) != digest
    except OSError:
        return True
