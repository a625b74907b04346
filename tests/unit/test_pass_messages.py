"""A check that passes says what was done in this run, and nothing that a waiver, an option or an allowance made untrue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from gate.decide import decide
from gate.model.decision import Outcome
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet
from gate.model.finding import Tool
from gate.model.severity import Severity
from gate.model.subject import OTHER_PLATFORM, SkippedChild
from tests.support.cases import overridden
from tests.support.evidence import found, good_evidence, index_evidence
from tests.support.policies import policy, policy_document, waiver
from tests.support.signing import NOW

SCANNED: Final = "read by grype and trivy, which saw the packages that the gate lists"
CONDA: Final = {"form": "conda", "path": "opt/conda/conda-meta", "count": 2, "owner": ""}
PLACE: Final = {"path": "/opt/conda", "reason": "one", "owner": "one", "expires": "2026-03-01"}


def message(check: str, spec: dict[str, Any], evidence: EvidenceSet) -> str:
    results = {result.id: result for result in decide(evidence, policy(policy_document(**spec)), NOW).checks}
    assert results[check].outcome is Outcome.PASS, results[check]
    return results[check].message


def with_layers(**facts: Any) -> EvidenceSet:  # noqa: ANN401 - any facts
    return overridden(good_evidence(), {"subjects": {0: {"layers": facts}}})


def left_out() -> EvidenceSet:
    evidence = index_evidence()
    other = SkippedChild(digest=evidence.subjects[1].subject.digest, platform="linux/arm64", reason=OTHER_PLATFORM)
    return replace(evidence, subjects=evidence.subjects[:1], skipped=(*evidence.skipped, other))


@pytest.mark.parametrize(
    ("spec", "evidence", "expected"),
    [
        ({"vulnerabilities": {}}, good_evidence(), f"every runnable image was {SCANNED}"),
        ({"vulnerabilities": {}}, left_out(), f"1 of 2 runnable images was {SCANNED}"),
        (
            {"vulnerabilities": {"scanners": {"require": ["grype"]}}},
            good_evidence(),
            "every runnable image was read by grype, which saw the packages that the gate lists",
        ),
        (
            {"vulnerabilities": {}, "coverage": {"unread": "warn"}},
            with_layers(package_forms=[CONDA]),
            f"every runnable image was {SCANNED}; forms of package that no one looked up: 1",
        ),
        (
            {"vulnerabilities": {}, "coverage": {"accept": [PLACE]}},
            with_layers(package_forms=[CONDA]),
            f"every runnable image was {SCANNED}; accepted places aside: 1",
        ),
        ({"secrets": {}}, good_evidence(), "no runnable image was left out; no scanner was asked for vulnerabilities"),
        (
            {"image": {"user": "non-root"}},
            left_out(),
            "1 of 2 runnable images was judged; no scanner was asked for vulnerabilities",
        ),
    ],
)
def test_coverage_claims_only_what_was_done(spec: dict[str, Any], evidence: EvidenceSet, expected: str) -> None:
    assert message("coverage", spec, evidence) == expected


def finding(severity: Severity) -> EvidenceSet:
    evidence = good_evidence()
    (subject,) = evidence.subjects
    reports = {
        tool.value: replace(getattr(subject, tool.value), findings=(found(tool, "CVE-2026-1", severity=severity),))
        for tool in (Tool.TRIVY, Tool.GRYPE)
    }
    return replace(evidence, subjects=(replace(subject, **reports),))


@pytest.mark.parametrize(
    ("more", "severity", "expected"),
    [
        ({}, Severity.LOW, "no vulnerability at or over high; 1 below it"),
        (
            {"ignoreUnfixed": True},
            Severity.CRITICAL,
            "no counting vulnerability at or over high; 1 that do not count",
        ),
        (
            {"ignoreUnfixed": True},
            Severity.UNKNOWN,
            "no counting vulnerability at or over high; 1 that do not count",
        ),
        ({"unknownSeverity": "low"}, Severity.UNKNOWN, "no vulnerability at or over high; 1 below it"),
    ],
)
def test_a_severe_finding_that_does_not_count_is_said(more: dict[str, Any], severity: Severity, expected: str) -> None:
    assert message("vulnerability", {"vulnerabilities": more}, finding(severity)) == expected


def test_a_pass_by_waiver_says_so_and_claims_nothing_else() -> None:
    evidence = overridden(good_evidence(), {"subjects": {0: {"config": {"user": "root"}}}})
    spec = {"image": {"user": "non-root"}, "waivers": [waiver(check="image-user", match={"code": "IMG_USER_ROOT"})]}
    assert message("image-user", spec, evidence).startswith("passes by waiver alone (W-1): 1 waived, the first: ")
    assert message("image-user", {"image": {"user": "non-root"}}, good_evidence()) == "runs as a user that is not root"


def test_what_stayed_closed_to_the_search_for_secrets_is_said() -> None:
    closed = overridden(good_evidence(), {"subjects": {0: {"secrets": {"unopened": [["srv/x.cab", "a cabinet"]]}}}})
    ignoring = {"secrets": {"unopened": "ignore"}}
    assert message("secret", ignoring, closed) == "no plaintext secret; places that could not be opened: 1"
    assert message("secret", {"secrets": {}}, good_evidence()) == "no plaintext secret"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"labels": {"deny": []}, "ports": {"deny": ["22/tcp"]}}, "asks for no denied port"),
        ({"labels": {"deny": ["x/*"]}}, "asks for no denied label"),
        ({"labels": {"deny": ["x/*"]}, "ports": {"deny": ["22/tcp"]}}, "asks for no denied port or label"),
    ],
)
def test_only_what_the_policy_denies_is_claimed_to_be_absent(more: dict[str, Any], expected: str) -> None:
    assert message("image-config", {"image": more}, good_evidence()) == expected


def test_a_local_image_is_not_said_to_be_named_by_digest() -> None:
    evidence = good_evidence()
    local = replace(evidence, request=replace(evidence.request, local=True, reference="oci:layout"))
    named = replace(evidence, request=replace(local.request, reference=f"oci:layout@{Digest.of(b'x')}"))
    spec: dict[str, Any] = {"vulnerabilities": {}}
    assert message("reference", spec, local) == "a local image, judged as the digest that it has"
    assert message("reference", spec, named) == message("reference", spec, evidence) == "named by digest"
