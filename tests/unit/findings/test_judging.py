"""The order in which one finding is decided, each step against the one after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gate.findings.judging import FindingRules, judge_finding
from gate.findings.merge import merge_findings
from gate.findings.votes import looked_up_key
from gate.model.digest import Digest
from gate.model.evidence import FirstSeen, ThreatData
from gate.model.finding import Epss, FixState, Tool
from gate.model.policy import EpssRule, FailOrIgnore, Quorum, VulnerabilityPolicy
from gate.model.severity import Severity
from gate.model.verdict import JudgedFinding
from gate.model.vex import VexDocument, VexStatement, VexStatus
from tests.support.evidence import found
from tests.support.signing import IMAGE, NOW

VEX = VexDocument(
    id="vex",
    author="vendor",
    digest=Digest.of(b""),
    source="file",
    statements=(
        VexStatement(
            vulnerability=frozenset({"CVE-1"}),
            products=("pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1",),
            status=VexStatus.NOT_AFFECTED,
            justification="component_not_present",
            timestamp=NOW,
        ),
    ),
)
WEEK = timedelta(days=7)
BOTH = (Tool.TRIVY, Tool.GRYPE)


def judged(
    policy: VulnerabilityPolicy | None = None,
    *,
    tools: tuple[Tool, ...] = BOTH,
    vex: tuple[VexDocument, ...] = (),
    threats: ThreatData | None = None,
    **fields: Any,  # noqa: ANN401 - of the finding
) -> JudgedFinding:
    (finding,) = merge_findings(found(tool, "CVE-1", **fields) for tool in tools)
    rules = FindingRules(
        policy=policy or VulnerabilityPolicy(),
        vex=vex,
        threats=threats or ThreatData(),
        seen=FirstSeen(),
        looked_up=frozenset((tool, looked_up_key(finding.package.key)) for tool in BOTH),
    )
    return judge_finding(finding, IMAGE, rules, NOW)


def test_vex_comes_before_exploitation() -> None:
    exploited = ThreatData(kev=frozenset({"CVE-1"}))
    assert judged(threats=exploited).code == "VULN_KEV"
    assert not judged(threats=exploited, vex=(VEX,)).counts


def test_quorum_comes_before_exploitation() -> None:
    exploited = ThreatData(kev=frozenset({"CVE-1"}))
    wanted = VulnerabilityPolicy(quorum=Quorum.ALL)
    assert not judged(wanted, tools=(Tool.GRYPE,), threats=exploited).counts
    assert judged(wanted, threats=exploited).counts


def test_exploitation_comes_before_threshold_fix_and_grace() -> None:
    wanted = VulnerabilityPolicy(
        fail_on=Severity.CRITICAL, ignore_unfixed=True, grace=((Severity.LOW, WEEK), (Severity.HIGH, WEEK))
    )
    assert not judged(wanted, severity=Severity.LOW).counts
    exploited = judged(wanted, severity=Severity.LOW, kev=frozenset({"CVE-1"}))
    assert (exploited.counts, exploited.code) == (True, "VULN_KEV")
    ignored = judged(replace(wanted, kev=FailOrIgnore.IGNORE), severity=Severity.LOW, kev=frozenset({"CVE-1"}))
    assert not ignored.counts


@pytest.mark.parametrize(("score", "counts"), [(0.5, False), (0.501, True)])
def test_likelihood_comes_before_the_threshold_and_its_limit_is_allowed(score: float, *, counts: bool) -> None:
    wanted = VulnerabilityPolicy(epss=EpssRule(fail_above=0.5))
    by_file = judged(wanted, severity=Severity.LOW, threats=ThreatData(epss=(("CVE-1", score),)))
    by_tool = judged(wanted, severity=Severity.LOW, epss=(Epss(cve="CVE-1", score=score, percentile=1.0),))
    assert (by_file.counts, by_tool.counts) == (counts, counts)
    other = judged(wanted, severity=Severity.LOW, threats=ThreatData(epss=(("CVE-2", 1.0),)))
    assert not other.counts


@pytest.mark.parametrize("threshold", [severity for severity in Severity if severity is not Severity.UNKNOWN])
@pytest.mark.parametrize("severity", list(Severity))
def test_the_threshold_counts_and_unknown_counts_as_it(severity: Severity, threshold: Severity) -> None:
    found_ = judged(VulnerabilityPolicy(fail_on=threshold), severity=severity)
    assert found_.counts is (severity is Severity.UNKNOWN or severity.rank >= threshold.rank)
    assert (found_.code == "VULN_SEVERITY_UNKNOWN") is (severity is Severity.UNKNOWN)


def test_a_missing_fix_comes_before_grace() -> None:
    wanted = VulnerabilityPolicy(ignore_unfixed=True, grace=((Severity.HIGH, WEEK),))
    unfixed = judged(wanted, fix_state=FixState.NOT_FIXED, published=NOW - timedelta(days=1))
    assert unfixed.explanation == "no fixed version, and the policy ignores unfixed ones"
    fixed = judged(wanted, fix_state=FixState.FIXED, published=NOW - timedelta(days=1))
    assert (fixed.counts, fixed.grace_until) == (False, NOW + timedelta(days=6))
    assert judged(wanted, fix_state=FixState.FIXED, published=NOW - WEEK).counts


def test_an_unknown_severity_has_the_grace_of_its_place() -> None:
    placed = VulnerabilityPolicy(unknown_severity=Severity.CRITICAL, grace=((Severity.HIGH, WEEK),))
    fields: dict[str, Any] = {
        "severity": Severity.UNKNOWN,
        "fix_state": FixState.FIXED,
        "published": NOW - timedelta(days=1),
    }
    assert judged(placed, **fields).counts
    assert not judged(replace(placed, unknown_severity=Severity.HIGH), **fields).counts
