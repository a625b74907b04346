"""Time for everything that touches the world: one clock, one deadline, both handed down and never looked up.

A call that may block takes a `Deadline`, so that a registry that drips cannot spend more than the caller has
(attack R02). Tests give a clock of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gate.errors import RegistryError


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds that only grow, the time of day as aware UTC, and a way to wait."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nothing more is waited for."""

    at: float
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def after(cls, span: timedelta, clock: Clock | None = None) -> Deadline:
        """Return the deadline that ends this long from now."""
        chosen = clock or Clock()
        return cls(chosen.monotonic() + span.total_seconds(), chosen)

    def remaining(self) -> float:
        """Return the seconds that are left, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def expired(self) -> bool:
        """Say whether no time is left."""
        return self.remaining() <= 0.0

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and one that ends `seconds` from now."""
        return Deadline(min(self.at, self.clock.monotonic() + seconds), self.clock)

    def check(self, what: str) -> None:
        """Raise `REG_TIMEOUT` when no time is left; `what` was being done."""
        if self.expired:
            raise RegistryError(f"no time was left while {what}", code="REG_TIMEOUT")
