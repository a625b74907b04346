"""How long steps are shown while they run: told to whoever watches, never asked."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of steps by name, e.g. `pull`, `trivy`, `grype`, `layers`, `push`. May be called from several threads."""

    def start(self, step: str, total_bytes: int | None = None) -> None:
        """A step begins; `total_bytes` where it is known how much is to be read."""

    def advance(self, step: str, count_bytes: int) -> None:
        """So many more bytes of a step were read."""

    def finish(self, step: str) -> None:
        """A step has ended, well or not."""


class NoProgress:
    """Nobody watches."""

    def start(self, step: str, total_bytes: int | None = None) -> None:
        """Say nothing."""

    def advance(self, step: str, count_bytes: int) -> None:
        """Say nothing."""

    def finish(self, step: str) -> None:
        """Say nothing."""
