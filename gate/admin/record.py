"""`gate record`: look for damage, and give up what cannot be finished.

Reads every row and every piece of evidence that a row names. Nothing is removed or rewritten: what is given up is appended as a
row of its own (`superseded`).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.errors import StorageError
from gate.pipeline.issue.recording import evidence_of, read_intent, record_superseded
from gate.store.backend import pages
from gate.store.record import Record, open_record
from gate.store.rows import read_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.clock import Deadline
    from gate.model.digest import Digest
    from gate.settings.locations import Places
    from gate.store.record import Row

_RESTORE: Final = "Restore it from a copy of the record."
_NOT_KEPT: Final = "They are shown and decide nothing."
_GIVE_UP: Final = "`gate record repair` gives it up; the next check of the image issues another verdict."
_PUBLISH: Final = "The next `gate check` of the image publishes it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFinding:
    """One thing that was found in the record; `damaged` ones make `gate record status` end with 3."""

    component: str
    state: str
    found: str
    next_step: str = ""

    @property
    def damaged(self) -> bool:
        """Return whether this is damage, not a remark."""
        return self.state == "damaged"


def record_status(places: Places, deadline: Deadline) -> tuple[RecordFinding, ...]:
    """Return what the record holds, and each damage with its place.

    Raises:
        StorageError: the record cannot be opened at all.
    """
    with closing(open_record(places.record, places.evidence, deadline=deadline)) as record:
        rows, damage = _read_rows(record, deadline)
        return (
            *(RecordFinding(component="database", state="damaged", found=line) for line in record.backend.check()),
            *damage,
            *_read_evidence(record, rows, deadline),
            *_unfinished(record),
            RecordFinding(component="rows", state="ok", found=f"{len(rows)} rows"),
            *_legacy(rows),
        )


def repair_record(places: Places, now: datetime, deadline: Deadline) -> tuple[RecordFinding, ...]:
    """Abandon every intent whose bytes are damaged, and return a line for each.

    Raises:
        StorageError: the record cannot be opened or written.
    """
    given_up = []
    with closing(open_record(places.record, places.evidence, deadline=deadline)) as record:
        for row in tuple(record.unfinished()):
            deadline.check("the record was repaired")
            fault = _fault_of(record, row)
            if fault is not None:
                record_superseded(record, row, fault.code, now)
                found = f"{row.subject}: {fault}"
                given_up.append(RecordFinding(component=f"row {row.number}", state="superseded", found=found))
    return tuple(given_up)


def _read_rows(record: Record, deadline: Deadline) -> tuple[list[Row], list[RecordFinding]]:
    rows: list[Row] = []
    damage: list[RecordFinding] = []
    expected = 1
    for columns in pages(record.backend):
        deadline.check("the record was read")
        if columns[0] != expected:
            damage.append(_damaged(f"row {expected}", f"missing: the next row is {columns[0]}"))
        expected = columns[0] + 1 if isinstance(columns[0], int) else expected + 1
        try:
            rows.append(read_row(columns))
        except StorageError as error:
            damage.append(_damaged(f"row {columns[0]}", str(error)))
    return rows, damage


def _read_evidence(record: Record, rows: list[Row], deadline: Deadline) -> Iterator[RecordFinding]:
    """Read each piece of evidence once; report the first row that names a damaged one."""
    read: set[Digest] = set()
    for row in rows:
        for digest in () if row.legacy else evidence_of(row):
            if digest in read:
                continue
            read.add(digest)
            deadline.check("evidence was read")
            try:
                record.evidence.get(digest)
            except StorageError as error:
                yield _damaged(f"evidence of row {row.number}", str(error))
    yield RecordFinding(component="evidence", state="ok", found=f"{len(read)} pieces")


def _unfinished(record: Record) -> Iterator[RecordFinding]:
    for row in record.unfinished():
        fault = _fault_of(record, row)
        component = f"row {row.number}"
        if fault is not None:
            yield RecordFinding(component=component, state="damaged", found=str(fault), next_step=_GIVE_UP)
        else:
            yield RecordFinding(component=component, state="unpublished", found=row.subject, next_step=_PUBLISH)


def _fault_of(record: Record, row: Row) -> StorageError | None:
    try:
        read_intent(record, row)
    except StorageError as error:
        return error if error.code == "STORE_CORRUPT" else None
    return None


def _legacy(rows: list[Row]) -> Iterator[RecordFinding]:
    count = sum(row.legacy for row in rows)
    if count:
        found = f"{count} rows of the first release"
        yield RecordFinding(component="rows", state="old", found=found, next_step=_NOT_KEPT)


def _damaged(component: str, found: str) -> RecordFinding:
    return RecordFinding(component=component, state="damaged", found=found, next_step=_RESTORE)
