"""Silence is a vote only about a package that was listed and looked up; a distribution's answer stands only for its own file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from gate.checks.vulnerability import CHECK
from gate.findings.ecosystem_versions import is_version
from gate.findings.votes import upstream
from gate.model.evidence import EvidenceSet, LayerFacts, ScanReport
from gate.model.finding import Tool
from gate.model.policy import Policy
from tests.support.evidence import REQUESTS, found, good_evidence, package
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW

OWNER: Final = ("python3-requests", "2.31.0+dfsg-1", "all")
JAR: Final = package("maven", "log4j-core", "2.14.1", path="app/log4j.jar", namespace="org.apache")


def asking(**vulnerabilities: Any) -> Policy:  # noqa: ANN401 - any YAML
    return policy(policy_document(vulnerabilities=vulnerabilities))


def evidence(*, where: Any = REQUESTS, layers: Any = None, **reports: dict[str, Any]) -> EvidenceSet:  # noqa: ANN401
    """Return the good evidence, in which Trivy sees a vulnerability of `where`; each report with changes."""
    base = good_evidence()
    subject = base.subjects[0]
    assert isinstance(subject.trivy, ScanReport)
    assert isinstance(subject.grype, ScanReport)
    assert isinstance(subject.layers, LayerFacts)
    trivy = replace(
        subject.trivy,
        packages=(*subject.trivy.packages, where),
        findings=(found(Tool.TRIVY, "CVE-2026-1", where),),
        **reports.get("trivy", {}),
    )
    grype = replace(subject.grype, findings=(), **reports.get("grype", {}))
    changed = replace(subject, trivy=trivy, grype=grype, layers=replace(subject.layers, **(layers or {})))
    return replace(base, subjects=(changed,))


def refused(judged: EvidenceSet, wanted: Policy) -> bool:
    return bool(CHECK.judge(judged, wanted, NOW).problems)


@pytest.mark.parametrize("quorum", ["any", "all"])
def test_silence_about_a_listed_package_is_a_vote_and_other_silence_is_none(quorum: str) -> None:
    wanted = asking(scanners={"quorum": quorum})
    assert refused(evidence(), wanted) is (quorum == "any")
    unlisted = {"packages": tuple(one for one in good_packages() if one.key.type != "pypi")}
    assert refused(evidence(grype=unlisted), wanted)
    assert refused(evidence(grype={"unjudged": frozenset({REQUESTS.key})}), wanted)


def good_packages() -> tuple[Any, ...]:
    report = good_evidence().subjects[0].grype
    assert isinstance(report, ScanReport)
    return report.packages


def test_a_jar_is_the_same_whatever_group_a_scanner_guesses() -> None:
    wanted = asking(scanners={"quorum": "all"})
    guessed = package("maven", "log4j-core", "2.14.1", path="app/log4j.jar", namespace="log4j-core")
    assert not refused(evidence(where=JAR, grype={"packages": (*good_packages(), guessed)}), wanted)
    assert refused(evidence(where=JAR), wanted)


@pytest.mark.parametrize(
    ("owner", "answered", "stands"),
    [
        (OWNER, {(OWNER, "CVE-2026-1")}, True),
        # No word on this very vulnerability: a line in a file list is no answer.
        (OWNER, set(), False),
        (OWNER, {(OWNER, "CVE-2026-2")}, False),
        # Another upstream version: what the distribution says is about other code.
        (("python3-requests", "2-1", "all"), {(("python3-requests", "2-1", "all"), "CVE-2026-1")}, False),
        (("python3-requests", "2.32.0-1", "all"), {(("python3-requests", "2.32.0-1", "all"), "CVE-2026-1")}, False),
    ],
)
def test_a_distribution_answers_for_its_own_file_only(owner: Any, answered: Any, stands: bool) -> None:  # noqa: ANN401, FBT001
    layers = {
        "claims": frozenset({(REQUESTS.key.path, owner)}),
        "os_packages": frozenset({owner}),
    }
    judged = evidence(layers=layers, trivy={"answered": frozenset(answered)})
    assert refused(judged, asking()) is not stands
    # A claim by a package that is not installed, and one about another file, are none.
    assert refused(
        evidence(layers={**layers, "os_packages": frozenset()}, trivy={"answered": frozenset(answered)}), asking()
    )
    elsewhere = {**layers, "claims": frozenset({("other/METADATA", owner)})}
    assert refused(evidence(layers=elsewhere, trivy={"answered": frozenset(answered)}), asking())
    # Nobody looked the owner up: it says nothing for its distribution.
    silent = frozenset({owner})
    both = {"answered": frozenset(answered), "passed_over": silent}
    assert refused(evidence(layers=layers, trivy=both, grype={"passed_over": silent}), asking())


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("6.0-3", "6.0"),
        ("1:2.31.0+dfsg-1", "2.31.0"),
        ("6.0-r0", "6.0"),
        ("5.3.1~rc1-2build1", "5.3.1"),
        ("2.0", "2.0"),
    ],
)
def test_the_upstream_part_of_a_version(version: str, expected: str) -> None:
    assert upstream(version) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("pypi", "5.3.1", True), ("pypi", "1.0.post1", True), ("pypi", "2!1.0rc1+local.7", True), ("pypi", "1.0-alpha", True),
        ("pypi", "unknown", False), ("pypi", "5.3.1.unknown", False), ("pypi", "5.3.1_final+x", False), ("pypi", "2011k", False),
        ("npm", "4.17.11", True), ("npm", "1.0.0-beta.1+sha.5", True), ("npm", "4.17.15.0", False), ("npm", "v4.17.11", False),
        ("npm", "1.0", False), ("npm", "UNKNOWN", False),
        ("gem", "2.2.3.rc1", True), ("gem", "x", False), ("golang", "v0.3.0-20200101000000-abcdefabcdef+incompatible", True),
        ("golang", "(devel)", False), ("golang", "", False),
        ("maven", "Final-SP1", True), ("maven", "Unknown", False), ("nuget", "1.0.0.0", True),
    ],
)  # fmt: skip
def test_a_version_of_its_ecosystem(kind: str, text: str, expected: bool) -> None:  # noqa: FBT001
    assert is_version(kind, text) is expected
