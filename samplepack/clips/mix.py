"""The mix of a clip: the notes of a score summed, each under an envelope."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from samplepack.clips.score import PlayedNote
from samplepack.sound.audio import Samples

ATTACK_S, RELEASE_S = 0.01, 0.3
"""Lengths of the envelope's straight ramps."""

LONGEST_S = 3.0
"""The longest time that a note is held: GANSynth's notes are released after 3 s."""


def envelope(held_s: float, rate_hz: int) -> NDArray[np.float64]:
    """The gain of a note over time: a straight attack, 1.0 until the key is released, and a straight release.

    Args:
        held_s: how long the key is held, seconds; a note longer than 3 s is released there.
        rate_hz: samples per second.

    Returns:
        float64, shape (n,), 0…1; n covers the held time and the release.

    Source: Magenta's `generate_util.get_envelope`.
    """
    held = int(rate_hz * min(held_s, LONGEST_S))
    release = int(rate_hz * RELEASE_S)
    level = np.ones(held + release)
    attack = int(rate_hz * ATTACK_S)
    level[:attack] = np.linspace(0.0, 1.0, attack)
    level[held:] = np.linspace(1.0, 0.0, release)
    return level


def mix(notes: Iterable[tuple[PlayedNote, Samples]], length_s: float, rate_hz: int) -> NDArray[np.float64]:
    """Sum notes, each under its envelope and scaled so that its peak is its velocity / 127.

    Args:
        notes: each note of the score with its sound, float32, shape (channels, n), which starts with its onset.
        length_s: when the last note is released, seconds.
        rate_hz: samples per second of the sounds.

    Returns:
        float64, shape (channels, samples), to the end of the last release; shape (1, samples) without notes.

    Source: Magenta's `generate_util.combine_notes`. That divides by the maximum, which may be smaller than the peak of
    the negative half, and ends with the last note of the list, which need not be the last to sound.
    """
    length = int(rate_hz * length_s) + int(rate_hz * RELEASE_S) + 1
    clip: NDArray[np.float64] | None = None
    for note, samples in notes:
        if clip is None:
            clip = np.zeros((len(samples), length))
        level = envelope(note.end_s - note.start_s, rate_hz)[: samples.shape[1]]
        sound = samples[:, : len(level)] * level
        peak = float(np.max(np.abs(sound), initial=0.0)) or 1.0
        begins = int(rate_hz * note.start_s)
        clip[:, begins : begins + len(level)] += sound * (note.velocity / 127.0 / peak)
    return np.zeros((1, length)) if clip is None else clip
