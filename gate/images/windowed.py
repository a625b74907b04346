"""A share of an executor: who asks for many things at once holds only so many of its threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


class Windowed(Executor):
    """`map` over another executor with at most `most` calls in flight, so that one slow caller leaves threads to others."""

    def __init__(self, executor: Executor, most: int) -> None:
        self._executor = executor
        self._most = most

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401 - as Executor has it
        """Submit to the executor itself."""
        return self._executor.submit(fn, *args, **kwargs)

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """Return the results in order; the first failure ends it, and what was not begun is not."""
        del timeout, chunksize
        calls = zip(*iterables, strict=False)
        waiting = deque(self._executor.submit(fn, *call) for call in islice(calls, self._most))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(self._executor.submit(fn, *call) for call in islice(calls, 1))
                yield result
        finally:
            for call in waiting:
                call.cancel()
