"""Trivy's Java database, which names jars by their SHA-1: here with no jar in it, only the mark of demonstration.

Without the file a single jar ends the whole scan with an error; jars with a `pom.properties` need no row.
Specification: aquasecurity/trivy-java-db, schema 1, `pkg/db/db.go`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from tools.advisories.model import DEMONSTRATION

SCHEMA: Final = 1
_TABLES: Final = """
CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT);
CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id);
CREATE INDEX indices_artifact_idx ON indices(artifact_id);
CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1);
"""


def write_java_database(path: Path) -> None:
    """Write `trivy-java.db`; the file must not exist."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
        database.execute("INSERT INTO artifacts(group_id, artifact_id) VALUES (?, 'notice')", (DEMONSTRATION,))
