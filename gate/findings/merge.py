"""Merge what two scanners say: one finding per package and vulnerability, and nothing that one of them saw is lost.

Facts and rules: `checks` reference, sections 5.1 to 5.5. Two records are one defect when they are about the same package
and share an identity (CVE, GHSA, PYSEC ...), never a bundle (DSA, USN ...). An advisory that covers several CVEs joins
nothing: it is attached to each of its CVEs, so that two defects are never welded into one (attack V11).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gate.model.finding import Finding, FixState, Tool, ToolFinding
from gate.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from gate.model.finding import Package, PackageKey

_FIX_ORDER = (FixState.FIXED, FixState.NOT_FIXED, FixState.WONT_FIX, FixState.UNKNOWN)
_TOOL_ORDER = (Tool.TRIVY, Tool.GRYPE, Tool.GATE)


@dataclass(frozen=True, slots=True)
class _Record:
    """A tool's finding with the identities that it may be joined on, and those that are only remembered."""

    seen: ToolFinding
    joins: frozenset[str]
    remembered: frozenset[str]


def merge_findings(reports: Iterable[ToolFinding]) -> tuple[Finding, ...]:
    """Join the findings of any number of scanners; the order of the input does not matter.

    Returns:
        One `Finding` per package and set of shared identities, sorted by package and id.
    """
    groups = _join_loosely(_group_by_package(reports))
    merged = [finding for group in groups for finding in _merge_package(group)]
    return tuple(sorted(merged, key=lambda finding: (finding.package.key, finding.id)))


def identities(finding: ToolFinding) -> frozenset[str]:
    """Return every identity of a tool's finding, its own id included; bundles are not identities."""
    own = frozenset() if finding.id in finding.advisories else frozenset({finding.id})
    return own | finding.aliases


def fingerprint(vulnerability: str, package: Package) -> str:
    """Return 16 hex that stay the same over runs, tags, scanners and versions of the package."""
    key = package.key
    parts = (vulnerability, key.type, key.namespace, key.name, key.arch, key.path)
    text = "\0".join(parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _group_by_package(reports: Iterable[ToolFinding]) -> dict[PackageKey, list[ToolFinding]]:
    groups: dict[PackageKey, list[ToolFinding]] = defaultdict(list)
    for found in reports:
        groups[found.package.key].append(found)
    return groups


def _join_loosely(groups: dict[PackageKey, list[ToolFinding]]) -> list[list[ToolFinding]]:
    """Join two groups that differ in a jar's group or in the path only, where each tool has exactly one of them.

    The tools guess a jar's group and name a nested path differently; with two candidates on a side nothing is guessed.
    """
    loose: dict[PackageKey, list[PackageKey]] = defaultdict(list)
    for key in sorted(groups):
        namespace = "" if key.type == "maven" else key.namespace
        loose[replace(key, namespace=namespace, path="")].append(key)
    joined: list[list[ToolFinding]] = []
    for keys in loose.values():
        tools = [frozenset(found.tool for found in groups[key]) for key in keys]
        if len(keys) == 2 and len(tools[0]) == len(tools[1]) == 1 and tools[0] != tools[1]:
            joined.append(groups[keys[0]] + groups[keys[1]])
        else:
            joined.extend(groups[key] for key in keys)
    return joined


def _merge_package(group: Sequence[ToolFinding]) -> list[Finding]:
    ambiguous = _ambiguous_aliases(group)
    records = [record for found in group for record in _records(found, ambiguous)]
    return [_finding(members) for component in _components(records) for members in _by_cve(component)]


def _by_cve(component: Sequence[_Record]) -> list[list[_Record]]:
    """Take apart what a chain of identities welded: one list a CVE, and what names none by itself."""
    by_cve: dict[frozenset[str], list[_Record]] = defaultdict(list)
    for record in component:
        by_cve[_cves(record.joins)].append(record)
    nameless = by_cve.pop(frozenset(), [])
    if len(by_cve) < 2:
        return [list(component)]
    return [*by_cve.values(), *(_components(nameless) if nameless else [])]


def _cves(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name.startswith("CVE-"))


def _ambiguous_aliases(group: Sequence[ToolFinding]) -> frozenset[str]:
    """Return the identities, other than CVEs, that stand beside more than one CVE anywhere in this package's records."""
    beside: dict[str, set[str]] = defaultdict(set)
    for found in group:
        names = identities(found)
        for name in names - _cves(names):
            beside[name] |= _cves(names)
    return frozenset(name for name, cves in beside.items() if len(cves) > 1)


def _records(found: ToolFinding, ambiguous: frozenset[str]) -> list[_Record]:
    names = identities(found)
    cves = _cves(names)
    if len(cves) > 1:
        return [_Record(found, frozenset({cve}), names - cves) for cve in sorted(cves)]
    joins = names - ambiguous
    # A record that is known by an ambiguous advisory or a bundle alone still is a finding of its own.
    return [_Record(found, joins or frozenset({found.id}), names)]


def _components(records: Sequence[_Record]) -> list[list[_Record]]:
    """Split the records into the connected components over shared identities (union-find)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for record in records:
        first, *others = sorted(record.joins)
        for other in others:
            parent[root(other)] = root(first)
    components: dict[str, list[_Record]] = defaultdict(list)
    for record in records:
        components[root(min(record.joins))].append(record)
    return list(components.values())


def _finding(members: Sequence[_Record]) -> Finding:
    seen = sorted({record.seen for record in members}, key=_seen_order)
    joined = frozenset[str]().union(*(record.joins for record in members))
    shown = _shown_id(joined)
    package = seen[0].package
    return Finding(
        id=shown,
        aliases=joined.union(*(record.remembered for record in members)),
        package=package,
        severity=max((found.severity for found in seen), key=lambda severity: severity.rank),
        seen_by=tuple(seen),
        fix_state=min((found.fix_state for found in seen), key=_FIX_ORDER.index),
        fixed_versions=tuple(dict.fromkeys(version for found in seen for version in found.fixed_versions)),
        fingerprint=fingerprint(shown, package),
        kev=frozenset[str]().union(*(found.kev for found in seen)),
        epss=max(
            (score for found in seen for score in found.epss), key=lambda score: (score.score, score.cve), default=None
        ),
        fix_known_since=_fix_known_since(seen),
    )


def _seen_order(found: ToolFinding) -> tuple[object, ...]:
    """Order records totally by everything they say, so that the hash seed of the process never shows."""
    package = found.package
    return (
        _TOOL_ORDER.index(found.tool),
        found.id,
        package.key,
        (package.purl, package.name, package.version, package.source_name),
        (found.severity.rank, found.severity_text, found.severity_source),
        (found.fix_state, found.fixed_versions),
        *(tuple(sorted(names)) for names in (found.aliases, found.advisories, found.kev)),
        tuple((score.cve, score.score, score.percentile) for score in found.epss),
        *(date.timestamp() if date is not None else -1.0 for date in (found.published, found.fix_available)),
        (found.title, found.url, found.guessed),
    )


def _shown_id(names: frozenset[str]) -> str:
    for prefix in ("CVE-", "GHSA-"):
        preferred = sorted(name for name in names if name.startswith(prefix))
        if preferred:
            return preferred[0]
    return min(names)


def _fix_known_since(seen: Sequence[ToolFinding]) -> datetime | None:
    dates = [date for found in seen for date in (found.fix_available, found.published) if date is not None]
    return min(dates, default=None)


def severities(finding: Finding) -> dict[Tool, Severity]:
    """Return the highest severity of each tool that saw the finding."""
    highest: dict[Tool, Severity] = {}
    for found in finding.seen_by:
        known = highest.get(found.tool, Severity.UNKNOWN)
        highest[found.tool] = max(known, found.severity, key=lambda severity: severity.rank)
    return highest
