"""The single demands of the proof of completeness, each with its own reason code (`checks` reference, section 3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from gate.findings.distributions import agrees, is_known
from gate.findings.package_places import is_chiselled, place_problems
from gate.model.evidence import Unavailable
from gate.model.glob import Glob
from gate.model.policy import CoveragePolicy, FailOrIgnore, VulnerabilityPolicy
from gate.model.problems import problem_of
from gate.model.releases import Life, end_of_life
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import (
        DatabaseIdentity,
        Distribution,
        LayerFacts,
        RequestFacts,
        ScanReport,
        SubjectEvidence,
    )

_CLOCK_SKEW = timedelta(minutes=5)
_JAVA_DATABASE_MAX_AGE = timedelta(days=14)  # published weekly, and it names jars only: it holds no advisories
_SHOWN = 3


def layer_problems(
    layers: LayerFacts,
    request: RequestFacts,
    subject: Digest,
    policy: VulnerabilityPolicy,
    coverage: CoveragePolicy,
    now: datetime,
) -> Iterator[Problem]:
    """Judge the gate's own reading: distribution known and alive, package databases whole and where they belong."""
    yield from place_problems(layers, coverage, subject, now)
    for path in layers.removed_databases:
        yield Problem(
            code="IMG_PKGDB_REMOVED",
            message="a later layer removed or emptied the package database",
            expected=f"{path} as the base had it",
            seen="gone in the final file system",
            subject=subject,
        )
    yield from _database_problems(layers, subject)
    if layers.distribution is not None:
        yield from _distribution_problems(layers.distribution, subject, policy, now)
        if _lacks_packages(layers) and not (not layers.package_databases and _is_empty_base(request, subject, policy)):
            yield _no_packages(f"{layers.distribution.id} with no installed package", subject)
    elif layers.package_databases or not _is_empty_base(request, subject, policy):
        yield _os_unknown(
            "no os-release in the image", "a distribution, or an entry in vulnerabilities.emptyBase", subject
        )


def _lacks_packages(layers: LayerFacts) -> bool:
    """Say whether nothing is listed, and nothing else says why: a removed database, a chiselled image's manifest."""
    explained = bool(layers.removed_databases) or is_chiselled(layers)
    return not layers.os_packages and not explained


def _is_empty_base(request: RequestFacts, subject: Digest, policy: VulnerabilityPolicy) -> bool:
    """Say whether the policy names this image, by digest or repository, as one that has no distribution."""
    digests = {str(digest) for digest in (subject, request.digest) if digest is not None}
    repository = str(request.repository) if request.repository is not None else ""
    return any(
        entry in digests if entry.startswith("sha256:") else Glob(entry).matches(repository)
        for entry in policy.empty_base
    )


def _database_problems(layers: LayerFacts, subject: Digest) -> Iterator[Problem]:
    for database in layers.package_databases:
        place = f"{database.kind} database at /{ascii(database.path)[1:-1]}"
        if not database.readable:
            yield Problem(
                code="SCAN_PKGDB_UNREADABLE", message=f"the {place} cannot be read", expected="a form that the gate reads",
                seen=database.problem or "unknown form", subject=subject,
            )  # fmt: skip
        if database.linked:
            yield Problem(
                code="SCAN_INCOMPLETE", message=f"the {place} is reached through a link", expected="a regular file",
                seen="a link, which the scanners follow differently", subject=subject,
            )  # fmt: skip


def _distribution_problems(
    found: Distribution, subject: Digest, policy: VulnerabilityPolicy, now: datetime
) -> Iterator[Problem]:
    for conflict in found.conflicts:
        yield _os_unknown(conflict, "release files that name one distribution", subject)
    if not is_known(found):
        yield _os_unknown(ascii(found.id[:80]), "a distribution that both scanners know", subject)
        return
    if policy.end_of_life is FailOrIgnore.IGNORE:
        return
    last_day = end_of_life(found.id, found.version_id)
    if last_day is Life.UNKNOWN:
        yield _os_unknown(f"{found.id} {found.version_id[:40]!a}", "a release whose end of support is known", subject)
    elif isinstance(last_day, date) and last_day < now.date():
        yield _end_of_life(f"{found.id} {found.version_id[:40]!a}, supported until {last_day}", subject)


def _os_unknown(seen: str, expected: str, subject: Digest) -> Problem:
    return Problem(
        code="SCAN_OS_UNKNOWN", message="the distribution is not known", expected=expected, seen=seen, subject=subject
    )


def _end_of_life(seen: str, subject: Digest) -> Problem:
    return Problem(
        code="SCAN_OS_EOL",
        message="the release is no longer supported",
        expected="a supported release",
        seen=seen,
        subject=subject,
    )


def _no_packages(seen: str, subject: Digest) -> Problem:
    return Problem(
        code="SCAN_NO_PACKAGES",
        message="there are no packages to judge",
        expected="at least one",
        seen=seen,
        subject=subject,
    )


def report_problems(
    report: ScanReport, subject: SubjectEvidence, layers: LayerFacts, policy: VulnerabilityPolicy | None, now: datetime
) -> Iterator[Problem]:
    """Judge one scanner's report: the right image, a fresh database, the same system and packages, the canary found.

    `policy` is None for a scanner that only searches for secrets here: then only its target is compared.
    """
    yield from _target_problems(report, subject, layers)
    if policy is None:
        return
    yield from _age_problems(report, policy, subject.subject.digest, now)
    yield from _same_system_problems(report, subject.subject.digest, layers, policy)
    yield from _canary_problems(report, subject.subject.digest)
    if report.uncovered:
        yield _problem(
            report,
            subject.subject.digest,
            "SCAN_ECOSYSTEM_UNCOVERED",
            "has no advisories for a language that is in the image",
            "advisories for each of its languages",
            ", ".join(sorted(report.uncovered)),
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


def _problem(report: ScanReport, subject: Digest, code: str, message: str, expected: str, seen: str) -> Problem:
    return Problem(code=code, message=f"{report.kind.value}: {message}", expected=expected, seen=seen, subject=subject)


def _target_problems(report: ScanReport, subject: SubjectEvidence, layers: LayerFacts) -> Iterator[Problem]:
    config = None if isinstance(subject.manifest, Unavailable) else subject.manifest.config.digest
    expected = tuple(layer.diff_id for layer in layers.layers)
    others = {report.target_config or config, report.target_manifest or subject.subject.digest} - {
        config,
        subject.subject.digest,
    }
    if (
        report.target_diff_ids != expected
        or others
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
    report: ScanReport, subject: Digest, layers: LayerFacts, policy: VulnerabilityPolicy
) -> Iterator[Problem]:
    found = layers.distribution
    if found is None:
        if report.distribution is not None:
            yield _os_unknown(
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
        yield _os_unknown(
            f"{report.kind.value} sees {ascii(seen[:80])[1:-1]}", f"{found.id} {found.version_id}", subject
        )
    elif (
        report.distribution is not None and report.distribution.end_of_life and policy.end_of_life is FailOrIgnore.FAIL
    ):
        yield _end_of_life(f"{found.id} {found.version_id}, says {report.kind.value}", subject)
    if not report.covered:
        yield _problem(
            report,
            subject,
            "SCAN_OS_UNCOVERED",
            "has no advisories for this release",
            f"{found.id} {found.version_id} in its database",
            "nothing",
        )
    yield from _package_problems(report, subject, layers)


def _package_problems(report: ScanReport, subject: Digest, layers: LayerFacts) -> Iterator[Problem]:
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


def passed_over_problems(reports: Sequence[ScanReport], subject: Digest) -> Iterator[Problem]:
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
            next_step="Require grype beside trivy in `vulnerabilities.scanners.require`; where both passed it over, install the"
            " package as its distribution built it.",
        )  # fmt: skip
    unjudged = sorted(frozenset.intersection(*(report.unjudged for report in reports))) if reports else []
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
            next_step="Install the package with the version that it was released as; a module from a folder has none.",
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
