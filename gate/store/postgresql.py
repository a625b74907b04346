"""The record in PostgreSQL: appended by single statements, so that no client ever holds a lock that others wait for.

A number is taken by inserting it: the primary key refuses it to all but one, and the others try the next. No transaction stays
open between two messages, so a client that freezes stops no other. A job needs `INSERT` and `SELECT`, and the tables are
made by their owner (`gate record migrate`).

Every wait ends with the deadline: the server is told its timeouts, and where it does not keep them (a frozen server, a
mute connection) the socket is shut down. A connection that is lost is made again while time is left, and an append whose answer
was lost is looked up before it is repeated.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gate.errors import StorageError, UsageError
from gate.store.backend import COLUMNS, timed_out
from gate.store.schema import CURRENT, FIRST_COLUMNS, GRANTS, POSTGRESQL
from gate.store.sqlite import newer

if TYPE_CHECKING:
    import psycopg

    from gate.clock import Deadline
    from gate.store.backend import Make
    from gate.store.rows import Columns, Row

T = TypeVar("T")
_PAUSE_SECONDS: Final = 0.2
# How long a server that refuses connections may take to come back: a restart takes seconds, a wrong port for ever.
_RESTART_SECONDS: Final = 10.0
_TRIES: Final = 1000
_IDLE_SECONDS: Final = 10
# PostgreSQL's appendix A, class 57: the server is shutting down, crashed, or is starting up.
_RESTARTING: Final = frozenset({"57P01", "57P02", "57P03"})
# What says the same where a connection fails, for which the driver gives no code: "is starting up", "is shutting down", "is in
# recovery mode", "is not yet accepting connections"; nobody listens; the server ended in the middle of the greeting.
_COMING_BACK: Final = ("the database system is", "refused", "closed the connection unexpectedly", "reset by peer")
_MIGRATING: Final = 0x67617465  # an arbitrary number that every gate uses for the advisory lock of a migration: "gate"


class PostgresqlBackend:
    """One connection to one database, made at the first use and again when it was lost."""

    def __init__(self, url: str, deadline: Deadline) -> None:
        self._url = _checked(url)
        self._deadline = deadline
        self._turn = threading.RLock()
        self._open: psycopg.Connection[Any] | None = None

    def append(self, make: Make) -> Sequence[Row]:
        """Append the rows that `make` returns, all or none; raises StorageError."""
        tried: Sequence[Row] = ()
        for attempt in range(_TRIES):
            number, previous = self._last()
            if tried and self._is_there(tried):
                return tried
            tried = make(number + 1, previous)
            if not tried or self._inserted(tried):
                return tried
            self._pause(random.uniform(0, min(0.002 * 2**attempt, 0.1)))  # noqa: S311 - spreads retries, decides nothing
        raise timed_out(self._deadline, "waiting for a free row number")

    def select(self, condition: str, values: Sequence[object], order: str = "number", limit: int = 0) -> list[Columns]:
        """Return the rows that fulfil an SQL condition with `?` for its values; 0 means without limit."""
        # Conditions are constants of the record's own; every value is bound.
        text = f"SELECT {COLUMNS} FROM gate_rows WHERE {condition} ORDER BY {order}"  # noqa: S608
        text += f" LIMIT {limit:d}" if limit else ""
        return self._repeated(lambda connection: _fetch(connection, text, values))

    def last(self) -> Columns | None:
        """Return the row with the highest number."""
        found = self.select("1 = 1", (), "number DESC", 1)
        return found[0] if found else None

    def check(self) -> tuple[str, ...]:
        """Return nothing: a server looks after its own pages (`pg_amcheck`)."""
        return ()

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._open is not None:
                self._open.close()
            self._open = None

    def require_schema(self) -> None:
        """Raise StorageError `STORE_SCHEMA` unless the tables are there in the version of this release."""
        version = self._repeated(_version)
        if version > CURRENT:
            raise newer(version)
        if version < CURRENT:
            raise StorageError(
                "the database has no record of this release",
                code="STORE_SCHEMA",
                expected=f"schema version {CURRENT}",
                seen=f"version {version}" if version else "no tables of the gate",
                next_step="Let the owner of the database run `gate record migrate --record URL`.",
            )

    def migrate(self, role: str = "") -> int:
        """Make or migrate the tables, and let `role` append and read; return the version that was there (0: none)."""
        with self._turn, _storage_errors(self._deadline), self._connected() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
            version = _version(connection)
            if version > CURRENT:
                raise newer(version)
            for statement in POSTGRESQL[version] if version < CURRENT else ():
                connection.execute(statement.encode())
            _grant(connection, role)
        return version

    def put_evidence(self, digest: str, content: bytes) -> None:
        """Keep these bytes under this name; a name that is there stays as it is."""
        statement = "INSERT INTO gate_evidence VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._repeated(lambda connection: _execute(connection, statement, (digest, content)))

    def has_evidence(self, digest: str) -> bool:
        """Return whether bytes stand under this name."""
        return bool(self._repeated(lambda c: _fetch(c, "SELECT 1 FROM gate_evidence WHERE digest = ?", (digest,))))

    def get_evidence(self, digest: str) -> bytes | None:
        """Return the bytes under this name, or None."""
        found = self._repeated(lambda c: _fetch(c, "SELECT content FROM gate_evidence WHERE digest = ?", (digest,)))
        return bytes(found[0][0]) if found else None  # type: ignore[call-overload]  # BYTEA is bytes

    def _last(self) -> tuple[int, str]:
        """Return number and leaf hash of the last row; 0 and "" where there is none."""
        query = "SELECT number, leaf_hash FROM gate_rows ORDER BY number DESC LIMIT 1"
        found = self._repeated(lambda c: _fetch(c, query, ()))
        return (int(found[0][0]), str(found[0][1])) if found else (0, "")  # type: ignore[call-overload]

    def _is_there(self, rows: Sequence[Row]) -> bool:
        """Return whether rows whose answer was lost were committed: their bytes name this run, so no others are like them."""
        return bool(self.select("number = ? AND leaf_hash = ?", (rows[0].number, rows[0].leaf_hash)))

    def _inserted(self, rows: Sequence[Row]) -> bool:
        """Insert by one statement; return False where the numbers are taken, or where the answer was lost."""
        import psycopg  # noqa: PLC0415 - an extra, and 0.1 s that a record in a file does not need

        text = "INSERT INTO gate_rows VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))  # noqa: S608 - placeholders alone
        values = [value for row in rows for value in row.columns()]
        try:
            with self._turn, self._connected() as connection:
                _execute(connection, text, values)
        except psycopg.errors.UniqueViolation:
            return False
        except psycopg.OperationalError as error:
            if not self._lost(error):
                raise _unusable(error, self._deadline) from error
            return False
        except psycopg.Error as error:
            raise _unusable(error, self._deadline) from error
        return True

    def _repeated(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do what may be done twice, again where the connection was lost."""
        import psycopg  # noqa: PLC0415

        while True:
            try:
                lost = psycopg.OperationalError
                with self._turn, _storage_errors(self._deadline, passing=lost), self._connected() as connection:
                    return work(connection)
            except psycopg.OperationalError as error:
                if not self._lost(error):
                    raise _unusable(error, self._deadline) from error
                self._pause(_PAUSE_SECONDS)

    def _lost(self, error: psycopg.OperationalError) -> bool:
        """Return whether the connection was lost and another one may be tried."""
        gone = self._open is None or self._open.closed or error.sqlstate in _RESTARTING
        if gone:
            self.close()
        return bool(gone) and not self._deadline.expired

    def _pause(self, seconds: float) -> None:
        self._deadline.clock.sleep(min(seconds, self._deadline.remaining()))

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Provide the connection; when no time is left its socket is shut down, whatever waits on it."""
        if self._open is None or self._open.closed:
            self._open = self._connect()
        connection = self._open
        cut = threading.Timer(self._deadline.remaining(), _shut_down, (connection.fileno(),))
        cut.daemon = True
        cut.start()
        try:
            yield connection
        finally:
            cut.cancel()

    def _connect(self) -> psycopg.Connection[Any]:
        import psycopg  # noqa: PLC0415

        # The driver logs connection failures with user and database on standard error.
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)
        refused_until = self._deadline.within(_RESTART_SECONDS)
        while True:
            seconds = self._deadline.remaining()
            if seconds <= 0:
                raise timed_out(self._deadline, "connecting to its server")
            try:
                connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    # A database without an encoding (SQL_ASCII) returns its texts as bytes unless the client names one.
                    client_encoding="utf8",
                    connect_timeout=max(1, int(seconds)),
                    application_name="gate",
                )
                _tell_timeouts(connection, self._deadline.remaining())
            except psycopg.OperationalError as error:
                if not _may_come_back(error) or refused_until.expired:
                    raise _unusable(error, self._deadline) from error
                self._pause(_PAUSE_SECONDS)
            else:
                return connection


def _checked(url: str) -> str:
    try:
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError as error:
        raise StorageError(
            "PostgreSQL's driver is not installed",
            seen=error.name or "no driver",
            next_step="Install the extra `postgresql` of this package.",
        ) from error
    import psycopg  # noqa: PLC0415

    try:
        conninfo_to_dict(url)
    except psycopg.Error as error:
        # The driver's text quotes the URL, a password in it included.
        raise UsageError("not a record URL", expected="postgresql://USER@HOST/DATABASE", seen="other text") from error
    return url


def _tell_timeouts(connection: psycopg.Connection[Any], seconds: float) -> None:
    milliseconds = str(max(1, int(seconds * 1000)))
    idle = str(_IDLE_SECONDS * 1000)
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
        " set_config('idle_in_transaction_session_timeout', %s, false)",
        (milliseconds, milliseconds, idle),
    )


def _may_come_back(error: psycopg.OperationalError) -> bool:
    text = str(error)
    return error.sqlstate in _RESTARTING or any(words in text for words in _COMING_BACK)


def _shut_down(descriptor: int) -> None:
    """End whatever waits on this socket: reading it then says that the other side is gone."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as channel:
        channel.shutdown(socket.SHUT_RDWR)


def _execute(connection: psycopg.Connection[Any], text: str, values: Sequence[object]) -> None:
    connection.execute(text.replace("?", "%s").encode(), values)


def _fetch(connection: psycopg.Connection[Any], text: str, values: Sequence[object]) -> list[Columns]:
    return connection.execute(text.replace("?", "%s").encode(), values).fetchall()


def _version(connection: psycopg.Connection[Any]) -> int:
    """Return the version of the tables that are there: 0 for none of the gate's."""
    ((numbered, first),) = _fetch(connection, "SELECT to_regclass('gate_schema'), to_regclass('rows')", ())
    if numbered is not None:
        ((version,),) = _fetch(connection, "SELECT max(version) FROM gate_schema", ())
        return int(version)  # type: ignore[call-overload, no-any-return]
    if first is None:
        return 0
    query = "SELECT attname FROM pg_attribute WHERE attrelid = 'rows'::regclass AND attnum > 0 ORDER BY attnum"
    columns = tuple(str(name) for (name,) in _fetch(connection, query, ()))
    return 1 if columns == FIRST_COLUMNS else 0


def _grant(connection: psycopg.Connection[Any], role: str) -> None:
    from psycopg import sql  # noqa: PLC0415

    for statement in GRANTS if role else ():
        connection.execute(sql.SQL(statement).format(role=sql.Identifier(role)))


@contextmanager
def _storage_errors(deadline: Deadline, passing: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    import psycopg  # noqa: PLC0415

    try:
        yield
    except passing:
        raise
    except psycopg.Error as error:
        raise _unusable(error, deadline) from error


def _unusable(error: psycopg.Error, deadline: Deadline) -> StorageError:
    """Return the error for what the driver says; its text names host, user and database, never a password."""
    if deadline.expired or error.sqlstate in {"57014", "55P03"}:
        return timed_out(deadline, "asking its server")
    text = " ".join(str(error).split())[:160]
    if error.sqlstate == "42501":
        return StorageError(
            "the record's user lacks a right",
            expected="SELECT and INSERT on gate_rows and gate_evidence, SELECT on gate_schema",
            seen=text,
            next_step="Let the owner run `gate record migrate --record URL --grant ROLE`.",
        )
    return StorageError("the record cannot be used", seen=text)
