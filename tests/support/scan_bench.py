"""A bench for scans: real scanners, demonstration databases, one vulnerable image; and ways to change the databases."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from gate.admin.database_artifacts import copy_files
from gate.admin.databases import import_databases
from gate.clock import Deadline
from gate.disk.content import DigestMemo
from gate.model.evidence import ScanReport
from gate.scanners.database_store import FILES, DatabaseKind, DatabaseSet, add_entry, load_databases, set_current
from gate.scanners.grype import collect_grype
from gate.scanners.scanning import ScanSettings, ScanTarget
from gate.scanners.tool_pins import PinnedTool
from gate.scanners.trivy import collect_trivy
from tests.support.programs import Tools
from tests.support.scanners import copy_store, debian_files, language_files, pin, secret_files, store_of, write_image
from tools.advisories import BuiltDatabases
from tools.advisories.bolt import Tree, bolt_file

# When the demonstration databases of a bench say that they were built.
BUILT = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Everything that a scan needs."""

    store: Path
    databases: DatabaseSet
    target: ScanTarget
    trivy: PinnedTool
    grype: PinnedTool
    settings: ScanSettings

    def scan(self, name: str, **changes: object) -> ScanReport:
        """Scan with one of the two; `changes` replace fields."""
        bench = replace(self, **changes)  # type: ignore[arg-type]
        with_secrets = partial(collect_trivy, secrets=True)
        collect, tool = (with_secrets, bench.trivy) if name == "trivy" else (collect_grype, bench.grype)
        return collect(bench.target, tool, bench.databases, bench.settings, Deadline.after(timedelta(minutes=2)))


def make_bench(tools: Tools, built: BuiltDatabases, place: Path) -> Bench:
    """Make a bench under `place`; the image's path holds what Trivy takes for the end of a path."""
    return Bench(
        store=place / "store",
        databases=store_of(place / "store", built),
        target=write_image(place / "im:age@1", [*debian_files(), *language_files(), *secret_files()]),
        trivy=pin(tools.trivy),
        grype=pin(tools.grype),
        settings=ScanSettings(memo=DigestMemo(place / "digests.json"), cache=place / "cache"),
    )


def main_file(store: Path, name: str) -> Path:
    """Return the file of the only database of a kind in a store."""
    return next((store / "store" / name).glob(f"*/{FILES[DatabaseKind(name)][0]}"))


def trivy_store(bench: Bench, tmp_path: Path, content: Tree) -> DatabaseSet:
    """Return the bench's databases with another one of Trivy's."""
    cache = copy_store(main_file(bench.store, "trivy").parent.parent, tmp_path / "cache")
    (cache / "db/trivy.db").write_bytes(bolt_file(content))
    fill = partial(copy_files, cache, kind=DatabaseKind.TRIVY)
    set_current(tmp_path / "store", [add_entry(tmp_path / "store", DatabaseKind.TRIVY, fill, source="test")])
    return replace(load_databases(tmp_path / "store"), java=bench.databases.java)


def grype_store(bench: Bench, built: BuiltDatabases, place: Path, statements: str) -> DatabaseSet:
    """Return the bench's databases with Grype's as an attacker's mirror would serve it: whole, young, and changed."""
    assert built.grype_cache is not None
    source = place / "vulnerability.db"
    source.write_bytes((built.grype_cache / "6/vulnerability.db").read_bytes())
    with sqlite3.connect(source) as database:
        database.executescript(statements)
    database.close()
    deadline = Deadline.after(timedelta(minutes=1))
    import_databases(place / "store", source, digest=None, grype=bench.grype, deadline=deadline)
    return replace(bench.databases, grype=load_databases(place / "store").grype)
