"""The record's file in SQLite: made whole, private to its owner, and never empty once it was a record.

A new record appears under its name with its tables in it, by a hard link. So a file of no bytes is never a record that another
process is just making: it was truncated, or somebody touched it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

from gate.errors import StorageError
from gate.store.schema import APPLICATION_ID, CURRENT, SQLITE

# Offsets 18 and 19 of the header: the versions of the file format for writing and reading, 2 for a write-ahead log
# (https://www.sqlite.org/fileformat.html#file_format_version_numbers).
_FORMAT_VERSIONS: Final = slice(18, 20)
_WRITE_AHEAD_LOG: Final = b"\x02\x02"


def make_private_file(path: Path) -> None:
    """Make a new record where there is no file, with mode 0600; refuse a file that others may write.

    SQLite gives its own files beside it the same mode.

    Raises:
        OSError: of the system.
        StorageError: `STORE_UNAVAILABLE`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _create(path)
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


def lost_content(path: Path, evidence_folder: Path) -> str:
    """Return how the file lost what it held, or "": it has no bytes beside kept evidence, or is missing beside its log.

    Asked before SQLite opens the file, because SQLite removes the write-ahead log of an empty one, which may hold the rows, and
    plays it into a new one.
    """
    # What is written after the file is looked for before it. The other way round, a record that another process makes and
    # fills between the two looks would count as lost.
    kept = (evidence_folder / "sha256").exists()
    log = any(_size(path.with_name(f"{path.name}{ending}")) > 0 for ending in ("-wal", "-journal"))
    size = _size(path)
    if log and size < 0:
        return "a log without its file"
    return "an empty file beside kept evidence" if kept and size == 0 else ""


def _size(path: Path) -> int:
    """Return the size of a regular file; -1 where there is none."""
    try:
        seen = path.stat()
    except OSError:
        return -1
    return seen.st_size if stat.S_ISREG(seen.st_mode) else -1


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Lead the tables from this version to the current one, inside the caller's transaction."""
    if version == CURRENT:
        return
    for statement in SQLITE[version]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={CURRENT}")


def _create(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_empty_record())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            _link(name, path)
    finally:
        Path(name).unlink()


def _link(name: str, path: Path) -> None:
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. The tables are made by the first process that takes the lock; beside evidence of
        # another record, a second process may meanwhile refuse the empty file, and does not when it is asked again.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _empty_record() -> bytes:
    """Return the bytes of a record without rows, in WAL mode from the start, so that no opener has to switch it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        migrate(connection, 0)
        connection.execute("COMMIT")
        content = bytearray(connection.serialize())
    content[_FORMAT_VERSIONS] = _WRITE_AHEAD_LOG
    return bytes(content)
