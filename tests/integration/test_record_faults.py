"""The record on a real PostgreSQL that restarts, freezes, hangs or grants little, and among clients that freeze."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from gate.clock import Deadline
from gate.errors import StorageError
from gate.store.record import Entry, Record, Row, migrate_record, open_record
from tests.support.postgresql import Postgresql, running_postgresql
from tests.support.sources import ROOT

pytestmark = pytest.mark.real_tools

SUBJECT = "registry.example/shop/web@sha256:" + "a" * 64
ENTRY = Entry(kind="verdict", content={}, subject=SUBJECT)
TABLES = "rows, gate_rows, gate_evidence, gate_schema"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with running_postgresql() as running:
        yield running


@pytest.fixture
def url(server: Postgresql, tmp_path: Path) -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLES}".encode())
    migrate_record(server.url, tmp_path / "evidence")
    return server.url


def opened(url: str, folder: Path, seconds: float = 30) -> Record:
    return open_record(url, folder / "evidence", deadline=Deadline.after(timedelta(seconds=seconds)))


def test_a_job_needs_to_append_and_to_read_and_can_alter_nothing(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE job LOGIN")
    as_job = url.replace("gate@", "job@")
    with pytest.raises(StorageError) as refused:
        opened(as_job, tmp_path)
    assert "gate record migrate" in refused.value.next_step
    migrate_record(url, tmp_path / "evidence", role="job")
    with closing(opened(as_job, tmp_path)) as record:
        (row,) = record.append(ENTRY)
        digest = record.evidence.put(b"a report")
        assert (record.evidence.get(digest), list(record.rows())) == (b"a report", [row])
    with psycopg.connect(as_job, autocommit=True) as job:
        for statement in ("UPDATE gate_rows SET kind = 'x'", "DELETE FROM gate_rows", "DELETE FROM gate_evidence"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                job.execute(statement)


def test_tables_are_made_by_their_owner_alone(server: Postgresql, tmp_path: Path) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLES}".encode())
    with pytest.raises(StorageError) as refused:
        opened(server.url, tmp_path)
    assert refused.value.code == "STORE_SCHEMA"
    assert migrate_record(server.url, tmp_path / "evidence") == 0
    with closing(opened(server.url, tmp_path)) as record:
        record.append(ENTRY)
    assert migrate_record(server.url, tmp_path / "evidence") == 2


def test_the_table_of_the_first_release_is_migrated(server: Postgresql, tmp_path: Path) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLES}".encode())
        connection.execute(
            "CREATE TABLE rows (number BIGINT PRIMARY KEY, kind VARCHAR(16) NOT NULL, subject VARCHAR(400) NOT NULL,"
            " inputs VARCHAR(64) NOT NULL, refers_to BIGINT, leaf_hash VARCHAR(64) NOT NULL, content BYTEA NOT NULL)"
        )
        connection.execute(
            "INSERT INTO rows VALUES (1, 'verdict', %s, 'key', NULL, encode(sha256('\\x007b7d'::bytea), 'hex'), '{}')",
            (SUBJECT,),
        )
    assert migrate_record(server.url, tmp_path / "evidence") == 1
    with closing(opened(server.url, tmp_path)) as record:
        record.append(ENTRY)
        assert [(row.number, row.legacy) for row in record.rows()] == [(1, True), (2, False)]


def test_another_programs_table_is_left_alone(server: Postgresql, tmp_path: Path) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLES}".encode())
        connection.execute("CREATE TABLE rows (id INTEGER)")
    migrate_record(server.url, tmp_path / "evidence")
    with closing(opened(server.url, tmp_path)) as record:
        record.append(ENTRY)
    with psycopg.connect(server.url, autocommit=True) as connection:
        assert connection.execute("SELECT id FROM rows").fetchall() == []


def test_evidence_is_shared_with_the_rows(url: str, tmp_path: Path) -> None:
    with closing(opened(url, tmp_path / "one")) as one, closing(opened(url, tmp_path / "other")) as other:
        digest = one.evidence.put(b"a report" * 1000)
        assert other.evidence.put(b"a report" * 1000) == digest
        assert other.evidence.get(digest) == b"a report" * 1000
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE gate_evidence SET content = 'x'")
    with closing(opened(url, tmp_path / "one")) as one, pytest.raises(StorageError) as refused:
        one.evidence.get(digest)
    assert refused.value.code == "STORE_CORRUPT"


def test_a_client_that_freezes_in_the_middle_stops_no_other(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.record_writer", url, str(tmp_path / "evidence"), "frozen", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        for _ in range(5):
            process.stdout.readline()
            process.send_signal(signal.SIGSTOP)
            with closing(opened(url, tmp_path, seconds=5)) as record:
                record.append(ENTRY)
            process.send_signal(signal.SIGCONT)
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def test_rows_survive_a_server_that_restarts_and_none_is_doubled(server: Postgresql, url: str, tmp_path: Path) -> None:
    written: list[Row] = []

    def write() -> None:
        with closing(opened(url, tmp_path, seconds=60)) as record:
            written.extend(
                record.append(Entry(kind="verdict", content={"n": n}, subject=SUBJECT))[0] for n in range(300)
            )

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        time.sleep(0.2)
        server.restart()
    writer.join()
    with closing(opened(url, tmp_path)) as record:
        rows = list(record.rows())
    assert rows == written
    assert [row.view().integer("n") for row in rows] == list(range(300))


def test_a_server_that_hangs_ends_with_the_deadline(server: Postgresql, url: str, tmp_path: Path) -> None:
    with closing(opened(url, tmp_path, seconds=2)) as record:
        record.append(ENTRY)
        started = time.monotonic()
        with server.frozen(), pytest.raises(StorageError) as refused:
            record.append(ENTRY)
        assert time.monotonic() - started < 3
        assert refused.value.code == "STORE_UNAVAILABLE"
    with closing(opened(url, tmp_path)) as record:
        record.append(ENTRY)


def test_a_table_that_is_locked_ends_with_the_deadline(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE gate_rows IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(StorageError) as refused:
            opened(url, tmp_path, seconds=2)
        assert time.monotonic() - started < 3
        assert refused.value.code == "STORE_UNAVAILABLE"
    opened(url, tmp_path).close()


def test_a_server_that_accepts_and_says_nothing_ends_with_the_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        with pytest.raises(StorageError) as refused:
            opened(f"postgresql://gate@127.0.0.1:{mute.getsockname()[1]}/postgres", tmp_path, seconds=2)
        assert time.monotonic() - started < 3.5
    assert refused.value.code == "STORE_UNAVAILABLE"


def test_the_driver_writes_nothing_on_standard_error(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, datetime\n"
        "from gate.store.record import open_record\n"
        "from gate.clock import Deadline\n"
        "from gate.errors import StorageError\n"
        "try:\n"
        "    open_record(sys.argv[1], pathlib.Path(sys.argv[2]), deadline=Deadline.after(datetime.timedelta(seconds=1)))\n"
        "except StorageError as error:\n"
        "    print(error.code)\n"
    )
    url = "postgresql://gate:hunter2@127.0.0.1:1/postgres"
    done = subprocess.run(
        [sys.executable, "-c", program, url, str(tmp_path)], cwd=ROOT, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"STORE_UNAVAILABLE\n", b"")


def test_a_record_that_has_lost_rows_is_refused(url: str, tmp_path: Path) -> None:
    with closing(opened(url, tmp_path)) as record:
        record.append(ENTRY, ENTRY)
    opened(url, tmp_path).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM gate_rows WHERE number = 2")
    with pytest.raises(StorageError) as refused:
        opened(url, tmp_path)
    assert refused.value.code == "STORE_CORRUPT"
    # Another installation has not seen the row that is gone.
    opened(url, tmp_path / "elsewhere").close()
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == ["heads"]
