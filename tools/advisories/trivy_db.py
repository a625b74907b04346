"""Trivy's vulnerability database: `trivy.db` (BoltDB) and `metadata.json`.

Specification: aquasecurity/trivy-db, schema 2: `pkg/db/*.go`, `pkg/types/types.go`, `pkg/vulnsrc/bucket`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from tools.advisories.bolt import Tree, bolt_file
from tools.advisories.model import (
    DEMONSTRATION,
    DEMONSTRATION_NOTICE,
    Ecosystem,
    FixState,
    Severity,
    Source,
    Word,
)
from tools.advisories.records import Record

SCHEMA: Final = 2
LEVELS: Final = {Word.UNIMPORTANT: 1, Word.LOW: 1, Word.MEDIUM: 2, Word.HIGH: 3, Word.CRITICAL: 4}
WILL_NOT_FIX: Final = 5
_VALID_FOR: Final = timedelta(days=1)

_LANGUAGE_PREFIXES: Final = {
    Ecosystem.PYPI: ("pip", "Pip"),
    Ecosystem.NPM: ("npm", "Npm"),
    Ecosystem.MAVEN: ("maven", "Maven"),
    Ecosystem.GO: ("go", "Go"),
}
_DISTRIBUTION_SOURCES: Final = {
    Ecosystem.DEBIAN: ("Debian Security Tracker", "https://salsa.debian.org/security-tracker-team/security-tracker"),
    Ecosystem.UBUNTU: ("Ubuntu CVE Tracker", "https://git.launchpad.net/ubuntu-cve-tracker"),
    Ecosystem.ALPINE: ("Alpine Secdb", "https://secdb.alpinelinux.org/"),
}


def trivy_database(records: Iterable[Record]) -> bytes:
    """Return the bytes of `trivy.db` for records of Trivy's view."""
    listed = tuple(records)
    buckets: dict[bytes, dict[bytes, dict[bytes, bytes]]] = {}
    sources: dict[str, Mapping[str, str]] = {
        DEMONSTRATION: {"ID": DEMONSTRATION, "Name": DEMONSTRATION_NOTICE, "URL": ""}
    }
    for record in listed:
        name, source = _bucket(record)
        sources[name] = source
        package = buckets.setdefault(name.encode(), {}).setdefault(record.affected.package.encode(), {})
        package[record.id.encode()] = _json(_advisory(record))
    root: dict[bytes, bytes | Tree] = dict(buckets)
    root[b"data-source"] = {name.encode(): _json(source) for name, source in sources.items()}
    root[b"vulnerability"] = {name.encode(): _json(detail) for name, detail in _details(listed).items()}
    root[DEMONSTRATION.encode()] = {b"notice": DEMONSTRATION_NOTICE.encode()}
    return bolt_file(root)


def metadata(built: datetime, *, schema: int = SCHEMA) -> bytes:
    """Return `metadata.json`; it is the same for the Java database, whose schema is 1."""
    times = {"NextUpdate": built + _VALID_FOR, "UpdatedAt": built, "DownloadedAt": built}
    return _json({"Version": schema, **{name: rfc3339(moment) for name, moment in times.items()}})


def rfc3339(moment: datetime) -> str:
    """Return the form that Trivy demands; with a blank in place of the `T` it drops the whole record."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _bucket(record: Record) -> tuple[str, Mapping[str, str]]:
    """Return the name of the bucket, and what `data-source` says about it."""
    affected = record.affected
    if affected.ecosystem.is_distribution:
        name, url = _DISTRIBUTION_SOURCES[affected.ecosystem]
        return f"{affected.ecosystem} {affected.release}", {"ID": record.source, "Name": name, "URL": url}
    prefix, title = _LANGUAGE_PREFIXES[affected.ecosystem]
    name, url = {
        Source.OSV: ("Python Packaging Advisory Database", "https://github.com/pypa/advisory-database"),
        Source.OURS: (DEMONSTRATION_NOTICE, ""),
    }.get(record.source, (f"GitHub Security Advisory {title}", "https://github.com/advisories"))
    label = DEMONSTRATION if record.source is Source.OURS else name
    return f"{prefix}::{label}", {"ID": record.source, "Name": name, "URL": url}


def _advisory(record: Record) -> dict[str, Any]:
    affected = record.affected
    if affected.ecosystem.is_distribution:
        return _distribution_advisory(record)
    document: dict[str, Any] = {"VulnerableVersions": [part.constraint for part in affected.ranges]}
    if record.fixed_versions:
        document["PatchedVersions"] = list(record.fixed_versions)
    if vendor_ids := [name for name in record.aliases if not name.startswith("CVE-")]:
        document["VendorIDs"] = vendor_ids
    return document


def _distribution_advisory(record: Record) -> dict[str, Any]:
    affected = record.affected
    document: dict[str, Any] = {}
    if record.fixed_versions:
        document["FixedVersion"] = record.fixed_versions[0]
    if affected.state is FixState.WONT_FIX:
        document["Status"] = WILL_NOT_FIX
    # Only Debian's severities are a package's own; Ubuntu's stand with the vulnerability.
    if affected.ecosystem is Ecosystem.DEBIAN and affected.urgency:
        document["Severity"] = LEVELS[affected.urgency]
    return document


def _details(records: Iterable[Record]) -> dict[str, dict[str, Any]]:
    details: dict[str, dict[str, Any]] = {}
    for record in records:
        detail = details.setdefault(record.id, _detail(record))
        for severity in _vendor_severities(record):
            levels, level = detail["VendorSeverity"], LEVELS[severity.word]
            levels[severity.source] = max(level, levels.get(severity.source, level))
            if severity.vector:
                detail["CVSS"][severity.source] = {"V3Vector": severity.vector, "V3Score": severity.score}
    return details


def _detail(record: Record) -> dict[str, Any]:
    advisory = record.advisory
    detail: dict[str, Any] = {"Title": advisory.title, "VendorSeverity": {}, "CVSS": {}}
    if advisory.published:
        detail["PublishedDate"] = rfc3339(advisory.published)
    if advisory.modified:
        detail["LastModifiedDate"] = rfc3339(advisory.modified)
    return detail


def _vendor_severities(record: Record) -> Iterable[Severity]:
    yield from record.advisory.severities
    if record.affected.ecosystem is Ecosystem.UBUNTU and record.affected.urgency:
        yield Severity(source=Source.UBUNTU, word=record.affected.urgency)


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
