"""Packages of rpm that a scanner lists and then asks nothing about, by a word of their header: architecture, module, flavour.

Each word is the image's. Where the database has advisories for a package's name, and none of them can be reached with these
words, the package counts as not looked up. Sources: Trivy v0.72.0 `pkg/detector/ospkg/{rocky,oracle,redhat,alma}` with trivy-db
`pkg/vulnsrc/{rocky,oracle-oval}`; Grype v0.115.0 `grype/pkg/qualifier/rpmmodularity`. Reviewed 2026-12-01.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from gate.codec.bolt import Bucket
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.errors import DatabaseError
from gate.model.evidence import Distribution, OsPackage
from gate.model.finding import Package
from gate.scanners.advisory_coverage import grype_aliases, grype_spellings, grype_systems, trivy_bucket
from gate.scanners.database_facts import open_bolt, query

_FAULT: Final = Fault(DatabaseError, "DB_MALFORMED", "an advisory")
_MAX_ADVISORY_BYTES: Final = 4 << 20
# Of these Trivy asks by architecture; of Red Hat's, `noarch` meets every advisory.
_BY_ARCHITECTURE: Final = frozenset({"rocky", "ol", "rhel", "centos"})
_BY_MODULE: Final = frozenset({"rocky", "almalinux", "rhel", "centos"})
_NOARCH_MEETS_ALL: Final = frozenset({"rhel", "centos"})


def unreached_by_trivy(
    database: Path, distribution: Distribution | None, packages: Iterable[Package]
) -> frozenset[OsPackage]:
    """Return the packages of rpm with advisories in this release that Trivy cannot reach; raises DatabaseError."""
    asked = [package for package in packages if package.key.type == "rpm"]
    if distribution is None or not asked or distribution.id not in _BY_ARCHITECTURE | _BY_MODULE:
        return frozenset()
    wanted = trivy_bucket(distribution)
    with open_bolt(database) as root:
        names = [name for name in root.bucket_names() if name.decode("utf-8", "replace").lower() == wanted]
        releases = [_Release(release) for name in names if (release := root.bucket(name)) is not None]
        return frozenset(
            _os_package(package)
            for package in asked
            if releases and all(one.is_closed_to(package, distribution.id) for one in releases)
        )


class _Release:
    """The bucket of one release: packages, those of a module under `NAME:STREAM::PACKAGE`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._modules: dict[str, set[str]] | None = None

    def is_closed_to(self, package: Package, distribution: str) -> bool:
        """Say whether there are advisories for the package's name and none that its header lets Trivy reach."""
        stream = module_of(package)
        known = self._bucket.bucket((f"{stream}::{package.name}" if stream else package.name).encode())
        if known is not None:
            return distribution in _BY_ARCHITECTURE and not any(_meets(package, distribution, known))
        if distribution not in _BY_MODULE:
            return False
        modules = self.modules()
        elsewhere = package.name in modules or self._bucket.bucket(package.name.encode()) is not None
        if stream:
            # A module without any advisory of its own is unknown; one that has some just has none for this package.
            return elsewhere and not any(stream in streams for streams in modules.values())
        return ".module" in package.key.version and package.name in modules

    def modules(self) -> dict[str, set[str]]:
        """Return, by the name of a package, the modules under which it has advisories."""
        if self._modules is None:
            self._modules = {}
            for name in self._bucket.bucket_names():
                stream, mark, package = name.decode("utf-8", "replace").partition("::")
                if mark:
                    self._modules.setdefault(package, set()).add(stream)
        return self._modules


def module_of(package: Package) -> str:
    """Return `NAME:STREAM` of the module that a package's header names, as Trivy reads its label; empty for none."""
    name, _, rest = package.module.partition(":")
    stream, colon, _ = rest.partition(":")
    return f"{name}:{stream}" if colon else ""


def _meets(package: Package, distribution: str, advisories: Bucket) -> Iterator[bool]:
    """Say of each advisory whether Trivy compares the package with it."""
    for _, value in advisories.items():  # noqa: PERF102 - a bucket is no dict
        try:
            advisory = parse_object(value, _FAULT, limit_bytes=_MAX_ADVISORY_BYTES)
            entries = advisory.optional_objects("Entries")
        except DatabaseError:
            continue
        yield not entries or any(_meets_entry(package, distribution, entry) for entry in entries)


def _meets_entry(package: Package, distribution: str, entry: ObjectView) -> bool:
    architectures = entry.optional_texts("Arches")
    if distribution in _NOARCH_MEETS_ALL and (package.key.arch == "noarch" or not architectures):
        return True
    same_flavour = distribution != "ol" or _flavour(entry.optional_text("FixedVersion")) == _flavour(
        package.key.version
    )
    return same_flavour and package.key.arch in architectures


def _flavour(version: str) -> str:
    """Return which of Oracle's builds a version is of (trivy-db `oracle-oval.go`: PackageFlavor)."""
    if version.lower().endswith("_fips"):
        return "fips"
    return "ksplice" if any(part.startswith("ksplice") for part in version.lower().split(".")) else "normal"


_GRYPE_ROWS: Final = (
    "SELECT blobs.value FROM affected_package_handles AS affected"
    " JOIN packages ON packages.id = affected.package_id JOIN blobs ON blobs.id = affected.blob_id"
    " WHERE affected.operating_system_id = ? AND packages.ecosystem = 'rpm' AND packages.name = ? COLLATE NOCASE"
)


def unreached_by_grype(
    database: Path, distribution: Distribution | None, packages: Iterable[Package]
) -> frozenset[OsPackage]:
    """Return the packages of rpm that name a module and whose records all are of another, or of none; raises DatabaseError."""
    asked = [package for package in packages if package.key.type == "rpm" and module_of(package)]
    if distribution is None or not asked:
        return frozenset()
    spellings = grype_spellings(distribution, grype_aliases(database))
    systems = [number for number, known in grype_systems(database) if known & spellings]
    return frozenset(_os_package(package) for package in asked if _is_closed_in_grype(database, systems, package))


def _is_closed_in_grype(database: Path, systems: list[int], package: Package) -> bool:
    rows = [str(row[0]) for system in systems for row in query(database, _GRYPE_ROWS, (system, package.name))]
    return bool(rows) and not any(_is_of_module(value, module_of(package)) for value in rows)


def _is_of_module(value: str, stream: str) -> bool:
    try:
        advisory = parse_object(value.encode(), _FAULT, limit_bytes=_MAX_ADVISORY_BYTES)
        qualifiers = advisory.optional_object("qualifiers")
        if qualifiers is None or not qualifiers.has("rpm_modularity"):
            return True
        module = qualifiers.optional_text("rpm_modularity")
    except DatabaseError:
        return False
    # Grype asks whether the label begins with what the record names.
    return bool(module) and f"{stream}:".startswith(module)


def _os_package(package: Package) -> OsPackage:
    return package.key.name, package.key.version, package.key.arch
