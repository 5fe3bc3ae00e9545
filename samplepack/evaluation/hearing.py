"""Likeness of two notes as people would hear it, by Zimtohrli, a model of hearing. Needs the extra `judge`."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from samplepack.base.errors import SamplepackError
from samplepack.datasets.dataset import PEAK
from samplepack.evaluation.measures import Wave
from samplepack.sound.audio import Audio, resample

RATE_HZ = 48000
"""Sample rate at which Zimtohrli hears."""

HOW_TO_GET = "pip install zimtohrli"

_LEAST_S = 0.25
"""Zimtohrli writes beyond its memory when notes are shorter than about 0.1 s."""

_WORST, _BEST = 1.0, 5.0


def is_there() -> bool:
    """Return whether Zimtohrli is installed."""
    return find_spec("zimtohrli") is not None


def score(real: Wave, made: Wave, rate_hz: int) -> float:
    """Return how much alike two notes sound, as a mean opinion score from 1 to 5; 5 is given to the same note, 1
    to silence instead of a note.

    The notes are compared at equal level: the real note is scaled to a peak of 0.8, the other one to the same root mean
    square. Full scale is taken as 80 dB SPL. Both are resampled to 48 kHz, and shorter ones are filled with silence to
    the length of the longer one, at least 0.25 s.

    Args:
        real: float32, shape (samples,).
        made: float32, shape (samples,).
        rate_hz: sample rate of both.

    Raises:
        SamplepackError: Zimtohrli isn't installed.

    Source: Alakuijala et al., "Zimtohrli: An Efficient Psychoacoustic Audio Similarity Metric", 2025.
    """
    try:
        import zimtohrli
    except ImportError as error:
        raise SamplepackError(f"the score of notes needs Zimtohrli: {HOW_TO_GET}") from error
    silent, made_silent = (not np.any(wave) for wave in (real, made))
    if silent or made_silent:
        return _BEST if silent and made_silent else _WORST
    waves = at_equal_level(*(resample(Audio(wave[np.newaxis], rate_hz), RATE_HZ).samples[0] for wave in (real, made)))
    samples = max(*map(len, waves), int(_LEAST_S * RATE_HZ))
    return float(zimtohrli.mos_from_signals(*(np.pad(wave, (0, samples - len(wave))) for wave in waves)))


def at_equal_level(real: Wave, made: Wave) -> tuple[Wave, Wave]:
    """Scale a real note to a peak of 0.8, and another note to the same root mean square; silence stays as it is."""
    real = real * np.float32(PEAK / max(float(np.abs(real).max(initial=0.0)), 1e-9))
    level, made_level = (
        np.sqrt(np.sum(np.square(wave, dtype=np.float64)) / max(len(wave), 1)) for wave in (real, made)
    )
    return real, made * np.float32(level / max(made_level, 1e-9))
