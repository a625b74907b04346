"""The single demands of the proof of completeness, each with its own reason code (`checks` reference, section 3)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from gate.findings.accepted_places import RELEASE_FILE, database_place
from gate.findings.distributions import is_known
from gate.findings.package_places import is_chiselled, place_problems
from gate.model.glob import Glob
from gate.model.policy import CoveragePolicy, FailOrIgnore, VulnerabilityPolicy
from gate.model.releases import Life, end_of_life
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import (
        Distribution,
        LayerFacts,
        RequestFacts,
    )


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
            location=path,
        )
    yield from _database_problems(layers, subject)
    if layers.distribution is not None:
        yield from _distribution_problems(layers.distribution, subject, policy, now)
        if _lacks_packages(layers) and not (not layers.package_databases and _is_empty_base(request, subject, policy)):
            place = database_place(layers, coverage, now)
            yield _no_packages(f"{layers.distribution.id} with no installed package", subject, place)
    elif layers.package_databases or not _is_empty_base(request, subject, policy):
        yield os_unknown(
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
                seen=database.problem or "unknown form", subject=subject, location=database.path,
            )  # fmt: skip
        if database.linked:
            yield Problem(
                code="SCAN_INCOMPLETE", message=f"the {place} is reached through a link", expected="a regular file",
                seen="a link, which the scanners follow differently", subject=subject, location=database.path,
            )  # fmt: skip


def _distribution_problems(
    found: Distribution, subject: Digest, policy: VulnerabilityPolicy, now: datetime
) -> Iterator[Problem]:
    for conflict in found.conflicts:
        yield os_unknown(conflict, "release files that name one distribution", subject)
    if not is_known(found):
        yield os_unknown(ascii(found.id[:80]), "a distribution that both scanners know", subject)
        return
    if policy.end_of_life is FailOrIgnore.IGNORE:
        return
    last_day = end_of_life(found.id, found.version_id)
    if last_day is Life.UNKNOWN:
        yield os_unknown(f"{found.id} {found.version_id[:40]!a}", "a release whose end of support is known", subject)
    elif isinstance(last_day, date) and last_day < now.date():
        yield ended_life(f"{found.id} {found.version_id[:40]!a}, supported until {last_day}", subject)


def os_unknown(seen: str, expected: str, subject: Digest) -> Problem:
    """Return the problem of a distribution that is not known, or not the same for every reader."""
    return Problem(
        code="SCAN_OS_UNKNOWN", message="the distribution is not known", expected=expected, seen=seen, subject=subject,
        location=RELEASE_FILE,
    )  # fmt: skip


def ended_life(seen: str, subject: Digest) -> Problem:
    """Return the problem of a release that is no longer supported."""
    return Problem(
        code="SCAN_OS_EOL",
        message="the release is no longer supported",
        expected="a supported release",
        seen=seen,
        subject=subject,
    )


def _no_packages(seen: str, subject: Digest, place: str) -> Problem:
    return Problem(
        code="SCAN_NO_PACKAGES",
        message="there are no packages to judge",
        expected="at least one",
        seen=seen,
        subject=subject,
        location=place,
    )
