"""How old the files of known exploited vulnerabilities and of exploit probabilities may be.

Both only ever add refusals, so an old file lets pass what a new one would refuse. One that is older than a month, or from the
future, is always named; one that is older than the policy's own word (`kevMaxAge`, `epss.maxAge`) cannot be judged by.

CISA releases its catalogue several times a month, FIRST its scores each day (reviewed 2026-12-01).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.evidence import ThreatData
    from gate.model.policy import VulnerabilityPolicy

NAMED_FROM: Final = timedelta(days=30)
# Clocks differ, and a file may be of a day that has begun elsewhere.
_AHEAD: Final = timedelta(days=1)
_KEV: Final = "the catalogue of exploited vulnerabilities"
_EPSS: Final = "the EPSS scores"


def old_threat_data(data: ThreatData, wanted: VulnerabilityPolicy, now: datetime) -> Iterator[Problem]:
    """Yield a problem for each file that is older than the policy allows, or from the future."""
    limits = (
        (_KEV, data.kev_date, wanted.kev_max_age),
        (_EPSS, data.epss_date, wanted.epss.max_age if wanted.epss else None),
    )
    for what, date, most in limits:
        if date is not None and most is not None and not -_AHEAD <= now - date <= most:
            yield Problem(
                code="VULN_DATA_OLD",
                message=f"{what} cannot be judged by: older than the policy allows, or from the future",
                expected=f"at most {most.days} days old" if most.days else f"at most {most.seconds} seconds old",
                seen=f"{date:%Y-%m-%d}",
            )


def threat_data_notes(data: ThreatData, now: datetime) -> Iterator[str]:
    """Yield a line for each file that is so old that what it leaves out says little."""
    for what, date in ((_KEV, data.kev_date), (_EPSS, data.epss_date)):
        if date is not None and not -_AHEAD <= now - date <= NAMED_FROM:
            yield (
                f"{what} are of {date:%Y-%m-%d}: what became known since is not in them"
                if what == _EPSS
                else (f"{what} is of {date:%Y-%m-%d}: what became known since is not in it")
            )
