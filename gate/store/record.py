"""The record: rows that are only ever appended, in SQLite or PostgreSQL.

A row is canonical JSON (formats reference, section 12.1) with its leaf hash (RFC 9162: SHA-256 over a zero byte and the
row), so that the Merkle tree of the audit can be built over rows that exist already. Beside the bytes stand the few columns
that look-ups need; they repeat what the bytes say and decide nothing.

Kinds of row: `verdict` (every verdict, refused references and unsigned runs included), `intent` (these bytes are about to be
published there), `published` (they were read back). An intent without its `published` row was cut short, and is repaired from
the recorded bytes: published again, never signed again.

Refuses to change or remove a row. Locks out other writers for the moment of an append, so that numbers have no gaps.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gate.codec.strict_json import canonical_json
from gate.errors import StorageError, UsageError
from gate.store.evidence_folder import EvidenceFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gate.codec.strict_json import JsonValue

_BUSY_SECONDS: Final = 30
_URL_FORM: Final = "a path, sqlite:///FILE or postgresql://..."
_MAKING_TABLES: Final = 0x67617465  # an arbitrary number that every gate uses for PostgreSQL's advisory lock: "gate"
_METADATA = sa.MetaData()
ROWS: Final = sa.Table(
    "rows",
    _METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    # A repository of 255 bytes, "@" and a digest; or a reference as asked, cut.
    sa.Column("subject", sa.String(400), nullable=False),
    sa.Column("inputs", sa.String(64), nullable=False),
    sa.Column("refers_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
    sa.Column("leaf_hash", sa.String(64), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Index("rows_by_subject", "subject", "kind"),
    sa.Index("rows_by_inputs", "inputs", "kind"),
    sa.Index("rows_by_reference", "refers_to", "kind"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as it stands: its number from 1, kind, and exact bytes.

    `subject` is `repository@digest` or the reference as asked; `inputs` is a key over everything that a verdict depends on,
    or empty; `refers_to` is the number of the row that this one belongs to.
    """

    number: int
    kind: str
    subject: str
    inputs: str
    content: bytes
    refers_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row to be appended; `refers_to_first` makes it refer to the first row of the same call."""

    kind: str
    content: Mapping[str, JsonValue]
    subject: str
    inputs: str = ""
    refers_to: int | None = None
    refers_to_first: bool = False


class Record:
    """The record at a place; opened at the first use, closed by `close`."""

    def __init__(self, engine: sa.Engine, evidence: EvidenceFolder) -> None:
        self._engine = engine
        self.evidence = evidence

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def append(self, *entries: Entry) -> tuple[Row, ...]:
        """Append rows, all or none, and give them back with their numbers; without entries nothing is done.

        Raises:
            StorageError: `STORE_UNAVAILABLE`, none is written; then nothing that depends on them may happen.
        """
        rows: list[Row] = []
        if not entries:
            return ()
        with _storage_errors(), self._engine.begin() as connection:
            _lock(connection)
            number = connection.execute(sa.select(sa.func.max(ROWS.c.number))).scalar() or 0
            for entry in entries:
                number += 1
                refers_to = rows[0].number if entry.refers_to_first else entry.refers_to
                rows.append(_numbered(entry, number, refers_to))
            connection.execute(ROWS.insert(), [_columns(row) for row in rows])
        return tuple(rows)

    def verdicts_with_inputs(self, inputs: str) -> tuple[Row, ...]:
        """Give the verdicts that were decided from exactly these inputs, newest first."""
        return self._select(ROWS.c.kind == "verdict", ROWS.c.inputs == inputs, newest_first=True)

    def verdicts_of(self, repository: str) -> Iterator[Row]:
        """Give the verdicts on any digest of a repository, oldest first."""
        wanted = ROWS.c.subject.startswith(f"{repository}@", autoescape=True)
        yield from self._select(ROWS.c.kind == "verdict", wanted)

    def unpublished(self, subject: str) -> tuple[Row, ...]:
        """Give the intents on this subject that no `published` row answers, oldest first."""
        answered = sa.select(ROWS.c.refers_to).where(ROWS.c.kind == "published", ROWS.c.refers_to.is_not(None))
        return self._select(ROWS.c.kind == "intent", ROWS.c.subject == subject, ROWS.c.number.not_in(answered))

    def answers(self, number: int, kind: str) -> tuple[Row, ...]:
        """Give the rows of a kind that refer to a row."""
        return self._select(ROWS.c.kind == kind, ROWS.c.refers_to == number)

    def rows(self) -> tuple[Row, ...]:
        """Give every row, oldest first."""
        return self._select()

    def _select(self, *conditions: sa.ColumnElement[bool], newest_first: bool = False) -> tuple[Row, ...]:
        order = ROWS.c.number.desc() if newest_first else ROWS.c.number
        with _storage_errors(), self._engine.connect() as connection:
            found = connection.execute(sa.select(ROWS).where(*conditions).order_by(order)).all()
        return tuple(_row(columns) for columns in found)


def _lock(connection: sa.Connection) -> None:
    """Keep other writers out until the transaction ends; SQLite's driver leaves transactions to us."""
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_BUSY_SECONDS}s'")
    connection.exec_driver_sql("LOCK TABLE rows IN EXCLUSIVE MODE")


def open_record(url: str, evidence_folder: Path) -> Record:
    """Open the record at a SQLAlchemy URL, or at a path for SQLite; tables are made where there are none.

    Raises:
        UsageError: `USAGE`, the URL is not of a database that is known here.
        StorageError: `STORE_UNAVAILABLE` or `STORE_CORRUPT`.
    """
    with _storage_errors():
        engine = _engine(url)
    with _storage_errors(), engine.begin() as connection:
        # Two runs may open a new record at the same moment. SQLite's IF NOT EXISTS locks, PostgreSQL's does not.
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING_TABLES})")
        connection.execute(sa.schema.CreateTable(ROWS, if_not_exists=True))
        for index in sorted(ROWS.indexes, key=lambda index: str(index.name)):
            connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    return Record(engine, EvidenceFolder(evidence_folder))


def _engine(url: str) -> sa.Engine:
    if "://" not in url:
        return _sqlite_engine(url)
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed.database or "")
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            # A database without an encoding (SQL_ASCII) gives its texts as bytes unless the client names one.
            connect_args={"connect_timeout": _BUSY_SECONDS, "client_encoding": "utf8"},
        )
    raise UsageError("not a record that can be used", expected=_URL_FORM, seen=parsed.drivername)


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise UsageError("not a record URL", expected=_URL_FORM, seen="other text") from error


def _sqlite_engine(name: str) -> sa.Engine:
    # SQLite takes these for a database in memory or in a temporary file: a record that is gone when the run ends.
    if not name or name.startswith((":", "file:")):
        raise UsageError("not a record that stays", expected=_URL_FORM, seen=ascii(name[:80]))
    path = Path(name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "the record's folder cannot be made", seen=error.strerror or "an input/output error"
        ) from error
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None}
    )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # a DB-API connection
        # FULL: a verdict that cannot be recorded is not issued, so a row must survive a power cut once it is committed.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_SECONDS * 1000}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _numbered(entry: Entry, number: int, refers_to: int | None) -> Row:
    content = canonical_json(dict(entry.content))
    return Row(
        number=number, kind=entry.kind, subject=entry.subject, inputs=entry.inputs, content=content, refers_to=refers_to
    )


def _columns(row: Row) -> dict[str, object]:
    return {
        "number": row.number,
        "kind": row.kind,
        "subject": row.subject,
        "inputs": row.inputs,
        "refers_to": row.refers_to,
        "leaf_hash": hashlib.sha256(b"\0" + row.content).hexdigest(),
        "content": row.content,
    }


def _row(columns: sa.Row[tuple[object, ...]]) -> Row:
    values = columns._mapping  # noqa: SLF001 - SQLAlchemy's documented name
    content = values["content"]
    # SQLite keeps what it is given: a column that was altered by hand may hold a value of any type.
    if not isinstance(content, bytes) or hashlib.sha256(b"\0" + content).hexdigest() != values["leaf_hash"]:
        raise StorageError("a row of the record was altered", code="STORE_CORRUPT", seen=f"row {values['number']}")
    return Row(
        number=values["number"],
        kind=values["kind"],
        subject=values["subject"],
        inputs=values["inputs"],
        content=content,
        refers_to=values["refers_to"],
    )


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.DatabaseError as error:
        # The driver's text names host, user and file, never a password.
        text = " ".join(str(error.orig).split())[:160]
        corrupt = "malformed" in text or "not a database" in text
        code = "STORE_CORRUPT" if corrupt else "STORE_UNAVAILABLE"
        raise StorageError("the record cannot be used", code=code, seen=text) from error
    except ImportError as error:
        raise StorageError(
            "PostgreSQL's driver is not installed",
            seen=error.name or "no driver",
            next_step="pip install 'supply-chain-gate[postgresql]'",
        ) from error
    except sa.exc.SQLAlchemyError as error:
        raise StorageError("the record cannot be used", seen=type(error).__name__) from error
