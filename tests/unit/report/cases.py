"""The reports that are shown whole: one a kind of outcome."""

from __future__ import annotations

from datetime import timedelta

from gate.errors import AttestationError, UsageError
from gate.model.decision import Decision, Outcome
from gate.model.evidence import RequestFacts
from gate.model.finding import Tool
from gate.model.severity import Severity
from gate.model.subject import SkippedChild
from gate.model.verdict import CheckResult, Disagreement, Problem
from gate.report.content import ImageReport, Report
from tests.support.verdicts import (
    AMD64,
    ARM64,
    ATTACHMENT,
    CHILD,
    IMAGE,
    NOW,
    PASSING,
    REFERENCE,
    REPOSITORY,
    Attached,
    Checked,
    Verified,
    make_deep_secret,
    make_finding,
    make_judged,
    make_secret,
    make_subject,
    make_verdict,
    make_waiver,
)

HOSTILE = (
    "x\r::stop-commands::t\r\n##[error]a\x1b]8;;http://evil\x07b\u202ec](http://evil) <img src=x> @org =1+1 ]]> {{7*7}}"
)


def failing(check: str, *problems: Problem) -> tuple[CheckResult, ...]:
    """Return all checks, one of which fails with these problems."""
    failed = CheckResult(id=check, outcome=Outcome.FAIL, message=problems[0].message, problems=problems)
    return (failed, *(passed for passed in PASSING if passed.id != check))


def report(*images: ImageReport, exit_code: int, severities: frozenset[Severity] | None = None) -> Report:
    """Return a report of the moment in which all verdicts of the tests were made."""
    return Report(images=images, exit_code=exit_code, now=NOW, severities=severities)


def passed() -> Report:
    run = Checked(
        verdict=make_verdict(),
        attestations=(Attached(manifest=ATTACHMENT, subject=IMAGE, place=str(REPOSITORY)),),
        reused=True,
    )
    return report(ImageReport(reference=REFERENCE, checked=run), exit_code=0)


def refused(severities: frozenset[Severity] | None = None) -> Report:
    """Return a refusal for vulnerabilities, a user and a secret, with all that was excused."""
    user = Problem(
        code="IMG_USER_ROOT", message="the image runs as root", expected="a number", seen="''", subject=IMAGE
    )
    many = tuple(
        Problem(code="VULN_FOUND", message=f"CVE-2024-000{number} in zlib1g 1:1.2.13", subject=IMAGE)
        for number in range(1, 8)
    )
    verdict = make_verdict(
        decision=Decision.REFUSED,
        checks=(
            CheckResult(id="image-user", outcome=Outcome.FAIL, message=user.message, problems=(user,)),
            *failing("vulnerability", *many),
        ),
        findings=(
            make_judged(make_finding(severity=Severity.HIGH)),
            make_judged(make_finding("CVE-2024-0002", severity=Severity.CRITICAL, tools=(Tool.GRYPE,))),
            make_judged(make_finding("CVE-2023-0009", name="openssl", version="3.0.2", severity=Severity.CRITICAL)),
            make_judged(
                make_finding("CVE-2022-0001", severity=Severity.LOW), counts=False, explanation="low is below high"
            ),
            make_judged(make_finding("CVE-2021-0001", name="bash"), counts=False, waived_by="W-12"),
            make_judged(
                make_finding("CVE-2020-0001", name="curl", fixed=()),
                counts=False,
                explanation="in grace until 2026-03-09",
                grace_until=NOW + timedelta(days=5),
            ),
            make_judged(
                make_finding("CVE-2019-0001", name="perl"),
                counts=False,
                explanation="VEX vendor.json: not affected",
                vex="v",
            ),
        ),
        secrets=(make_secret(), make_deep_secret()),
        disagreements=(
            Disagreement(
                subject=IMAGE,
                finding="CVE-2024-0001",
                package=str(make_finding().package.key),
                detail="only trivy saw it",
            ),
            Disagreement(subject=IMAGE, finding="CVE-2024-0002", package="zlib1g 1:1.2.13", detail="only grype saw it"),
        ),
        waivers=(make_waiver(), make_waiver("W-13", state="expired"), make_waiver("W-14", state="elsewhere")),
        notes=("VEX document of another author left out",),
    )
    notice = "no attestation was made: give --key to sign the verdict"
    checked = Checked(verdict=verdict, notices=(notice,))
    return report(ImageReport(reference=REFERENCE, checked=checked), exit_code=1, severities=severities)


def unjudged() -> Report:
    """Return a run without databases: three checks say the same."""
    problem = Problem(code="DB_MISSING", message="there is no grype database", expected="one under /db")
    broken = tuple(
        CheckResult(id=name, outcome=Outcome.ERROR, message=problem.message, problems=(problem,))
        for name in ("coverage", "secret", "vulnerability")
    )
    verdict = make_verdict(decision=Decision.ERROR, checks=(*broken, PASSING[2]))
    return report(ImageReport(reference=REFERENCE, checked=Checked(verdict=verdict)), exit_code=3)


def tag() -> Report:
    """Return the refusal of a tag, with the digest that it names now."""
    problem = Problem(
        code="REF_NOT_DIGEST", message="the reference names a tag", expected="@sha256:...", seen=":latest"
    )
    facts = RequestFacts(reference=f"{REPOSITORY}:latest", repository=REPOSITORY, tag="latest", hint=IMAGE)
    verdict = make_verdict(decision=Decision.REFUSED, checks=failing("reference", problem), request=facts, root=None)
    return report(ImageReport(reference=facts.reference, checked=Checked(verdict=verdict)), exit_code=1)


def index() -> Report:
    """Return an index of two platforms, one of which is bad; both share a vulnerability."""
    shared = make_finding()
    problem = Problem(code="VULN_FOUND", message="CVE-2024-0001 in zlib1g 1:1.2.13: severity high", subject=CHILD)
    verdict = make_verdict(
        decision=Decision.REFUSED,
        checks=failing("vulnerability", problem),
        subjects=(make_subject(IMAGE, AMD64), make_subject(CHILD, ARM64)),
        findings=(make_judged(shared), make_judged(shared, subject=CHILD)),
        skipped=(SkippedChild(digest=ATTACHMENT, platform="unknown/unknown", reason="attestation"),),
    )
    return report(ImageReport(reference=REFERENCE, checked=Checked(verdict=verdict)), exit_code=1)


def demonstration() -> Report:
    verdict = make_verdict(
        demonstration=True,
        notes=("grype used demonstration data: this verdict says nothing about real vulnerabilities",),
    )
    return report(ImageReport(reference=REFERENCE, checked=Checked(verdict=verdict)), exit_code=0)


def several() -> Report:
    """Return one image of each kind, and one that was never judged."""
    error = UsageError("not an image reference", code="REF_MALFORMED", expected="registry/repository", seen="'x y'")
    images = (*passed().images, *tag().images, ImageReport(reference="x y", error=error))
    return report(*images, exit_code=2)


def verified() -> Report:
    return report(ImageReport(reference=REFERENCE, verified=Verified()), exit_code=0)


def not_verified() -> Report:
    error = AttestationError("no attestation is attached to this digest")
    return report(ImageReport(reference=REFERENCE, error=error), exit_code=1)


def hostile() -> Report:
    """Return a verdict in which every text that can come from outside is hostile."""
    problem = Problem(code="RULE_VIOLATED", message=HOSTILE, expected=HOSTILE, seen=HOSTILE, location=HOSTILE)
    facts = RequestFacts(reference=HOSTILE, repository=None, digest=IMAGE)
    finding = make_finding(HOSTILE, name=HOSTILE, version=HOSTILE, fixed=(HOSTILE,), path=HOSTILE, title=HOSTILE)
    verdict = make_verdict(
        decision=Decision.REFUSED,
        checks=failing("rules", problem),
        request=facts,
        findings=(make_judged(finding, explanation=HOSTILE), make_judged(finding, counts=False, vex=HOSTILE)),
        secrets=(make_secret(HOSTILE),),
        disagreements=(Disagreement(subject=IMAGE, finding=HOSTILE, package=str(finding.package.key), detail=HOSTILE),),
        waivers=(make_waiver(HOSTILE, reason=HOSTILE),),
        notes=(HOSTILE,),
    )
    issued = Attached(manifest=None, subject=IMAGE, place=HOSTILE, predicate_type=HOSTILE)
    checked = Checked(verdict=verdict, attestations=(issued,), notices=(HOSTILE,))
    unjudged_image = ImageReport(reference=HOSTILE, error=UsageError(HOSTILE, seen=HOSTILE))
    return report(ImageReport(reference=HOSTILE, checked=checked), unjudged_image, exit_code=2)


CASES = {
    case.__name__: case
    for case in (
        passed, refused, unjudged, tag, index, demonstration, several, verified, not_verified, hostile,
    )
}  # fmt: skip
