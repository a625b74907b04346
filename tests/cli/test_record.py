"""`gate record`: a sound record, each kind of damage with its place, and what is given up."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gate.codec.strict_json import JsonValue
from gate.model.digest import Digest
from gate.store.evidence_folder import EvidenceFolder
from gate.store.record import Entry, open_record
from tests.support.command import run_gate

IMAGE = Digest.of(b"image")
SUBJECT = f"registry.example/shop/web@{IMAGE}"


@dataclass
class Kept:
    """A record with one verdict and its intent, which was not published."""

    path: Path
    folder: EvidenceFolder

    def gate(self, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        done = run_gate("record", *arguments, "--record", str(self.path), "-f", "json", cwd=self.path.parent)
        return done.returncode, json.loads(done.stdout)["record"] if done.stdout else [], done.stderr

    def damaged(self) -> list[str]:
        code, rows, _ = self.gate("status")
        found = [row["component"] for row in rows if row["state"] == "damaged"]
        assert code == (3 if found else 0)
        return found


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    folder = EvidenceFolder(tmp_path / "evidence")
    publication: dict[str, JsonValue] = {
        "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": str(IMAGE), "size": 1},
        "manifest": str(folder.put(b"manifest")),
        "bundle": str(folder.put(b"bundle")),
        "predicateType": "https://slsa.dev/verification_summary/v1",
    }
    with closing(open_record(str(tmp_path / "record.db"), folder.root)) as record:
        record.append(
            Entry(kind="verdict", content={"evidence": {"verdict": str(folder.put(b"verdict"))}}, subject=SUBJECT),
            Entry(
                kind="intent",
                content={"target": "registry.example/shop/web", "publications": [publication]},
                subject=SUBJECT,
                refers_to_first=True,
            ),
        )
    return Kept(tmp_path / "record.db", folder)


def test_a_sound_record_ends_with_0_and_says_what_waits(kept: Kept) -> None:
    code, rows, _ = kept.gate("status")
    assert code == 0
    assert [(row["component"], row["state"]) for row in rows] == [
        ("evidence", "ok"),
        ("row 2", "unpublished"),
        ("rows", "ok"),
    ]
    assert kept.gate("repair")[:2] == (0, [])


def test_an_altered_row_is_named(kept: Kept) -> None:
    with closing(sqlite3.connect(kept.path)) as connection:
        connection.execute("UPDATE gate_rows SET inputs = 'x' WHERE number = 1")
        connection.commit()
    assert kept.damaged() == ["row 1"]


def test_a_missing_row_is_named(kept: Kept) -> None:
    with closing(sqlite3.connect(kept.path)) as connection:
        connection.execute("DELETE FROM gate_rows WHERE number = 1")
        connection.commit()
    assert kept.damaged() == ["row 1"]


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_damaged_evidence_is_named_with_its_path_and_what_needs_it_is_given_up(kept: Kept, damage: str) -> None:
    path = kept.folder.path(Digest.of(b"bundle"))
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"other")
    code, rows, _ = kept.gate("status")
    assert code == 3
    assert [row["component"] for row in rows if row["state"] == "damaged"] == ["evidence of row 2", "row 2"]
    assert str(path) in rows[0]["found"]
    code, rows, _ = kept.gate("repair")
    assert (code, [row["component"] for row in rows]) == (0, ["row 2"])
    with closing(open_record(str(kept.path), kept.folder.root)) as record:
        assert [(row.kind, row.refers_to) for row in record.rows()][2:] == [("superseded", 2)]
        assert record.unpublished(SUBJECT) == ()
    # The evidence is still damaged, and stays named; nothing waits for it any more.
    assert kept.damaged() == ["evidence of row 2"]


def test_migrate_makes_a_record_and_says_which_version_was_there(tmp_path: Path) -> None:
    for expected in ("version 2, was not there", "version 2"):
        done = run_gate("record", "migrate", "--record", str(tmp_path / "new.db"), "-f", "json", cwd=tmp_path)
        assert done.returncode == 0
        assert json.loads(done.stdout)["record"][0]["found"] == expected


def test_a_record_in_a_file_has_no_roles(tmp_path: Path) -> None:
    done = run_gate("record", "migrate", "--record", str(tmp_path / "new.db"), "--grant", "job", cwd=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "new.db").exists()
