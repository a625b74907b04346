"""The record in a SQLite file: private to its owner, in WAL mode, every wait inside the deadline."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gate.errors import StorageError
from gate.store.backend import COLUMNS, timed_out
from gate.store.schema import APPLICATION_ID, CURRENT, FIRST_COLUMNS, SQLITE

if TYPE_CHECKING:
    from gate.clock import Deadline
    from gate.store.rows import Columns, Row

_DAMAGE: Final = ("malformed", "not a database", "corrupt")


class SqliteBackend:
    """One connection to one file; calls from several threads wait for each other."""

    def __init__(self, path: Path, deadline: Deadline) -> None:
        self._deadline = deadline
        self._turn = threading.RLock()
        self._path = path
        with _storage_errors(deadline):
            _make_private(path)
            self._connection = sqlite3.connect(
                path, timeout=deadline.remaining(), isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def append(self, make: Callable[[int], Sequence[Row]]) -> Sequence[Row]:
        """Append the rows that `make` returns for the next free number, all or none; raises StorageError."""
        with self._transaction() as connection:
            ((last,),) = connection.execute("SELECT coalesce(max(number), 0) FROM gate_rows").fetchall()
            rows = make(last + 1)
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
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cell_size_check=ON"):
            self._waiting().execute(f"PRAGMA {pragma}").fetchall()
        if self._version() != CURRENT:
            with self._transaction() as connection:
                # Another run may have made the tables while this one waited.
                _migrate(connection, self._version())
            # The first release left the mode to the umask; SQLite gives its own files beside it the same mode.
            self._path.chmod(0o600)

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
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn, _storage_errors(self._deadline):
            connection = self._waiting()
            connection.execute("BEGIN IMMEDIATE")
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


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    if version == CURRENT:
        return
    for statement in SQLITE[version]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={CURRENT}")


def newer(version: int) -> StorageError:
    """Return the error for a record that a later release has migrated."""
    return StorageError(
        "the record was written by a later release",
        code="STORE_SCHEMA",
        expected=f"schema version {CURRENT} or earlier",
        seen=f"version {version}",
        next_step="Use the release that wrote it, or name another record with --record.",
    )


def _make_private(path: Path) -> None:
    """Make the file with mode 0600, so that SQLite's own files beside it get the same; refuse one that others may write.

    Raises:
        OSError: of the system.
        StorageError: `STORE_UNAVAILABLE`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    seen = path.stat()
    if not stat.S_ISREG(seen.st_mode):
        raise StorageError("the record is not a regular file", seen=str(path), next_step="Name a file with --record.")
    if seen.st_uid not in {os.geteuid(), 0} or seen.st_mode & 0o022:
        raise StorageError(
            "the record can be written by other users",
            expected="a file of this user with mode 0600",
            seen=f"owner {seen.st_uid}, mode {stat.S_IMODE(seen.st_mode):04o}",
            next_step=f"Look at who wrote {path}; then chmod 600, or name another file with --record.",
        )


@contextmanager
def _storage_errors(deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        text = " ".join(str(error).split())[:160]
        if "locked" in text or "busy" in text:
            raise timed_out(deadline, "waiting for its lock") from error
        code = "STORE_CORRUPT" if any(word in text for word in _DAMAGE) else "STORE_UNAVAILABLE"
        raise StorageError("the record cannot be used", code=code, seen=text) from error
    except OSError as error:
        raise StorageError(
            "the record's file cannot be opened or made",
            seen=error.strerror or "an input/output error",
            next_step="Name another place with --record or GATE_RECORD.",
        ) from error
