"""Say whether a vulnerability database has advisories for a release of a distribution.

Both scanners answer "no findings" for a release that their database does not know, and Grype then looks among all
releases of the same major version. So the gate reads the lists itself: Trivy's names of buckets, Grype's table of
operating systems that have at least one affected package. The lists are computed once per database and kept by its
digest. It knows nothing of an image and judges nothing.

Specification: checks reference, sections 2.2 and 3.2; trivy-db `pkg/vulnsrc/bucket`; Grype v0.115 `grype/db/v6`
(`operating_system_store.go`: overrides, and the fall-back that is not repeated here).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gate.codec.bolt import Bucket
from gate.codec.strict_json import Fault, parse_object
from gate.disk.content import read_private, write_atomically
from gate.errors import DatabaseError, GateError
from gate.model.evidence import Distribution
from gate.model.finding import Package
from gate.scanners.database_facts import open_bolt, query
from gate.scanners.database_store import Database, DatabaseKind

_FAULT: Final = Fault(DatabaseError, "DB_MALFORMED", "a cached coverage list")
_VERSION: Final = "1"  # of the cached form
_MAX_LIST_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class CoverageList:
    """The releases that one database covers, as lower-case texts in that database's own spelling."""

    releases: frozenset[str]


def _major(version: str) -> str:
    return version.split(".", 1)[0]


def _major_minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _nothing(_version: str) -> str:
    return ""


# os-release ID -> (Trivy's bucket before the version, the part of VERSION_ID that follows).
_TRIVY_BUCKETS: Final[Mapping[str, tuple[str, Callable[[str], str]]]] = MappingProxyType(
    {
        "debian": ("debian", _major),
        "ubuntu": ("ubuntu", _major_minor),
        "alpine": ("alpine", _major_minor),
        "wolfi": ("wolfi", _nothing),
        "chainguard": ("chainguard", _nothing),
        "rhel": ("red hat", _nothing),
        "centos": ("red hat", _nothing),
        "rocky": ("rocky", _major),
        "almalinux": ("alma", _major),
        "ol": ("oracle linux", _major),
        "amzn": ("amazon linux", _major),
        "mariner": ("cbl-mariner", _major_minor),
        "azurelinux": ("azure linux", _major_minor),
        "opensuse-leap": ("opensuse leap", _major_minor),
        "sles": ("suse linux enterprise", _major_minor),
        "photon": ("photon os", _major_minor),
    }
)
# os-release ID -> the name in Grype's table of operating systems, where it differs.
_GRYPE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"rhel": "redhat", "rocky": "rockylinux", "ol": "oraclelinux", "amzn": "amazonlinux", "opensuse-leap": "opensuse"}
)

_ROLLING: Final = frozenset({"wolfi", "chainguard"})


def release_covered(database: Database, distribution: Distribution | None, cache: Path | None) -> bool | None:
    """Say whether a verified database covers the release of an image; None for an image without a distribution.

    Raises:
        DatabaseError: `DB_MALFORMED`.
    """
    return None if distribution is None else covers(database.kind, coverage_list(database, cache), distribution)


def covers(kind: DatabaseKind, listed: CoverageList, distribution: Distribution) -> bool:
    """Say whether the list of a database of this kind names the release of a distribution."""
    match kind:
        case DatabaseKind.TRIVY:
            return _trivy_covers(listed, distribution)
        case DatabaseKind.GRYPE:
            return _grype_covers(listed, distribution)
        case DatabaseKind.JAVA:
            return False


def _trivy_covers(listed: CoverageList, distribution: Distribution) -> bool:
    return trivy_bucket(distribution) in listed.releases


def trivy_bucket(distribution: Distribution) -> str:
    """Return the lower-case name of Trivy's bucket for a release; empty for a distribution that Trivy does not judge."""
    known = _TRIVY_BUCKETS.get(distribution.id)
    return f"{known[0]} {known[1](distribution.version_id)}".strip() if known else ""


def advised_in_trivy(
    database: Path, distribution: Distribution | None, packages: Iterable[Package]
) -> tuple[Package, ...]:
    """Return the packages that Trivy's database has advisories for in this release, under their own or their source's name.

    Raises:
        DatabaseError: `DB_MALFORMED` or `DB_MISSING`.
    """
    asked = tuple(packages)
    if distribution is None or not asked:
        return ()
    wanted = trivy_bucket(distribution)
    with open_bolt(database) as root:
        names = [name for name in root.bucket_names() if name.decode("utf-8", "replace").lower() == wanted]
        releases = [release for name in names if (release := root.bucket(name)) is not None]
        return tuple(package for package in asked if any(_advises(release, package) for release in releases))


def _advises(release: Bucket, package: Package) -> bool:
    return any(release.bucket(name.encode()) is not None for name in (package.name, package.source_name) if name)


def _grype_covers(listed: CoverageList, distribution: Distribution) -> bool:
    return any(spelling in listed.releases for spelling in grype_spellings(distribution))


def grype_spellings(distribution: Distribution, aliases: list[tuple[str, str]] | None = None) -> frozenset[str]:
    """Return the spellings, as `grype_systems` has them, any of which covers this distribution.

    Where the image has a codename, Grype asks for it too, and a row with another one does not count; where it has none,
    any row of the version does. `aliases` are those of the database: the names that they lead to are among the answer.
    """
    names = {distribution.id, _GRYPE_NAMES.get(distribution.id, distribution.id)}
    names |= {replacement for alias, replacement in aliases or () if alias in names}
    major, *rest = distribution.version_id.split(".")
    major = "" if distribution.id in _ROLLING else major
    # Grype's builder writes minor versions without leading zeros: 22.04 is 22 and 4.
    minors = {"", rest[0], rest[0].lstrip("0")} if rest else {""}
    return frozenset(f"{name} {major}.{minor} {distribution.codename.lower()}" for name in names for minor in minors)


def coverage_list(database: Database, cache: Path | None) -> CoverageList:
    """Return the list of a database, from `cache` (a private directory) or by reading the database.

    The database was verified by the caller. A cached list that is damaged is computed anew.

    Raises:
        DatabaseError: `DB_MALFORMED`.
    """
    place = cache / f"coverage-{_VERSION}-{database.kind.value}-{database.identity.digest.hex}.json" if cache else None
    if place is not None and (known := _cached(place)) is not None:
        return known
    computed = _read_list(database)
    if place is not None:
        # Without the cache the list is computed again: nothing else is lost.
        with contextlib.suppress(OSError):
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(place, json.dumps({"releases": sorted(computed.releases)}).encode())
    return computed


def _read_list(database: Database) -> CoverageList:
    match database.kind:
        case DatabaseKind.TRIVY:
            return _trivy_list(database.main_file)
        case DatabaseKind.GRYPE:
            return _grype_list(database.main_file)
        case DatabaseKind.JAVA:
            return CoverageList(frozenset())


def _cached(place: Path) -> CoverageList | None:
    try:
        view = parse_object(read_private(place), _FAULT, limit_bytes=_MAX_LIST_BYTES)
        return CoverageList(frozenset(view.texts("releases")))
    except (OSError, GateError):
        return None


def _trivy_list(path: Path) -> CoverageList:
    with open_bolt(path) as root:
        names = [name.decode("utf-8", "replace").lower() for name in root.bucket_names()]
        filled = [name for name in names if "::" not in name]
    return CoverageList(frozenset(filled))


def _grype_list(path: Path) -> CoverageList:
    releases = frozenset[str]().union(*(spellings for _, spellings in grype_systems(path)))
    replaced = {
        f"{alias} {release.removeprefix(f'{replacement} ')}"
        for alias, replacement in grype_aliases(path)
        for release in releases
        if release.startswith(f"{replacement} ")
    }
    return CoverageList(releases | replaced)


def grype_systems(path: Path) -> list[tuple[int, frozenset[str]]]:
    """Return the operating systems with at least one affected package: row id, and how it may be asked for.

    A spelling is `name major.minor codename`: by name (`redhat`) or release id (`rhel`), by codename, label, or neither.
    """
    rows = query(
        path,
        "SELECT id, name, release_id, major_version, minor_version, label_version, codename FROM operating_systems AS os"
        " WHERE EXISTS (SELECT 1 FROM affected_package_handles WHERE operating_system_id = os.id) ORDER BY id",
    )
    return [(int(str(row[0])), _row_spellings([str(value or "").lower() for value in row[1:]])) for row in rows]


def _row_spellings(row: list[str]) -> frozenset[str]:
    name, release_id, major, minor, label, codename = row
    return frozenset(f"{text} {major}.{minor} {word}" for text in (name, release_id) for word in ("", label, codename))


def grype_aliases(path: Path) -> list[tuple[str, str]]:
    """Return (name of a distribution, name whose rows Grype takes for it, in every version), lower-case, of a database."""
    rows = query(
        path,
        "SELECT alias, replacement FROM operating_system_specifier_overrides"
        " WHERE COALESCE(replacement, '') != '' AND COALESCE(version, '') = '' AND COALESCE(version_pattern, '') = ''",
    )
    return [(str(alias).lower(), str(replacement).lower()) for alias, replacement in rows]
