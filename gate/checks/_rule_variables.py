"""What the variables of the policy's own rules are made of, so that a rule is never true because nobody looked.

The variables are documented in `docs/policy.md`; an expression that does not name one needs nothing of it. A name is looked
for as text: a rule that names one in a string literal asks for more evidence than it needs, never for less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.model.evidence import EvidenceKind
from gate.model.finding import Tool
from gate.model.policy import VulnerabilityPolicy

if TYPE_CHECKING:
    from gate.model.policy import Policy

_SCANS: Final = {Tool.TRIVY: EvidenceKind.TRIVY, Tool.GRYPE: EvidenceKind.GRYPE}


def scanners_of_rules(policy: Policy) -> frozenset[Tool]:
    """Return the scanners that the rules need: those of the policy's `vulnerabilities`, else both; empty if none is spoken of."""
    if not (_speaks_of("findings", policy) or _speaks_of("packages", policy)):
        return frozenset()
    return (policy.vulnerabilities or VulnerabilityPolicy()).require


def evidence_of_rules(policy: Policy) -> frozenset[EvidenceKind]:
    """Return the kinds of evidence that the variables in the rules are made of; `image` is always there."""
    kinds = {EvidenceKind.CONFIG, *(_SCANS[tool] for tool in scanners_of_rules(policy))}
    if _speaks_of("packages", policy):
        kinds.add(EvidenceKind.LAYERS)
    if _speaks_of("signatures", policy) or _speaks_of("provenance", policy):
        kinds.add(EvidenceKind.ATTACHMENTS)
    return frozenset(kinds)


def _speaks_of(name: str, policy: Policy) -> bool:
    return any(name in rule.cel for rule in policy.rules)
