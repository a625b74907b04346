"""The tables of the record, by version; numbered steps, forward only.

Version 1 is the table `rows` of the first release, which carried no number of its own. Version 2 adds the number, the name of
the gate before each table (a database may be shared with other programs), and the table of evidence in PostgreSQL.

Alembic is not used: it loads SQLAlchemy, a third of what `gate check` needs to start, for two steps (ADR 0037).
"""

from __future__ import annotations

from typing import Final

CURRENT: Final = 2
APPLICATION_ID: Final = (
    0x67617465  # "gate", in SQLite's header: https://www.sqlite.org/pragma.html#pragma_application_id
)
# The columns of version 1, by which an unnumbered table is known to be the gate's and not another program's.
FIRST_COLUMNS: Final = ("number", "kind", "subject", "inputs", "refers_to", "leaf_hash", "content")

_INDEXES: Final = (
    "CREATE INDEX gate_rows_by_subject ON gate_rows (subject, kind)",
    "CREATE INDEX gate_rows_by_inputs ON gate_rows (inputs, kind)",
    "CREATE INDEX gate_rows_by_reference ON gate_rows (refers_to, kind)",
)
_OLD_INDEXES: Final = (
    "DROP INDEX IF EXISTS rows_by_subject",
    "DROP INDEX IF EXISTS rows_by_inputs",
    "DROP INDEX IF EXISTS rows_by_reference",
)

SQLITE: Final = {
    0: (
        (
            "CREATE TABLE gate_rows (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL,"
            " inputs TEXT NOT NULL, refers_to INTEGER, leaf_hash TEXT NOT NULL, content BLOB NOT NULL)"
        ),
        *_INDEXES,
    ),
    1: ("ALTER TABLE rows RENAME TO gate_rows", *_OLD_INDEXES, *_INDEXES),
}
"""What leads from a version (0: an empty database) to the current one."""

_POSTGRESQL_REST: Final = (
    *_INDEXES,
    "CREATE TABLE gate_evidence (digest TEXT PRIMARY KEY, content BYTEA NOT NULL)",
    "CREATE TABLE gate_schema (version INTEGER PRIMARY KEY)",
    f"INSERT INTO gate_schema VALUES ({CURRENT})",  # noqa: S608 - a constant
)
POSTGRESQL: Final = {
    0: (
        (
            'CREATE TABLE gate_rows (number BIGINT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT COLLATE "C" NOT NULL,'
            " inputs TEXT NOT NULL, refers_to BIGINT, leaf_hash TEXT NOT NULL, content BYTEA NOT NULL)"
        ),
        *_POSTGRESQL_REST,
    ),
    1: (
        "ALTER TABLE rows RENAME TO gate_rows",
        (
            'ALTER TABLE gate_rows ALTER COLUMN kind TYPE TEXT, ALTER COLUMN subject TYPE TEXT COLLATE "C",'
            " ALTER COLUMN inputs TYPE TEXT, ALTER COLUMN leaf_hash TYPE TEXT"
        ),
        *_OLD_INDEXES,
        *_POSTGRESQL_REST,
    ),
}
GRANTS: Final = (
    "GRANT SELECT, INSERT ON gate_rows, gate_evidence TO {role}",
    "GRANT SELECT ON gate_schema TO {role}",
)
"""All that a job needs: it can neither change nor remove a row."""
