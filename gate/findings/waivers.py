"""Waivers: data attached to a finding, which removes nothing from the record (rule 3).

A waiver matches exactly: check, repository, and every field of its `match`. It ends at 24:00 UTC of its last day. Whether
it is complete and short enough was settled when the policy was parsed (attacks P08, K15).
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from gate.codec.purl import DISTRIBUTION_TYPES, package_key
from gate.errors import GateError
from gate.findings.versions import in_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.model.finding import Finding, PackageKey
    from gate.model.policy import Waiver
    from gate.model.reference import Repository
    from gate.model.verdict import Problem


def is_active(waiver: Waiver, now: datetime) -> bool:
    """Say whether the waiver's last day is not over yet."""
    return now < datetime.combine(waiver.expires, time.min, UTC) + timedelta(days=1)


def applies_to_image(waiver: Waiver, repository: Repository | None) -> bool:
    """Say whether the image is one that the waiver names; an image without a name is covered by `**` alone."""
    return waiver.images.matches(str(repository)) if repository is not None else waiver.images.pattern == "**"


def excuses(waiver: Waiver, check: str, problem: Problem, findings: Sequence[Finding]) -> bool:
    """Say whether the waiver names this problem of this check.

    `findings` are the vulnerabilities with the problem's fingerprint: one, or one for each installed version of a package
    that is there several times; the waiver must name them all.
    """
    if waiver.check != check:
        return False
    match check:
        case "vulnerability":
            return bool(findings) and all(_names_vulnerability(waiver, finding) for finding in findings)
        case "secret":
            return bool(problem.fingerprint) and waiver.match.get("fingerprint") == problem.fingerprint
        case "rules":
            return bool(problem.rule) and waiver.match.get("rule") == problem.rule
        case _:
            return check.startswith("image-") and _names_image_fact(waiver, problem)


def _names_image_fact(waiver: Waiver, problem: Problem) -> bool:
    wanted_place = waiver.match.get("location")
    return waiver.match.get("code") == problem.code and (wanted_place is None or wanted_place == problem.location)


def _names_vulnerability(waiver: Waiver, finding: Finding) -> bool:
    if waiver.match.get("vulnerability") not in finding.aliases:
        return False
    try:
        named = package_key(waiver.match["package"])
    except (GateError, KeyError):
        return False
    keys = [seen.package.key for seen in finding.seen_by]
    # A scanner may guess a jar's group (`docs/adr/0006-judging.md`): one that names it rightly is enough.
    return all(_names_package(named, waiver.match.get("versions", ""), key) for key in keys) and any(
        key.type in DISTRIBUTION_TYPES or key.namespace == named.namespace for key in keys
    )


def _names_package(named: PackageKey, versions: str, found: PackageKey) -> bool:
    return (named.type, named.name) == (found.type, found.name) and in_range(found.version, versions, found.type)
