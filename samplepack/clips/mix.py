"""Notes of a score laid over each other, each under an envelope."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from samplepack.clips.score import PlayedNote
from samplepack.sound.audio import Samples

ATTACK_S, RELEASE_S = 0.01, 0.3
LONGEST_S = 3.0
"""How long a note is held at most: GANSynth's notes are released there."""


def envelope(held_s: float, rate_hz: int) -> NDArray[np.float64]:
    """The level of a note over time: a straight attack, then full until it is released, then straight down.

    Args:
        held_s: how long the key is held; beyond 3 s the sound has ended.
        rate_hz: samples a second.

    Returns:
        Shape (n,); n covers the held time and the release.

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
    """Notes laid over each other, each under its envelope, with its largest magnitude at its velocity / 127.

    Args:
        notes: what is played, and its sound, shape (channels, n), from its onset on.
        length_s: when the last note is released.
        rate_hz: of the sounds.

    Returns:
        Shape (channels, samples), until the last release has ended.

    Source: Magenta's `generate_util.combine_notes`, which divides by the maximum, which may be smaller than the largest
    magnitude, and ends at the end of the last note in the list.
    """
    length = int(rate_hz * length_s) + int(rate_hz * RELEASE_S) + 1
    clip: NDArray[np.float64] | None = None
    for note, samples in notes:
        if clip is None:
            clip = np.zeros((len(samples), length))
        level = envelope(note.end_s - note.start_s, rate_hz)[: samples.shape[1]]
        sound = samples[:, : len(level)] * level
        loudest = float(np.max(np.abs(sound), initial=0.0)) or 1.0
        begins = int(rate_hz * note.start_s)
        clip[:, begins : begins + len(level)] += sound * (note.velocity / 127.0 / loudest)
    return np.zeros((1, length)) if clip is None else clip
