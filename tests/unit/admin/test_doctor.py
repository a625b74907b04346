"""What the doctor says of databases and of the clock, whose wrong states no machine of the tests is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.admin.databases import DatabaseStatus
from gate.admin.doctor import DoctorContext, State, diagnose_clock, diagnose_database, run_checks
from gate.admin.trust import import_trust
from gate.clock import Deadline
from gate.errors import KeyFileError
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, Unavailable
from gate.registry.options import RegistryOptions
from gate.scanners.database_store import DatabaseKind
from gate.settings.locations import default_places
from gate.signers.signer import Signer
from gate.trust.store import TrustStore
from tests.support.virtual_sigstore import VirtualSigstore

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def status(age: timedelta, *, demonstration: bool = False, kind: DatabaseKind = DatabaseKind.TRIVY) -> DatabaseStatus:
    identity = DatabaseIdentity(
        name=kind.value, digest=Digest.of(b"db"), built_at=NOW - age, schema="2", demonstration=demonstration
    )
    return DatabaseStatus(kind=kind, identity=identity, age=age, problem=None)


def missing(kind: DatabaseKind) -> DatabaseStatus:
    problem = Unavailable(code="DB_MISSING", reason="there is none")
    return DatabaseStatus(kind=kind, identity=None, age=None, problem=problem)


def context(home: Path, **changed: object) -> DoctorContext:
    settings: dict[str, object] = {
        "places": default_places({"HOME": str(home)}),
        "registry": RegistryOptions(offline=True),
        "deadline": Deadline.after(timedelta(seconds=10)),
        "now": NOW,
        **changed,
    }
    return DoctorContext(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (status(timedelta(hours=1)), State.OK),
        (status(timedelta(hours=48)), State.OK),
        (status(timedelta(hours=49)), State.NOTE),
        (status(timedelta(hours=1), demonstration=True), State.NOTE),
        (missing(DatabaseKind.JAVA), State.NOTE),
        (missing(DatabaseKind.GRYPE), State.WRONG),
    ],
)
def test_a_database_is_well_old_or_missing(found: DatabaseStatus, state: State) -> None:
    diagnosis = diagnose_database(found)
    assert diagnosis.state is state
    assert bool(diagnosis.next_step) is (state is not State.OK)


def test_a_clock_before_a_database_was_built_is_wrong() -> None:
    assert diagnose_clock(NOW, (status(timedelta(hours=1)),)).state is State.OK
    assert diagnose_clock(NOW, (status(-timedelta(minutes=4)),)).state is State.OK
    late = diagnose_clock(NOW, (status(-timedelta(minutes=6)), status(timedelta(hours=1))))
    assert (late.state, late.code) == (State.WRONG, "POL_TIME")


def test_everything_is_looked_at_once_and_nothing_raises(tmp_path: Path) -> None:
    def locked() -> Signer:
        raise KeyFileError("the password is wrong", code="KEY_PASSWORD")

    found = run_checks(context(tmp_path, sign=locked, reference="registry.example/shop/web:latest"))
    states = {item.subject: (item.state, item.code) for item in found}
    assert len(states) == len(found)
    assert states["key"] == (State.WRONG, "KEY_PASSWORD")
    assert states["registry"] == (State.WRONG, "REG_OFFLINE")
    assert states["record"] == states["cache"] == (State.OK, "")


def test_a_cache_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    places = default_places({"HOME": str(tmp_path)}, cache=tmp_path / "file", record=str(tmp_path / "record.db"))
    found = {item.subject: item for item in run_checks(context(tmp_path, places=places))}
    assert (found["cache"].state, found["cache"].code) == (State.WRONG, "CACHE_UNAVAILABLE")
    assert str(tmp_path / "file") in found["cache"].found


def test_a_layout_is_no_image_in_a_registry(tmp_path: Path) -> None:
    found = {item.subject: item for item in run_checks(context(tmp_path, reference="oci:image"))}
    assert found["registry"].code == "REG_NOT_FOUND"


def test_a_trusted_root_is_well_or_damaged(tmp_path: Path) -> None:
    examined = context(tmp_path)
    store = TrustStore(examined.places.state / "trust")
    root = VirtualSigstore().trusted_root()
    import_trust(store, "company", root, signing=None, digest=None, now=NOW - timedelta(days=3))
    found = {item.subject: item for item in run_checks(examined)}
    assert found["trusted root public"].state is State.OK
    assert found["trusted root company"].found.endswith("file, 3 days old")
    (store.folder / "roots" / f"{Digest.of(root).hex}.json").write_bytes(b"{}")
    damaged = {item.subject: item for item in run_checks(examined)}["trusted root company"]
    assert (damaged.state, damaged.code) == (State.WRONG, "ROOT_DIGEST")
    assert damaged.next_step
