"""Grace: days after a fix was first known in which a finding does not refuse yet.

Counted from the earliest believable date (`checks` reference, section 5.7), which neither the image's author nor a later
edit of an advisory can move: never from a last-modified date or the image's own `created`. No date, a date in the future,
or a vulnerability that is known to be exploited: no grace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.model.finding import FixState

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from gate.model.evidence import FirstSeen
    from gate.model.finding import Finding
    from gate.model.severity import Severity


def grace_end(
    finding: Finding, severity: Severity, grace: tuple[tuple[Severity, timedelta], ...], seen: FirstSeen, now: datetime
) -> datetime | None:
    """Give the moment at which the grace of a finding ends, or None where it has none.

    `severity` is the one that counts, after unknown was placed. The moment may be in the past: the caller compares.
    """
    allowed = dict(grace).get(severity)
    start = _known_since(finding, seen)
    if allowed is None or start is None or start > now or finding.kev:
        return None
    return start + allowed


def _known_since(finding: Finding, seen: FirstSeen) -> datetime | None:
    """Give the earliest date on which a fix was known: by a tool where there is a fix, or by the gate's own record."""
    dates = [date for fingerprint, date in seen.since if fingerprint == finding.fingerprint]
    if finding.fix_state is FixState.FIXED and finding.fix_known_since is not None:
        dates.append(finding.fix_known_since)
    return min(dates, default=None)
