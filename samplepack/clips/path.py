"""Paths of timbres: one latent at each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samplepack.base.errors import InputError
from samplepack.models.latent import Latent, latent_from_seed, slerp
from samplepack.recipe import LEAST_APART_S


@dataclass(frozen=True, eq=False)
class TimbrePath:
    """Timbres in time: one latent at each time, on the arc between the timbres on either side of it."""

    times_s: tuple[float, ...]
    """When each timbre is reached, seconds, rising."""

    latents: tuple[Latent, ...]
    """The timbres, one for each time, at least one; float32, shape (latent_dim,) each, none of them zero."""

    def position(self, time_s: float) -> float:
        """Position along the path at a time: 0.0 at the first timbre, 1.0 at the last; every pair of neighbouring
        timbres takes the same share, whatever the time between them."""
        return float(np.interp(time_s, self.times_s, np.linspace(0.0, 1.0, len(self.times_s))))

    def at(self, time_s: float) -> Latent:
        """The latent at a time, float32, shape (latent_dim,): on the arc between the timbres before and after
        it. Before the path begins it is its first timbre, and after it has ended its last one."""
        after = int(np.searchsorted(self.times_s, time_s, side="left"))
        if after == 0:
            return self.latents[0]
        if after == len(self.times_s):
            return self.latents[-1]
        begins_s, ends_s = self.times_s[after - 1], self.times_s[after]
        return slerp(self.latents[after - 1], self.latents[after], (time_s - begins_s) / (ends_s - begins_s))


def random_path(length_s: float, seconds_per_instrument: float, seed: int, latent_dim: int) -> TimbrePath:
    """A path of random timbres at even distances in time, the first at the start and the last at the end.

    Args:
        length_s: length of the path, seconds.
        seconds_per_instrument: decides how many timbres there are: the length divided by it, rounded down, at least 1.
        seed: seed of the latents, 0 to 2³²−1.
        latent_dim: length of a latent.

    Raises:
        InputError: `seconds_per_instrument` is below 0.1.

    Source: Magenta's `generate_util.get_random_instruments`, which gives no timbre for a clip that is shorter than one.
    """
    if not seconds_per_instrument >= LEAST_APART_S:
        raise InputError(f"random instruments stand {LEAST_APART_S} seconds apart at least")
    count = max(1, int(length_s / seconds_per_instrument))
    latents = latent_from_seed(seed, count * latent_dim).reshape(count, latent_dim)
    return TimbrePath(tuple(np.linspace(0.0, length_s, count)), tuple(latents))
