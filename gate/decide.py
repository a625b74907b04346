"""`decide(evidence, policy, now) -> Verdict`: a pure and total function.

It asks every check of this release, computes each outcome from the classes of the reason codes in one place, attaches waivers,
and combines the outcomes. It knows no clock, network, file, environment or randomness (rule 1 of the design).

- An image passes when every check that was asked says pass, and the policy asks for more than what is always asked.
- One failed check refuses, whatever else could not be judged (`docs/adr/0003-fail-dominates-error.md`).
- A waiver marks a problem; the problem stays in the verdict. What is `error` can never be waived.
- A check that the policy only warns of keeps its outcome `fail` and refuses nothing. What could not be judged is never a warning.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar

from gate.checks import CHECKS
from gate.findings.waivers import applies_to_image, excuses, is_active
from gate.model.asked import refusing_checks
from gate.model.decision import Decision, Outcome
from gate.model.evidence import EvidenceKind, ScanReport, SecretEvidence
from gate.model.finding import SecretPlace
from gate.model.image_config import ImageConfig
from gate.model.reasons import ReasonClass, reason
from gate.model.string_map import StringMap
from gate.model.verdict import (
    CheckResult,
    JudgedFinding,
    JudgedSecret,
    PolicySummary,
    Problem,
    SecretSearch,
    ToolUse,
    UsedRoot,
    UsedWaiver,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from gate.model.check import Answer, Check
    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, SubjectEvidence
    from gate.model.finding import Finding
    from gate.model.policy import Policy, Waiver

J = TypeVar("J", JudgedFinding, JudgedSecret)

# Where an image says that it comes from (OCI image-spec, annotations).
SHOWN_LABELS = frozenset(f"org.opencontainers.image.{name}" for name in ("revision", "source", "base.digest"))


def needed_evidence(policy: Policy) -> frozenset[EvidenceKind]:
    """Return the kinds of evidence that the asked checks of a policy need, so that nothing else is gathered."""
    return frozenset[EvidenceKind]().union(*(check.needs(policy) for check in CHECKS if check.asked(policy)))


def decide(
    evidence: EvidenceSet, policy: Policy, now: datetime, environments: tuple[str, ...] | None = None
) -> Verdict:
    """Judge an image.

    Args:
        evidence: what was obtained; anything missing is `Unavailable`, and the check that needs it says so.
        policy: what the image must be.
        now: aware, in any zone; the moment that ages, graces and waivers are counted to. Days are those of UTC.
        environments: for which the verdict is to hold; None takes the policy's own list.

    Returns:
        The verdict, with every check of this release. Same arguments, same value.
    """
    now = now.astimezone(UTC)
    evidence = replace(evidence, subjects=tuple(sorted(evidence.subjects, key=_subject_order)))
    waivers = _active_waivers(policy, evidence, now)
    asked = [(check, check.judge(evidence, policy, now)) for check in CHECKS if check.asked(policy)]
    answers = {
        check.id: _with_warnings(check, _with_waivers(check, answer, waivers), policy) for check, answer in asked
    }
    checks = tuple(_result(check, answers.get(check.id)) for check in CHECKS)
    judged = [answers[check.id] for check, _ in asked]
    return Verdict(
        request=evidence.request,
        decision=_decision(checks, policy, now),
        evaluated_at=now,
        policy=PolicySummary(
            name=policy.name, digest=policy.digest, uri=f"gate-policy:{policy.name}", warn=policy.warn
        ),
        environments=policy.attest.environments if environments is None else environments,
        checks=checks,
        root=evidence.root,
        subjects=tuple(subject.subject for subject in evidence.subjects),
        skipped=evidence.skipped,
        findings=tuple(found for answer in judged for found in answer.findings),
        secrets=tuple(found for answer in judged for found in answer.secrets),
        secret_searches=tuple(_secret_searches(evidence)),
        disagreements=tuple(row for answer in judged for row in answer.disagreements),
        waivers=_used_waivers(policy, evidence, judged, now),
        notes=tuple(dict.fromkeys(note for answer in judged for note in answer.notes)),
        tools=_tools(evidence),
        reports=tuple(dict.fromkeys(report.report for report in _scan_reports(evidence))),
        signatures=tuple(found for answer in judged for found in answer.signatures),
        trusted_roots=_used_roots(judged),
        config=_config(evidence),
        demonstration=any(report.database.demonstration for report in _scan_reports(evidence)),
        origin=evidence.origin,
        build_level=max((answer.build_level for answer in judged), default=0),
    )


def _subject_order(subject: SubjectEvidence) -> tuple[str, str]:
    return str(subject.subject.platform), str(subject.subject.digest)


def _decision(checks: Sequence[CheckResult], policy: Policy, now: datetime) -> Decision:
    outcomes = {check.outcome for check in checks if not check.warned}
    if Outcome.FAIL in outcomes:
        return Decision.REFUSED
    asks_nothing = not refusing_checks(policy, now)
    if Outcome.ERROR in outcomes or asks_nothing:
        return Decision.ERROR
    return Decision.PASSED


def _result(check: Check, answer: Answer | None) -> CheckResult:
    if answer is None:
        return CheckResult(id=check.id, outcome=Outcome.DISABLED, message="the policy does not ask for it")
    outcome, warned = _outcome(answer.problems)
    message = _passed_message(answer) if outcome is Outcome.PASS else _first_message(answer.problems, outcome)
    return CheckResult(
        id=check.id,
        outcome=outcome,
        message=f"a warning, which refuses nothing: {message}" if warned else message,
        problems=answer.problems,
        counts=answer.counts,
        warned=warned,
    )


def _outcome(problems: Iterable[Problem]) -> tuple[Outcome, bool]:
    """Return the outcome of what is not waived, and whether it is only a warning.

    Anything that is the image's fault and refuses fails; else anything that could not be judged is an error, which no warning
    hides; what is left are warnings: a failure that refuses nothing.
    """
    standing = [problem for problem in problems if not problem.waived_by]
    kinds = {reason(problem.code).kind for problem in standing if not problem.warned}
    if ReasonClass.FAIL in kinds:
        return Outcome.FAIL, False
    if kinds:
        return Outcome.ERROR, False
    return (Outcome.FAIL, True) if standing else (Outcome.PASS, False)


def _passed_message(answer: Answer) -> str:
    """Say what holds; of a check whose problems are all waived only that, for what it would say otherwise is not true."""
    if not answer.problems:
        return answer.message
    waivers = ", ".join(sorted({problem.waived_by for problem in answer.problems}))
    return f"passes by waiver alone ({waivers}): {len(answer.problems)} waived, the first: {answer.problems[0].message}"


def _first_message(problems: Sequence[Problem], outcome: Outcome) -> str:
    """Return the message of the first problem that decided, and how many there are beside it."""
    standing = [problem for problem in problems if not problem.waived_by]
    # A stable sort: what refuses, or could not be judged where that decides, comes before a warning.
    standing.sort(key=lambda problem: problem.warned or (outcome is Outcome.FAIL) is not _is_fault(problem))
    more = f" (and {len(standing) - 1} more)" if len(standing) > 1 else ""
    return standing[0].message + more


def _is_fault(problem: Problem) -> bool:
    return reason(problem.code).kind is ReasonClass.FAIL


def _with_warnings(check: Check, answer: Answer, policy: Policy) -> Answer:
    """Return the answer of a check that the policy only warns of: what would refuse is marked, what is no answer stays."""
    if check.id not in policy.warn:
        return answer
    return replace(
        answer,
        problems=tuple(
            replace(problem, warned=True) if _is_fault(problem) and not problem.waived_by else problem
            for problem in answer.problems
        ),
        findings=tuple(_warn_of(found) if found.counts else found for found in answer.findings),
        secrets=tuple(_warn_of(found) if found.counts else found for found in answer.secrets),
    )


def _warn_of(found: J) -> J:
    words = f"{found.explanation}; a warning, which refuses nothing"
    return replace(found, counts=False, warned=True, explanation=words)


def _active_waivers(policy: Policy, evidence: EvidenceSet, now: datetime) -> tuple[Waiver, ...]:
    repository = evidence.request.repository
    return tuple(waiver for waiver in policy.waivers if is_active(waiver, now) and applies_to_image(waiver, repository))


def _with_waivers(check: Check, answer: Answer, waivers: Sequence[Waiver]) -> Answer:
    # A fingerprint holds no version: a package that is installed twice has two findings under one.
    findings: dict[tuple[str, Digest | None], list[Finding]] = defaultdict(list)
    for found in answer.findings:
        findings[found.finding.fingerprint, found.subject].append(found.finding)
    problems = tuple(
        _waived(check.id, problem, waivers, findings.get((problem.fingerprint, problem.subject), ()))
        for problem in answer.problems
    )
    excused = {(problem.fingerprint, problem.subject): problem.waived_by for problem in problems if problem.waived_by}
    return replace(
        answer,
        problems=problems,
        findings=tuple(
            _excuse_finding(judged, excused.get((judged.finding.fingerprint, judged.subject), ""))
            for judged in answer.findings
        ),
        secrets=tuple(
            _excuse_secret(judged, excused.get((judged.secret.fingerprint, judged.subject), ""))
            for judged in answer.secrets
        ),
    )


def _waived(check: str, problem: Problem, waivers: Sequence[Waiver], findings: Sequence[Finding]) -> Problem:
    if not _is_fault(problem):
        return problem
    excusing = next((waiver.id for waiver in waivers if excuses(waiver, check, problem, findings)), "")
    return replace(problem, waived_by=excusing) if excusing else problem


def _excuse_finding(found: JudgedFinding, waiver: str) -> JudgedFinding:
    return replace(found, counts=False, waived_by=waiver) if waiver else found


def _excuse_secret(found: JudgedSecret, waiver: str) -> JudgedSecret:
    return replace(found, counts=False, waived_by=waiver) if waiver else found


def _used_waivers(
    policy: Policy, evidence: EvidenceSet, answers: Sequence[Answer], now: datetime
) -> tuple[UsedWaiver, ...]:
    used = [problem.waived_by for answer in answers for problem in answer.problems if problem.waived_by]
    return tuple(
        UsedWaiver(waiver=waiver, state=_waiver_state(waiver, evidence, used, now), covers=used.count(waiver.id))
        for waiver in policy.waivers
    )


def _waiver_state(waiver: Waiver, evidence: EvidenceSet, used: Sequence[str], now: datetime) -> str:
    if not applies_to_image(waiver, evidence.request.repository):
        return "elsewhere"
    if not is_active(waiver, now):
        return "expired"
    return "used" if waiver.id in used else "unused"


def _used_roots(answers: Sequence[Answer]) -> tuple[UsedRoot, ...]:
    used = {
        UsedRoot(
            name=trust.name,
            digest=trust.root.digest,
            source=trust.source,
            place=trust.place,
            newest=trust.root.newest,
            ends=trust.root.ends,
        )
        for answer in answers
        for trust in answer.trusts
    }
    return tuple(sorted(used, key=lambda root: (root.name, str(root.digest))))


def _scan_reports(evidence: EvidenceSet) -> tuple[ScanReport, ...]:
    reports = (report for subject in evidence.subjects for report in (subject.trivy, subject.grype))
    return tuple(report for report in reports if isinstance(report, ScanReport))


def _secret_searches(evidence: EvidenceSet) -> Iterator[SecretSearch]:
    for subject in evidence.subjects:
        found = subject.secrets
        if isinstance(found, SecretEvidence):
            yield SecretSearch(
                subject=subject.subject.digest,
                rules_digest=found.rules_digest,
                key_id=found.key_id,
                known=found.known,
                unopened=found.unopened,
            )


def _tools(evidence: EvidenceSet) -> tuple[ToolUse, ...]:
    return tuple(dict.fromkeys(_tool_use(report) for report in _scan_reports(evidence)))


def _tool_use(report: ScanReport) -> ToolUse:
    databases = (report.database,) if report.java_database is None else (report.database, report.java_database)
    return ToolUse(tool=report.tool, databases=databases, isolation=report.isolation)


def _config(evidence: EvidenceSet) -> ImageConfig | None:
    """Return what the first configuration says of age, user, ports and origin, and nothing else of it.

    A verdict is kept, signed and shown, and environment, history, commands and labels are where secrets are found (attack X10).
    """
    for subject in evidence.subjects:
        if isinstance(subject.config, ImageConfig):
            found = subject.secrets.findings if isinstance(subject.secrets, SecretEvidence) else ()
            hiding = {secret.location for secret in found if secret.place is SecretPlace.LABEL}
            labels = {name: value for name, value in subject.config.labels.pairs if name in SHOWN_LABELS - hiding}
            return ImageConfig(
                platform=subject.config.platform,
                diff_ids=subject.config.diff_ids,
                created=subject.config.created,
                user=subject.config.user,
                exposed_ports=subject.config.exposed_ports,
                labels=StringMap.of(labels),
            )
    return None
