"""Grace: days after a fix was first known in which a finding does not refuse yet.

Counted from the earliest believable date of a fix (`checks` reference, section 5.7), which neither the image's author nor a
later edit of an advisory can move: never from a last-modified date or the image's own `created`. No fix, no date, a date in the
future, or a vulnerability that is known to be exploited: no grace.

The gate's own record can only make a grace end earlier: when a fix was first seen there, it was known. It never begins one, so
that running again turns no refusal into a pass, whether or not a runner keeps its record.
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
    """Return the moment at which the grace of a finding ends, or None where it has none.

    `severity` is the one that counts, after unknown was placed. The moment may be in the past: the caller compares.
    """
    allowed = dict(grace).get(severity)
    start = fix_known_since(finding, seen)
    if allowed is None or start is None or start > now or finding.kev:
        return None
    return start + allowed


def fix_known_since(finding: Finding, seen: FirstSeen) -> datetime | None:
    """Return the earliest date on which a fix was known, or None where there is no fix or no tool dates it."""
    if finding.fix_state is not FixState.FIXED or finding.fix_known_since is None:
        return None
    dates = (date for fingerprint, date in seen.since if fingerprint == finding.fingerprint)
    return min((finding.fix_known_since, *dates))


def why_none(finding: Finding, seen: FirstSeen, now: datetime) -> str:
    """Return in a few words why a finding of a severity with grace has none."""
    start = fix_known_since(finding, seen)
    if finding.kev:
        return "no grace for what is known to be exploited"
    if finding.fix_state is not FixState.FIXED:
        return "no grace without a fix"
    if start is None:
        return "no grace: no database says since when the fix is known"
    return "no grace: the fix is dated in the future" if start > now else ""
