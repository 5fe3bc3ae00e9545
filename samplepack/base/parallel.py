"""Maps that run in threads, for builds and for networks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Map(Protocol):
    """A `map` that may compute results in parallel and ahead of its caller, but yields them in order."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        """Yield the function's result for each item, in order. If it is closed early, it begins no further item."""
        ...


def threads(workers: int, most_pending: int | None = None) -> Map:
    """A map that runs in threads: TensorFlow, NumPy, soxr and Pedalboard release Python's lock while they compute.

    Args:
        workers: the number of threads, at least 1.
        most_pending: how many items are begun, or done, ahead of the caller; None: max(2 * workers, 16), which keeps
            the threads busy and takes little memory.
    """
    max_pending = most_pending or max(2 * workers, 16)

    def run(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        pending: deque[Future[R]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for item in items:
                    pending.append(pool.submit(function, item))
                    while pending and (len(pending) >= max_pending or pending[0].done()):
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()

    return run
