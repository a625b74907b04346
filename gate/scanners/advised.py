"""Ask a vulnerability database itself: which names it knows, and what it says of a vulnerability in a release.

A scanner lists a package that it cannot look up (a version that is none, no version at all) as it lists any other, and leaves
out what a package of the distribution claims. Whether either matters is in the database: a name without advisories loses
nothing. Specification: trivy-db buckets `ECOSYSTEM::SOURCE` and `FAMILY RELEASE`; Grype's schema 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gate.codec.bolt import Bucket
from gate.model.evidence import Distribution
from gate.model.finding import PackageKey
from gate.scanners.advisory_coverage import grype_aliases, grype_spellings, grype_systems, trivy_bucket
from gate.scanners.database_facts import open_bolt, query

# purl type -> (prefix of Trivy's buckets, ecosystem in Grype's table `packages`), for what real databases have advisories for.
ECOSYSTEMS: Final[Mapping[str, tuple[bytes, str]]] = MappingProxyType(
    {
        "pypi": (b"pip::", "python"), "npm": (b"npm::", "npm"), "maven": (b"maven::", "java-archive"),
        "gem": (b"rubygems::", "gem"), "golang": (b"go::", "go-module"), "cargo": (b"cargo::", "rust-crate"),
        "composer": (b"composer::", "php-composer"), "nuget": (b"nuget::", "dotnet"),
    }
)  # fmt: skip
Claim = tuple[str, str]
"""The name of a package of the distribution, or of its source, and the id of a vulnerability."""


def advised_by_trivy(database: Path, keys: Iterable[PackageKey]) -> frozenset[PackageKey]:
    """Return those of these packages of languages whose names have advisories; raises DatabaseError."""
    asked = [key for key in keys if key.type in ECOSYSTEMS]
    if not asked:
        return frozenset()
    with open_bolt(database) as root:
        names = list(root.bucket_names())
        buckets = {
            kind: [root.bucket(name) for name in names if name.startswith(prefix)]
            for kind, (prefix, _) in ECOSYSTEMS.items()
        }
        return frozenset(key for key in asked if any(_knows(bucket, key) for bucket in buckets[key.type]))


def _knows(bucket: Bucket | None, key: PackageKey) -> bool:
    return bucket is not None and any(bucket.bucket(name.encode()) is not None for name in names_of(key))


def names_of(key: PackageKey) -> tuple[str, ...]:
    """Return the names under which databases may have a package: with its group or scope, and as it is written."""
    separator = ":" if key.type == "maven" else "/"
    whole = f"{key.namespace}{separator}{key.name}" if key.namespace else key.name
    return tuple(dict.fromkeys((whole, whole.lower(), whole.replace("-", "_"))))


def covered_by_trivy(database: Path) -> frozenset[str]:
    """Return the ecosystems for which the database has any advisory; raises DatabaseError."""
    with open_bolt(database) as root:
        names = list(root.bucket_names())
        return frozenset(
            kind for kind, (prefix, _) in ECOSYSTEMS.items() if any(name.startswith(prefix) for name in names)
        )


def covered_by_grype(database: Path) -> frozenset[str]:
    """Return the ecosystems for which the database has any advisory; raises DatabaseError."""
    statement = (
        "SELECT DISTINCT ecosystem FROM packages"
        " WHERE EXISTS (SELECT 1 FROM affected_package_handles WHERE package_id = packages.id)"
    )
    listed = {row[0] for row in query(database, statement)}
    return frozenset(kind for kind, (_, name) in ECOSYSTEMS.items() if name in listed)


def advised_by_grype(database: Path, keys: Iterable[PackageKey]) -> frozenset[PackageKey]:
    """Return those of these packages of languages whose names have advisories; raises DatabaseError."""
    statement = (
        "SELECT 1 FROM packages JOIN affected_package_handles AS affected ON affected.package_id = packages.id"
        " WHERE packages.ecosystem = ? AND packages.name = ? COLLATE NOCASE LIMIT 1"
    )
    return frozenset(
        key
        for key in keys
        if key.type in ECOSYSTEMS
        and any(query(database, statement, (ECOSYSTEMS[key.type][1], name)) for name in names_of(key))
    )


def answered_by_trivy(database: Path, distribution: Distribution | None, asked: Iterable[Claim]) -> frozenset[Claim]:
    """Return the pairs for which the release has an entry: whatever it says is the distribution's answer."""
    pairs = tuple(asked)
    if distribution is None or not pairs:
        return frozenset()
    wanted = trivy_bucket(distribution)
    with open_bolt(database) as root:
        names = [name for name in root.bucket_names() if name.decode("utf-8", "replace").lower() == wanted]
        releases = [release for name in names if (release := root.bucket(name)) is not None]
        return frozenset(pair for pair in pairs if any(_answers(release, *pair) for release in releases))


def _answers(release: Bucket, name: str, vulnerability: str) -> bool:
    package = release.bucket(name.encode())
    return package is not None and package.get(vulnerability.encode()) is not None


def answered_by_grype(database: Path, distribution: Distribution | None, asked: Iterable[Claim]) -> frozenset[Claim]:
    """Return the pairs for which the release has a row, affected or not; raises DatabaseError."""
    pairs = tuple(asked)
    if distribution is None or not pairs:
        return frozenset()
    spellings = grype_spellings(distribution, grype_aliases(database))
    systems = [number for number, known in grype_systems(database) if known & spellings]
    tables = [name for name in ("affected_package_handles", "unaffected_package_handles") if _has_table(database, name)]
    return frozenset(
        pair
        for pair in pairs
        if any(_has_row(database, table, system, *pair) for table in tables for system in systems)
    )


def _has_table(database: Path, name: str) -> bool:
    return bool(query(database, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))


def _has_row(database: Path, table: str, system: int, name: str, vulnerability: str) -> bool:
    # The name of the table is one of the two above.
    statement = (
        f"SELECT 1 FROM {table} AS row JOIN packages ON packages.id = row.package_id"  # noqa: S608
        " JOIN vulnerability_handles ON vulnerability_handles.id = row.vulnerability_id"
        " WHERE row.operating_system_id = ? AND packages.name = ? COLLATE NOCASE AND vulnerability_handles.name = ? LIMIT 1"
    )
    return bool(query(database, statement, (system, name, vulnerability)))
