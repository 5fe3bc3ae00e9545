"""How far arrays are from each other."""

from __future__ import annotations

import numpy as np


def relative_rms(array, reference):
    """Root mean square of the difference, relative to that of the reference; the worst of several notes."""
    array, reference = np.asarray(array, np.float64), np.asarray(reference, np.float64)
    return float(np.sqrt(((array - reference) ** 2).mean(axis=-1) / (reference**2).mean(axis=-1)).max())
