"""The record: rows that are only ever appended, in SQLite or PostgreSQL.

Kinds of row (`gate.store.row_kinds` has all): `verdict` (every verdict, refused references and unsigned runs included), `intent`
(these bytes are about to be published there), `published` (they were read back), `superseded` (this intent cannot be finished and
no run tries it again). An intent that no row answers was cut short, and any gate on the record can publish it from the recorded
bytes: published again, never signed again.

Refuses to change or remove a row, a record that has shrunk since this installation last saw it, and one that others may write.

    record = open_record("state/record.db", Path("state/evidence"), deadline=deadline, actor=actor)
    verdict, intent = record.append(Entry(kind="verdict", ...), Entry(kind="intent", ..., refers_to_first=True))
    record.append(Entry(kind="published", ..., refers_to=intent.number))
    record.close()
"""

from __future__ import annotations

import secrets
import urllib.parse
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from gate.clock import Deadline
from gate.errors import StorageError, UsageError
from gate.store.backend import pages
from gate.store.evidence_folder import EvidenceFolder
from gate.store.heads import Head, HeadFile
from gate.store.rows import Author, Entry, Row, altered, number_entries, read_row
from gate.store.sqlite import SqliteBackend, known_version
from gate.store.sqlite_file import lost_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gate.model.digest import Digest
    from gate.store.backend import Backend
    from gate.store.postgresql import PostgresqlBackend

__all__ = ["Entry", "EvidenceStore", "Record", "Row", "migrate_record", "open_record"]

_URL_FORM: Final = "a path, sqlite:///FILE or postgresql://..."
_UNANSWERED: Final = (
    "kind = 'intent' AND number NOT IN"
    " (SELECT refers_to FROM gate_rows WHERE kind IN ('published', 'superseded') AND refers_to IS NOT NULL)"
)
_DEFAULT_WAIT: Final = timedelta(seconds=30)


class EvidenceStore(Protocol):
    """Where evidence is kept by digest: beside a record in a file, inside one in a database."""

    def put(self, content: bytes) -> Digest:
        """Keep these bytes and return their digest; raises StorageError."""

    def get(self, digest: Digest) -> bytes:
        """Return the bytes with this digest; raises StorageError."""

    def put_all(self, contents: Iterable[bytes]) -> tuple[Digest, ...]:
        """Keep several pieces, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An open record; `close` ends its connection."""

    backend: Backend
    evidence: EvidenceStore
    head: HeadFile
    author: Author = field(default_factory=lambda: Author(run=secrets.token_hex(16)))

    def close(self) -> None:
        """Close the connection."""
        self.backend.close()

    def append(self, *entries: Entry) -> tuple[Row, ...]:
        """Append rows, all or none, and return them with their numbers; without entries nothing is done.

        Raises:
            StorageError: `STORE_UNAVAILABLE`, none is written; then nothing that depends on them may happen.
        """
        if not entries:
            return ()
        return self.append_made(lambda _: entries)

    def append_made(self, make: Callable[[int], Sequence[Entry]]) -> tuple[Row, ...]:
        """Append the entries that `make` returns for the number of the first, every row before which it sees; none: nothing.

        Raises as `append`.
        """

        def made(first: int, previous: str) -> Sequence[Row]:
            return number_entries(make(first), first, self.author, previous)

        rows = tuple(self.backend.append(made))
        if not rows:
            return ()
        self.head.write(Head(rows[-1].number, rows[-1].leaf_hash))
        return rows

    def verdicts_with_inputs(self, inputs: str) -> tuple[Row, ...]:
        """Return the verdicts that were decided from exactly these inputs, newest first; none of the first release."""
        found = self._select("kind = ? AND inputs = ?", ("verdict", inputs), order="number DESC")
        return tuple(row for row in found if not row.legacy)

    def verdicts_of(self, repository: str) -> Iterator[Row]:
        """Yield the verdicts on any digest of a repository, oldest first."""
        first = f"{repository}@"
        # A range that the index serves (the column is compared by code points, in which "A" follows "@").
        condition = "kind = ? AND subject >= ? AND subject < ? AND substr(subject, 1, ?) = ?"
        values = ("verdict", first, f"{repository}A", len(first), first)
        for columns in pages(self.backend, condition, values):
            yield read_row(columns)

    def unpublished(self, subject: str) -> tuple[Row, ...]:
        """Return the intents on this subject that no row answers, oldest first; those of the first release never."""
        rows = self._select(f"{_UNANSWERED} AND subject = ?", (subject,))
        return tuple(row for row in rows if not row.legacy)

    def unfinished(self) -> Iterator[Row]:
        """Yield the intents on any subject that no row answers, oldest first; those of the first release never."""
        for columns in pages(self.backend, _UNANSWERED):
            row = read_row(columns)
            if not row.legacy:
                yield row

    def answers(self, number: int, kind: str) -> tuple[Row, ...]:
        """Return the rows of a kind that refer to a row."""
        return self._select("kind = ? AND refers_to = ?", (kind, number))

    def about(self, kind: str, subject: str) -> tuple[Row, ...]:
        """Return the rows of a kind about one subject, oldest first."""
        return self._select("kind = ? AND subject = ?", (kind, subject))

    def rows(self) -> Iterator[Row]:
        """Yield every row, oldest first, a page at a time."""
        for columns in pages(self.backend):
            yield read_row(columns)

    def _select(self, condition: str, values: tuple[object, ...], order: str = "number") -> tuple[Row, ...]:
        return tuple(read_row(columns) for columns in self.backend.select(condition, values, order))


def open_record(
    url: str, evidence_folder: Path, *, deadline: Deadline | None = None, actor: Mapping[str, str] | None = None
) -> Record:
    """Open the record at a URL, or at a path for SQLite, whose file and tables are made where there are none.

    Args:
        url: a path, `sqlite:///FILE` or `postgresql://...`, whose tables its owner has made (`gate record migrate`).
        evidence_folder: where evidence is kept beside a record in a file, and what was last seen of any record.
        deadline: when every wait ends; half a minute from now where none is given.
        actor: who asked for this run, as the CI system or the host claims; stands in every row.

    Raises:
        UsageError: `USAGE`, the URL is not of a database that is known here.
        StorageError: `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_SCHEMA`.
    """
    until = deadline or Deadline.after(_DEFAULT_WAIT)
    author = Author(run=secrets.token_hex(16), actor=dict(actor or {}))
    if _scheme(url) == "postgresql":
        record = _open_postgresql(url, evidence_folder, until, author)
    else:
        record = _open_sqlite(_sqlite_path(url), evidence_folder, until, author)
    try:
        _require_growth(record)
    except BaseException:
        record.close()
        raise
    return record


def migrate_record(url: str, evidence_folder: Path, *, role: str = "", deadline: Deadline | None = None) -> int:
    """Make or migrate the tables of a record, as its owner; return the schema version that was there (0: none).

    Args:
        role: the PostgreSQL role of jobs, which is granted what they need: to append and to read.

    Raises:
        UsageError, StorageError: as `open_record` does.
    """
    until = deadline or Deadline.after(_DEFAULT_WAIT)
    if _scheme(url) == "postgresql":
        backend = _postgresql(url, until)
        try:
            return backend.migrate(role)
        finally:
            backend.close()
    if role:
        raise UsageError("a record in a file has no roles", expected="--grant with a postgresql:// URL", seen="a file")
    path = _sqlite_path(url)
    before = known_version(path)
    open_record(url, evidence_folder, deadline=until).close()
    return before


def _open_sqlite(path: Path, evidence_folder: Path, deadline: Deadline, author: Author) -> Record:
    head = HeadFile.of(evidence_folder, str(path.absolute()))
    if lost := lost_content(path, evidence_folder):
        raise _shrunk(lost, str(path))
    backend = SqliteBackend(path, deadline)
    return Record(backend=backend, evidence=EvidenceFolder(evidence_folder), head=head, author=author)


def _open_postgresql(url: str, evidence_folder: Path, deadline: Deadline, author: Author) -> Record:
    from gate.store.evidence_table import EvidenceTable  # noqa: PLC0415 - an extra that a record in a file does not need

    backend = _postgresql(url, deadline)
    try:
        backend.require_schema()
    except BaseException:
        backend.close()
        raise
    parts = urllib.parse.urlsplit(url)
    head = HeadFile.of(evidence_folder, f"{parts.hostname}:{parts.port}{parts.path}")
    return Record(backend=backend, evidence=EvidenceTable(backend), head=head, author=author)


def _postgresql(url: str, deadline: Deadline) -> PostgresqlBackend:
    from gate.store.postgresql import PostgresqlBackend  # noqa: PLC0415 - an extra

    return PostgresqlBackend(url, deadline)


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if not separator:
        return "sqlite"
    if scheme not in {"sqlite", "postgresql"}:
        raise UsageError("not a record that can be used", expected=_URL_FORM, seen=ascii(scheme[:40]))
    return scheme


def _sqlite_path(url: str) -> Path:
    name = url
    if "://" in url:
        # Three slashes before a relative path, four before an absolute one, as other programs write it.
        name = url.removeprefix("sqlite://")[1:]
    # SQLite takes these for a database in memory or in a temporary file: a record that is gone when the run ends.
    if not name or name.startswith((":", "file:")):
        raise UsageError("not a record that stays", expected=_URL_FORM, seen=ascii(name[:80]))
    return Path(name)


def _require_growth(record: Record) -> None:
    """Raise StorageError `STORE_CORRUPT` where the record lost rows that this installation has seen."""
    seen = record.head.read()
    last = record.backend.last()
    row = read_row(last) if last is not None else None
    if seen is not None:
        if row is None or row.number < seen.number:
            raise _shrunk(f"{row.number if row else 0} rows", f"at least {seen.number} rows")
        known = record.backend.select("number = ?", (seen.number,))
        if [read_row(columns).leaf_hash for columns in known] != [seen.leaf_hash]:
            raise altered(seen.number)
    if row is not None and (seen is None or row.number > seen.number):
        record.head.write(Head(row.number, row.leaf_hash))


def _shrunk(seen: str, expected: str) -> StorageError:
    return StorageError(
        "the record has lost rows",
        code="STORE_CORRUPT",
        expected=expected,
        seen=seen,
        next_step="Restore the record from a copy; `gate record status` shows what is there.",
    )
