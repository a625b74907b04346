"""Bodies that are kept for a moment, with a bound; a file over the bound is named, never read in part as if it were whole."""

from __future__ import annotations

from collections.abc import Callable


class Capture:
    """Keep a body of at most `limit` bytes and hand it over at its end; None where it was longer."""

    def __init__(self, limit: int, deliver: Callable[[bytes | None], None]) -> None:
        self._limit = limit
        self._deliver = deliver
        self._kept = bytearray()
        self._over = False

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""
        if self._over or len(self._kept) + len(piece) > self._limit:
            self._over = True
            self._kept.clear()
        else:
            self._kept.extend(piece)

    def finish(self) -> None:
        """Hand the body over."""
        self._deliver(None if self._over else bytes(self._kept))


class Head:
    """Keep the first `limit` bytes of a body, for formats whose facts stand at the beginning."""

    def __init__(self, limit: int, deliver: Callable[[bytes], None]) -> None:
        self._limit = limit
        self._deliver = deliver
        self._kept = bytearray()

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""
        self._kept.extend(piece[: self._limit - len(self._kept)])

    def finish(self) -> None:
        """Hand the beginning over."""
        self._deliver(bytes(self._kept))
