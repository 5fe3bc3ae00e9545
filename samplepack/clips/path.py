"""Paths of timbres in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samplepack.base.errors import InputError
from samplepack.models.latent import Latent, latent_from_seed, slerp
from samplepack.recipe import LEAST_APART_S


@dataclass(frozen=True, eq=False)
class TimbrePath:
    """Timbres in time."""

    times_s: tuple[float, ...]
    """When each is reached, rising."""

    latents: tuple[Latent, ...]
    """As many, at least one; float32, shape (latent_dim,)."""

    def along(self, time_s: float) -> float:
        """How far along the path a time is: 0 at its first timbre, 1 at its last, as much from each to the next."""
        return float(np.interp(time_s, self.times_s, np.linspace(0.0, 1.0, len(self.times_s))))

    def at(self, time_s: float) -> Latent:
        """The latent at a time: on the arc between the timbres before and after it; the first one before all of them,
        and the last one after."""
        after = int(np.searchsorted(self.times_s, time_s, side="left"))
        if after == 0:
            return self.latents[0]
        if after == len(self.times_s):
            return self.latents[-1]
        begins_s, ends_s = self.times_s[after - 1], self.times_s[after]
        return slerp(self.latents[after - 1], self.latents[after], (time_s - begins_s) / (ends_s - begins_s))


def random_path(length_s: float, seconds_per_instrument: float, seed: int, latent_dim: int) -> TimbrePath:
    """Random timbres at even distances, as many as Magenta's `get_random_instruments` takes, but one at least: the
    first at the start, the last at the end.

    Raises:
        InputError: they are to stand too near.
    """
    if not seconds_per_instrument >= LEAST_APART_S:
        raise InputError(f"random instruments stand {LEAST_APART_S} seconds apart at least")
    count = max(1, int(length_s / seconds_per_instrument))
    drawn = latent_from_seed(seed, count * latent_dim).reshape(count, latent_dim)
    return TimbrePath(tuple(np.linspace(0.0, length_s, count)), tuple(drawn))
