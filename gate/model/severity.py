"""How severe a defect is.

Scale: `checks` reference, section 5.3. `unknown` is a level of its own, lower than every other in order, which the policy
must place; nothing compares it with a threshold directly.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """The gate's own scale; declared from lowest to highest."""

    UNKNOWN = "unknown"
    NEGLIGIBLE = "negligible"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return the place on the scale, 0 for unknown to 5 for critical."""
        return list(Severity).index(self)
