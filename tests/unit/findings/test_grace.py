"""Grace counts from the earliest date on which a fix was known, and an exploited vulnerability has none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gate.findings.grace import grace_end, why_none
from gate.findings.merge import merge_findings
from gate.model.evidence import FirstSeen
from gate.model.finding import Finding, FixState, Tool, ToolFinding
from gate.model.severity import Severity
from tests.support.evidence import found
from tests.support.signing import NOW

DAY = timedelta(days=1)
GRACE = ((Severity.HIGH, 7 * DAY),)


def merged(*records: ToolFinding) -> Finding:
    return merge_findings(records)[0]


def fixed(tool: Tool = Tool.GRYPE, **more: Any) -> ToolFinding:  # noqa: ANN401 - any field
    return found(tool, "CVE-1", fix_state=FixState.FIXED, **more)


def end(finding: Finding, severity: Severity = Severity.HIGH, seen: FirstSeen | None = None) -> datetime | None:
    return grace_end(finding, severity, GRACE, seen or FirstSeen(), NOW)


def test_it_counts_from_the_date_of_the_fix() -> None:
    assert end(merged(fixed(fix_available=NOW - DAY))) == NOW + 6 * DAY


def test_the_earliest_date_of_all_counts() -> None:
    finding = merged(
        fixed(fix_available=NOW - DAY), fixed(Tool.TRIVY, published=NOW - 3 * DAY), fixed(fix_available=NOW)
    )
    assert end(finding) == NOW + 4 * DAY


def test_the_record_can_only_make_it_end_earlier() -> None:
    finding = merged(fixed(fix_available=NOW - DAY))
    earlier = FirstSeen(since=((finding.fingerprint, NOW - 5 * DAY),))
    later = FirstSeen(since=((finding.fingerprint, NOW),))
    other = FirstSeen(since=(("0" * 16, NOW - 6 * DAY),))
    assert end(finding, seen=earlier) == NOW + 2 * DAY
    assert end(finding, seen=later) == end(finding, seen=other) == NOW + 6 * DAY


@pytest.mark.parametrize("state", [FixState.NOT_FIXED, FixState.UNKNOWN, FixState.WONT_FIX])
def test_the_record_begins_no_grace(state: FixState) -> None:
    """What was refused without a fix, or without its date, is refused again, whatever the record has seen since."""
    for finding in (merged(fixed()), merged(found(Tool.GRYPE, "CVE-1", fix_state=state, published=NOW - DAY))):
        seen = FirstSeen(since=((finding.fingerprint, NOW - DAY),), kept=True)
        assert end(finding, seen=seen) is None
        assert why_none(finding, seen, NOW) == why_none(finding, FirstSeen(), NOW) != ""


def test_a_past_end_is_given_too() -> None:
    assert end(merged(fixed(fix_available=NOW - 30 * DAY))) == NOW - 23 * DAY


@pytest.mark.parametrize(
    "finding",
    [
        merged(fixed()),
        merged(fixed(fix_available=NOW + DAY)),
        merged(fixed(fix_available=NOW - DAY, kev=frozenset({"CVE-1"}))),
        merged(found(Tool.TRIVY, "CVE-1", fix_state=FixState.NOT_FIXED, published=NOW - DAY)),
    ],
    ids=["no date", "future", "exploited", "no fix"],
)
def test_there_is_none(finding: Finding) -> None:
    assert end(finding) is None


def test_there_is_none_for_another_severity() -> None:
    finding = merged(fixed(fix_available=NOW - DAY))
    assert end(finding, Severity.CRITICAL) is None
    assert end(finding, Severity.HIGH) is not None
