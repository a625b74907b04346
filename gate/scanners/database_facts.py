"""Read build time, schema and the mark of demonstration from the vulnerability databases themselves.

Trivy's two databases stand beside a `metadata.json`, Grype's holds a table of one row; both are words of whoever made
the database, and count because the file's digest is checked. Nothing is written: SQLite is opened immutable.

Specification: checks reference, sections 1.3 and 4.3 to 4.5.
"""

from __future__ import annotations

import mmap
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from gate.codec.bolt import Bucket, parse_bolt
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.times import parse_time
from gate.disk.content import unopened_database
from gate.errors import DatabaseError

# Written by tools/advisories into its databases; wherever it is found, every verdict says that it is a demonstration.
DEMONSTRATION_MARK: Final = "gate-demonstration"
TRIVY_SCHEMA: Final = "2"
JAVA_SCHEMA: Final = "1"
GRYPE_MODEL: Final = 6
_MAX_METADATA_BYTES: Final = 65536
_FAULT: Final = Fault(DatabaseError, "DB_MALFORMED", "the database's metadata.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What a database says of itself; the time in whole seconds."""

    built_at: datetime
    schema: str
    demonstration: bool


def malformed(path: Path, seen: str, *, expected: str = "a database of the pinned schema") -> DatabaseError:
    """Make (not raise) the error about a database that cannot be used."""
    return DatabaseError(
        f"the database {path.name} cannot be used",
        code="DB_MALFORMED",
        expected=expected,
        seen=seen,
        next_step="run `gate db update` or `gate db import`",
    )


def read_trivy_facts(database: Path, metadata: Path) -> DatabaseFacts:
    """Return the facts of Trivy's vulnerability database; raises `DB_MALFORMED` or `DB_MISSING`."""
    built_at, schema = _metadata(metadata, TRIVY_SCHEMA)
    with open_bolt(database) as root:
        if root.bucket(b"vulnerability") is None:  # Trivy itself panics without it
            raise malformed(database, "no bucket `vulnerability`")
        marked = root.bucket(DEMONSTRATION_MARK.encode()) is not None
    return DatabaseFacts(built_at=built_at, schema=schema, demonstration=marked)


def read_java_facts(database: Path, metadata: Path) -> DatabaseFacts:
    """Return the facts of Trivy's Java database; raises `DB_MALFORMED` or `DB_MISSING`."""
    built_at, schema = _metadata(metadata, JAVA_SCHEMA)
    marks = query(database, "SELECT 1 FROM artifacts WHERE group_id = ? LIMIT 1", (DEMONSTRATION_MARK,))
    query(database, "SELECT sha1 FROM indices LIMIT 1")
    return DatabaseFacts(built_at=built_at, schema=schema, demonstration=bool(marks))


def read_grype_facts(database: Path) -> DatabaseFacts:
    """Return the facts of Grype's database; raises `DB_MALFORMED` or `DB_MISSING`."""
    rows = query(database, "SELECT build_timestamp, model, revision, addition FROM db_metadata")
    if len(rows) != 1 or rows[0][1] != GRYPE_MODEL:
        raise malformed(database, f"{len(rows)} rows of metadata", expected=f"one row, model {GRYPE_MODEL}")
    marks = query(database, "SELECT 1 FROM providers WHERE id = ?", (DEMONSTRATION_MARK,))
    schema = ".".join(str(number) for number in rows[0][1:])
    return DatabaseFacts(built_at=_sql_time(database, rows[0][0]), schema=schema, demonstration=bool(marks))


@contextmanager
def open_bolt(path: Path) -> Iterator[Bucket]:
    """Return the root of a BoltDB file as a memory map: of 800 MB only the pages that are asked for are read."""
    with _opened(path) as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty file cannot be mapped
            raise malformed(path, "an empty file") from error
        view = memoryview(mapped)
        try:
            yield parse_bolt(view)
        finally:
            view.release()
            # Pages that are still referred to keep the map; it goes with the last of them.
            with suppress(BufferError):
                mapped.close()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise unopened_database(path, error) from error
    with file:
        yield file


def query(database: Path, statement: str, values: Sequence[str | int] = ()) -> list[tuple[object, ...]]:
    """Return all rows of one statement over a database that nothing writes to.

    Raises:
        DatabaseError: `DB_MISSING`, or `DB_MALFORMED` for a file that is no such database.
    """
    with _opened(database):
        pass
    address = f"{database.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise malformed(database, str(error)) from error


def _metadata(path: Path, schema: str) -> tuple[datetime, str]:
    with _opened(path):
        view: ObjectView = parse_object(
            path.read_bytes()[: _MAX_METADATA_BYTES + 1], _FAULT, limit_bytes=_MAX_METADATA_BYTES
        )
    found = str(view.integer("Version"))
    if found != schema:
        raise malformed(path, f"schema {found}", expected=f"schema {schema}")
    return parse_time(view.text("UpdatedAt"), _FAULT, "UpdatedAt").replace(microsecond=0), found


def _sql_time(database: Path, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise malformed(database, "a build time that is none") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC, microsecond=0).astimezone(UTC)
