"""What a scanner's silence says: nothing, unless it listed the package and looked it up; and when a distribution speaks instead.

A file of a language that a package of the distribution claims has two names: the distribution's, with its own patches, and
the language's. The distribution's answer stands only where its database has a word on this very vulnerability, for this
package or its source, and the claiming package is of the same upstream version: a line in a file list is not enough.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.codec.purl import DISTRIBUTION_TYPES
from gate.model.evidence import LayerFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.model.evidence import OsPackage, ScanReport
    from gate.model.finding import Finding, PackageKey

LookedUp = tuple[str, str, str]
"""A package as a vote is counted on it: type, name, version; wherever it stands, of whatever architecture."""

_EPOCH: Final = re.compile(r"\d+:")
# What a distribution adds to an upstream version: `+dfsg`, `+ds1`, `~rc`.
_ADDED: Final = re.compile(r"[+~].*")


def looked_up_key(key: PackageKey) -> LookedUp:
    """Return a package as votes are counted on it: the tools name a jar's group differently, and a nested file's path."""
    namespace = "" if key.type == "maven" else key.namespace
    name = f"{namespace}/{key.name}" if namespace else key.name
    return key.type, name, key.version


def looked_up(report: ScanReport) -> frozenset[LookedUp]:
    """Return the packages that a scanner listed and for which it asked its database."""
    passed_over = report.passed_over
    return frozenset(
        looked_up_key(package.key)
        for package in report.packages
        if package.key not in report.unjudged
        and not (
            package.key.type in DISTRIBUTION_TYPES
            and (package.key.name, package.key.version, package.key.arch) in passed_over
        )
    )


def answers(layers: LayerFacts | object, reports: Iterable[ScanReport]) -> frozenset[tuple[str, str, str]]:
    """Return path, claiming package's version and vulnerability wherever a distribution has its own word."""
    if not isinstance(layers, LayerFacts):
        return frozenset()
    asked = tuple(reports)
    known = frozenset[tuple["OsPackage", str]]().union(*(report.answered for report in asked))
    # A package that every scanner passed over was looked up by nobody, so that its distribution said nothing here.
    silent = frozenset.intersection(*(report.passed_over for report in asked)) if asked else frozenset()
    return frozenset(
        (path, owner[1], vulnerability)
        for path, owner in layers.claims
        for answered, vulnerability in known
        if answered == owner and owner in layers.os_packages and owner not in silent
    )


def distribution_answer(finding: Finding, known: frozenset[tuple[str, str, str]]) -> str:
    """Return the version of the distribution's package whose answer stands instead of this finding; empty for none."""
    key = finding.package.key
    if key.type in DISTRIBUTION_TYPES or not key.path:
        return ""
    return next(
        (
            version
            for path, version, vulnerability in sorted(known)
            if path == key.path and vulnerability in finding.aliases and upstream(version) == key.version.lower()
        ),
        "",
    )


def upstream(version: str) -> str:
    """Return the upstream part of a distribution's version."""
    bare = _EPOCH.sub("", version, count=1)
    head, dash, _ = bare.rpartition("-")
    return _ADDED.sub("", head if dash else bare).lower()
