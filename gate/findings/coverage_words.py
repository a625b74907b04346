"""What `coverage` says beside its problems: what was done in this run and no more (rule 4), counts, and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.findings.accepted_places import RELEASE_FILE
from gate.findings.distributions import is_known
from gate.findings.unread import unread_forms
from gate.model.evidence import LayerFacts, ScanReport
from gate.model.finding import Tool
from gate.model.package_forms import FORMS
from gate.model.subject import OTHER_PLATFORM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.evidence import EvidenceSet, SubjectEvidence
    from gate.model.policy import Policy

_EMBEDDED = "SCAN_SBOM_EMBEDDED"


def coverage_counts(evidence: EvidenceSet) -> tuple[tuple[str, int], ...]:
    """Return how much was judged."""
    facts = [subject.layers for subject in evidence.subjects if isinstance(subject.layers, LayerFacts)]
    return (
        ("judged", len(evidence.subjects)),
        ("layers", sum(len(layers.layers) for layers in facts)),
        ("osPackages", sum(len(layers.os_packages) for layers in facts)),
        ("skipped", len(evidence.skipped)),
    )


def coverage_message(evidence: EvidenceSet, policy: Policy, scanners: frozenset[Tool], now: datetime) -> str:
    """Say which images were judged, who read them, and what of them was read by nobody with the policy's consent."""
    left_out = sum(child.reason == OTHER_PLATFORM for child in evidence.skipped)
    judged = len(evidence.subjects)
    images = f"{judged} of {judged + left_out} runnable images" if left_out else "every runnable image"
    be = "were" if judged > 1 and left_out else "was"
    if not scanners:
        # Without a scanner that is all that was proved here: other checks say what they read.
        done = f"{images} {be} judged" if left_out else "no runnable image was left out"
        return f"{done}; no scanner was asked for vulnerabilities"
    names = " and ".join(sorted(tool.value for tool in scanners))
    closed = "".join(f"; {part}" for part in _left_unread(evidence, policy, scanners, now))
    return f"{images} {be} read by {names}, which saw the packages that the gate lists{closed}"


def _left_unread(evidence: EvidenceSet, policy: Policy, scanners: frozenset[Tool], now: datetime) -> Iterator[str]:
    read = [(subject, subject.layers) for subject in evidence.subjects if isinstance(subject.layers, LayerFacts)]
    facts = [layers for _, layers in read]
    accepted = {path for layers in facts for path in _places(layers) if policy.coverage.accepted(path, now)}
    if accepted:
        yield f"accepted places aside: {len(accepted)}"
    unread = {
        form.form
        for subject, layers in read
        for form in unread_forms(layers, _brought(subject, scanners), policy.coverage, now)
    }
    if unread:
        yield f"forms of package that no one looked up: {len(unread)}"


def _brought(subject: SubjectEvidence, scanners: frozenset[Tool]) -> dict[Tool, object]:
    return {tool: subject.trivy if tool is Tool.TRIVY else subject.grype for tool in scanners}


def coverage_notes(evidence: EvidenceSet, policy: Policy, scanners: frozenset[Tool], now: datetime) -> Iterator[str]:
    """Name everything that a reader of a pass should know."""
    for subject in evidence.subjects:
        if scanners and isinstance(subject.layers, LayerFacts):
            yield from (
                f"no asked scanner looks up {unread}"
                for unread in unread_forms(subject.layers, _brought(subject, scanners), policy.coverage, now)
            )
            owned = sorted(
                seen.path for seen in subject.layers.package_forms if seen.owner and not FORMS[seen.form].looked_up_by
            )
            yield from _accepted(subject.layers, policy, now)
            if owned:
                yield f"{len(owned)} programs are judged as packages of the distribution only, e.g. /{ascii(owned[0])[1:-1]}"
        if isinstance(subject.layers, LayerFacts) and subject.layers.embedded_sboms:
            places = ", ".join(ascii(path)[1:-1] for path in subject.layers.embedded_sboms[:3])
            yield f"{_EMBEDDED}: the image carries SBOMs, whose packages a scanner may list beside the image's own: {places}"
        if isinstance(subject.layers, LayerFacts):
            yield from (f"/{ascii(one.path)[1:-1]}: {one.what}" for one in subject.layers.redirects)
        for report in (subject.trivy, subject.grype):
            if isinstance(report, ScanReport) and report.passed_over:
                example = ascii(" ".join(min(report.passed_over)))[1:-1]
                number = len(report.passed_over)
                yield f"{report.kind.value} passed {number} packages over, by maker, module or architecture, e.g. {example}"
            if isinstance(report, ScanReport) and report.database.demonstration:
                yield f"{report.kind.value} used demonstration data: this verdict says nothing about real vulnerabilities"


def _places(layers: LayerFacts) -> list[str]:
    """Return every place that an entry of `coverage.accept` can be about."""
    places = [seen.path for seen in layers.package_forms] + [database.path for database in layers.package_databases]
    places += [database.path for database in layers.nested_databases] + list(layers.removed_databases)
    places += [one.path for one in layers.redirects]
    places += [place for one in layers.dropped_entries for place in (one.path, one.database)]
    found = layers.distribution
    if found is None or found.conflicts or not is_known(found):
        places.append(RELEASE_FILE)
    return places + [package.path for package in layers.language_packages]


def _accepted(layers: LayerFacts, policy: Policy, now: datetime) -> Iterator[str]:
    """Name each entry of `coverage.accept` with what it accepts here, and those that are of no use."""
    places = _places(layers)
    for entry in policy.coverage.accept:
        count = sum(entry.covers(path, now) for path in places)
        what = f"{count} places accepted" if count else "an entry that accepts nothing"
        yield (
            f"coverage.accept: {what} under /{ascii(entry.path)[1:-1]} until {entry.expires} by {ascii(entry.owner)[1:-1]}:"
            f" {ascii(entry.reason)[1:-1]}"
        )
