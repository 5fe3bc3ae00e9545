"""Doing the same to many things at once: what builds and networks map with."""

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
    """A map over threads: the work is done in TensorFlow's, NumPy's, soxr's and Pedalboard's own code, side by side.

    Args:
        workers: how many threads, at least 1. At most twice as many items are under way, or 16 if that is more: so many
            that whoever gives them seldom waits, and few enough to be kept in memory.
    """
    most = max(2 * workers, 16)

    def run(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        under_way: deque[Future[R]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for item in items:
                    under_way.append(pool.submit(function, item))
                    while under_way and (len(under_way) >= most or under_way[0].done()):
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()

    return run
