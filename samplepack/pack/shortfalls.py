"""What the figures of a pack's notes fall short of: for a build, which has just measured them, and for `verify`, which
measures them anew."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from samplepack.finishing.behaviour import Behaviour, uneven
from samplepack.finishing.levels import LOUDNESS_DB, NEIGHBOURS_DB
from samplepack.finishing.loop import FLUX_GATE, STEP_GATE, SWING_GATE_DB, Seam
from samplepack.finishing.process import MOST_OFFSET_DB
from samplepack.finishing.stereo import LEAST_CORRELATION, MOST_MONO_LOSS_DB
from samplepack.finishing.tune import STEADY_CENTS
from samplepack.pack.manifest import Manifest, PackedNote, last_layer, middle_loudness
from samplepack.pack.readme import IN_TUNE_CENTS
from samplepack.recipe import Sound

IN_TUNE_SHARE = 0.98
"""The least share of keys with a steady pitch that lie within `IN_TUNE_CENTS`."""

_PEAK_TOLERANCE_DB = 0.1

_RINGING = {"Reverb", "Convolution", "Delay", "VST3Plugin"}
"""Effects in which each pitch rings for another time, as in a room: how keys decay in them isn't judged. Before the
effects they decay evenly."""


def pack_shortfalls(manifest: Manifest) -> list[str]:
    """What a pack falls short of by the figures in its `pack.json`, each with its instrument."""
    return [
        f"{instrument.name}: {problem}"
        for instrument in manifest.instruments
        for problem in shortfalls(instrument.notes, instrument.behaviour, manifest)
    ]


def shortfalls(notes: Sequence[PackedNote], behaviour: Behaviour, manifest: Manifest) -> list[str]:
    """What an instrument falls short of, each with its key where it has one.

    Args:
        notes: all notes of the instrument, measured.
        behaviour: whether it sustains or decays.
        manifest: the pack's, for its settings.
    """
    sound = manifest.sound
    of_notes = ((note.pitch, problem) for note in notes for problem in _note_shortfalls(note, behaviour, sound))
    # Layers of a key often fall short of the same.
    problems = [f"key {pitch}: {problem}" for pitch, problem in dict.fromkeys(of_notes)]
    off = [abs(note.cents) for note in notes if note.cents is not None]
    share = float(np.mean(np.array(off) <= IN_TUNE_CENTS)) if off else 1.0
    if sound.tune and share < IN_TUNE_SHARE:
        problems.append(f"only {share:.0%} of its keys are within {IN_TUNE_CENTS:.0f} cents")
    firsts = [note for note in last_layer(notes) if note.take == 0]
    if sound.level == "even":
        loudness = [(note.pitch, note.loudness_lufs) for note in firsts if note.loudness_lufs is not None]
        for (lower, lower_lufs), (pitch, lufs) in pairwise(loudness):
            if abs(lufs - lower_lufs) > NEIGHBOURS_DB:
                problems.append(
                    f"key {pitch}: {lufs - lower_lufs:+.1f} dB from key {lower}, more than {NEIGHBOURS_DB:.0f}"
                )
    decays_s = {note.pitch: note.decay_s for note in firsts if note.decay_s is not None}
    rings = not _RINGING.isdisjoint(name for step in manifest.process for name in step)
    for lower, pitch in [] if rings else uneven(list(decays_s.items())):
        problems.append(
            f"key {pitch}: decays in {decays_s[pitch]:.2f} s, key {lower} in {decays_s[lower]:.2f} s, by 20 dB"
        )
    return problems + _loudness_shortfalls(notes, behaviour, sound)


def _note_shortfalls(note: PackedNote, behaviour: Behaviour, sound: Sound) -> list[str]:
    problems = []
    if sound.tune and note.cents is not None and abs(note.cents) > STEADY_CENTS:
        problems.append(f"{note.cents:+.1f} cents off, more than {STEADY_CENTS:.0f}")
    if note.true_peak_db > sound.peak_db + _PEAK_TOLERANCE_DB:
        problems.append(f"true peak {note.true_peak_db:.2f} dB, above {sound.peak_db:.2f}")
    if note.loudness_lufs is None:
        problems.append("silent")
    if note.offset_db > MOST_OFFSET_DB:
        problems.append(f"a constant offset (DC) of {note.offset_db:.0f} dB, more than {MOST_OFFSET_DB:.0f}")
    if note.width and (note.width.correlation < LEAST_CORRELATION or note.width.mono_db < -MOST_MONO_LOSS_DB):
        problems.append(
            f"left and right correlate by {note.width.correlation:.2f} (at least {LEAST_CORRELATION}), "
            f"a sum to mono has {note.width.mono_db:.1f} dB (at least {-MOST_MONO_LOSS_DB})"
        )
    if note.loop and behaviour == "decay":
        problems.append("has a loop, though the instrument decays")
    if not note.loop and behaviour == "sustain" and sound.loop != "none":
        problems.append(f"has no loop ({note.why_no_loop}), though the instrument sustains")
    if note.loop:
        seam = Seam(note.loop.step or 0.0, note.loop.flux, note.loop.swing_db)
        if not seam.is_good:
            problems.append(f"its loop is heard: {described(seam)}")
    return problems


def _loudness_shortfalls(notes: Sequence[PackedNote], behaviour: Behaviour, sound: Sound) -> list[str]:
    """Whether the loudness is the recipe's; an instrument that decays may be quieter where its peaks forbid more."""
    loudness = middle_loudness(notes)
    if loudness is None:
        return []
    off_db = loudness - sound.loudness_lufs
    highest_db = max(note.true_peak_db for note in notes)
    held_back = (behaviour == "decay" or sound.loop == "none") and highest_db > sound.peak_db - LOUDNESS_DB
    if abs(off_db) <= LOUDNESS_DB or (off_db < 0.0 and held_back):
        return []
    return [f"{loudness:.1f} LUFS, {off_db:+.1f} dB from {sound.loudness_lufs:.1f}"]


def described(seam: Seam) -> str:
    """The figures of a seam with their limits."""
    return (
        f"step {seam.step:.1f} (below {STEP_GATE:.0f}), flux {seam.flux:.2f} (below {FLUX_GATE}), "
        f"level swing {seam.swing_db:.2f} dB (below {SWING_GATE_DB:.0f})"
    )
