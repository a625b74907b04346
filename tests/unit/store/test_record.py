"""The record in SQLite: rows that are appended together, by several processes, and survive whatever ends one."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gate.errors import StorageError, UsageError
from gate.store.record import Entry, Record, open_record
from tests.support.sources import ROOT

SUBJECT = "registry.example/shop/web@sha256:" + "a" * 64


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    opened = open_record(str(tmp_path / "record.db"), tmp_path / "evidence")
    yield opened
    opened.close()


def verdict(subject: str = SUBJECT, inputs: str = "", **content: str) -> Entry:
    return Entry(kind="verdict", content=dict(content), subject=subject, inputs=inputs)


def writer(tmp_path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    """Start a process that appends `count` groups of three rows."""
    arguments = [str(tmp_path / "record.db"), str(tmp_path / "evidence"), name, str(count)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.record_writer", *arguments], cwd=ROOT, stdout=subprocess.PIPE
    )


def alter(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / "record.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_rows_are_numbered_from_one_and_come_back_with_their_bytes(record: Record) -> None:
    first, second = record.append(verdict(a="1"), verdict(a="2"))
    (third,) = record.append(verdict(a="3"))
    assert [row.number for row in (first, second, third)] == [1, 2, 3]
    assert tuple(record.rows()) == (first, second, third)
    said = json.loads(third.content)
    assert {name: said[name] for name in ("a", "kind", "number", "subject")} == {
        "a": "3", "kind": "verdict", "number": 3, "subject": SUBJECT,
    }  # fmt: skip


def test_nothing_is_appended_where_nothing_is_given(record: Record) -> None:
    assert record.append() == ()
    assert tuple(record.rows()) == ()


def test_a_row_may_refer_to_the_first_of_its_call(record: Record) -> None:
    record.append(verdict())
    first, second = record.append(verdict(), Entry(kind="intent", content={}, subject=SUBJECT, refers_to_first=True))
    assert (first.refers_to, second.refers_to) == (None, first.number)


def test_the_canonical_bytes_do_not_depend_on_the_order_of_keys(record: Record) -> None:
    one, other = record.append(verdict(a="1", b="2"), verdict(b="2", a="1"))
    chained = one.content.replace(b'"number":1', b'"number":2').replace(b'"previous":""', b'"previous":"%b"')
    assert chained % one.leaf_hash.encode() == other.content


def test_a_leaf_hash_is_that_of_rfc_9162(record: Record, tmp_path: Path) -> None:
    (row,) = record.append(verdict(a="1"))
    with closing(sqlite3.connect(tmp_path / "record.db")) as connection:
        ((leaf,),) = connection.execute("SELECT leaf_hash FROM gate_rows").fetchall()
    assert leaf == hashlib.sha256(b"\0" + row.content).hexdigest()


def test_verdicts_are_found_by_their_inputs_newest_first(record: Record) -> None:
    old, new, _ = record.append(verdict(inputs="same", a="1"), verdict(inputs="same", a="2"), verdict(inputs="other"))
    record.append(Entry(kind="intent", content={}, subject=SUBJECT, inputs="same"))
    assert record.verdicts_with_inputs("same") == (new, old)


def test_verdicts_of_a_repository_are_not_those_of_one_that_begins_alike(record: Record) -> None:
    (wanted, *_) = record.append(
        verdict("registry.example/shop/web@sha256:1"),
        verdict("registry.example/shop/web2@sha256:1"),
        verdict("registry.example/shopXweb@sha256:1"),
        verdict("registry.example/shop/web/admin@sha256:1"),
    )
    assert tuple(record.verdicts_of("registry.example/shop/web")) == (wanted,)
    assert tuple(record.verdicts_of("registry.example/shop_web")) == ()


def test_an_intent_is_unpublished_until_a_row_answers_it(record: Record) -> None:
    one, other = record.append(
        Entry(kind="intent", content={"n": 1}, subject=SUBJECT), Entry(kind="intent", content={"n": 2}, subject=SUBJECT)
    )
    assert record.unpublished(SUBJECT) == (one, other)
    (answer,) = record.append(Entry(kind="published", content={}, subject=SUBJECT, refers_to=one.number))
    assert record.unpublished(SUBJECT) == (other,)
    assert record.unpublished("registry.example/other@sha256:1") == ()
    assert record.answers(one.number, "published") == (answer,)
    assert record.answers(other.number, "published") == ()


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE gate_rows SET content = CAST(\'{"a":"2"}\' AS BLOB) WHERE number = 1',
        'UPDATE gate_rows SET content = \'{"a":"1"}\' WHERE number = 1',
        "UPDATE gate_rows SET content = 9 WHERE number = 1",
        "UPDATE gate_rows SET leaf_hash = 'x' WHERE number = 1",
    ],
    ids=["other-bytes", "text", "number", "leaf-hash"],
)
def test_an_altered_row_is_noticed(record: Record, tmp_path: Path, statement: str) -> None:
    kept = record.append(verdict(a="1"))
    assert tuple(record.rows()) == kept
    alter(tmp_path, statement)
    with pytest.raises(StorageError) as refused:
        tuple(record.rows())
    assert refused.value.code == "STORE_CORRUPT"
    assert refused.value.seen == "row 1"


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "record.db").write_bytes(b"no database, but long enough to be taken for the header of one" * 100)
    with pytest.raises(StorageError) as refused:
        open_record(str(tmp_path / "record.db"), tmp_path / "evidence")
    assert refused.value.code == "STORE_CORRUPT"


def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as refused:
        open_record(str(tmp_path / "file" / "record.db"), tmp_path / "evidence")
    assert refused.value.code == "STORE_UNAVAILABLE"
    open_record(str(tmp_path / "folder" / "record.db"), tmp_path / "evidence").close()
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_unavailable_and_appends_nothing(record: Record, tmp_path: Path) -> None:
    kept = record.append(verdict(a="1"))
    # A limit on the size of files is a full disk for this process, and needs no rights.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageError) as refused:
            record.append(verdict(a="x" * 500_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert refused.value.code == "STORE_UNAVAILABLE"
    assert tuple(record.rows()) == kept
    assert len(record.append(verdict(a="x" * 500_000))) == 1
    assert (tmp_path / "record.db").exists()


@pytest.mark.parametrize("url", ["", ":memory:", "sqlite://", "sqlite:///:memory:", "file:record.db?mode=memory"])
def test_a_record_that_would_not_stay_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        open_record(url, tmp_path)
    assert refused.value.code == "USAGE"


@pytest.mark.parametrize("url", ["mysql://host/record", "://", "postgres://host/record"])
def test_a_record_of_another_kind_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        open_record(url, tmp_path)
    assert refused.value.code == "USAGE"


def test_a_url_and_a_path_name_the_same_record(record: Record, tmp_path: Path) -> None:
    kept = record.append(verdict())
    by_url = open_record(f"sqlite:///{tmp_path / 'record.db'}", tmp_path / "evidence")
    assert tuple(by_url.rows()) == kept
    by_url.close()


def test_several_processes_append_at_once_without_gaps_and_without_mixing(tmp_path: Path) -> None:
    writers = [writer(tmp_path, f"writer{number}", 10) for number in range(4)]
    for process in writers:
        process.communicate()
    assert [process.returncode for process in writers] == [0] * 4
    opened = open_record(str(tmp_path / "record.db"), tmp_path / "evidence")
    rows = tuple(opened.rows())
    opened.close()
    assert [row.number for row in rows] == list(range(1, 121))
    for first, *rest in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        assert (first.kind, [row.refers_to for row in rest]) == ("verdict", [first.number] * 2)


def test_a_kill_at_any_moment_leaves_whole_groups_and_all_that_was_committed(tmp_path: Path) -> None:
    committed = 0
    for groups in (1, 2, 3, 5, 8):
        process = writer(tmp_path, "killed", 0)
        assert process.stdout is not None
        for _ in range(groups):
            committed = int(process.stdout.readline())
        process.kill()
        process.communicate()
        opened = open_record(str(tmp_path / "record.db"), tmp_path / "evidence")
        rows = tuple(opened.rows())
        opened.close()
        assert len(rows) >= committed
        assert len(rows) % 3 == 0
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
