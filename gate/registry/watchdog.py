"""One thread that cuts whatever takes too long, for every connection of the process.

A timer of its own for each read would start a thread a request; a service that answers thousands a second cannot. The thread is
started with the first thing that is watched, and sleeps until the earliest of them is due.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Done entries stay until they are due; the heap is cleaned when they are many and most of it.
_CLEANED_FROM: Final = 256


class Watched:
    """Something that is cut when it is due, unless it was let go before."""

    __slots__ = ("cut", "due")

    def __init__(self, due: float, cut: Callable[[], object]) -> None:
        self.due = due
        self.cut: Callable[[], object] | None = cut


class Watchdog:
    """Cuts what is due; safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Watched]] = []
        self._done = 0
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def watch(self, seconds: float, cut: Callable[[], object]) -> Watched:
        """Call `cut` in `seconds` from now unless `release` was called."""
        watched = Watched(time.monotonic() + seconds, cut)
        with self._changed:
            heapq.heappush(self._heap, (watched.due, next(self._order), watched))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="gate-watchdog", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is watched:
                self._changed.notify()
        return watched

    def release(self, watched: Watched) -> None:
        """Let go of what ended in time; once this returns it is not cut any more, unless that had begun."""
        with self._changed:
            if watched.cut is None:
                return
            watched.cut = None
            self._done += 1
            if self._done > _CLEANED_FROM and self._done * 2 > len(self._heap):
                self._heap = [item for item in self._heap if item[2].cut is not None]
                heapq.heapify(self._heap)
                self._done = 0

    def _run(self) -> None:
        while True:
            cut = self._next()
            # What is cut may have ended by itself in the same moment.
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                cut()

    def _next(self) -> Callable[[], object]:
        with self._changed:
            while True:
                if not self._heap:
                    self._changed.wait()
                    continue
                due, _, watched = self._heap[0]
                if watched.cut is None:
                    heapq.heappop(self._heap)
                    self._done = max(0, self._done - 1)
                elif due > (now := time.monotonic()):
                    self._changed.wait(due - now)
                else:
                    heapq.heappop(self._heap)
                    cut, watched.cut = watched.cut, None
                    return cut


WATCHDOG: Final = Watchdog()
