"""Measuring a built pack, from its files alone, against what samplepack promises."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from samplepack.base.errors import SamplepackError
from samplepack.base.files import sha256_of_file
from samplepack.base.parallel import threads
from samplepack.finishing.behaviour import Behaviour, course
from samplepack.finishing.loop import measure_played_seam, measure_seam
from samplepack.finishing.process import offset_db
from samplepack.finishing.stereo import measure_width
from samplepack.finishing.tune import measure_cents
from samplepack.pack.manifest import (
    PackedInstrument,
    PackedLoop,
    PackedNote,
    PackedWidth,
    last_layer,
    read_manifest,
)
from samplepack.pack.shortfalls import described, shortfalls
from samplepack.sound.audio import Audio, Samples, read
from samplepack.sound.loudness import attack_loudness_lufs, loudness_lufs, true_peak_db
from samplepack.sound.partials import measure_partials
from samplepack.sound.riff import SamplerNote, read_sampler_note

TAKES_DB = 0.5
"""The largest difference in loudness between takes of a key."""

_SAME_SOUND = 0.9999
"""Two takes whose correlation reaches this are one sound, but for dither."""

_COMPARED_S = 0.5
_PLAYED_TOLERANCE_CENTS = 1.0
_HELD_S = 20.0
_SHORTEST_LOOP_S = 0.1


@dataclass(frozen=True)
class Report:
    """What was measured of one instrument."""

    name: str
    notes: list[PackedNote]
    """As in `pack.json`, but measured anew; notes whose file can't be read are left out."""

    problems: list[str]
    """What falls short, each with its key where it has one."""


def verify(pack: str | Path, with_player: bool = False, workers: int | None = None) -> list[Report]:
    """Measure a built pack, from its files alone, and say what falls short.

    Args:
        pack: the folder of the pack.
        with_player: also play every key of every SFZ map in sfizz.
        workers: how many notes are measured side by side; all cores, where left out.

    Returns:
        A report for each instrument, and one more, without notes, where other files of the pack aren't as they were
        built. Nothing falls short where no report has problems.

    Raises:
        InputError: the folder is no pack.
        SamplepackError: sfizz is asked for and not installed.
    """
    folder = Path(pack)
    manifest = read_manifest(folder)
    map_ = threads(workers or os.cpu_count() or 1)
    reports = []
    for instrument in manifest.instruments:
        measured = list(map_(partial(_measure_note, folder, instrument.behaviour), instrument.notes))
        notes = [note for note, _ in measured if note]
        problems = [problem for _, of_note in measured for problem in of_note]
        problems += shortfalls(notes, instrument.behaviour, manifest.sound) + _map_problems(folder, instrument)
        problems += _take_problems(folder, notes)
        if with_player:
            problems += _played_problems(folder, instrument.name, notes)
        reports.append(Report(instrument.name, notes, problems))
    others = manifest.files.keys() - {note.file for instrument in manifest.instruments for note in instrument.notes}
    changed = [file for file in sorted(others) if _changed(folder, file, manifest.files[file])]
    if changed:
        reports.append(Report(manifest.name, [], [f"{file}: missing, or not as it was built" for file in changed]))
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
        sounds = [_beginning(read(folder / note.file)) for note in (first, *others)] if others else []
        for i, note in enumerate(others, start=1):
            if note.loudness_lufs is not None and first.loudness_lufs is not None:
                off_db = note.loudness_lufs - first.loudness_lufs
                if abs(off_db) > TAKES_DB:
                    problems.append(
                        f"key {pitch}: take {note.take + 1} is {off_db:+.1f} dB from the first, more than {TAKES_DB}"
                    )
            if max(_correlation(sounds[i], earlier) for earlier in sounds[:i]) > _SAME_SOUND:
                problems.append(f"key {pitch}: take {note.take + 1} is the same sound as one before it")
    return problems


def _beginning(audio: Audio) -> Samples:
    """The first half second of a note, its channels summed, shape (samples,)."""
    return np.asarray(audio.samples[:, : int(_COMPARED_S * audio.rate_hz)].sum(axis=0))


def _correlation(one: Samples, two: Samples) -> float:
    """The correlation of two sounds from their starts on, as far as both go, -1 to 1; 0 with silence."""
    length = min(len(one), len(two))
    a, b = one[:length].astype(np.float64), two[:length].astype(np.float64)
    return float(a @ b) / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12)


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


def _played_problems(folder: Path, name: str, notes: Sequence[PackedNote]) -> list[str]:
    """What goes wrong when sfizz plays every sampled key, as hard as it can be struck and with the wheel up: then it is
    the last layer that sounds. A key is struck once for each of its takes, in whose order they should be heard."""
    path = folder / "Instruments" / f"{name}.sfz"
    if not path.is_file():
        return []
    try:
        import pysfizz
    except ImportError as error:
        raise SamplepackError("playing needs pysfizz: pip install pysfizz") from error
    rate_hz = read(folder / notes[0].file).rate_hz if notes else 48000
    problems = []
    # The copy keeps samples in memory, so that no note is cut where streaming lags behind. It lies beside the map, for
    # the sample paths, under a name that nobody can foresee, since a pack may hold links.
    handle, twin = tempfile.mkstemp(dir=path.parent, prefix=".check-", suffix=".sfz")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("<control> hint_ram_based=1\n" + path.read_text(encoding="utf-8"))
        synth = pysfizz.Synth(sample_rate=rate_hz, block_size=256)
        if not synth.load_sfz_file(twin):
            return ["sfizz cannot load its SFZ map"]
        synth._synth.cc(0, 1, 127)
        for note in last_layer(notes):
            held_s = _HELD_S if note.loop else 3.0
            played = Audio(np.asarray(synth.render_note(note.pitch, 127, held_s, held_s), np.float32), rate_hz)
            synth._synth.all_sound_off()
            if played.peak < 1e-3:
                problems.append(f"key {note.pitch}: silent in sfizz")
                continue
            heard = _heard_take(folder, played, [other for other in last_layer(notes) if other.pitch == note.pitch])
            if heard != note.take:
                problems.append(
                    f"key {note.pitch}: sfizz plays take {heard + 1} when it should be {note.take + 1}'s turn"
                )
            cents, own = measure_cents(measure_partials(played, note.pitch)).cents, note.cents
            if cents is not None and own is not None and abs(cents - own) > _PLAYED_TOLERANCE_CENTS:
                problems.append(f"key {note.pitch}: {cents:+.1f} cents off in sfizz, {own:+.1f} in its file")
            if note.loop:
                start, end = note.loop.frames
                seam = measure_played_seam(played.samples[:, end + 1 :], rate_hz, end + 1 - start)
                if not seam.is_good:
                    problems.append(f"key {note.pitch}: its loop is heard in sfizz: {described(seam)}")
    finally:
        os.unlink(twin)
    return problems


def _heard_take(folder: Path, played: Audio, takes: Sequence[PackedNote]) -> int:
    """Which of the takes of a key it is that was played."""
    if len(takes) == 1:
        return takes[0].take
    likeness = {}
    for note in takes:
        likeness[note.take] = _correlation(_beginning(played), _beginning(read(folder / note.file)))
    return max(likeness, key=lambda take: likeness[take])


def _changed(folder: Path, file: str, digest: str) -> bool:
    try:
        return sha256_of_file(folder / file) != digest
    except OSError:
        return True
