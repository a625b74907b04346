"""The gate's own evidence: what is written of a verdict, and what is read back of it."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta
from typing import Any

import pytest

from gate.codec.bundle import MAX_BUNDLE_BYTES
from gate.codec.evidence_statement import MAX_FINDINGS, render_evidence, result_of
from gate.codec.evidence_summary import parse_evidence
from gate.codec.statement import own_subjects, parse_statement
from gate.errors import AttestationError
from gate.model.decision import Decision, Outcome
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, Isolation, RawReport, RequestFacts, ToolIdentity
from gate.model.finding import Finding, FixState, Package, PackageKey, SecretFinding, SecretPlace, Tool, ToolFinding
from gate.model.glob import Glob
from gate.model.image import OCI_MANIFEST, Descriptor, Platform
from gate.model.image_config import ImageConfig
from gate.model.policy import Waiver
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE
from gate.model.severity import Severity
from gate.model.statement import NamedSubject, VerificationResult
from gate.model.string_map import StringMap
from gate.model.subject import SkippedChild, Subject
from gate.model.trust import TrustSource
from gate.model.verdict import (
    AcceptedSignature,
    CheckResult,
    JudgedFinding,
    JudgedSecret,
    PolicySummary,
    Problem,
    ToolUse,
    UsedRoot,
    UsedWaiver,
    Verdict,
)
from gate.signers.signing import sign_statement
from tests.support.signing import CHILD, GATE, IMAGE, NOW, OTHER, POLICY, REPOSITORY

SUBJECTS = (NamedSubject(name=str(REPOSITORY), digest=IMAGE),)
AMD64 = Platform(os="linux", architecture="amd64")
DATABASE = DatabaseIdentity(name="trivy", digest=OTHER, built_at=NOW, schema="2", source="mirror.example/db")
PACKAGE = Package(key=PackageKey("pypi", "", "jinja2", "2.0", path="usr/lib/x"), name="jinja2", version="2.0")


def finding(number: int = 0, explanation: str = "high or more") -> JudgedFinding:
    seen = ToolFinding(tool=Tool.TRIVY, id="CVE-2024-0001", package=PACKAGE, severity=Severity.HIGH)
    merged = Finding(
        id="CVE-2024-0001",
        aliases=frozenset({"CVE-2024-0001"}),
        package=PACKAGE,
        severity=Severity.HIGH,
        seen_by=(seen,),
        fix_state=FixState.FIXED,
        fixed_versions=("2.1",),
        fingerprint=f"{number:016x}",
    )
    return JudgedFinding(finding=merged, subject=IMAGE, counts=True, code="VULN_FOUND", explanation=explanation)


def made(**changes: Any) -> Verdict:  # noqa: ANN401 - any field of the verdict
    secret = SecretFinding(
        rule="aws", title="AWS key", place=SecretPlace.FILE, location="/app/.env", fingerprint="f0", layer=CHILD
    )
    waiver = Waiver(
        id="W-1", check="vulnerability", images=Glob("**"), match=StringMap.of({"vulnerability": "CVE-1"}),
        reason="not reachable", owner="web", approved_by="security", expires=date(2026, 6, 1),
    )  # fmt: skip
    whole = Verdict(
        request=RequestFacts(reference=f"{REPOSITORY}@{IMAGE}", repository=REPOSITORY, digest=IMAGE),
        decision=Decision.REFUSED,
        evaluated_at=NOW,
        policy=PolicySummary(name="test", digest=POLICY, uri="gate-policy:test"),
        environments=("staging", "production"),
        checks=(
            CheckResult(
                id="vulnerability", outcome=Outcome.FAIL, message="1 found",
                problems=(Problem(code="VULN_FOUND", message="one"),), counts=(("found", 1),),
            ),
            CheckResult(id="reference", outcome=Outcome.PASS, message="a digest"),
        ),
        root=Descriptor(media_type=OCI_MANIFEST, digest=IMAGE, size=1),
        subjects=(Subject(media_type=OCI_MANIFEST, digest=IMAGE, size=1, platform=AMD64),),
        skipped=(SkippedChild(digest=CHILD, platform="unknown/unknown", reason="attestation"),),
        findings=(finding(),),
        secrets=(JudgedSecret(secret=secret, subject=IMAGE, counts=True, explanation="any secret"),),
        waivers=(UsedWaiver(waiver=waiver, state="used", covers=2),),
        tools=(
            ToolUse(
                tool=ToolIdentity(name="trivy", version="0.60.0", digest=CHILD),
                databases=(DATABASE,), isolation=Isolation.NAMESPACE,
            ),
        ),
        reports=(RawReport(name="trivy.json", media_type="application/json", digest=OTHER, size=10),),
        signatures=(AcceptedSignature(key_id=GATE.public_key.key_id, format="bundle", attachment=OTHER),),
        config=ImageConfig(
            platform=AMD64, diff_ids=(), created=NOW, user="10001",
            labels=StringMap.of({"org.opencontainers.image.revision": "0" * 40}),
        ),
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)


def rendered(verdict: Verdict) -> bytes:
    return render_evidence(verdict, SUBJECTS, started_on=NOW - timedelta(minutes=1), finished_on=NOW)


def predicate(verdict: Verdict) -> dict[str, object]:
    fields: dict[str, object] = json.loads(rendered(verdict))["predicate"]
    return fields


def test_every_field_of_the_format_reference_is_written() -> None:
    """Formats reference, section 10.5."""
    fields = predicate(made())
    assert (fields["schemaVersion"], fields["verdict"]) == ("1.0", "FAILED")
    assert (fields["startedOn"], fields["finishedOn"]) == ("2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z")
    assert fields["environments"] == ["production", "staging"]
    assert fields["subjects"] == [
        {"digest": str(IMAGE), "platform": "linux/amd64", "judged": True, "reason": ""},
        {"digest": str(CHILD), "platform": "unknown/unknown", "judged": False, "reason": "attestation"},
    ]
    assert fields["checks"] == [
        {"id": "reference", "outcome": "pass", "warned": False, "codes": [], "message": "a digest", "counts": {}},
        {"id": "vulnerability", "outcome": "fail", "warned": False, "codes": ["VULN_FOUND"], "message": "1 found",
         "counts": {"found": 1}},
    ]  # fmt: skip
    assert fields["signatures"] == [{"key": GATE.public_key.key_id, "format": "bundle", "bundle": str(OTHER)}]
    assert fields["image"] == {
        "created": "2026-03-01T12:00:00Z", "user": "10001", "revision": "0" * 40, "source": "", "baseDigest": "",
    }  # fmt: skip


def test_the_roots_that_judged_are_named_and_read_back() -> None:
    """Beside a signature by identity the root's digest stands; beside one by a key that has none, nothing."""
    pinned = UsedRoot(
        name="company", digest=OTHER, source=TrustSource.FILE, place="trust/company.json", newest=NOW, ends=NOW
    )
    shipped = UsedRoot(name="public", digest=CHILD, source=TrustSource.SHIPPED, place="sigstore 4.1.0")
    by_identity = AcceptedSignature(key_id="k", format="bundle", identity="a", issuer="b", trusted_root=OTHER)
    verdict = made(trusted_roots=(pinned, shipped), signatures=(*made().signatures, by_identity))
    fields = predicate(verdict)
    assert fields["trustedRoots"] == [
        {
            "name": "company", "digest": str(OTHER), "source": "file", "place": "trust/company.json",
            "newestEntryFrom": "2026-03-01T12:00:00Z", "ends": "2026-03-01T12:00:00Z",
        },
        {
            "name": "public", "digest": str(CHILD), "source": "shipped", "place": "sigstore 4.1.0",
            "newestEntryFrom": "", "ends": "",
        },
    ]  # fmt: skip
    assert fields["signatures"] == [
        {"key": GATE.public_key.key_id, "format": "bundle", "bundle": str(OTHER)},
        {"key": "k", "format": "bundle", "bundle": "", "identity": "a", "issuer": "b", "trustedRoot": str(OTHER)},
    ]
    read = parse_evidence(parse_statement(rendered(verdict)), types=(DEFAULT_EVIDENCE_TYPE,))
    assert read.trusted_roots == (OTHER, CHILD)


def test_the_statement_names_the_subjects_and_is_read_back() -> None:
    statement = parse_statement(rendered(made()))
    assert own_subjects(statement) == SUBJECTS
    read = parse_evidence(statement, types=(DEFAULT_EVIDENCE_TYPE,))
    assert (read.result, read.evaluated_at, read.policy_digest) == (VerificationResult.FAILED, NOW, POLICY)
    assert read.environments == ("production", "staging")
    assert read.outcomes == (("reference", "pass"), ("vulnerability", "fail"))
    (tool,) = read.tools
    assert (tool.name, tool.version, tool.digest) == ("trivy", "0.60.0", CHILD)
    assert [(item.digest, item.built_at) for item in tool.databases] == [(OTHER, NOW)]
    assert read.reports == (OTHER,)


def test_the_same_verdict_gives_the_same_bytes() -> None:
    assert rendered(made()) == rendered(made())
    assert rendered(made(environments=("production", "staging"))) == rendered(made())


def test_what_is_not_in_a_verdict_is_empty() -> None:
    fields = predicate(made(config=None, signatures=(), decision=Decision.PASSED))
    assert (fields["image"], fields["signatures"], fields["verdict"]) == ({}, [], "PASSED")


def test_an_error_is_never_signed() -> None:
    with pytest.raises(ValueError, match="nothing was decided"):
        result_of(Decision.ERROR)


def test_findings_are_cut_to_their_number_and_the_total_is_stated() -> None:
    fields = predicate(made(findings=tuple(finding(number) for number in range(MAX_FINDINGS + 1))))
    assert fields["findingsTotal"] == MAX_FINDINGS + 1
    kept = fields["findings"]
    assert isinstance(kept, list)
    assert len(kept) == MAX_FINDINGS


def test_long_findings_are_cut_until_the_bundle_fits() -> None:
    many = tuple(finding(number, explanation="x" * 2000) for number in range(4000))
    payload = rendered(made(findings=many))
    assert len(sign_statement(GATE, payload).bundle) <= MAX_BUNDLE_BYTES
    assert 0 < len(json.loads(payload)["predicate"]["findings"]) < 4000
    assert json.loads(payload)["predicate"]["findingsTotal"] == 4000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schemaVersion": "2.0"}, "ATT_MALFORMED"),
        ({"verdict": "passed"}, "ATT_MALFORMED"),
        ({"tools": [{}]}, "ATT_MALFORMED"),
        ({"policy": {"digest": POLICY.hex}}, "ATT_MALFORMED"),
    ],
    ids=range(4),
)
def test_other_forms_are_refused(change: dict[str, object], code: str) -> None:
    fields = json.loads(rendered(made()))
    fields["predicate"] |= change
    with pytest.raises(AttestationError) as refused:
        parse_evidence(parse_statement(json.dumps(fields).encode()), types=(DEFAULT_EVIDENCE_TYPE,))
    assert refused.value.code == code


def test_a_type_that_is_not_accepted_is_refused() -> None:
    with pytest.raises(AttestationError) as refused:
        parse_evidence(parse_statement(rendered(made())), types=("https://ops.example/evidence",))
    assert refused.value.code == "ATT_TYPE"


def test_a_later_minor_version_is_read() -> None:
    fields = json.loads(rendered(made()))
    fields["predicate"]["schemaVersion"] = "1.7"
    read = parse_evidence(parse_statement(json.dumps(fields).encode()), types=(DEFAULT_EVIDENCE_TYPE,))
    assert read.policy_digest == Digest(str(POLICY))
