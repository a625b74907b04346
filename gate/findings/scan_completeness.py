"""The demands on each scanner's report: the right image, a fresh database, the same system and packages, every look-up made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gate.codec.plain_manifest import plain_manifest_digest
from gate.findings.accepted_places import RELEASE_FILE, database_place
from gate.findings.completeness import ended_life, os_unknown
from gate.findings.distributions import agrees, is_known
from gate.model.evidence import Unavailable
from gate.model.finding import PackageKey
from gate.model.policy import CoveragePolicy, FailOrIgnore, VulnerabilityPolicy
from gate.model.problems import problem_of
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import (
        DatabaseIdentity,
        LayerFacts,
        ScanReport,
        SubjectEvidence,
    )

_CLOCK_SKEW = timedelta(minutes=5)
_JAVA_DATABASE_MAX_AGE = timedelta(days=14)  # published weekly, and it names jars only: it holds no advisories
_SHOWN = 3


def report_problems(
    report: ScanReport,
    subject: SubjectEvidence,
    layers: LayerFacts,
    policy: VulnerabilityPolicy | None,
    coverage: CoveragePolicy,
    now: datetime,
) -> Iterator[Problem]:
    """Judge one scanner's report: the right image, a fresh database, the same system and packages, the canary found.

    `policy` is None for a scanner that only searches for secrets here: then only its target is compared.
    """
    yield from _target_problems(report, subject, layers)
    if policy is None:
        return
    yield from _age_problems(report, policy, subject.subject.digest, now)
    yield from _same_system_problems(
        report, subject.subject.digest, layers, policy, database_place(layers, coverage, now)
    )
    yield from _canary_problems(report, subject.subject.digest)
    uncovered = _uncovered(report, layers, coverage, now)
    if uncovered:
        yield _problem(
            report,
            subject.subject.digest,
            "SCAN_ECOSYSTEM_UNCOVERED",
            "has no advisories for a language that is in the image",
            "advisories for each of its languages",
            ", ".join(f"{kind} (/{ascii(path)[1:-1]})" for kind, path in uncovered),
            uncovered[0][1],
        )
    if report.suppressed:
        yield _problem(
            report,
            subject.subject.digest,
            "POL_SUPPRESSED",
            "left findings out on its own",
            "none",
            ", ".join(sorted(report.suppressed)[:_SHOWN]),
        )


def _uncovered(
    report: ScanReport, layers: LayerFacts, coverage: CoveragePolicy, now: datetime
) -> tuple[tuple[str, str], ...]:
    """Return the ecosystems without an advisory, each with a place of it that the policy does not accept."""
    places = sorted(
        (key.type, key.path) for key in {*layers.language_packages, *(package.key for package in report.packages)}
    )
    open_ones = {
        kind: path for kind, path in places[::-1] if kind in report.uncovered and not coverage.accepted(path, now)
    }
    unplaced = report.uncovered - {kind for kind, _ in places}
    return tuple(sorted({**open_ones, **dict.fromkeys(unplaced, "")}.items()))


def _problem(
    report: ScanReport, subject: Digest, code: str, message: str, expected: str, seen: str, place: str = ""
) -> Problem:
    message = f"{report.kind.value}: {message}"
    return Problem(code=code, message=message, expected=expected, seen=seen, subject=subject, location=place)


def _target_problems(report: ScanReport, subject: SubjectEvidence, layers: LayerFacts) -> Iterator[Problem]:
    manifest = subject.manifest
    config = given = None
    if not isinstance(manifest, Unavailable):
        # Scanners are given the uncompressed layers, under a manifest that follows from what the gate read.
        config, given = manifest.config.digest, plain_manifest_digest(manifest, layers.layers)
    expected = tuple(layer.diff_id for layer in layers.layers)
    if (
        report.target_diff_ids != expected
        or report.target_config not in {None, config}
        or report.target_manifest not in {None, given}
        or (report.target_config is None and report.target_manifest is None)
    ):
        seen = f"{len(report.target_diff_ids)} layers of {report.target_config or report.target_manifest or 'no image'}"
        yield _problem(
            report,
            subject.subject.digest,
            "SCAN_TARGET_MISMATCH",
            "read another image",
            f"{len(expected)} layers of this image",
            seen,
        )


def _age_problems(report: ScanReport, policy: VulnerabilityPolicy, subject: Digest, now: datetime) -> Iterator[Problem]:
    limits = [(report.database, policy.database_max_age)]
    limits += (
        [(report.java_database, max(policy.database_max_age, _JAVA_DATABASE_MAX_AGE))] if report.java_database else []
    )
    for database, limit in limits:
        if not -_CLOCK_SKEW <= now - database.built_at <= limit:
            yield _problem(
                report,
                subject,
                "SCAN_DB_STALE",
                "the database's age is not acceptable",
                f"at most {_hours(limit)} old",
                _age(database, now),
            )


def _age(database: DatabaseIdentity, now: datetime) -> str:
    age = now - database.built_at
    text = f"{_hours(age)} old" if age >= timedelta(0) else "from the future"
    return f"{database.name} of {database.built_at:%Y-%m-%d %H:%M}Z, {text}"


def _hours(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"


def _same_system_problems(
    report: ScanReport, subject: Digest, layers: LayerFacts, policy: VulnerabilityPolicy, database: str
) -> Iterator[Problem]:
    found = layers.distribution
    if found is None:
        if report.distribution is not None:
            yield os_unknown(
                f"{report.kind.value} sees {report.distribution.name}", "no distribution, as the gate reads it", subject
            )
        return
    if not is_known(found):
        return  # said once, of the image: what the scanners make of it is only more of the same
    # Where no one sees a package of the distribution there is nothing to look up under its name, and Trivy then may see none.
    nothing_there = report.distribution is None and not layers.os_packages and not report.os_packages
    if not nothing_there and not agrees(found, report.distribution, report.kind):
        seen = (
            f"{report.distribution.name} {report.distribution.version}"
            if report.distribution is not None
            else "no distribution"
        )
        yield os_unknown(
            f"{report.kind.value} sees {ascii(seen[:80])[1:-1]}", f"{found.id} {found.version_id}", subject
        )
    elif (
        report.distribution is not None and report.distribution.end_of_life and policy.end_of_life is FailOrIgnore.FAIL
    ):
        yield ended_life(f"{found.id} {found.version_id}, says {report.kind.value}", subject)
    if not report.covered:
        yield _problem(
            report,
            subject,
            "SCAN_OS_UNCOVERED",
            "has no advisories for this release",
            f"{found.id} {found.version_id} in its database",
            "nothing",
            RELEASE_FILE,
        )
    yield from _package_problems(report, subject, layers, database)


def _package_problems(report: ScanReport, subject: Digest, layers: LayerFacts, database: str) -> Iterator[Problem]:
    only_gate = sorted(layers.os_packages - report.os_packages)
    # What stands in a nested root is asked of the policy, once, for the image.
    nested = frozenset[tuple[str, str, str]]().union(*(database.packages for database in layers.nested_databases))
    only_tool = sorted(report.os_packages - layers.os_packages - nested)
    if only_gate or only_tool:
        example = " ".join((only_gate or only_tool)[0])
        seen = f"{len(only_gate)} only the gate sees, {len(only_tool)} only {report.kind.value} sees, e.g. {ascii(example)[1:-1]}"
        yield _problem(
            report,
            subject,
            "SCAN_INCOMPLETE",
            "does not see the same packages",
            f"the {len(layers.os_packages)} that the gate reads",
            seen,
            database,
        )


def language_problems(
    reports: Iterable[ScanReport], layers: LayerFacts, coverage: CoveragePolicy, subject: Digest, now: datetime
) -> Iterator[Problem]:
    """Demand that the union of the scanners has every language package that the gate reads; each alone lacks some forms.

    What the policy accepts by its place is left out: a file that package managers read and the scanners do not, such as a
    `package.json` behind a byte order mark, which Node.js drops and Go's JSON reader refuses.
    """
    seen = {
        (package.key.type, package.key.name, package.key.version) for report in reports for package in report.packages
    }
    unseen = sorted(
        key
        for key in layers.language_packages
        if (key.type, key.name, key.version) not in seen and not coverage.accepted(key.path, now)
    )
    if unseen:
        place = f"/{ascii(unseen[0].path)[1:-1]}"
        yield Problem(
            code="SCAN_INCOMPLETE", message="no scanner sees some language packages", expected="all that the gate reads",
            seen=f"{len(unseen)} unseen, e.g. {ascii(str(unseen[0]))[1:-1]} at {place}", subject=subject,
            next_step="Require both scanners, write the file so that they read it (without a byte order mark, not too large),"
            f" or accept it: `spec.coverage.accept` with `path: {place}`.",
        )  # fmt: skip


def passed_over_problems(
    reports: Sequence[ScanReport], layers: LayerFacts, coverage: CoveragePolicy, subject: Digest, now: datetime
) -> Iterator[Problem]:
    """Demand that each package of the distribution with advisories was looked up by at least one scanner.

    Trivy looks up nothing for a package whose Maintainer or Vendor it takes for a third party's, and both ask by the module of
    an rpm package, Trivy also by its architecture: each is a word of a file in the image (attack L12). Where another scanner
    is asked too, that one judges the package.
    """
    unseen = sorted(frozenset.intersection(*(report.passed_over for report in reports))) if reports else []
    if unseen:
        yield Problem(
            code="SCAN_INCOMPLETE", message="no scanner looked up some packages",
            expected="each package with advisories for this release looked up, by Grype where Trivy does not",
            seen=f"{len(unseen)} passed over by maker, module or architecture, e.g. {ascii(' '.join(unseen[0]))[1:-1]}",
            subject=subject,
            location=database_place(layers, coverage, now),
            next_step="Require grype beside trivy in `vulnerabilities.scanners.require`; where both passed it over, install the"
            " package as its distribution built it.",
        )  # fmt: skip
    common = frozenset.intersection(*(report.unjudged for report in reports)) if reports else frozenset[PackageKey]()
    unjudged = sorted(key for key in common if not coverage.accepted(key.path, now))
    if unjudged:
        named = (
            f"{unjudged[0]} at /{unjudged[0].path}"
            if unjudged[0].version
            else f"{unjudged[0].name} at /{unjudged[0].path}"
        )
        yield Problem(
            code="SCAN_INCOMPLETE", message="no scanner can look up some packages, and there are advisories for their names",
            expected="a version that can be compared", subject=subject,
            seen=f"{len(unjudged)} without a version of their ecosystem, e.g. {ascii(named)[1:-1]}",
            next_step="Install the package with the version that it was released as; a module from a folder has none. Where it is"
            f" known: `spec.coverage.accept` with `path: /{ascii(unjudged[0].path)[1:-1]}`.",
        )  # fmt: skip


def _canary_problems(report: ScanReport, subject: Digest) -> Iterator[Problem]:
    canary = report.canary
    if canary is None or isinstance(canary, Unavailable):
        yield problem_of(canary, f"the canary of {report.kind.value}", subject)
    elif not canary.is_found:
        lost = ", ".join(sorted(canary.expected - canary.found)[:_SHOWN]) or "nothing was planted"
        yield _problem(
            report,
            subject,
            "SCAN_CANARY",
            "did not find the canary",
            ", ".join(sorted(canary.expected)[:_SHOWN]),
            f"missing {lost}",
        )
