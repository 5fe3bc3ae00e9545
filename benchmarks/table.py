"""Measuring a call, and printing a line of a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def median_s(call: Callable[[], Any], runs: int = 5) -> float:
    """The median time of a call after one that doesn't count."""
    call()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def row(what: str, measured: str, beside: str = "") -> None:
    """Print a line of the table."""
    print(f"{what:34}  {measured:38}  {beside}".rstrip(), flush=True)
