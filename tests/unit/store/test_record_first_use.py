"""Several gates begin one record at the same moment, delayed anywhere: each opens it, and no row is lost.

`GATE_ROUNDS=200` makes more rounds of it.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from gate.clock import Deadline
from gate.errors import StorageError
from gate.store import record as record_module
from gate.store import sqlite, sqlite_file
from gate.store.record import Entry, open_record
from gate.store.schema import FIRST_COLUMNS

ROUNDS: Final = int(os.environ.get("GATE_ROUNDS", "6"))
OPENERS: Final = 8
SUBJECT: Final = "registry.example/shop/web@sha256:" + "a" * 64


def _delayed(work: Callable[..., object], chance: random.Random) -> Callable[..., object]:
    def delayed(*values: object, **named: object) -> object:
        time.sleep(chance.random() * 0.01)
        return work(*values, **named)

    return delayed


def _delay_everything(chance: random.Random) -> None:
    """Sleep before every step of opening in this process, which ends with its test."""
    for module, name in (
        (sqlite_file, "_create"),
        (sqlite_file, "_size"),
        (sqlite_file, "_link"),
        (sqlite_file, "migrate"),
        (sqlite, "make_private_file"),
        (record_module, "lost_content"),
        (record_module, "_require_growth"),
        (sqlite.SqliteBackend, "_version"),
    ):
        setattr(module, name, _delayed(getattr(module, name), chance))


def _use(path: Path, number: int) -> None:
    deadline = Deadline.after(timedelta(seconds=60))
    with closing(open_record(str(path), path.parent / "evidence", deadline=deadline)) as record:
        record.evidence.put(b"a report of %d" % number)
        record.append(
            Entry(kind="verdict", content={"n": number}, subject=SUBJECT),
            Entry(kind="intent", content={}, subject=SUBJECT),
        )
        list(record.rows())


def _start(path: Path, number: int, seed: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        _delay_everything(random.Random(seed * 1000 + number))  # noqa: S311 - delays by a seed
        _use(path, number)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a child of fork never returns into pytest
        traceback.print_exc()
        os._exit(1)


def _nothing(_: Path) -> None:
    """Leave the place empty."""


def _touched(path: Path) -> None:
    path.touch(mode=0o600)


def _of_the_first_release(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        columns = ", ".join(f"{name} {'BLOB' if name == 'content' else 'TEXT'}" for name in FIRST_COLUMNS)
        connection.execute(f"CREATE TABLE rows ({columns})".replace("number TEXT", "number INTEGER PRIMARY KEY"))
    path.chmod(0o600)


def _beside_another(path: Path) -> None:
    _use(path.with_name("other.db"), 100)


@pytest.mark.parametrize("before", [_nothing, _touched, _beside_another, _of_the_first_release])
def test_runs_that_begin_a_record_together_all_open_it(tmp_path: Path, before: Callable[[Path], None]) -> None:
    for seed in range(ROUNDS):
        path = tmp_path / str(seed) / "record.db"
        path.parent.mkdir()
        before(path)
        children = [_start(path, number, seed) for number in range(OPENERS)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * OPENERS, seed
        with closing(open_record(str(path), path.parent / "evidence")) as record:
            rows = list(record.rows())
        assert [row.number for row in rows] == list(range(1, 2 * OPENERS + 1))
        assert {row.view().integer("n") for row in rows if row.kind == "verdict"} == set(range(OPENERS))
        assert [entry.name for entry in path.parent.iterdir() if ".new-" in entry.name] == []


def test_a_file_system_without_hard_links_is_used_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    _use(tmp_path / "state" / "record.db", 1)
    assert sorted(entry.name for entry in (tmp_path / "state").iterdir()) == ["evidence", "record.db"]
    assert (tmp_path / "state" / "record.db").stat().st_mode & 0o777 == 0o600


def test_a_record_that_was_truncated_is_refused_and_its_log_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    _use(path, 1)
    log = path.with_name("record.db-wal")
    os.truncate(path, 0)
    log.write_bytes(b"rows that were not yet written back")
    with pytest.raises(StorageError) as refused:
        _use(path, 2)
    assert (refused.value.code, refused.value.seen) == ("STORE_CORRUPT", "an empty file beside kept evidence")
    path.unlink()
    with pytest.raises(StorageError) as refused:
        _use(path, 2)
    assert (refused.value.code, refused.value.seen) == ("STORE_CORRUPT", "a log without its file")
    assert log.read_bytes() == b"rows that were not yet written back"
    assert not path.exists()
