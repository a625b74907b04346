"""What the record asks of a database, and the errors that both databases share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from gate.errors import StorageError

if TYPE_CHECKING:
    from gate.clock import Deadline
    from gate.store.rows import Columns, Row

COLUMNS: Final = "number, kind, subject, inputs, refers_to, leaf_hash, content"
PAGE_ROWS: Final = 500


Make: TypeAlias = "Callable[[int, str], Sequence[Row]]"
"""Returns the rows to append, given the next free number and the leaf hash of the row before it ("" for the first)."""


class Backend(Protocol):
    """A database that holds rows. Every call ends within the deadline that the backend was opened with."""

    def append(self, make: Make) -> Sequence[Row]:
        """Append the rows that `make` returns, all or none; raises StorageError."""

    def select(self, condition: str, values: Sequence[object], order: str = "number", limit: int = 0) -> list[Columns]:
        """Return the rows that fulfil an SQL condition with `?` for its values; 0 means without limit."""

    def last(self) -> Columns | None:
        """Return the row with the highest number."""

    def check(self) -> tuple[str, ...]:
        """Return what the database itself finds damaged; nothing where it is sound."""

    def close(self) -> None:
        """Close the connection."""


def pages(backend: Backend, condition: str = "1 = 1", values: Sequence[object] = ()) -> Iterator[Columns]:
    """Yield the rows that fulfil a condition, oldest first, a page at a time."""
    after = 0
    while True:
        page = backend.select(f"number > ? AND ({condition})", (after, *values), limit=PAGE_ROWS)
        yield from page
        if len(page) < PAGE_ROWS:
            return
        number = page[-1][0]
        after = number if isinstance(number, int) else after + PAGE_ROWS


def timed_out(deadline: Deadline, what: str) -> StorageError:
    """Return the error for a database that did not answer in time; `what` was being done."""
    del deadline
    return StorageError(
        f"the record did not answer in time while {what}",
        code="STORE_UNAVAILABLE",
        expected="an answer within --timeout",
        seen="another process holds it, or its server hangs",
        next_step="Run again when the other process has ended, or raise --timeout.",
    )
