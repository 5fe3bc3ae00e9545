"""MIDI files, and note_seq's `NoteSequence`s, → the notes that are to be played."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import read_regular

if TYPE_CHECKING:
    from samplepack.checkpoints.library import MagentaCheckpoint
    from samplepack.models.checkpoint import Checkpoint
    from samplepack.recipe import Clip

MOST_NOTES = 20_000
"""A clip is rendered note by note: more are refused rather than begun."""

MOST_S = 1200.0
"""How long a clip lasts at most."""

NO_READER = "clips need note_seq, which reads MIDI: pip install 'samplepack[midi]'"

_MOST_BYTES = 2 << 20

_MOST_TICKS = 1e7
"""pretty_midi keeps a table of all ticks; note_seq lets it grow to 80 GB."""


@dataclass(frozen=True)
class PlayedNote:
    """A key that is struck and released."""

    pitch: int
    """MIDI."""

    velocity: int
    """1 to 127."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Score:
    """What is to be played."""

    notes: tuple[PlayedNote, ...]
    """At least one; in the order of the file, track by track."""

    dropped: tuple[str, ...]
    """What was left out, and why: `12 notes of drums`, `changes of tempo outside the first track`."""

    @property
    def length_s(self) -> float:
        """When the last note is released."""
        return max(note.end_s for note in self.notes)


def left_out(dropped: Sequence[str]) -> str:
    """What of a score was dropped, to stand at the end of a line; empty where nothing was."""
    return f"; left out: {', '.join(dropped)}" if dropped else ""


def read_midi(
    path: Path, pitches: Sequence[int], tracks: Collection[int] | None = None, drums: bool = False, slow: float = 1.0
) -> Score:
    """Read a MIDI file; its changes of tempo are honoured.

    Args:
        path: of the file.
        pitches: those that can be played.
        tracks: which of them to take, counted from 1; all where left out.
        drums: whether to take the notes of drums.
        slow: by how much to stretch time.

    Raises:
        InputError: note_seq isn't installed, the file can't be read, or nothing in it can be played.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise InputError(Problem(f"cannot read the MIDI file: {error.strerror}", str(path))) from None
    if content[:4] != b"MThd":
        raise InputError(Problem("not a MIDI file", str(path)))
    sequence, told = _note_sequence(content, path)
    try:
        score = score_of(sequence, pitches, tracks, drums, slow)
    except InputError as error:
        raise InputError(*(Problem(problem.message, str(path)) for problem in error.problems)) from None
    return replace(score, dropped=(*score.dropped, *told))


def read_score(clip: Clip, checkpoint: Checkpoint | MagentaCheckpoint) -> Score:
    """The notes of a recipe's clip that a checkpoint can play; errors as of `read_midi`."""
    return read_midi(clip.midi, playable(checkpoint), clip.tracks, clip.drums, clip.slow)


def playable(checkpoint: Checkpoint | MagentaCheckpoint) -> range:
    """The pitches of a clip: Magenta's 36 to 84, as far as a checkpoint knows them."""
    return range(max(36, checkpoint.pitches[0]), min(84, checkpoint.pitches[-1]) + 1)


def score_of(
    sequence: Any,
    pitches: Sequence[int],
    tracks: Collection[int] | None = None,
    drums: bool = False,
    slow: float = 1.0,
) -> Score:
    """What is to be played of a `NoteSequence`; arguments and errors as of `read_midi`."""
    if not 0.0 < slow < math.inf:
        raise InputError(f"slow is {slow}; it should be above 0")
    there = sorted({note.instrument + 1 for note in sequence.notes})
    if missing := sorted(set(tracks or ()) - set(there)):
        raise InputError(f"it has no track {missing[0]} with notes (there are: {', '.join(map(str, there)) or 'none'})")
    notes, dropped = [], Counter[str]()
    for note in sequence.notes:
        if tracks is not None and note.instrument + 1 not in tracks:
            dropped["of other tracks"] += 1
        elif note.is_drum and not drums:
            dropped["of drums"] += 1
        elif note.pitch not in pitches:
            dropped["outside " + (f"{pitches[0]}-{pitches[-1]}" if pitches else "what the checkpoint can play")] += 1
        elif note.velocity == 0 or not 0.0 <= note.start_time < note.end_time:
            dropped["without length or velocity"] += 1
        else:
            notes.append(PlayedNote(note.pitch, note.velocity, slow * note.start_time, slow * note.end_time))
    told = tuple(f"{count} note{'s' * (count > 1)} {why}" for why, count in sorted(dropped.items()))
    if not notes:
        raise InputError("nothing in it can be played" + (f": {', '.join(told)}" if told else ": it has no notes"))
    if len(notes) > MOST_NOTES:
        raise InputError(f"it has {len(notes)} notes that can be played; a clip takes {MOST_NOTES} at most")
    score = Score(tuple(notes), told)
    if not score.length_s <= MOST_S:
        raise InputError(f"it lasts {score.length_s / 60.0:.0f} minutes; a clip takes {MOST_S / 60.0:.0f} at most")
    return score


def _note_sequence(content: bytes, path: Path) -> tuple[Any, list[str]]:
    """A file as note_seq reads it, and what pretty_midi doesn't."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydub, that there is no ffmpeg
        try:
            import pretty_midi
            from note_seq import midi_io
        except ImportError:
            raise InputError(NO_READER) from None
    pretty_midi.pretty_midi.MAX_TICK = _MOST_TICKS
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            sequence = midi_io.midi_to_note_sequence(content)
        except Exception as error:  # what mido raises on bytes that mean nothing is anything
            why = " ".join(str(error).split()) or type(error).__name__
            raise InputError(Problem(f"a MIDI file that can't be read: {why}", str(path))) from None
    misplaced = any(str(one.message).startswith("Tempo") for one in told)
    return sequence, ["changes of tempo outside the first track"] * misplaced
