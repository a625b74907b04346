"""Evidence as any combination of collectors might bring it, honest, missing or strange: strategies for property tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st

from gate.model.digest import Digest
from gate.model.evidence import (
    Distribution,
    EvidenceSet,
    LayerFacts,
    RuleResult,
    ScannedDistribution,
    ScanReport,
    SecretEvidence,
    SubjectEvidence,
    Unavailable,
)
from gate.model.finding import FixState, SecretFinding, SecretPlace, Tool, ToolFinding
from gate.model.reasons import REASONS
from gate.model.severity import Severity
from tests.support.evidence import LIBC, REQUESTS, ZLIB, found, good_evidence, index_evidence
from tests.support.signing import NOW

T = TypeVar("T")

GONE = Unavailable(code="REG_UNREACHABLE", reason="the registry does not answer")

SEVERITIES = st.sampled_from(list(Severity))


@st.composite
def findings(draw: st.DrawFn, tool: Tool) -> ToolFinding:
    return found(
        tool,
        f"CVE-2026-{draw(st.integers(0, 3))}",
        draw(st.sampled_from([ZLIB, LIBC, REQUESTS])),
        draw(SEVERITIES),
        fix_state=draw(st.sampled_from(list(FixState))),
        published=draw(st.sampled_from([None, NOW - timedelta(days=1), NOW - timedelta(days=30)])),
        aliases=draw(st.frozensets(st.sampled_from(["GHSA-a", "CVE-2026-1"]), max_size=1)),
        kev=draw(st.sampled_from([frozenset[str](), frozenset({"CVE-2026-0"})])),
    )


@st.composite
def secrets(draw: st.DrawFn) -> SecretFinding:
    place = draw(st.sampled_from(list(SecretPlace)))
    return SecretFinding(
        rule="aws",
        title="AWS key",
        place=place,
        location=draw(st.sampled_from(["a", "b"])),
        fingerprint=draw(st.sampled_from(["0" * 16, "1" * 16])),
        tool=draw(st.sampled_from([Tool.GATE, Tool.TRIVY])),
        hidden=draw(st.booleans()),
    )


CODES = st.sampled_from([*sorted(REASONS), "NEVER_DECLARED"])
UNOBTAINED = st.builds(Unavailable, code=CODES, reason=st.text(max_size=5))


def or_missing(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | Unavailable | None]:
    return st.one_of(strategy, UNOBTAINED, st.none())


@st.composite
def reports(draw: st.DrawFn, good: ScanReport) -> ScanReport:
    return replace(
        good,
        findings=tuple(draw(st.lists(findings(good.kind), max_size=3))),
        covered=draw(st.sampled_from([True, True, False, None])),
        distribution=draw(st.sampled_from([good.distribution, None, ScannedDistribution(name="x", version="")])),
        canary=draw(st.sampled_from([good.canary, None, GONE])),
        passed_over=draw(st.sampled_from([frozenset(), good.os_packages])),
        suppressed=draw(st.sampled_from([(), ("CVE-1",)])),
        secrets=tuple(draw(st.lists(secrets(), max_size=2))),
    )


@st.composite
def layer_facts(draw: st.DrawFn, good: LayerFacts) -> LayerFacts:
    return replace(
        good,
        distribution=draw(st.sampled_from([good.distribution, None, Distribution(id="\x00\u2028", version_id="\n")])),
        removed_databases=draw(st.sampled_from([(), ("var/lib/dpkg/status",)])),
        users=draw(st.sampled_from([(), good.users])),
        newest_file=draw(st.sampled_from([None, NOW, NOW + timedelta(days=9), datetime(1970, 1, 1, tzinfo=UTC)])),
    )


@st.composite
def any_subject(draw: st.DrawFn, good: SubjectEvidence) -> SubjectEvidence:
    assert isinstance(good.trivy, ScanReport)
    assert isinstance(good.grype, ScanReport)
    assert isinstance(good.layers, LayerFacts)
    return replace(
        good,
        manifest=draw(st.one_of(st.just(good.manifest), UNOBTAINED)),
        config=draw(
            or_missing(st.sampled_from([good.config, replace(good.config, user="\u0660", created=None)]))  # type: ignore[type-var]
        ),
        layers=draw(or_missing(layer_facts(good.layers))),
        trivy=draw(or_missing(reports(good.trivy))),
        grype=draw(or_missing(reports(good.grype))),
        secrets=draw(or_missing(st.builds(SecretEvidence, findings=st.lists(secrets(), max_size=2).map(tuple)))),
        rules=draw(
            or_missing(
                st.builds(
                    RuleResult,
                    id=st.sampled_from(["has-entrypoint", "few"]),
                    value=st.sampled_from([True, False, None]),
                ).map(lambda result: (result,))
            )
        ),
    )


@st.composite
def any_evidence(draw: st.DrawFn) -> EvidenceSet:
    base = draw(st.sampled_from([good_evidence(), index_evidence()]))
    subjects = tuple(draw(any_subject(subject)) for subject in base.subjects)
    return replace(
        base,
        subjects=subjects[: draw(st.integers(0, len(subjects)))],
        attachments=draw(st.one_of(st.just(base.attachments), UNOBTAINED, st.none())),
        fault=draw(st.one_of(st.none(), st.none(), UNOBTAINED)),
        index=draw(st.sampled_from([base.index, base.index, None])),
        root=draw(st.sampled_from([base.root, base.root, None])),
        request=replace(base.request, digest=draw(st.sampled_from([base.request.digest, Digest.of(b"x"), None]))),
    )
