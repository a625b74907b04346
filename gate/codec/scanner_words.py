"""The words of scanners and vendors as values of the gate: severities, fix states, identities of vulnerabilities.

A word that is not known is never "harmless": an unknown severity is the level of its own that the policy must place, an
unknown fix state says nothing, and an id whose prefix is not known to name one defect joins nothing.

Specification: checks reference, sections 5.2 (identities), 5.4 (severity) and 5.5 (fix states).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from gate.model.finding import FixState
from gate.model.severity import Severity

# Words of Trivy, Grype, and of the distributions whose words they pass on.
_SEVERITIES: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        "unknown": Severity.UNKNOWN,
        "negligible": Severity.NEGLIGIBLE,
        "unimportant": Severity.NEGLIGIBLE,
        "low": Severity.LOW,
        "medium": Severity.MEDIUM,
        "moderate": Severity.MEDIUM,
        "high": Severity.HIGH,
        "important": Severity.HIGH,
        "critical": Severity.CRITICAL,
    }
)
_FIX_STATES: Final[Mapping[str, FixState]] = MappingProxyType(
    {
        "fixed": FixState.FIXED,
        "affected": FixState.NOT_FIXED,
        "under_investigation": FixState.NOT_FIXED,
        "fix_deferred": FixState.NOT_FIXED,
        "not-fixed": FixState.NOT_FIXED,
        "will_not_fix": FixState.WONT_FIX,
        "end_of_life": FixState.WONT_FIX,
        "wont-fix": FixState.WONT_FIX,
    }
)
# Prefixes of ids that name one defect. DSA, USN, RHSA and the like repair several: joining on them welds defects.
_IDENTITY_PREFIXES: Final = (
    "CVE-", "GHSA-", "PYSEC-", "GO-", "RUSTSEC-", "OSV-", "MAL-", "BIT-", "CGA-", "JLSEC-", "TEMP-",
)  # fmt: skip


def severity_of(word: str) -> Severity:
    """Return the level of a scanner's or vendor's word, in any case; unknown for every word that is not in the table."""
    return _SEVERITIES.get(word.strip().lower(), Severity.UNKNOWN)


def fix_state_of(word: str) -> FixState:
    """Return the fix state of a word of either scanner; unknown for every word that is not in the table."""
    return _FIX_STATES.get(word.strip().lower(), FixState.UNKNOWN)


def is_identity(vulnerability: str) -> bool:
    """Say whether an id names one defect, so that findings may be joined on it."""
    return vulnerability.startswith(_IDENTITY_PREFIXES)


def split_ids(own: str, others: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return (identities, bundles) among `others`, without `own` and without empty ones."""
    rest = frozenset(others) - {own, ""}
    identities = frozenset(filter(is_identity, rest))
    return identities, rest - identities
