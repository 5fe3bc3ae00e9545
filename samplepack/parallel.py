"""Doing the same to many things at once: what `build` maps with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Map(Protocol):
    """A `map` that may work ahead and side by side, but gives results in order."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        """The function's result for each item, in order. Closed early, it begins no more."""
        ...


def threads(workers: int) -> Map:
    """A map over threads: the work is done in NumPy's, soxr's and Pedalboard's own code, which runs side by side.

    Args:
        workers: how many threads, at least 1; at most eight times as many items are under way at any time, so
            that whoever gives them seldom waits.
    """

    def run(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        under_way: deque[Future[R]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for item in items:
                    under_way.append(pool.submit(function, item))
                    if len(under_way) >= 8 * workers:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()

    return run
