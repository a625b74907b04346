"""Decide one merged vulnerability under a policy: does it refuse the image, and why or why not.

The order is part of the contract and documented in `docs/checks/vulnerability.md`: VEX and quorum first, because they say
whether there is a defect at all; then exploitation, which neither threshold nor grace nor a missing fix excuses; then
threshold, fix, grace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.findings.grace import grace_end, why_none
from gate.findings.vex import VexEffect, vex_effect
from gate.findings.votes import LookedUp, distribution_answer, looked_up_key
from gate.model.finding import FixState
from gate.model.policy import FailOrIgnore, Quorum
from gate.model.severity import Severity
from gate.model.verdict import JudgedFinding

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import FirstSeen, ThreatData
    from gate.model.finding import Finding, Tool
    from gate.model.policy import VulnerabilityPolicy
    from gate.model.vex import VexDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRules:
    """Everything but the finding and the clock: policy, documents that may speak, threat data, what the record knew.

    `looked_up` are the packages that each scanner listed and asked its database about. `answers` are what the distribution
    says about files of languages that its packages claim: path, version of the claiming package, id of a vulnerability.
    `reached_through` is the index that the image is a child of: what is said of it is said of its children.
    """

    policy: VulnerabilityPolicy
    vex: tuple[VexDocument, ...]
    threats: ThreatData
    seen: FirstSeen
    looked_up: frozenset[tuple[Tool, LookedUp]] = frozenset()
    answers: frozenset[tuple[str, str, str]] = frozenset()
    reached_through: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    counts: bool
    code: str
    explanation: str
    grace_until: datetime | None = None


def judge_finding(finding: Finding, image: Digest, rules: FindingRules, now: datetime) -> JudgedFinding:
    """Return the finding with what is decided of it; total for every finding."""
    effect = vex_effect(finding, rules.reached_through | {image}, rules.vex, now)
    decision = _decide(finding, effect, rules, now)
    return JudgedFinding(
        finding=finding,
        subject=image,
        counts=decision.counts,
        code=decision.code,
        explanation=decision.explanation,
        vex=f"{effect.document}: {effect.status.value} ({effect.detail})" if effect is not None else "",
        grace_until=decision.grace_until,
    )


def _decide(finding: Finding, effect: VexEffect | None, rules: FindingRules, now: datetime) -> _Decision:
    policy = rules.policy
    if effect is not None and effect.clears:
        return _Decision(counts=False, code="VULN_FOUND", explanation=f"VEX {effect.document}: {effect.detail}")
    owner = distribution_answer(finding, rules.answers)
    if owner:
        return _Decision(
            counts=False, code="VULN_FOUND", explanation=f"the distribution answers for this file: its {owner}"
        )
    if policy.quorum is Quorum.ALL and not policy.require <= finding.tools | _abstaining(finding, rules):
        return _Decision(
            counts=False,
            code="VULN_FOUND",
            explanation="not seen by every scanner, and the policy counts only what all see",
        )
    threat = _threat(finding, rules)
    return threat if threat is not None else _by_severity(finding, rules, now)


def _abstaining(finding: Finding, rules: FindingRules) -> frozenset[Tool]:
    """Return the scanners that did not look: only silence about a package that was listed and looked up is a vote."""
    key = looked_up_key(finding.package.key)
    return frozenset(tool for tool in rules.policy.require if (tool, key) not in rules.looked_up)


def _threat(finding: Finding, rules: FindingRules) -> _Decision | None:
    exploited = sorted(finding.kev | (finding.aliases & rules.threats.kev))
    if exploited and rules.policy.kev is FailOrIgnore.FAIL:
        return _Decision(counts=True, code="VULN_KEV", explanation=f"known to be exploited ({', '.join(exploited)})")
    limit = rules.policy.epss
    score = _epss(finding, rules.threats)
    if limit is not None and score is not None and score > limit.fail_above:
        return _Decision(counts=True, code="VULN_EPSS", explanation=f"EPSS {score:.3f} is over {limit.fail_above:g}")
    return None


def _epss(finding: Finding, threats: ThreatData) -> float | None:
    """Return the highest score of any CVE of the finding; absent from EPSS is unknown, not 0."""
    scores = [score for cve, score in threats.epss if cve in finding.aliases]
    return max([*scores, *([finding.epss.score] if finding.epss is not None else [])], default=None)


def _by_severity(finding: Finding, rules: FindingRules, now: datetime) -> _Decision:
    policy = rules.policy
    unknown = finding.severity is Severity.UNKNOWN
    severity = (policy.unknown_severity or policy.fail_on) if unknown else finding.severity
    code = "VULN_SEVERITY_UNKNOWN" if unknown else "VULN_FOUND"
    if severity.rank < policy.fail_on.rank:
        return _Decision(
            counts=False, code=code, explanation=f"{finding.severity.value} is below {policy.fail_on.value}"
        )
    if policy.ignore_unfixed and finding.fix_state is not FixState.FIXED:
        return _Decision(counts=False, code=code, explanation="no fixed version, and the policy ignores unfixed ones")
    end = grace_end(finding, severity, policy.grace, rules.seen, now)
    if end is not None and now < end:
        return _Decision(counts=False, code=code, explanation=f"in grace until {end:%Y-%m-%d}", grace_until=end)
    explanation = f"severity {finding.severity.value}" + (f" counts as {severity.value}" if unknown else "")
    if severity in dict(policy.grace) and end is None:
        explanation += f"; {why_none(finding, rules.seen, now)}"
    return _Decision(counts=True, code=code, explanation=explanation, grace_until=end)
