"""The record in a SQLite file: private to its owner, in WAL mode, every wait inside the deadline."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gate.errors import StorageError
from gate.store.backend import COLUMNS, timed_out
from gate.store.schema import APPLICATION_ID, CURRENT, FIRST_COLUMNS
from gate.store.sqlite_file import make_private_file, migrate

if TYPE_CHECKING:
    from gate.clock import Deadline
    from gate.store.backend import Make
    from gate.store.rows import Columns, Row

_PAUSE_SECONDS: Final = 0.02
_DAMAGE: Final = ("malformed", "not a database", "corrupt")


class SqliteBackend:
    """One connection to one file; calls from several threads wait for each other."""

    def __init__(self, path: Path, deadline: Deadline) -> None:
        self._deadline = deadline
        self._turn = threading.RLock()
        self._path = path
        with _storage_errors(deadline):
            make_private_file(path)
            self._connection = sqlite3.connect(
                path, timeout=deadline.remaining(), isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def append(self, make: Make) -> Sequence[Row]:
        """Append the rows that `make` returns, all or none; raises StorageError."""
        with self._transaction() as connection:
            last = connection.execute("SELECT number, leaf_hash FROM gate_rows ORDER BY number DESC LIMIT 1").fetchone()
            number, previous = last or (0, "")
            rows = make(number + 1, previous)
            connection.executemany("INSERT INTO gate_rows VALUES (?,?,?,?,?,?,?)", [row.columns() for row in rows])
        return rows

    def select(self, condition: str, values: Sequence[object], order: str = "number", limit: int = 0) -> list[Columns]:
        """Return the rows that fulfil an SQL condition with `?` for its values; 0 means without limit."""
        # Conditions are constants of the record's own; every value is bound.
        text = f"SELECT {COLUMNS} FROM gate_rows WHERE {condition} ORDER BY {order} LIMIT ?"  # noqa: S608
        with self._turn, _storage_errors(self._deadline):
            return self._waiting().execute(text, (*values, limit or -1)).fetchall()

    def last(self) -> Columns | None:
        """Return the row with the highest number."""
        found = self.select("1 = 1", (), "number DESC", 1)
        return found[0] if found else None

    def check(self) -> tuple[str, ...]:
        """Return what SQLite's own integrity check finds; nothing where the file is sound."""
        with self._turn, _storage_errors(self._deadline):
            lines = [str(line) for (line,) in self._waiting().execute("PRAGMA integrity_check(20)")]
        return tuple(line for line in lines if line != "ok")

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            self._connection.close()

    def _prepare(self) -> None:
        # FULL: a verdict that cannot be recorded is not issued, so a row must survive a power cut once it is committed.
        self._use_log()
        for pragma in ("synchronous=FULL", "cell_size_check=ON"):
            self._waiting().execute(f"PRAGMA {pragma}").fetchall()
        # All that tells the version is read from one state of the file: another run may be making the tables.
        with self._transaction("BEGIN"):
            version = self._version()
        if version != CURRENT:
            with self._transaction() as connection:
                migrate(connection, self._version())
            # The first release left the mode to the umask; SQLite gives its own files beside it the same mode.
            self._path.chmod(0o600)

    def _use_log(self) -> None:
        """Switch a file that is not yet in WAL mode; two processes that switch it at once are refused without waiting."""
        while True:
            try:
                self._waiting().execute("PRAGMA journal_mode=WAL").fetchall()
            except sqlite3.OperationalError as error:
                if not _is_locked(error) or self._deadline.expired:
                    raise
                self._deadline.clock.sleep(min(_PAUSE_SECONDS, self._deadline.remaining()))
            else:
                return

    def _version(self) -> int:
        """Return the schema's version: 0 for an empty file, 1 for the first release's; raise for what is not the gate's."""
        connection = self._waiting()
        ((application,),) = connection.execute("PRAGMA application_id").fetchall()
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        if application == APPLICATION_ID:
            if version > CURRENT:
                raise newer(version)
            return int(version)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables and not application:
            return 0
        columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(rows)"))
        if tables == {"rows"} and columns == FIRST_COLUMNS and not application:
            return 1
        raise StorageError(
            "this database is not a record of the gate",
            code="STORE_SCHEMA",
            expected="a new file, or a record",
            seen="tables of another program",
            next_step="Name another file with --record.",
        )

    def _waiting(self) -> sqlite3.Connection:
        """Return the connection, which waits for locks as long as time is left."""
        self._connection.execute(f"PRAGMA busy_timeout={int(self._deadline.remaining() * 1000)}")
        return self._connection

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        with self._turn, _storage_errors(self._deadline):
            connection = self._waiting()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def known_version(path: Path) -> int:
    """Return the schema version of the record in this file, 0 where there is none or it says none."""
    if not path.is_file():
        return 0
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        ((first,),) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'rows'").fetchall()
        return int(version) or int(first)
    return 0


def newer(version: int) -> StorageError:
    """Return the error for a record that a later release has migrated."""
    return StorageError(
        "the record was written by a later release",
        code="STORE_SCHEMA",
        expected=f"schema version {CURRENT} or earlier",
        seen=f"version {version}",
        next_step="Use the release that wrote it, or name another record with --record.",
    )


def _is_locked(error: sqlite3.Error) -> bool:
    return any(word in str(error) for word in ("locked", "busy"))


@contextmanager
def _storage_errors(deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        text = " ".join(str(error).split())[:160]
        if _is_locked(error):
            raise timed_out(deadline, "waiting for its lock") from error
        code = "STORE_CORRUPT" if any(word in text for word in _DAMAGE) else "STORE_UNAVAILABLE"
        raise StorageError("the record cannot be used", code=code, seen=text) from error
    except OSError as error:
        raise StorageError(
            "the record's file cannot be opened or made",
            seen=error.strerror or "an input/output error",
            next_step="Name another place with --record or GATE_RECORD.",
        ) from error
