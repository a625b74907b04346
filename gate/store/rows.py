"""Rows of the record: their canonical bytes, and the columns that are derived from them.

Everything that a column says stands in the canonical bytes (number, kind, subject, inputs, what the row refers to, who
asked), and the leaf hash (RFC 9162: SHA-256 over a zero byte and the row) covers those bytes. Columns exist for look-ups
alone: they are derived when a row is written and compared when it is read, so that nothing outside the bytes decides.

Schema version 2.0 of a row. Rows of version 1.0, whose columns no hash covered, are listed and shown; they decide nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from gate.codec.strict_json import Fault, canonical_json, parse_object, printable
from gate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gate.codec.strict_json import JsonValue, ObjectView

ROW_SCHEMA: Final = "2.0"
_LEGACY_SCHEMA: Final = "1.0"
_MAX_ROW_BYTES: Final = 64 * 1024 * 1024
_FAULT: Final = Fault(StorageError, "STORE_CORRUPT", "a row of the record")
# Keys that the record writes itself: an entry cannot set them.
RESERVED: Final = frozenset(
    {"schemaVersion", "number", "kind", "subject", "inputs", "refersTo", "run", "actor", "previous"}
)

Columns: TypeAlias = "tuple[object, ...]"
"""number, kind, subject, inputs, refers_to, leaf_hash, content: the order of the table's columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row to be appended; `refers_to_first` makes it refer to the first row of the same call.

    `subject` is `repository@digest` or the reference as requested; `inputs` is a key over everything that a verdict depends
    on, or empty.
    """

    kind: str
    content: Mapping[str, JsonValue]
    subject: str
    inputs: str = ""
    refers_to: int | None = None
    refers_to_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its number from 1, what its bytes say of it, and the exact bytes.

    `legacy` marks a row whose columns no hash covers (version 1.0).
    """

    number: int
    kind: str
    subject: str
    inputs: str
    content: bytes
    refers_to: int | None = None
    legacy: bool = False

    @property
    def leaf_hash(self) -> str:
        """Return the hex RFC 9162 leaf hash of the row's bytes."""
        return hashlib.sha256(b"\0" + self.content).hexdigest()

    def columns(self) -> Columns:
        """Return the values of the table's columns."""
        return (self.number, self.kind, self.subject, self.inputs, self.refers_to, self.leaf_hash, self.content)

    def view(self) -> ObjectView:
        """Return a strict view of the row's bytes; raises StorageError `STORE_CORRUPT`."""
        return parse_object(self.content, _FAULT, limit_bytes=_MAX_ROW_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who writes rows: one run, and who asked for it, as the CI system or the host claims.

    `run` is random text of this run's own, which makes its rows unlike those of any other.
    """

    run: str
    actor: Mapping[str, str] = field(default_factory=dict)


def number_entries(entries: Sequence[Entry], first: int, author: Author, previous: str = "") -> tuple[Row, ...]:
    """Return the rows of these entries, numbered from `first`; each names the leaf hash of the one before it.

    `previous` is the leaf hash of the row before the first; "" where there is none. So the row that was altered can be named, and
    not only the stretch between two checkpoints.
    """
    rows = []
    for number, entry in enumerate(entries, first):
        refers_to = first if entry.refers_to_first else entry.refers_to
        rows.append(_row_of(entry, number, refers_to, author, previous))
        previous = rows[-1].leaf_hash
    return tuple(rows)


def _row_of(entry: Entry, number: int, refers_to: int | None, author: Author, previous: str) -> Row:
    content: dict[str, JsonValue] = {
        **{name: value for name, value in entry.content.items() if name not in RESERVED},
        "schemaVersion": ROW_SCHEMA,
        "number": number,
        "kind": entry.kind,
        "subject": entry.subject,
        "inputs": entry.inputs,
        "run": author.run,
        "actor": {**author.actor},
        "previous": previous,
    }
    if refers_to is not None:
        content["refersTo"] = refers_to
    return Row(
        number=number,
        kind=entry.kind,
        subject=entry.subject,
        inputs=entry.inputs,
        content=canonical_json(content),
        refers_to=refers_to,
    )


def read_row(columns: Columns) -> Row:
    """Return the row that these columns hold.

    Raises:
        StorageError: `STORE_CORRUPT`, the columns do not say what the row's bytes say.
    """
    number, kind, subject, inputs, refers_to, leaf_hash, content = columns
    # SQLite keeps what it is given: a column that was altered by hand may hold a value of any type.
    if not isinstance(content, bytes) or hashlib.sha256(b"\0" + content).hexdigest() != leaf_hash:
        raise altered(number)
    view = parse_object(content, _FAULT, limit_bytes=_MAX_ROW_BYTES)
    version = view.text("schemaVersion") if "schemaVersion" in view else _LEGACY_SCHEMA
    if version == _LEGACY_SCHEMA:
        return _legacy(columns)
    if version != ROW_SCHEMA:
        raise StorageError(
            "a row of the record has a form that this release does not read",
            code="STORE_SCHEMA",
            expected=f"version {ROW_SCHEMA}",
            seen=f"version {printable(version, 20)}",
        )
    row = Row(
        number=view.integer("number"),
        kind=view.text("kind"),
        subject=view.text("subject"),
        inputs=view.text("inputs"),
        content=content,
        refers_to=view.integer("refersTo") if "refersTo" in view else None,
    )
    if (row.number, row.kind, row.subject, row.inputs, row.refers_to) != (number, kind, subject, inputs, refers_to):
        raise altered(number)
    return row


def _legacy(columns: Columns) -> Row:
    number, kind, subject, inputs, refers_to, _, content = columns
    texts = (kind, subject, inputs)
    numbers = (number, refers_to if refers_to is not None else 1)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(value, int) for value in numbers):
        raise altered(number)
    return Row(
        number=number,  # type: ignore[arg-type]  # compared above
        kind=kind,  # type: ignore[arg-type]
        subject=subject,  # type: ignore[arg-type]
        inputs=inputs,  # type: ignore[arg-type]
        content=content,  # type: ignore[arg-type]
        refers_to=refers_to,  # type: ignore[arg-type]
        legacy=True,
    )


def altered(number: object) -> StorageError:
    """Return the error for a row that is not what the record wrote."""
    return StorageError(
        "a row of the record was altered",
        code="STORE_CORRUPT",
        expected="columns and bytes as they were appended",
        seen=f"row {number}" if isinstance(number, int) else "a row without a number",
    )
