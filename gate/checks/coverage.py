"""`coverage`: the proof that a look took place, before anything is read into its absence.

Both scanners answer "I could not look" and "I looked and found nothing" with the same exit code and a report of the same
form. So this check demands, for every runnable child: that it was judged at all; that the scanners read this image, with a
fresh database that covers the release; that three readers see the same distribution and the same packages; that the canary
is found and nothing was suppressed (`checks` reference, section 3; attacks D07, L01 to L05, V03 to V07, V10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects
from gate.checks._rule_variables import scanners_of_rules
from gate.codec.platforms import same_platform
from gate.findings.accepted_places import RELEASE_FILE, without_accepted
from gate.findings.completeness import layer_problems
from gate.findings.coverage_words import coverage_counts, coverage_message, coverage_notes
from gate.findings.foreign import edited_problems, foreign_problems, redirect_problems
from gate.findings.scan_completeness import language_problems, passed_over_problems, report_problems
from gate.findings.unread import unread_forms, unread_problems
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind, LayerFacts, ScanReport, Unavailable
from gate.model.finding import Tool
from gate.model.image import INDEX_TYPES
from gate.model.policy import VulnerabilityPolicy
from gate.model.problems import problem_of
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, SubjectEvidence
    from gate.model.policy import CoveragePolicy, Policy

_SCANS = {Tool.TRIVY: EvidenceKind.TRIVY, Tool.GRYPE: EvidenceKind.GRYPE}


def _asked(policy: Policy) -> bool:
    del policy  # that every child was judged is asked of every image
    return True


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    layers = {EvidenceKind.CONFIG, EvidenceKind.LAYERS}
    return frozenset({*(_SCANS[tool] for tool in _tools(policy)), *(layers if _reads_layers(policy) else ())})


def _tools(policy: Policy) -> tuple[Tool, ...]:
    searching = policy.secrets.scanners - {Tool.GATE} if policy.secrets is not None else frozenset[Tool]()
    return tuple(sorted(_vulnerability_scanners(policy) | searching))


def _vulnerability_scanners(policy: Policy) -> frozenset[Tool]:
    """Return the scanners whose silence means something here: for the policy's own section, or for its rules."""
    return policy.vulnerabilities.require if policy.vulnerabilities is not None else scanners_of_rules(policy)


def _demands(policy: Policy) -> VulnerabilityPolicy | None:
    """Return what is demanded of a look for vulnerabilities; a rule over findings alone has the gate's defaults."""
    if policy.vulnerabilities is not None:
        return policy.vulnerabilities
    return VulnerabilityPolicy() if scanners_of_rules(policy) else None


def _reads_layers(policy: Policy) -> bool:
    return bool(_tools(policy)) or policy.secrets is not None


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    def ask(subject: SubjectEvidence) -> Iterable[Problem]:
        return without_accepted(_problems(subject, evidence, policy, now), policy.coverage, now)

    problems = (
        *_foreign(evidence),
        *_unscanned(evidence),
        *_missing_platforms(evidence, policy),
        *over_subjects(evidence, ask),
    )
    return Answer(
        message=coverage_message(evidence, policy, _vulnerability_scanners(policy), now),
        problems=problems,
        counts=coverage_counts(evidence),
        notes=tuple(coverage_notes(evidence, policy, _vulnerability_scanners(policy), now)),
    )


def _foreign(evidence: EvidenceSet) -> Iterator[Problem]:
    """Demand that what was judged hangs together: the root is what was asked for, and the subjects are its own."""
    root, request = evidence.root, evidence.request
    if evidence.fault is not None or root is None or request.digest is None:
        return
    if root.digest != request.digest:
        yield problem_of(None, "the manifest of the digest that was asked for")
    if root.media_type in INDEX_TYPES and evidence.index is None:
        yield problem_of(None, "the index that was asked for")
    children = evidence.index.manifests if evidence.index is not None else (root,)
    own = {child.digest for child in children}
    for subject in evidence.subjects:
        if subject.subject.digest not in own:
            yield problem_of(None, "the place of a judged image in what was asked for", subject.subject.digest)


def _unscanned(evidence: EvidenceSet) -> Iterator[Problem]:
    """Demand that each child of the index was judged, or skipped by rule or by the user's own narrowing."""
    known = {subject.subject.digest for subject in evidence.subjects} | {child.digest for child in evidence.skipped}
    for child in evidence.index.manifests if evidence.index is not None else ():
        if child.digest not in known:
            yield _unscanned_problem(
                "a child of the index was not judged", str(child.platform or "no platform"), child.digest
            )


def _missing_platforms(evidence: EvidenceSet, policy: Policy) -> Iterator[Problem]:
    """Demand the platforms of the policy in an index, and those that the user asked for in any image."""
    judged = [subject.subject.platform for subject in evidence.subjects if subject.subject.platform is not None]
    wanted = (*evidence.request.platforms, *(policy.platforms if evidence.index is not None else ()))
    for platform in dict.fromkeys(wanted) if evidence.fault is None else ():
        if not any(same_platform(platform, offered) for offered in judged):
            seen = ", ".join(sorted(map(str, judged))) or "none"
            yield _unscanned_problem(f"there is no image for {platform}", seen, None)


def _unscanned_problem(message: str, seen: str, subject: Digest | None) -> Problem:
    return Problem(
        code="IMG_PLATFORM_UNSCANNED", message=message, expected="every platform is judged", seen=seen, subject=subject
    )


def _problems(subject: SubjectEvidence, evidence: EvidenceSet, policy: Policy, now: datetime) -> Iterator[Problem]:
    if not _reads_layers(policy):
        return
    digest = subject.subject.digest
    for value, what in ((subject.config, "the configuration"), (subject.layers, "the reading of the layers")):
        if value is None or isinstance(value, Unavailable):
            yield problem_of(value, what, digest)
    layers = subject.layers if isinstance(subject.layers, LayerFacts) else None
    demands, scanners = _demands(policy), _vulnerability_scanners(policy)
    for tool in _tools(policy):
        yield from _scan_problems(tool, subject, layers, demands if tool in scanners else None, policy.coverage, now)
    if layers is not None and demands is not None:
        yield from layer_problems(layers, evidence.request, digest, demands, policy.coverage, now)
        asked = [_report(subject, tool) for tool in sorted(scanners)]
        reports = [report for report in asked if isinstance(report, ScanReport)]
        if len(reports) == len(asked):
            # What a scanner did not get to see is not known to be unseen: that is an error, and no fault of the image.
            yield from language_problems(reports, layers, policy.coverage, digest, now)
            yield from passed_over_problems(reports, layers, policy.coverage, digest, now)
        platform = subject.subject.platform
        yield from edited_problems(layers, digest, policy.coverage, now)
        yield from foreign_problems(layers, platform, digest, policy.coverage, now)
        if scanners:
            yield from redirect_problems(layers, demands, digest)
        if layers.distribution is None and platform is not None and platform.os != "linux":
            yield Problem(
                code="SCAN_OS_UNKNOWN",
                message="the distribution is not known",
                expected="an image for linux: `vulnerabilities.emptyBase` speaks of no other",
                seen=str(platform),
                subject=digest,
                location=RELEASE_FILE,
            )
        brought = {tool: _report(subject, tool) for tool in scanners}
        unread = unread_forms(layers, brought, policy.coverage, now)
        yield from unread_problems(unread, policy.coverage, digest)


def _scan_problems(
    tool: Tool,
    subject: SubjectEvidence,
    layers: LayerFacts | None,
    demands: VulnerabilityPolicy | None,
    coverage: CoveragePolicy,
    now: datetime,
) -> Iterable[Problem]:
    report = _report(subject, tool)
    if report is None or isinstance(report, Unavailable):
        return (problem_of(report, f"the report of {tool.value}", subject.subject.digest),)
    return report_problems(report, subject, layers, demands, coverage, now) if layers is not None else ()


def _report(subject: SubjectEvidence, tool: Tool) -> ScanReport | Unavailable | None:
    return subject.trivy if tool is Tool.TRIVY else subject.grype


CHECK = Check(id="coverage", title="Proof of completeness", asked=_asked, needs=_needs, judge=_judge)
