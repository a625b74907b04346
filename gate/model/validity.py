"""The time in which something counts: a key, a log, an authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """A window of time, both ends inclusive; `end` is None while it is open."""

    start: datetime
    end: datetime | None = None

    def covers(self, moment: datetime) -> bool:
        """Say whether the moment lies inside."""
        return self.start <= moment and (self.end is None or moment <= self.end)
