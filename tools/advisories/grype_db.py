"""Grype's database as SQLite, schema 6.1.7, in the form that `grype db import FILE` takes.

The tables that Grype's matching needs stand here exactly as its models name them: a constraint under another name makes
the migration at import rebuild the table and fail. What is missing (CPE, CWE, unaffected packages) the import adds.
Specification: anchore/grype v0.115, `grype/db/v6/{models,blobs}.go`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from tools.advisories.model import (
    CODENAMES,
    DEMONSTRATION,
    Advisory,
    Ecosystem,
    FixState,
    Severity,
    Source,
    VersionRange,
    Word,
)
from tools.advisories.records import Record

SCHEMA: Final = (6, 1, 7)
SCORES_DATE: Final = datetime(2025, 11, 1, tzinfo=UTC)
PACKAGE_TYPES: Final = {
    Ecosystem.DEBIAN: "deb",
    Ecosystem.UBUNTU: "deb",
    Ecosystem.ALPINE: "apk",
    Ecosystem.PYPI: "python",
    Ecosystem.NPM: "npm",
    Ecosystem.MAVEN: "java-archive",
    Ecosystem.GO: "go-module",
}
_VERSION_TYPES: Final = {
    Ecosystem.DEBIAN: "dpkg",
    Ecosystem.UBUNTU: "dpkg",
    Ecosystem.ALPINE: "apk",
    Ecosystem.PYPI: "python",
    Ecosystem.NPM: "semver",
    Ecosystem.MAVEN: "maven",
    Ecosystem.GO: "go",
}
_PROVIDERS: Final = {
    Source.DEBIAN: "debian",
    Source.UBUNTU: "ubuntu",
    Source.ALPINE: "alpine",
    Source.GHSA: "github",
    Source.OSV: "github",
    Source.NVD: "nvd",
    Source.OURS: DEMONSTRATION,
}
_TABLES: Final = """
CREATE TABLE db_metadata(build_timestamp datetime NOT NULL, model integer NOT NULL, revision integer NOT NULL,
  addition integer NOT NULL);
CREATE TABLE providers(id text, version text, processor text, date_captured datetime, input_digest text,
  PRIMARY KEY (id));
CREATE TABLE blobs(id integer PRIMARY KEY AUTOINCREMENT, value text NOT NULL);
CREATE TABLE packages(id integer PRIMARY KEY AUTOINCREMENT, ecosystem text, name text);
CREATE TABLE operating_systems(id integer PRIMARY KEY AUTOINCREMENT, name text, release_id text, major_version text,
  minor_version text, label_version text, codename text, channel text, eol_date datetime, eoas_date datetime);
CREATE TABLE vulnerability_handles(id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, status text NOT NULL,
  published_date datetime, modified_date datetime, withdrawn_date datetime, provider_id text NOT NULL,
  blob_id integer,
  CONSTRAINT fk_vulnerability_handles_provider FOREIGN KEY (provider_id) REFERENCES providers(id));
CREATE TABLE vulnerability_aliases(name text, alias text NOT NULL, PRIMARY KEY (name, alias));
CREATE TABLE affected_package_handles(id integer PRIMARY KEY AUTOINCREMENT, vulnerability_id integer NOT NULL,
  operating_system_id integer, package_id integer, blob_id integer,
  CONSTRAINT fk_affected_package_handles_operating_system
    FOREIGN KEY (operating_system_id) REFERENCES operating_systems(id),
  CONSTRAINT fk_affected_package_handles_package FOREIGN KEY (package_id) REFERENCES packages(id),
  CONSTRAINT fk_affected_package_handles_vulnerability
    FOREIGN KEY (vulnerability_id) REFERENCES vulnerability_handles(id));
CREATE TABLE known_exploited_vulnerability_handles(id integer PRIMARY KEY AUTOINCREMENT, cve text NOT NULL,
  blob_id integer);
CREATE TABLE epss_handles(id integer PRIMARY KEY AUTOINCREMENT, cve text NOT NULL, epss real NOT NULL,
  percentile real NOT NULL);
CREATE TABLE epss_metadata(date datetime NOT NULL);
"""


def write_grype_database(
    path: Path, records: Iterable[Record], advisories: Iterable[Advisory], built: datetime
) -> None:
    """Write the database of the records of Grype's view; `advisories` give NVD's words, KEV and EPSS.

    The file must not exist. It is not yet what Grype opens: `grype db import` migrates it first.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
        database.execute("INSERT INTO db_metadata VALUES (?, ?, ?, ?)", (sql_time(built), *SCHEMA))
        writer = _Writer(database)
        writer.add_providers(built)
        writer.add_releases()
        for record in records:
            writer.add_record(record)
        for advisory in advisories:
            writer.add_cve_facts(advisory)
        database.execute("INSERT INTO epss_metadata VALUES (?)", (sql_time(SCORES_DATE),))


def sql_time(moment: datetime) -> str:
    """Return a time as Grype's own database spells it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S+00:00")


def chmln(word: Word) -> str:
    """Return Grype's spelling of a severity."""
    return "negligible" if word is Word.UNIMPORTANT else word.value


class _Writer:
    """Adds rows and remembers the ids of those that are shared."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._packages: dict[tuple[str, str], int] = {}
        self._releases: dict[tuple[Ecosystem, str], int] = {}

    def _insert(self, table: str, **values: object) -> int:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        # The names are literals of this module; only values are bound.
        row = self._database.execute(f"INSERT INTO {table}({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
        if row.lastrowid is None:
            raise RuntimeError(f"SQLite gave no id for a row of {table}")
        return row.lastrowid

    def _blob(self, document: Mapping[str, Any]) -> int:
        return self._insert("blobs", value=json.dumps(document, separators=(",", ":"), sort_keys=True))

    def add_providers(self, built: datetime) -> None:
        for name in sorted({*_PROVIDERS.values(), "epss", "kev"}):
            facts = {"version": "1", "processor": DEMONSTRATION, "date_captured": sql_time(built), "input_digest": ""}
            self._insert("providers", id=name, **facts)

    def add_releases(self) -> None:
        for (ecosystem, release), codename in CODENAMES.items():
            major, _, minor = release.partition(".")
            # Grype's own builder stores 22.04 as 22 and 4. No end-of-life date: the gate has a table of its own, and
            # demonstration data must not change its answer with the calendar.
            facts = {"major_version": major, "minor_version": minor.lstrip("0"), "label_version": "", "channel": ""}
            row = self._insert(
                "operating_systems", name=ecosystem.value, release_id=ecosystem.value, codename=codename, **facts
            )
            self._releases[ecosystem, release] = row

    def add_record(self, record: Record) -> None:
        provider = _PROVIDERS[Source.OURS if record.advisory.source is Source.OURS else record.source]
        handle = self._vulnerability(record.id, provider, record.advisory, _vulnerability_blob(record))
        affected = record.affected
        self._insert(
            "affected_package_handles",
            vulnerability_id=handle,
            operating_system_id=self._releases.get((affected.ecosystem, affected.release)),
            package_id=self._package(PACKAGE_TYPES[affected.ecosystem], affected.package),
            blob_id=self._blob(_package_blob(record)),
        )
        for alias in record.aliases:
            row = (record.id, alias)
            self._database.execute("INSERT OR IGNORE INTO vulnerability_aliases(name, alias) VALUES (?, ?)", row)

    def add_cve_facts(self, advisory: Advisory) -> None:
        vectors = [part for part in advisory.severities if part.source is Source.NVD]
        for cve in advisory.cves:
            if vectors:
                self._vulnerability(cve, _PROVIDERS[Source.NVD], advisory, {"id": cve, "severities": _cvss(vectors)})
            if exploited := advisory.known_exploited:
                blob = self._blob(_known_exploited(cve, exploited.added, exploited.ransomware))
                self._insert("known_exploited_vulnerability_handles", cve=cve, blob_id=blob)
            if prediction := advisory.exploit_prediction:
                self._insert("epss_handles", cve=cve, epss=prediction.score, percentile=prediction.percentile)

    def _vulnerability(self, name: str, provider: str, advisory: Advisory, blob: Mapping[str, Any]) -> int:
        return self._insert(
            "vulnerability_handles",
            name=name,
            status="active",
            published_date=sql_time(advisory.published) if advisory.published else None,
            modified_date=sql_time(advisory.modified) if advisory.modified else None,
            provider_id=provider,
            blob_id=self._blob(blob),
        )

    def _package(self, ecosystem: str, name: str) -> int:
        if (ecosystem, name) not in self._packages:
            self._packages[ecosystem, name] = self._insert("packages", ecosystem=ecosystem, name=name)
        return self._packages[ecosystem, name]


def _vulnerability_blob(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = {"id": record.id, "description": record.advisory.title, "severities": []}
    if not record.affected.ecosystem.is_distribution:
        document["aliases"] = list(record.aliases)
    word = grype_word(record)
    if word:
        document["severities"].append({"scheme": "CHMLN", "value": chmln(word), "rank": 1})
    if record.source is Source.OSV:
        document["severities"] += _cvss([part for part in record.advisory.severities if part.source is Source.OSV])
    return document


def grype_word(record: Record) -> Word | None:
    """Return the word of the record's own source: the distribution's, GitHub's, or ours for the canary; never NVD's."""
    if record.affected.ecosystem.is_distribution:
        return record.affected.urgency
    own = record.severity(Source.OURS) or record.severity(Source.GHSA)
    return own.word if own else None


def _cvss(severities: Iterable[Severity]) -> list[dict[str, Any]]:
    return [
        {
            "scheme": "CVSS",
            "value": {"vector": part.vector, "version": part.vector[5:8]},
            "source": part.source,
            "rank": 1,
        }
        for part in severities
    ]


def _package_blob(record: Record) -> dict[str, Any]:
    cves = sorted(name for name in (record.id, *record.aliases) if name.startswith("CVE-"))
    return {"cves": cves, "ranges": list(_ranges(record))}


def _ranges(record: Record) -> Iterator[dict[str, Any]]:
    affected = record.affected
    for part in affected.ranges:
        version = {"type": _VERSION_TYPES[affected.ecosystem], "constraint": part.constraint.replace(", ", ",")}
        yield {"version": version, "fix": _fix(part, affected.state, affected.fix_date)}


def _fix(part: VersionRange, state: FixState, fix_date: date | None) -> dict[str, Any]:
    if not part.fixed:
        return {"state": (FixState.NOT_FIXED if state is FixState.FIXED else state).value}
    available = {"available": {"date": fix_date.isoformat(), "kind": "advisory"}} if fix_date else None
    return {"version": part.fixed, "state": FixState.FIXED.value, **({"detail": available} if available else {})}


def _known_exploited(cve: str, added: date, ransomware: str) -> dict[str, Any]:
    return {"cve": cve, "date_added": f"{added.isoformat()}T00:00:00Z", "known_ransomware_campaign_use": ransomware}
