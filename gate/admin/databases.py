"""Status, update, import and export of the vulnerability databases: the logic of `gate db`.

A database is added to the store whole, by digest, and becomes current by one rename together with the others of the same
command; a run that is going on keeps the entry that it opened. Nothing here says whether a database is fresh enough for
a policy: that is a check's business; `status` shows its age.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gate.admin.database_archive import add_from_archive, is_archive, write_archive
from gate.admin.database_artifacts import (
    MAX_LAYER_BYTES,
    add_from_layout,
    add_from_registry,
    add_from_trivy_cache,
    source_fault,
)
from gate.admin.downloads import DownloadOptions
from gate.admin.grype_database import add_from_file, add_from_listing
from gate.clock import Deadline
from gate.codec.strict_json import printable
from gate.disk.content import DigestMemo, disk_errors, hash_descriptor
from gate.disk.named import PATH_STEP
from gate.errors import DatabaseError, UsageError
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, Unavailable
from gate.model.reference import RegistryReference, parse_reference
from gate.registry.client import RegistryClient
from gate.registry.options import ProxySettings
from gate.scanners.database_store import FILES, Database, DatabaseKind, load_databases, set_current
from gate.scanners.tool_pins import PinnedTool

TRIVY_ADDRESS: Final = "ghcr.io/aquasecurity/trivy-db:2"
JAVA_ADDRESS: Final = "ghcr.io/aquasecurity/trivy-java-db:1"
GRYPE_ADDRESS: Final = "https://grype.anchore.io/databases/v6/latest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSources:
    """Where databases come from: two OCI artifacts and the URL of Grype's `latest.json`; empty: that one is left alone."""

    trivy: str = TRIVY_ADDRESS
    java: str = JAVA_ADDRESS
    grype: str = GRYPE_ADDRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """One database as `gate db status` shows it; `age` counts from the build time that the database holds."""

    kind: DatabaseKind
    identity: DatabaseIdentity | None
    age: timedelta | None
    problem: Unavailable | None


def database_status(directory: Path, now: datetime) -> tuple[DatabaseStatus, ...]:
    """Hash the current databases anew and say what they are."""
    current = load_databases(directory)
    return tuple(_status(kind, current.of(kind), now) for kind in DatabaseKind)


def _status(kind: DatabaseKind, found: Database | Unavailable, now: datetime) -> DatabaseStatus:
    if isinstance(found, Unavailable):
        return DatabaseStatus(kind=kind, identity=None, age=None, problem=found)
    problem = None
    try:
        found.verify(DigestMemo())
    except DatabaseError as error:
        problem = Unavailable(code=error.code, reason=error.message, expected=error.expected, seen=error.seen)
    return DatabaseStatus(kind=kind, identity=found.identity, age=now - found.identity.built_at, problem=problem)


def download_options(
    *, proxies: ProxySettings | None = None, ca_file: Path | None = None, offline: bool = False
) -> DownloadOptions:
    """Return the options with which Grype's database is fetched."""
    return DownloadOptions(
        error=DatabaseError,
        code="DB_SOURCE",
        limit_bytes=MAX_LAYER_BYTES,
        proxies=proxies or ProxySettings(),
        ca_file=ca_file,
        offline=offline,
    )


def update_databases(
    directory: Path,
    sources: DatabaseSources,
    *,
    client: RegistryClient,
    grype: PinnedTool,
    options: DownloadOptions,
    deadline: Deadline,
) -> tuple[Database, ...]:
    """Fetch the databases of `sources`, and switch to all of them at once; if one fails, none is switched.

    Raises:
        DatabaseError, RegistryError, ScannerError: as the single sources do.
    """
    with disk_errors("updating databases"):
        added = [
            add_from_registry(directory, client, _artifact(text)) for text in (sources.trivy, sources.java) if text
        ]
        if sources.grype:
            added.append(add_from_listing(directory, sources.grype, grype, options, deadline))
        return _switched(directory, added)


def _artifact(text: str) -> RegistryReference:
    reference = parse_reference(text)
    if not isinstance(reference, RegistryReference):
        raise UsageError("a database comes from a registry or a file", expected=TRIVY_ADDRESS, seen=ascii(text[:120]))
    return reference


def import_databases(
    directory: Path, source: Path, *, digest: Digest | None, grype: PinnedTool | None, deadline: Deadline
) -> tuple[Database, ...]:
    """Add what `source` holds and switch to it.

    `source` is an archive of `gate db export`, an OCI layout or a cache directory of Trivy's, Grype's archive or database
    file. `digest` is that of the file, where the user knows it.

    Raises:
        DatabaseError: `DB_SOURCE`, `DB_MALFORMED`, `DB_DIGEST`.
        UsageError: `REF_PATH`, nothing is there; `USAGE`, Grype's file without a Grype.
    """
    if not os.path.lexists(source):
        raise UsageError(
            "there is nothing at this path",
            code="REF_PATH",
            expected="a file or folder with a database",
            seen=printable(str(source)),
            next_step=PATH_STEP,
        )
    if digest is not None:
        _demand_digest(source, digest)
    with disk_errors("importing databases"):
        return _switched(directory, _added(directory, source, grype, deadline))


def _added(directory: Path, source: Path, grype: PinnedTool | None, deadline: Deadline) -> list[Database]:
    if (source / "oci-layout").is_file():
        return list(add_from_layout(directory, source))
    if any((source / FILES[kind][0]).is_file() for kind in (DatabaseKind.TRIVY, DatabaseKind.JAVA)):
        return list(add_from_trivy_cache(directory, source))
    if not source.is_file():
        raise source_fault("there is no database at this place", seen=str(source))
    if is_archive(source):
        return list(add_from_archive(directory, source))
    if grype is None:
        raise UsageError(
            "Grype's database is imported by Grype, which is not here", next_step="Run `gate tools install`."
        )
    return [add_from_file(directory, source, grype, deadline)]


def _demand_digest(source: Path, expected: Digest) -> None:
    try:
        with source.open("rb") as file:
            seen = hash_descriptor(file.fileno())
    except OSError as error:
        raise source_fault("the file cannot be read", seen=error.strerror or "", expected=str(source)) from error
    if seen != expected:
        raise source_fault("the file is another one", code="DB_DIGEST", expected=expected.text, seen=seen.text)


def _switched(directory: Path, added: list[Database]) -> tuple[Database, ...]:
    set_current(directory, added)
    return tuple(added)


def export_databases(directory: Path, target: Path) -> Digest:
    """Write the current databases into one file and give its digest.

    Raises:
        DatabaseError: one is missing or altered, or the file cannot be written.
    """
    current = load_databases(directory)
    return write_archive(tuple(current.demand(kind) for kind in DatabaseKind), target)
