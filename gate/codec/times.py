"""Times in text: RFC 3339 in, aware UTC out, and the one form that the gate writes.

`datetime.fromisoformat` alone takes week dates, dates without a zone and without a time: the grammar is matched first.
Fractions beyond microseconds are cut, never rounded, so that a time does not move into the future. A leap second is
refused, for `datetime` cannot hold it.

Specification: RFC 3339, section 5.6, with upper-case `T` and `Z`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gate.codec.strict_json import Fault

_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def parse_time(text: str, fault: Fault, field: str) -> datetime:
    """Return the moment as aware UTC; raises the fault for what is not an RFC 3339 date and time with zone."""
    match = _RFC3339.fullmatch(text)
    if not match:
        raise fault.refuse(f"has a malformed time in {field}", expected="RFC 3339 with zone", seen=text)
    seconds, fraction, zone = match.groups()
    offset = "+00:00" if zone == "Z" else zone
    try:
        return datetime.fromisoformat(f"{seconds}.{(fraction or '0')[:6]:0<6}{offset}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise fault.refuse(
            f"has an impossible time in {field}", expected="a date of the calendar", seen=text
        ) from error


def format_duration(length: timedelta) -> str:
    """Write a duration in its two largest units, `3d4h`; a negative one is `0s`."""
    seconds = max(0, int(length.total_seconds()))
    parts = []
    for size, name in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, size)
        parts.append(f"{count}{name}" if count else "")
    first = next((place for place, part in enumerate(parts) if part), len(parts) - 1)
    return "".join(parts[first : first + 2]) or "0s"


def format_time(moment: datetime) -> str:
    """Write `YYYY-MM-DDTHH:MM:SSZ`; fractions are cut. The moment must be aware."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
