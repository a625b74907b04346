"""The record in a real PostgreSQL: the same rows, the same promises, several writers at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from gate.audit.proofs import prove_row, read_proof
from gate.audit.questions import one_row
from gate.audit.verification import Demands, verify_rows
from gate.codec.audit_note import parse_note_key, render_proof
from gate.errors import StorageError
from gate.store.backend import pages
from gate.store.checkpoint_key import open_checkpoint_key
from gate.store.checkpoints import append_checkpoint
from gate.store.record import Entry, Record, migrate_record, open_record
from tests.support.postgresql import run_postgresql
from tests.support.signing import NOW
from tests.support.sources import ROOT

pytestmark = pytest.mark.real_tools

SUBJECT = "registry.example/shop/web@sha256:" + "a" * 64


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_postgresql() as url:
        yield url


@pytest.fixture
def url(server: str, tmp_path: Path) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS rows, gate_rows, gate_evidence, gate_schema")
    migrate_record(server, tmp_path)
    return server


@pytest.fixture
def record(url: str, tmp_path: Path) -> Iterator[Record]:
    opened = open_record(url, tmp_path)
    yield opened
    opened.close()


def verdict(subject: str = SUBJECT, inputs: str = "", **content: str) -> Entry:
    return Entry(kind="verdict", content=dict(content), subject=subject, inputs=inputs)


def test_rows_come_back_as_from_sqlite(record: Record, tmp_path: Path) -> None:
    entries = (
        verdict(inputs="same", a="1"),
        Entry(kind="intent", content={"b": "ü"}, subject=SUBJECT, refers_to_first=True),
        verdict("registry.example/shop/web2@sha256:1"),
    )
    local = replace(open_record(str(tmp_path / "record.db"), tmp_path), author=record.author)
    assert record.append(*entries) == local.append(*entries)
    assert tuple(record.rows()) == tuple(local.rows())
    assert tuple(record.verdicts_of("registry.example/shop/web")) == tuple(
        local.verdicts_of("registry.example/shop/web")
    )
    assert record.unpublished(SUBJECT) == local.unpublished(SUBJECT)
    assert record.verdicts_with_inputs("same") == local.verdicts_with_inputs("same")
    local.close()


def test_all_or_nothing(record: Record) -> None:
    kept = record.append(verdict())
    with pytest.raises(StorageError) as refused:
        record.append(verdict(), verdict(subject="a text that PostgreSQL does not take: \0"))
    assert refused.value.code == "STORE_UNAVAILABLE"
    assert tuple(record.rows()) == kept


def test_an_altered_row_is_noticed(record: Record, url: str) -> None:
    kept = record.append(verdict(a="1"))
    assert tuple(record.rows()) == kept
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE gate_rows SET content = %s", (b'{"a":"2"}',))
    with pytest.raises(StorageError) as refused:
        tuple(record.rows())
    assert refused.value.code == "STORE_CORRUPT"


def test_several_processes_open_a_new_record_and_append_without_gaps(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.record_writer", url, str(tmp_path)]
    writers = [subprocess.Popen([*command, f"w{n}", "10"], cwd=ROOT, stdout=subprocess.DEVNULL) for n in range(4)]
    assert [process.wait() for process in writers] == [0] * 4
    opened = open_record(url, tmp_path)
    rows = tuple(opened.rows())
    opened.close()
    assert [row.number for row in rows] == list(range(1, 121))
    for first, *rest in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        assert (first.kind, [row.refers_to for row in rest]) == ("verdict", [first.number] * 2)


def test_a_killed_writer_leaves_whole_groups(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.record_writer", url, str(tmp_path), "killed", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    committed = [int(process.stdout.readline()) for _ in range(3)][-1]
    process.kill()
    process.communicate()
    opened = open_record(url, tmp_path)
    # The server may still be ending the killed writer's last transaction: an append waits for its lock.
    opened.append(verdict(), verdict(), verdict())
    rows = tuple(opened.rows())
    opened.close()
    assert len(rows) >= committed
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) % 3 == 0


def test_a_server_that_is_not_there_is_unavailable(url: str, tmp_path: Path) -> None:
    open_record(url, tmp_path).close()
    with pytest.raises(StorageError) as refused:
        open_record("postgresql://gate:hunter2@127.0.0.1:1/postgres", tmp_path)
    assert refused.value.code == "STORE_UNAVAILABLE"
    assert "hunter2" not in str(refused.value)


def test_the_record_on_a_server_is_sealed_proven_and_verified(record: Record, url: str, tmp_path: Path) -> None:
    key = open_checkpoint_key(tmp_path / "checkpoint.key")
    record.append(*(verdict(inputs=str(number)) for number in range(5)))
    sealed = append_checkpoint(record, key, NOW)
    assert sealed is not None
    assert append_checkpoint(record, key, NOW) is None
    record.append(verdict())
    whole = verify_rows(pages(record.backend), Demands())
    assert (whole.sound, whole.tree.size, whole.sealed) == (True, 7, 5)
    proof = render_proof(prove_row(record, one_row(record, "3")))
    assert read_proof(proof, (parse_note_key(sealed.view().text("key")),))["number"] == 3
    note = sealed.view().text("note")
    with psycopg.connect(url, autocommit=True) as connection:
        for statement, row in (
            ("UPDATE gate_rows SET subject = subject || 'x' WHERE number = 2", 2),
            ("UPDATE gate_rows SET content = 'x' WHERE number = 4", 4),
            ("DELETE FROM gate_rows WHERE number = 5", 5),
        ):
            connection.execute("BEGIN")
            connection.execute(statement)
            connection.execute("COMMIT")
            assert row in {one.row for one in verify_rows(pages(record.backend), Demands()).damage}
        connection.execute("DELETE FROM gate_rows WHERE number > 3")
    cut = verify_rows(pages(record.backend), Demands(checkpoint=note)).damage
    assert any("was cut" in one.what for one in cut)


def test_writers_at_once_make_one_chain(url: str, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.record_writer", url, str(tmp_path), f"w{number}", "10"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        for number in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    opened = open_record(url, tmp_path)
    result = verify_rows(pages(opened.backend), Demands())
    opened.close()
    assert (result.sound, result.tree.size) == (True, 120)
