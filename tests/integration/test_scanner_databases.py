"""What a bad database becomes: the table of the checks reference, section 2.1, with the pinned binaries (attack V06).

The scanners themselves notice few of these; the gate compares digests before it starts them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.errors import DatabaseError, GateError
from gate.model.evidence import Unavailable
from gate.scanners.database_store import (
    load_databases,
)
from gate.scanners.scanning import ScanSettings
from tests.support.programs import Tools
from tests.support.scan_bench import Bench, main_file, trivy_store
from tests.support.scanners import (
    copy_store,
    store_of,
)
from tools.advisories import build_databases

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

SCANNERS = pytest.mark.parametrize("name", ["trivy", "grype"])


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def refusal(bench: Bench, name: str, store: Path) -> str:
    with pytest.raises(GateError) as raised:
        bench.scan(name, databases=load_databases(store), settings=ScanSettings())
    assert isinstance(raised.value, DatabaseError)
    return raised.value.code


@pytest.fixture
def store(bench: Bench, tmp_path: Path) -> Path:
    return copy_store(bench.store, tmp_path / "damaged")


@SCANNERS
def test_V06_an_untouched_copy_is_scanned(bench: Bench, store: Path, name: str) -> None:  # noqa: N802
    assert bench.scan(name, databases=load_databases(store), settings=ScanSettings()).findings


@SCANNERS
@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda content: content.replace(b"CVE-2023-4863", bytes(13)), {"DB_DIGEST"}),
        (lambda content: content.replace(b"CVE-2024-6119", b"CVE-2024-0000"), {"DB_DIGEST"}),
        (lambda content: content[: len(content) // 2], {"DB_MALFORMED", "DB_DIGEST"}),
        (lambda _content: b"", {"DB_MALFORMED"}),
        (lambda _content: b"not a database at all" * 1000, {"DB_MALFORMED"}),
    ],
    ids=["zeroed", "altered", "half", "empty", "other"],
)
def test_V06_an_altered_database_is_never_opened(  # noqa: N802
    bench: Bench, store: Path, name: str, change: Callable[[bytes], bytes], codes: set[str]
) -> None:
    damage(main_file(store, name), change)
    assert refusal(bench, name, store) in codes


@SCANNERS
def test_V06_a_missing_database_is_an_error(bench: Bench, store: Path, name: str) -> None:  # noqa: N802
    main_file(store, name).unlink()
    assert refusal(bench, name, store) == "DB_MISSING"


@SCANNERS
def test_V06_no_database_at_all_is_an_error(bench: Bench, tmp_path: Path, name: str) -> None:  # noqa: N802
    assert refusal(bench, name, tmp_path / "nowhere") == "DB_MISSING"


@pytest.mark.parametrize("field", ["UpdatedAt", "Version"])
def test_V06_trivys_metadata_cannot_be_changed_alone(bench: Bench, store: Path, field: str) -> None:  # noqa: N802
    path = main_file(store, "trivy").parent / "metadata.json"
    facts = json.loads(path.read_bytes())
    facts[field] = "2099-01-01T00:00:00Z" if field == "UpdatedAt" else 3
    path.write_text(json.dumps(facts))
    assert refusal(bench, "trivy", store) in {"DB_DIGEST", "DB_MALFORMED"}


def test_V06_grypes_import_record_is_demanded(bench: Bench, store: Path) -> None:  # noqa: N802
    (main_file(store, "grype").parent / "import.json").unlink()
    assert refusal(bench, "grype", store) == "DB_MISSING"


def test_a_missing_java_database_is_an_error_of_trivy(bench: Bench, store: Path) -> None:
    main_file(store, "java").unlink()
    assert refusal(bench, "trivy", store) == "DB_MISSING"
    assert bench.scan("grype", databases=load_databases(store), settings=ScanSettings()).findings


@pytest.mark.parametrize("year", [2020, 2099])
def test_V06_a_build_time_of_any_year_is_evidence(  # noqa: N802
    bench: Bench, tools: Tools, tmp_path: Path, year: int
) -> None:
    # Whether it is too old, or not to be believed, is judged by a check: both scanners must get that far.
    moment = datetime(year, 1, 1, tzinfo=UTC)
    databases = store_of(tmp_path / "store", build_databases(tmp_path / "built", moment, tools.grype))
    for name in ("trivy", "grype"):
        assert bench.scan(name, databases=databases).database.built_at == moment


def test_what_cannot_be_planted_is_unobtained(bench: Bench, tmp_path: Path) -> None:
    databases = trivy_store(bench, tmp_path, {b"vulnerability": {b"x": b"{}"}})
    report = bench.scan("trivy", databases=databases)
    assert isinstance(report.canary, Unavailable)
    assert report.canary.code == "SCAN_CANARY"
    assert report.covered is False
