"""The record's file: private, the gate's own, of a known version, never shorter than it was, and never waited for too long."""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.errors import StorageError
from gate.store.record import Entry, Record, Row, open_record

_PLACES = random.Random(7)  # noqa: S311 - places by a seed
SUBJECT = "registry.example/shop/web@sha256:" + "a" * 64


class Opened:
    """The record of a test, opened again as often as it asks."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state" / "record.db"
        self.evidence = folder / "state" / "evidence"

    @contextlib.contextmanager
    def open(self, *, seconds: float = 30) -> Iterator[Record]:
        deadline = Deadline.after(timedelta(seconds=seconds))
        with closing(open_record(str(self.path), self.evidence, deadline=deadline, actor={"user": "ada"})) as record:
            yield record

    def fill(self, count: int = 3) -> None:
        with self.open() as record:
            for number in range(count):
                record.append(Entry(kind="verdict", content={"n": number}, subject=SUBJECT, inputs="key"))

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def whole(self) -> bytes:
        """Return the file's bytes with everything of the write-ahead log in them."""
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.path.read_bytes()


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return Opened(tmp_path)


def refusal(opened: Opened, *, seconds: float = 30) -> StorageError:
    with pytest.raises(StorageError) as refused, opened.open(seconds=seconds) as record:
        list(record.rows())
    return refused.value


def test_all_its_files_are_private(opened: Opened) -> None:
    with opened.open() as record:
        record.append(Entry(kind="verdict", content={}, subject=SUBJECT))
        files = [path for path in opened.path.parent.iterdir() if path.is_file()]
        assert {path.name for path in files} == {"record.db", "record.db-shm", "record.db-wal"}
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_one_that_others_can_write_is_refused(opened: Opened, mode: int) -> None:
    opened.fill()
    opened.path.chmod(mode)
    assert refusal(opened).code == "STORE_UNAVAILABLE"
    opened.path.chmod(0o640)
    opened.fill()


def test_a_row_says_who_asked_and_which_run_wrote_it(opened: Opened) -> None:
    opened.fill(2)
    with opened.open() as record:
        views = [row.view() for row in record.rows()]
    assert [view.object("actor").text("user") for view in views] == ["ada", "ada"]
    assert views[0].text("run") == views[1].text("run")


def test_an_entry_cannot_say_what_the_record_says(opened: Opened) -> None:
    with opened.open() as record:
        (row,) = record.append(Entry(kind="verdict", content={"number": 7, "kind": "intent"}, subject=SUBJECT))
        assert (row.view().integer("number"), row.view().text("kind")) == (1, "verdict")


@pytest.mark.parametrize(
    "change",
    ["kind = 'intent'", "subject = 'other'", "inputs = 'other'", "refers_to = 1", "number = 9", "inputs = x'00'"],
)
def test_a_column_that_says_something_else_than_the_bytes_is_noticed(opened: Opened, change: str) -> None:
    opened.fill()
    opened.run(f"UPDATE gate_rows SET {change} WHERE number = 2")  # noqa: S608 - the test's own
    assert refusal(opened).code == "STORE_CORRUPT"


@pytest.mark.parametrize(
    "cut",
    ["DELETE FROM gate_rows WHERE number = 3", "DELETE FROM gate_rows", "UPDATE gate_rows SET number = number + 1"],
)
def test_a_record_that_has_lost_rows_is_refused(opened: Opened, cut: str) -> None:
    opened.fill()
    copy = opened.path.with_suffix(".copy")
    opened.whole()
    shutil.copy(opened.path, copy)
    opened.run(cut.replace("number + 1", "number + 10"))
    assert refusal(opened).code == "STORE_CORRUPT"
    shutil.copy(copy, opened.path)
    opened.fill()


def test_a_record_that_was_emptied_beside_its_evidence_is_refused(opened: Opened) -> None:
    opened.fill()
    with opened.open() as record:
        record.evidence.put(b"a report")
    for path in opened.path.parent.glob("record.db*"):
        path.unlink()
    opened.path.touch(mode=0o600)
    assert refusal(opened).code == "STORE_CORRUPT"
    opened.path.unlink()
    # No file at all is told by what was last seen of it.
    assert refusal(opened).code == "STORE_CORRUPT"


def test_another_record_in_its_place_is_refused(opened: Opened, tmp_path: Path) -> None:
    other = Opened(tmp_path / "other")
    other.fill(3)
    opened.fill(3)
    opened.whole()
    opened.path.write_bytes(other.whole())
    assert refusal(opened).code == "STORE_CORRUPT"


@pytest.mark.parametrize(
    "make",
    [
        "CREATE TABLE cookies (name TEXT)",
        "CREATE TABLE rows (id INTEGER)",
        "PRAGMA application_id=7",
    ],
)
def test_the_database_of_another_program_is_left_alone(opened: Opened, make: str) -> None:
    opened.path.parent.mkdir()
    opened.run("CREATE TABLE first (id INTEGER)", make)
    opened.path.chmod(0o600)
    before = opened.whole()
    assert refusal(opened).code == "STORE_SCHEMA"
    assert opened.whole()[100:] == before[100:]


def test_the_record_of_a_later_release_is_left_alone(opened: Opened) -> None:
    opened.fill()
    opened.run("PRAGMA user_version=3")
    assert refusal(opened).code == "STORE_SCHEMA"
    opened.run("PRAGMA user_version=2")
    opened.fill()


def test_the_rows_of_the_first_release_are_shown_and_decide_nothing(opened: Opened) -> None:
    opened.path.parent.mkdir()
    opened.run(
        # As SQLAlchemy wrote it for the first release.
        "CREATE TABLE rows (number INTEGER NOT NULL, kind VARCHAR(16) NOT NULL, subject VARCHAR(400) NOT NULL,"
        " inputs VARCHAR(64) NOT NULL, refers_to INTEGER, leaf_hash VARCHAR(64) NOT NULL, content BLOB NOT NULL,"
        " PRIMARY KEY (number))",
        "CREATE INDEX rows_by_inputs ON rows (inputs, kind)",
        "CREATE INDEX rows_by_reference ON rows (refers_to, kind)",
        "CREATE INDEX rows_by_subject ON rows (subject, kind)",
    )
    with closing(sqlite3.connect(opened.path)) as connection:
        row = (SUBJECT, hashlib.sha256(b"\0{}").hexdigest(), b"{}")
        connection.execute("INSERT INTO rows VALUES (1, 'verdict', ?, 'key', NULL, ?, ?)", row)
        connection.execute("INSERT INTO rows VALUES (2, 'intent', ?, '', 1, ?, ?)", row)
        connection.commit()
    opened.path.chmod(0o600)
    opened.fill(1)
    with opened.open() as record:
        assert [(row.number, row.legacy) for row in record.rows()] == [(1, True), (2, True), (3, False)]
        assert [row.number for row in record.verdicts_with_inputs("key")] == [3]
        assert record.unpublished(SUBJECT) == ()


def test_a_lock_that_another_process_holds_is_waited_for_until_the_deadline_and_no_longer(opened: Opened) -> None:
    opened.fill()
    with closing(sqlite3.connect(opened.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with opened.open(seconds=0.5) as record:
            started = time.monotonic()
            with pytest.raises(StorageError) as refused:
                record.append(Entry(kind="verdict", content={}, subject=SUBJECT))
            assert time.monotonic() - started < 2
        assert refused.value.code == "STORE_UNAVAILABLE"
        assert "in time" in refused.value.message
        holder.execute("ROLLBACK")
    opened.fill(1)


def _flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _truncated(content: bytes, place: int) -> bytes:
    return content[: place // 8]


@pytest.mark.parametrize("damage", [_flipped, _truncated])
def test_damage_anywhere_in_the_file_is_noticed_or_changes_no_row(
    opened: Opened, damage: Callable[[bytes, int], bytes]
) -> None:
    """200 places by a seed: either reading every row, with the database's own check, refuses; or all rows are the same."""
    opened.fill(20)
    sound = opened.whole()
    with opened.open() as record:
        rows = list(record.rows())
    noticed = 0
    for place in _PLACES.sample(range(8, len(sound) * 8), 200):
        for path in opened.path.parent.glob("record.db-*"):
            path.unlink()
        opened.path.write_bytes(damage(sound, place))
        code = _read_again(opened, rows)
        assert code in {"", "STORE_CORRUPT", "STORE_SCHEMA", "STORE_UNAVAILABLE"}, place
        noticed += bool(code)
    assert noticed > 50


def _read_again(opened: Opened, rows: list[Row]) -> str:
    """Return the code that reading refuses with; nothing where every row is as it was."""
    try:
        with opened.open() as record:
            assert list(record.rows()) == rows
            return "STORE_CORRUPT" if record.backend.check() else ""
    except StorageError as error:
        return error.code
