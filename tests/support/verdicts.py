"""Verdicts for tests of what is made of them: built by hand, so that each field is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from gate.model.decision import Decision, Outcome
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, Isolation, RawReport, RequestFacts, ToolIdentity
from gate.model.finding import (
    Confidence,
    Finding,
    FixState,
    Package,
    PackageKey,
    SecretFinding,
    SecretPlace,
    Tool,
    ToolFinding,
)
from gate.model.glob import Glob
from gate.model.identity import VerifiedIdentity
from gate.model.image import OCI_MANIFEST, Descriptor, Platform
from gate.model.image_config import ImageConfig
from gate.model.policy import Waiver
from gate.model.reference import Repository
from gate.model.severity import Severity
from gate.model.string_map import StringMap
from gate.model.subject import SkippedChild, Subject
from gate.model.verdict import (
    AcceptedSignature,
    CheckResult,
    Disagreement,
    JudgedFinding,
    JudgedSecret,
    PolicySummary,
    ToolUse,
    UsedWaiver,
    Verdict,
)

NOW: Final = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
BUILT: Final = datetime(2026, 3, 4, 1, 0, 0, tzinfo=UTC)
IMAGE: Final = Digest.of(b"image")
CHILD: Final = Digest.of(b"another platform")
REPOSITORY: Final = Repository("registry.example", "shop/web")
REFERENCE: Final = f"{REPOSITORY}@{IMAGE}"
POLICY: Final = Digest.of(b"policy")
ATTACHMENT: Final = Digest.of(b"attachment")
ROOT: Final = Descriptor(media_type=OCI_MANIFEST, digest=IMAGE, size=512)
AMD64: Final = Platform("linux", "amd64")
ARM64: Final = Platform("linux", "arm64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Fits what reports demand of an issued attestation."""

    manifest: Digest | None
    subject: Digest
    place: str
    predicate_type: str = "https://slsa.dev/verification_summary/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Fits what reports demand of a check's run."""

    verdict: Verdict
    attestations: tuple[Attached, ...] = ()
    reused: bool = False
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Fits what reports demand of a verification."""

    digest: Digest = IMAGE
    key_id: str = f"sha256:{'ab' * 32}"
    identity: VerifiedIdentity | None = None
    policy: Digest | None = POLICY
    verifier_id: str = "https://gate.shop.example/ci"
    environments: tuple[str, ...] = ("production",)
    time_verified: datetime | None = datetime(2026, 3, 1, 2, 0, 0, tzinfo=UTC)
    trusted_time: datetime | None = None
    expires: datetime | None = datetime(2026, 3, 8, 2, 0, 0, tzinfo=UTC)
    attachment: Digest | None = ATTACHMENT


def make_subject(digest: Digest = IMAGE, platform: Platform = AMD64) -> Subject:
    """Return a judged image."""
    return Subject(media_type=OCI_MANIFEST, digest=digest, size=512, platform=platform)


def make_finding(
    identity: str = "CVE-2024-0001",
    *,
    name: str = "zlib1g",
    version: str = "1:1.2.13",
    severity: Severity = Severity.HIGH,
    tools: tuple[Tool, ...] = (Tool.GRYPE, Tool.TRIVY),
    fixed: tuple[str, ...] = ("1:1.3",),
    path: str = "",
    title: str = "a heap overflow",
) -> Finding:
    """Return a merged finding that these tools saw."""
    package = Package(key=PackageKey("deb", "debian", name, version, "amd64", path), name=name, version=version)
    seen = tuple(
        ToolFinding(tool=tool, id=identity, package=package, severity=severity, fixed_versions=fixed, title=title)
        for tool in tools
    )
    return Finding(
        id=identity,
        aliases=frozenset({identity}),
        package=package,
        severity=severity,
        seen_by=seen,
        fix_state=FixState.FIXED if fixed else FixState.NOT_FIXED,
        fixed_versions=fixed,
        fingerprint=Digest.of(f"{identity} {name} {path}".encode()).hex[:16],
    )


def make_judged(
    finding: Finding | None = None,
    *,
    counts: bool = True,
    explanation: str = "severity high",
    subject: Digest = IMAGE,
    waived_by: str = "",
    vex: str = "",
    grace_until: datetime | None = None,
) -> JudgedFinding:
    """Return a finding with what was decided of it."""
    return JudgedFinding(
        finding=finding or make_finding(),
        subject=subject,
        counts=counts,
        code="VULN_FOUND",
        explanation=explanation,
        waived_by=waived_by,
        vex=vex,
        grace_until=grace_until,
    )


def make_secret(location: str = "srv/.env", *, hidden: bool = False, counts: bool = True) -> JudgedSecret:
    """Return a secret in a file."""
    secret = SecretFinding(
        rule="aws-access-key-id",
        title="AWS access key",
        place=SecretPlace.FILE,
        location=location,
        fingerprint=Digest.of(location.encode()).hex[:16],
        tool=Tool.TRIVY,
        layer=Digest.of(b"layer"),
        line=3,
        hidden=hidden,
    )
    return JudgedSecret(secret=secret, subject=IMAGE, counts=counts, explanation="the policy refuses any")


def make_deep_secret() -> JudgedSecret:
    """Return one that the gate found inside an archive with several names, which a later layer hides; every field is filled."""
    flat = make_secret("srv/app.jar", hidden=True)
    deep = replace(
        flat.secret,
        tool=Tool.GATE,
        paths=("srv/app.jar", "opt/a.jar", "opt/b.jar", "opt/c.jar", "opt/d.jar"),
        chain=("config.yml", "base64"),
        line=None,
        offset=17,
        key_path="aws.accessKeyId",
        prefix="AKIA",
        confidence=Confidence.CERTAIN,
        file_digest=Digest.of(b"the archive"),
    )
    return replace(flat, secret=deep)


def make_waiver(identity: str = "W-12", *, state: str = "used", reason: str = "not reachable") -> UsedWaiver:
    """Return a waiver and what became of it."""
    waiver = Waiver(
        id=identity,
        check="vulnerability",
        images=Glob("registry.example/shop/**"),
        match=StringMap.of({"vulnerability": "CVE-2024-0001"}),
        reason=reason,
        owner="web-team",
        approved_by="security",
        expires=date(2026, 4, 30),
    )
    return UsedWaiver(waiver=waiver, state=state, covers=int(state == "used"))


def make_tool(name: str, *, demonstration: bool = False) -> ToolUse:
    """Return a scanner as it ran."""
    database = DatabaseIdentity(
        name=name,
        digest=Digest.of(f"{name} database".encode()),
        built_at=BUILT,
        schema="6",
        demonstration=demonstration,
    )
    tool = ToolIdentity(name=name, version="1.2.3", digest=Digest.of(name.encode()))
    return ToolUse(tool=tool, databases=(database,), isolation=Isolation.NAMESPACE)


PASSING: Final = (
    CheckResult(id="coverage", outcome=Outcome.PASS, message="everything was looked at"),
    CheckResult(id="malware", outcome=Outcome.DISABLED, message="the policy does not ask for it"),
    CheckResult(id="reference", outcome=Outcome.PASS, message="a digest of an allowed repository"),
    CheckResult(id="vulnerability", outcome=Outcome.PASS, message="nothing at or over high", counts=(("low", 2),)),
)


def make_verdict(
    *,
    decision: Decision = Decision.PASSED,
    checks: tuple[CheckResult, ...] = PASSING,
    request: RequestFacts | None = None,
    root: Descriptor | None = ROOT,
    subjects: tuple[Subject, ...] | None = None,
    findings: tuple[JudgedFinding, ...] = (),
    secrets: tuple[JudgedSecret, ...] = (),
    waivers: tuple[UsedWaiver, ...] = (),
    disagreements: tuple[Disagreement, ...] = (),
    skipped: tuple[SkippedChild, ...] = (),
    notes: tuple[str, ...] = (),
    demonstration: bool = False,
) -> Verdict:
    """Return a verdict over one image; everything that is not said is as an ordinary run would have it."""
    fetched = root is not None
    return Verdict(
        request=request or RequestFacts(reference=REFERENCE, repository=REPOSITORY, digest=IMAGE),
        decision=decision,
        evaluated_at=NOW,
        policy=PolicySummary(name="production", digest=POLICY, uri="gate-policy:production"),
        environments=("staging", "production"),
        checks=checks,
        root=root,
        subjects=(subjects or (make_subject(),)) if fetched else (),
        findings=findings,
        secrets=secrets,
        waivers=waivers,
        disagreements=disagreements,
        skipped=skipped,
        notes=notes,
        tools=tuple(make_tool(name, demonstration=demonstration) for name in ("grype", "trivy")) if fetched else (),
        reports=(RawReport(name="trivy", media_type="application/json", digest=Digest.of(b"report"), size=6),)
        if fetched
        else (),
        signatures=(AcceptedSignature(key_id=f"sha256:{'cd' * 32}", format="bundle"),) if fetched else (),
        config=ImageConfig(platform=AMD64, diff_ids=(Digest.of(b"tar"),), created=BUILT, user="10001")
        if fetched
        else None,
        demonstration=demonstration,
    )
