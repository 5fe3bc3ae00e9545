"""Modulators of SF2: curves of controllers that follow a wanted gain as closely as the format can.

A modulator is a factor of one controller, or the product of two, times a whole number; modulators of one destination
add up. So a gain that SFZ writes as a line over any part of a controller's range is approached in decibels by a sum of
the curves that the format has, found by linear programming.

Source: SoundFont Technical Specification 2.04, 8.2 and 9.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samplepack.formats.instrument import SOFT_VELOCITY

VELOCITY, AFTERTOUCH, PITCH_WHEEL = 2, 13, 14
"""Sources of modulators that are no MIDI controllers."""

CONTROLLER = 0x80
"""What makes a source out of the number of a MIDI controller."""

ATTENUATION, CUTOFF = 48, 8
"""Destinations: attenuation in centibels, and the cutoff of the low-pass in cents."""

DOWN, BIPOLAR, SWITCH = 0x100, 0x200, 0xC00
"""What is added to a source: its curve falls; it goes from -1 to 1; it is 0 below the middle and 1 above."""

_LINEAR, _CONCAVE, _CONVEX = 0x000, 0x400, 0x800

SILENT_CB, _MOST_CB = 400, 1440
"""An attenuation that takes a layer out of the sound, and the largest one there is, centibels."""

_MOST_AMOUNT = 1500
"""Large amounts that nearly cancel each other would make much of the small differences between players."""

_COUNTS, _LEAST_GAIN = 2e-5, 0.02
_AT_ENDS = 0.15
"""How much of the error elsewhere the ends of a controller may have, where it stands most of the time."""

_NO_FADE = 0.1
"""Gains that stay above this are no fade: the error counts the same for all of them."""

_RANGES = (127, 128)
"""Players scale a controller's 0 to 127 by one of these: FluidSynth by 127 up to its version 2.3, by 128 later."""


class Modulator(NamedTuple):
    """A modulator, with its fields in the order in which a file has them."""

    source: int
    destination: int
    amount: int
    amount_source: int = 0
    transform: int = 0


_Term = tuple[int, int]
"""The curves of the two sources of a modulator: bits of their fields; -1 for no second source."""

_SMOOTH = (_LINEAR, _CONCAVE, _CONCAVE | DOWN, _CONVEX, _CONVEX | DOWN, _CONCAVE | BIPOLAR, _CONVEX | BIPOLAR)
_TERMS: tuple[_Term, ...] = (
    (_CONCAVE | DOWN, -1),  # the default one from velocity, which has to be replaced in any case
    (SWITCH, -1),
    (SWITCH | DOWN, -1),
    *((curve, -1) for curve in _SMOOTH if curve != _CONCAVE | DOWN),
    *((curve, half) for curve in _SMOOTH for half in (SWITCH, SWITCH | DOWN)),
    *((curve, _LINEAR) for curve in _SMOOTH),
    *((curve, curve) for curve in _SMOOTH[1:]),
    (_LINEAR | BIPOLAR, _LINEAR | BIPOLAR),
)


def _curve(bits: int, values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """One factor of a modulator, for values of its controller."""
    x = values / reach
    if bits & BIPOLAR:
        half = bits & ~BIPOLAR
        return np.where(x >= 0.5, 1.0, -1.0) * _unipolar(half, np.abs(2.0 * x - 1.0))
    return _unipolar(bits, x)


def _unipolar(bits: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    shape = bits & ~DOWN
    if shape == SWITCH:
        on = np.where(x >= 0.5 - 1 / 254, 1.0, 0.0)
        return 1.0 - on if bits & DOWN else on
    if bits & DOWN:
        x = 1.0 - x
    if shape == _CONCAVE:
        return _rise(1.0 - x)
    if shape == _CONVEX:
        return 1.0 - _rise(x)
    return x


def _rise(rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """40/96 of a decade's logarithm, which the specification's curves are made of; at its end they keep to 1."""
    return np.asarray(np.minimum(-40 / 96 * np.log10(np.maximum(rest, 1e-6)), 1.0))


@cache
def _factors(reach: int) -> NDArray[np.float64]:
    """What each term gives for each value of its controller, shape (128, terms)."""
    values = np.arange(128.0)
    columns = [_curve(one, values, reach) * (1.0 if two < 0 else _curve(two, values, reach)) for one, two in _TERMS]
    factors: NDArray[np.float64] = np.array(columns, np.float64).T
    return factors


def attenuation(source: int, gains: Mapping[int, float]) -> list[Modulator]:
    """The modulators by which a level follows a controller.

    Args:
        source: the controller, as modulators name it.
        gains: the gain for each of its values that counts, 0 to 1.
    """
    return _attenuation(source, tuple(sorted(gains.items())))


@cache
def _attenuation(source: int, gains: tuple[tuple[int, float], ...]) -> list[Modulator]:
    from scipy.optimize import linprog

    rows, limits = [], []
    is_fade = min(gain for _, gain in gains) < _NO_FADE
    for reach in _RANGES:
        for value, gain in gains:
            factors, share = _factors(reach)[value], _AT_ENDS if is_fade and value in (0, 127) else 1.0
            if gain < _LEAST_GAIN:
                rows.append([*-factors, *factors, -60.0 * share])
                limits.append(-SILENT_CB)
                continue
            wanted_cb, slack = -200.0 * np.log10(gain), share * gain**-0.7 if is_fade else 1.0
            rows.append([*factors, *-factors, -slack])
            limits.append(wanted_cb)
            if gain < 1.0:  # less than none is none
                rows.append([*-factors, *factors, -slack])
                limits.append(-wanted_cb)
    terms = len(_TERMS)
    found = linprog(
        [*[_COUNTS] * (2 * terms), 1.0], rows, limits, bounds=[*[(0, _MOST_AMOUNT)] * (2 * terms), (0, None)]
    )
    assert found.x is not None  # the last variable, an error of any size, always leaves a way
    amounts = np.round(found.x[:terms] - found.x[terms : 2 * terms]).astype(int)
    modulators = []
    for number, ((one, two), amount) in enumerate(zip(_TERMS, amounts, strict=True)):
        if amount or number == 0:
            modulators.append(Modulator(source | one, ATTENUATION, int(amount), 0 if two < 0 else source | two))
    return modulators


def played_gain(modulators: list[Modulator], value: int, reach: int = 127) -> float:
    """The gain that a player makes of modulators of the attenuation, all of one controller.

    Args:
        modulators: as `attenuation` gives them.
        value: where the controller stands.
        reach: what the player scales its value by.
    """
    cb, at = 0.0, np.array([float(value)])
    for one in modulators:
        factor = _curve(one.source & 0xFF00, at, reach)[0]
        if one.amount_source:
            factor *= _curve(one.amount_source & 0xFF00, at, reach)[0]
        cb += one.amount * factor
    return float(10.0 ** (-min(max(cb, 0.0), _MOST_CB) / 200.0))


_DARKENING = (
    (_CONVEX | DOWN, -1, 0.27),
    (_CONVEX | DOWN, _CONVEX | DOWN, 0.43),
    (_LINEAR | DOWN, _CONVEX | DOWN, 0.31),
)
"""The curves whose sum, with these weights, is within 0.01 of √(1 - v / 127) for velocities v from 20 to 120, by which
SFZ maps close the filter."""


_PLAYERS_APART_CENTS = 70
"""By how much FluidSynth's low-pass lies below sfizz's where both are asked for the same cutoff. The first curve of the
sum, which is nearly 1 but for the hardest velocities, makes up for it."""


def darkening(cents_at_soft: float) -> list[Modulator]:
    """The modulators by which soft velocities close the low-pass.

    Args:
        cents_at_soft: by how much, at `SOFT_VELOCITY`.
    """
    depth = cents_at_soft / math.sqrt(1.0 - SOFT_VELOCITY / 127.0)
    amounts = [depth * part for _, _, part in _DARKENING]
    amounts[0] = max(amounts[0] - _PLAYERS_APART_CENTS, 0.0)
    return [
        Modulator(VELOCITY | one, CUTOFF, -round(amount), 0 if two < 0 else VELOCITY | two)
        for (one, two, _), amount in zip(_DARKENING, amounts, strict=True)
    ]
