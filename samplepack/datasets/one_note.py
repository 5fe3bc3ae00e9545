"""A sound file as one note: its pitch, and its wave as networks are trained on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.analysis import hear_pitch, pitch_hz
from samplepack.audio import Audio, read, resample
from samplepack.datasets.prepared import PEAK
from samplepack.errors import InputError, Problem

_SHORTEST_S = 0.2
_LONGEST_S = 60.0
_SILENT_PEAK = 1e-4
_ONSET = 0.01
"""A note begins where it first reaches this share of its peak."""

_LEAD_S = 0.005
_FADE_S = 0.02
_MOST_APERIODICITY = 0.2
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


@dataclass(frozen=True, eq=False)
class OneNote:
    """A note that somebody has recorded."""

    pitch: int
    """MIDI."""

    wave: NDArray[np.float32]
    """Shape (samples,): its onset in front, its peak at `PEAK`."""


def pitch_in_name(name: str) -> int | None:
    """The MIDI pitch that a file's name says: `mine_60.wav`, `C#4.flac` (C4 is 60), the last such word in it."""
    words = re.split(r"[\s_.-]+", Path(name).stem)
    for word in reversed(words):
        if match := re.fullmatch(r"([A-Ga-g])([#b]?)(\d)", word):
            pitch = 12 * (int(match[3]) + 1) + _STEPS[match[1].lower()] + {"#": 1, "b": -1, "": 0}[match[2]]
        elif re.fullmatch(r"\d{1,3}", word):
            pitch = int(word)
        else:
            continue
        return pitch if pitch <= 127 else None
    return None


def read_note(path: Path, rate_hz: int, samples: int, pitches: range) -> OneNote:
    """Read a note: mixed to mono, resampled, from its onset on, cut or filled up with silence.

    Args:
        path: a sound file with one note in it; its pitch is taken from its name, or measured where the name says none.
        rate_hz: of the wave that is wanted.
        samples: its length.
        pitches: what the note's pitch must be one of.

    Raises:
        InputError: it is no sound, no single note, silent, or of no pitch or a wrong one.
    """

    def problem(message: str) -> InputError:
        return InputError(Problem(message, str(path)))

    audio = _read(path)
    if not np.isfinite(audio.samples).all():
        raise problem("holds NaN or infinity")
    mono = resample(Audio(audio.samples.mean(axis=0, keepdims=True), audio.rate_hz), rate_hz)
    wave = mono.samples[0]
    if mono.peak < _SILENT_PEAK:
        raise problem("is silent")
    onset = int(np.argmax(np.abs(wave) >= _ONSET * mono.peak))
    wave = wave[max(0, onset - int(_LEAD_S * rate_hz)) :]
    if len(wave) < _SHORTEST_S * rate_hz:
        raise problem(f"sounds for {len(wave) / rate_hz:.2f} s; a note should sound for {_SHORTEST_S} s at least")
    pitch = _pitch(Audio(wave[np.newaxis], rate_hz), path)
    if pitch not in pitches:
        raise problem(f"pitch {pitch} is outside what the checkpoint can play, {pitches[0]}-{pitches[-1]}")
    wave = np.pad(wave[:samples], (0, max(0, samples - len(wave))))
    fade = int(_FADE_S * rate_hz)
    wave[-fade:] *= np.linspace(1.0, 0.0, fade)  # where a longer note is cut, it would click
    return OneNote(pitch, np.asarray(wave * (PEAK / np.abs(wave).max()), np.float32))


def _read(path: Path) -> Audio:
    import soundfile

    try:
        duration_s = soundfile.info(path).duration
        if duration_s > _LONGEST_S:
            message = f"is {duration_s:.0f} s long; a file should hold one note, of {_LONGEST_S:.0f} s at most"
            raise InputError(Problem(message, str(path)))
        return read(path)
    except OSError as error:
        raise InputError(Problem(f"cannot read it: {error.strerror or error}", str(path))) from error
    except RuntimeError as error:
        raise InputError(Problem(f"not a sound file: {error}", str(path))) from error


def _pitch(audio: Audio, path: Path) -> int:
    """The pitch that the name says, as far as one hears that it may be right; else the one that is heard."""
    named, heard = pitch_in_name(path.name), hear_pitch(audio)
    clear = heard is not None and heard.aperiodicity < _MOST_APERIODICITY
    if named is None and (heard is None or not clear):
        raise InputError(
            Problem(f"no pitch is heard in it; put one into its name, such as {path.stem}_60{path.suffix}", str(path))
        )
    nearest = int(round(69 + 12 * np.log2(heard.frequency_hz / pitch_hz(69)))) if heard else 0
    if named is None:
        return nearest
    if heard is not None and clear and abs((heard.cents_above(named) + 600.0) % 1200.0 - 600.0) > 100.0:
        raise InputError(Problem(f"is called {named}, but sounds at pitch {nearest}; rename it", str(path)))
    return named
