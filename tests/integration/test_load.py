"""Many gates at the same time while servers restart: no verdict without its row, no row lost or doubled, none unseen.

A few gates in the suite; `make load` starts sixteen, in every combination.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

import gate
from gate.clock import Deadline
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.model.reference import parse_reference
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.store.record import Row, migrate_record, open_record
from tests.support.installation import Installation
from tests.support.postgresql import Postgresql, running_postgresql
from tests.support.programs import Tools
from tests.support.registries import free_port, run_olareg
from tests.support.sources import ROOT

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

FULL: Final = "GATE_LOAD" in os.environ
GATES: Final = int(os.environ.get("GATE_LOAD", "4"))
RESTARTS: Final = 4 if FULL else 1
SMALL: Final = [("sqlite", True, "one"), ("postgresql", False, "many")]
COMBINATIONS: Final = [
    (record, referrers, images)
    for record in ("sqlite", "postgresql")
    for referrers in (True, False)
    for images in ("one", "many")
]
IMAGES: Final = ("clean", "setuid")


@dataclass(slots=True)
class Registry:
    """A registry that can be restarted over the same storage, on the same port."""

    tools: Tools
    storage: Path
    referrers: bool
    port: int = field(default_factory=free_port)
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> str:
        running = run_olareg(self.tools.olareg, self.storage, referrers=self.referrers, port=self.port)
        return self._opened.enter_context(running).host

    def stop(self) -> None:
        self._opened.close()

    def restart(self) -> None:
        self.stop()
        self.start()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with running_postgresql() as running:
        yield running


def record_of(kind: str, server: Postgresql, folder: Path) -> str:
    if kind == "sqlite":
        return str(folder / "record.db")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(b"DROP TABLE IF EXISTS rows, gate_rows, gate_evidence, gate_schema")
    migrate_record(server.url, folder / "evidence")
    return server.url


@contextmanager
def restarting(*restarts: Callable[[], object]) -> Iterator[None]:
    """Restart each server again and again, inside."""
    done = threading.Event()

    def work() -> None:
        for _ in range(RESTARTS):
            for restart in restarts:
                if done.wait(3):
                    return
                restart()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


def start(installed: Installation, own: Path, record: str, reference: str, seed: int) -> subprocess.Popen[str]:
    own.mkdir(exist_ok=True)
    order = {"root": str(installed.root), "own": str(own), "record": record, "reference": reference, "seed": seed}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.gates_at_once", json.dumps(order)],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def end(child: subprocess.Popen[str]) -> dict[str, Any]:
    said, complaint = child.communicate(timeout=600)
    assert child.returncode == 0, complaint
    told: dict[str, Any] = json.loads(said)
    return told


def attached(reference: str) -> set[str]:
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        source = open_source(parse_reference(reference), client)
        return {str(item.manifest) for item in collect_attachments(source, source.root().digest).items}


def rows_of(record: str, evidence: Path) -> list[Row]:
    with closing(open_record(record, evidence)) as opened:
        return list(opened.rows())


@pytest.mark.parametrize(("kind", "referrers", "images"), COMBINATIONS if FULL else SMALL)
def test_nothing_is_lost_doubled_or_unseen(
    kind: str,
    images: str,
    server: Postgresql,
    installed: Installation,
    tools: Tools,
    tmp_path: Path,
    *,
    referrers: bool,
) -> None:
    registry = Registry(tools, tmp_path / "registry", referrers)
    host = registry.start()
    count = 1 if images == "one" else GATES
    references = [installed.push(IMAGES[number % 2], host, repository=f"load/web-{number}") for number in range(count)]
    before = {reference: attached(reference) for reference in references}
    record = record_of(kind, server, tmp_path)
    # One home where the record is a file, else one for each gate.
    homes = [tmp_path if kind == "sqlite" else tmp_path / f"home-{number}" for number in range(GATES)]
    restarts: list[Callable[[], object]] = [registry.restart]
    if kind == "postgresql":
        restarts.append(server.restart)
    with restarting(*restarts):
        children = [
            start(installed, homes[number], record, references[number % count], number) for number in range(GATES)
        ]
        told = [end(child) for child in children]
    try:
        assert_all_is_there(installed, tmp_path, record, references, before, told)
    finally:
        registry.stop()


def assert_all_is_there(
    installed: Installation,
    folder: Path,
    record: str,
    references: list[str],
    before: dict[str, set[str]],
    told: list[dict[str, Any]],
) -> None:
    # What a restart cut short is finished by the next run on the image, which is one more gate.
    told += [end(start(installed, folder, record, reference, 0)) for reference in references]
    assert [item for item in told[-len(references) :] if "error" in item] == []
    rows = rows_of(record, folder / "evidence" if "://" in record else installed.places(folder).evidence)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    verdicts = [row for row in rows if row.kind == "verdict"]
    assert len({row.view().text("run") for row in verdicts}) == len(verdicts)
    decided = [item for item in told if "decision" in item]
    failed = [item["error"] for item in told if "error" in item]
    assert len(decided) <= len(verdicts) <= len(told)
    assert set(failed) <= {"REG_UNREACHABLE", "REG_READ_BACK", "REG_PUSH", "REG_ERROR", "REG_TIMEOUT"}
    intents = {row.number: row for row in rows if row.kind == "intent"}
    named = {item.text("manifest") for row in intents.values() for item in row.view().objects("publications")}
    assert {row.refers_to for row in rows if row.kind == "published"} == set(intents)
    for reference in references:
        there = attached(reference) - before[reference]
        assert there <= named
        reported = {name for item in decided if item["reference"] == reference for name in item["manifests"]}
        assert reported
        assert reported <= there
    for reference in references[::2]:
        demands = replace(installed.demands(folder), timeout=timedelta(minutes=1))
        assert str(gate.verify(reference, demands).attachment) in named
