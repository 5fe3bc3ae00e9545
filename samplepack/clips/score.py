"""Scores: the notes of a MIDI file, or of note_seq's `NoteSequence`, that a clip plays."""

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
"""The most notes of a clip, each of which is rendered on its own."""

MOST_S = 1200.0
"""The longest clip."""

NO_READER = "clips need note_seq, which reads MIDI: pip install note-seq"

_MOST_BYTES = 512 << 10
"""The longest MIDI file; pretty_midi takes some seconds for one that is full of notes at one tick."""

_MOST_TICKS = 1e7
"""The most ticks of a MIDI file: pretty_midi keeps a table of all ticks, which note_seq lets grow to 80 GB."""


@dataclass(frozen=True)
class PlayedNote:
    """One note of a score."""

    pitch: int
    """MIDI."""

    velocity: int
    """1 to 127."""

    start_s: float
    """When the key is struck, seconds."""

    end_s: float
    """When it is released."""


@dataclass(frozen=True)
class Score:
    """The notes of a clip."""

    notes: tuple[PlayedNote, ...]
    """At least one, in the order of the file, track by track."""

    dropped: tuple[str, ...]
    """What was left out and why, such as `12 notes of drums` or `changes of tempo outside the first track`."""

    @property
    def length_s(self) -> float:
        """When the last note is released, seconds."""
        return max(note.end_s for note in self.notes)


def left_out(dropped: Sequence[str]) -> str:
    """The end of a line about a score that lists what was left out; empty if nothing was."""
    return f"; left out: {', '.join(dropped)}" if dropped else ""


def read_midi(
    path: Path, pitches: Sequence[int], tracks: Collection[int] | None = None, drums: bool = False, slow: float = 1.0
) -> Score:
    """Read the score of a MIDI file; its changes of tempo are honoured.

    Args:
        path: the file.
        pitches: the pitches that can be played, MIDI; notes of others are left out.
        tracks: the tracks to play, counted from 1 in the order in which they begin to sound; None for all.
        drums: whether to play the notes of drums too.
        slow: the factor by which time is stretched, above 0.

    Raises:
        InputError: note_seq isn't installed, the file can't be read, a track isn't there, nothing in it can be played,
            or it is longer than a clip may be.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise InputError(Problem(f"cannot read the MIDI file: {error.strerror}", str(path))) from None
    if content[:4] != b"MThd":
        raise InputError(Problem("not a MIDI file", str(path)))
    sequence, dropped = _note_sequence(content, path)
    try:
        score = score_of(sequence, pitches, tracks, drums, slow)
    except InputError as error:
        raise InputError(*(Problem(problem.message, str(path)) for problem in error.problems)) from None
    return replace(score, dropped=(*score.dropped, *dropped))


def read_score(clip: Clip, checkpoint: Checkpoint | MagentaCheckpoint) -> Score:
    """The score of a recipe's clip, with the notes that a checkpoint can play; errors as for `read_midi`."""
    return read_midi(clip.midi, playable_pitches(checkpoint), clip.tracks, clip.drums, clip.slow)


def playable_pitches(checkpoint: Checkpoint | MagentaCheckpoint) -> range:
    """The pitches that a clip may have, MIDI: 36 to 84 as in Magenta's notebook, if the checkpoint can play them."""
    return range(max(36, checkpoint.pitches[0]), min(84, checkpoint.pitches[-1]) + 1)


def score_of(
    sequence: Any,
    pitches: Sequence[int],
    tracks: Collection[int] | None = None,
    drums: bool = False,
    slow: float = 1.0,
) -> Score:
    """The score of a `NoteSequence`; arguments and errors as for `read_midi`."""
    if not 0.0 < slow < math.inf:
        raise InputError(f"slow is {slow}; it should be above 0")
    present = sorted({note.instrument + 1 for note in sequence.notes})
    if missing := sorted(set(tracks or ()) - set(present)):
        raise InputError(
            f"it has no track {missing[0]} with notes (there are: {', '.join(map(str, present)) or 'none'})"
        )
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
    reasons = tuple(f"{count} note{'s' * (count > 1)} {why}" for why, count in sorted(dropped.items()))
    if not notes:
        raise InputError(
            "nothing in it can be played" + (f": {', '.join(reasons)}" if reasons else ": it has no notes")
        )
    if len(notes) > MOST_NOTES:
        raise InputError(f"it has {len(notes)} notes that can be played; a clip takes {MOST_NOTES} at most")
    score = Score(tuple(notes), reasons)
    if not score.length_s <= MOST_S:
        raise InputError(f"it lasts {score.length_s / 60.0:.0f} minutes; a clip takes {MOST_S / 60.0:.0f} at most")
    return score


def _note_sequence(content: bytes, path: Path) -> tuple[Any, list[str]]:
    """A MIDI file as a `NoteSequence`, and what the reader left out of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub warns that there is no ffmpeg
        try:
            import pretty_midi
            from note_seq import midi_io
        except ImportError:
            raise InputError(NO_READER) from None
    pretty_midi.pretty_midi.MAX_TICK = _MOST_TICKS
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            sequence = midi_io.midi_to_note_sequence(content)
        except Exception as error:  # mido raises exceptions of any kind on damaged files
            why = " ".join(str(error).split()) or type(error).__name__
            raise InputError(Problem(f"a MIDI file that can't be read: {why}", str(path))) from None
    misplaced = any(str(warning.message).startswith("Tempo") for warning in warned)
    return sequence, ["changes of tempo outside the first track"] * misplaced
