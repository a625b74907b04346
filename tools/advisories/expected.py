"""What each scanner must report for planted packages, computed from the list that the databases are built of.

Models the scanners only as far as the demonstration databases need: which name and version of a package they look up,
whose severity they show, and what Grype drops by a list that is compiled into it.
Specification: Trivy 0.72 `pkg/detector/{ospkg,library}`, `pkg/vulnerability/vulnerability.go`; Grype 0.115
`grype/matcher`, `grype/match/explicit_ignores.go`, `grype/db/v6/severity.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tools.advisories.catalog import load_advisories
from tools.advisories.grype_db import PACKAGE_TYPES, chmln, grype_word
from tools.advisories.model import Ecosystem, FixState, Scanner, Source, Word
from tools.advisories.records import Record, records
from tools.advisories.trivy_db import LEVELS
from tools.advisories.versions import is_affected, sort_versions

_TRIVY_WORDS: Final = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")
# (package type, names of the defect, packages), from explicit_ignores.go: what the advisories here touch of it.
_GRYPE_IGNORES: Final = (
    ("deb", frozenset({"CVE-2023-45853"}), frozenset({"zlib1g", "zlib"})),
    (
        "java-archive",
        frozenset({"CVE-2021-44228", "CVE-2021-45046", "GHSA-jfh8-c2jp-5v3q", "GHSA-7rjr-3q55-vv33"}),
        frozenset({"log4j-api", "log4j-slf4j-impl", "log4j-to-slf4j", "log4j-1.2-api"}),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedPackage:
    """An installed package. Maven names are `group:artifact`, Python names normalised.

    `release` is that of a distribution; `source` and `source_version` are the source package's where they differ.
    """

    ecosystem: Ecosystem
    release: str = ""
    name: str
    version: str
    source: str = ""
    source_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ExpectedFinding:
    """One finding, in the words of its scanner.

    `aliases` are the other names that the report carries: Trivy's `VendorIDs`, Grype's related CVE and GHSA names without
    its own id. `fixed_versions` are those of all ranges, wherever the installed version lies: in Trivy's report in
    their order, in Grype's ascending. Grype shows a Maven artifact without its group.
    """

    scanner: Scanner
    ecosystem: Ecosystem
    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    severity: str
    state: str
    fixed_versions: tuple[str, ...]


def expected_findings(packages: Iterable[PlantedPackage]) -> tuple[ExpectedFinding, ...]:
    """Return what both scanners must find in the packages, sorted."""
    planted = tuple(packages)
    found = {
        finding
        for scanner in Scanner
        for record in records(scanner, load_advisories())
        for package in planted
        for finding in _findings(scanner, record, package)
    }
    return tuple(sorted(found))


def _findings(scanner: Scanner, record: Record, package: PlantedPackage) -> Iterator[ExpectedFinding]:
    affected = record.affected
    if (affected.ecosystem, affected.release) != (package.ecosystem, package.release):
        return
    for name, version in _lookups(scanner, package):
        if name != affected.package or not is_affected(affected.ecosystem, version, affected.ranges):
            continue
        if scanner is Scanner.GRYPE and _ignored_by_grype(record, package):
            continue
        yield ExpectedFinding(
            scanner=scanner,
            ecosystem=affected.ecosystem,
            package=_reported_name(scanner, package),
            version=package.version,
            id=record.id,
            aliases=_aliases(scanner, record),
            severity=_trivy_severity(record) if scanner is Scanner.TRIVY else _grype_severity(record),
            state=_trivy_state(record) if scanner is Scanner.TRIVY else _grype_state(record),
            fixed_versions=_fixed_versions(scanner, record),
        )


def _lookups(scanner: Scanner, package: PlantedPackage) -> set[tuple[str, str]]:
    """Return the names and versions that are looked up: Trivy asks for the source package, Grype for both."""
    source = (package.source or package.name, package.source_version or package.version)
    return {source} if scanner is Scanner.TRIVY else {source, (package.name, package.version)}


def _ignored_by_grype(record: Record, package: PlantedPackage) -> bool:
    name = package.name.rpartition(":")[2]
    return any(
        PACKAGE_TYPES[package.ecosystem] == kind and record.id in ids and name in names
        for kind, ids, names in _GRYPE_IGNORES
    )


def _aliases(scanner: Scanner, record: Record) -> tuple[str, ...]:
    if record.affected.ecosystem.is_distribution:
        return ()
    if scanner is Scanner.TRIVY:
        return tuple(name for name in record.aliases if not name.startswith("CVE-"))
    return tuple(name for name in record.aliases if name.startswith(("CVE-", "GHSA-")))


def _reported_name(scanner: Scanner, package: PlantedPackage) -> str:
    grouped = scanner is Scanner.GRYPE and package.ecosystem is Ecosystem.MAVEN
    return package.name.rpartition(":")[2] if grouped else package.name


def _fixed_versions(scanner: Scanner, record: Record) -> tuple[str, ...]:
    versions = record.fixed_versions
    return sort_versions(record.affected.ecosystem, versions) if scanner is Scanner.GRYPE else versions


def _trivy_severity(record: Record) -> str:
    affected = record.affected
    if affected.ecosystem in {Ecosystem.DEBIAN, Ecosystem.UBUNTU} and affected.urgency:
        return _TRIVY_WORDS[LEVELS[affected.urgency]]
    order = [record.source, *([Source.GHSA] if record.id.startswith("GHSA-") else []), Source.NVD]
    found = next((severity for source in order if (severity := record.severity(source))), None)
    return _TRIVY_WORDS[LEVELS[found.word] if found else 0]


def _grype_severity(record: Record) -> str:
    word: Word | None = grype_word(record)
    if word is None and record.source is Source.OSV and (scored := record.severity(Source.OSV)):
        word = scored.word
    return chmln(word).capitalize() if word else "Unknown"


def _trivy_state(record: Record) -> str:
    if record.fixed_versions:
        return "fixed"
    return "will_not_fix" if record.affected.state is FixState.WONT_FIX else "affected"


def _grype_state(record: Record) -> str:
    return FixState.FIXED.value if record.fixed_versions else record.affected.state.value
