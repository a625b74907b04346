"""Whatever is altered, removed, inserted, reordered or cut in a record or its export is found, with its row."""

# ruff: noqa: S608 - statements that alter a record of a test's own

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.verification import Demands, Verified, export_columns, verify_rows
from gate.codec.audit_note import note_key_of, parse_note_key
from gate.codec.strict_json import canonical_json
from gate.errors import SignatureError, StorageError
from gate.store.backend import pages
from gate.store.checkpoint_key import checkpoint_key_file, open_checkpoint_key
from gate.store.checkpoints import append_checkpoint, last_checkpoint
from gate.store.record import Entry, Record, open_record
from gate.store.rows import read_row
from gate.verification.merkle import leaf_hash
from tests.support.signing import NOW

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


@dataclass(frozen=True)
class Kept:
    """A record of twelve rows, the last of which is a checkpoint, and another checkpoint in the middle."""

    folder: Path
    record: Record

    def verified(self, demands: Demands | None = None) -> Verified:
        return verify_rows(pages(self.record.backend), demands or Demands())

    def alter(self, *statements: str, values: tuple[object, ...] = ()) -> None:
        with closing(sqlite3.connect(self.folder / "record.db")) as connection:
            for statement in statements:
                connection.execute(statement, values)
            connection.commit()

    def note(self, number: int) -> str:
        return read_row(self.record.backend.select("number = ?", (number,))[0]).view().text("note")

    def export(self) -> list[bytes]:
        return [row.content + b"\n" for row in self.record.rows()]


def entry(number: int) -> Entry:
    return Entry(kind="verdict", content={"at": "2026-12-01T00:00:00Z", "n": number}, subject=f"a@{number}")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    record = open_record(str(tmp_path / "record.db"), tmp_path / "evidence")
    record.append(*map(entry, range(5)))
    append_checkpoint(record, KEY, NOW)
    record.append(*map(entry, range(5)))
    append_checkpoint(record, KEY, NOW)
    yield Kept(tmp_path, record)
    record.close()


def rows_of(result: Verified) -> set[int]:
    return {one.row for one in result.damage}


def test_a_record_as_it_was_appended_is_sound(kept: Kept) -> None:
    result = kept.verified()
    assert (result.sound, result.tree.size, result.checkpoints, result.sealed) == (True, 12, 2, 11)
    origin = kept.note(6).splitlines()[0]
    assert result.keys == (str(note_key_of(origin, KEY)),)
    assert origin.startswith("gate.example/")
    assert kept.note(12).splitlines()[:2] == [origin, "11"]


def test_nothing_new_makes_no_checkpoint(kept: Kept) -> None:
    assert append_checkpoint(kept.record, KEY, NOW) is None
    assert len(list(kept.record.rows())) == 12


@pytest.mark.parametrize("number", range(1, 13))
def test_every_byte_of_a_row_counts(number: int, kept: Kept) -> None:
    """Every single-byte change, in the database and in an export, is found with its row.

    The last line of an export is held by nothing but the hash in the database: no row was appended after it yet.
    """
    lines, columns = kept.export(), list(pages(kept.record.backend))
    line = lines[number - 1]
    for place in range(len(line) - 1):
        changed = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        in_database = [*columns]
        in_database[number - 1] = (*columns[number - 1][:-1], changed[:-1])
        assert number in rows_of(verify_rows(in_database, Demands())), changed
        if number < 12:
            found = verify_rows(export_columns([*lines[: number - 1], changed, *lines[number:]]), Demands())
            assert number in rows_of(found), changed


@pytest.mark.parametrize("column", ["number", "kind", "subject", "inputs", "refers_to", "leaf_hash", "content"])
@pytest.mark.parametrize("number", [1, 6, 12])
def test_a_column_that_was_changed_is_found(column: str, number: int, kept: Kept) -> None:
    value = {"number": "number + 100", "refers_to": "3", "content": "x'7b7d'"}.get(column, f"{column} || 'x'")
    kept.alter(f"UPDATE gate_rows SET {column} = {value} WHERE number = {number}")
    assert number in rows_of(kept.verified())


@pytest.mark.parametrize("number", range(1, 12))
def test_a_row_that_was_removed_is_found(number: int, kept: Kept) -> None:
    lines = kept.export()
    kept.alter(f"DELETE FROM gate_rows WHERE number = {number}")
    assert rows_of(kept.verified()) == {number}
    assert number in rows_of(verify_rows(export_columns([*lines[: number - 1], *lines[number:]]), Demands()))


@pytest.mark.parametrize("number", range(1, 12))
def test_rows_that_changed_places_are_found(number: int, kept: Kept) -> None:
    lines = kept.export()
    swapped = [*lines[: number - 1], lines[number], lines[number - 1], *lines[number + 1 :]]
    assert {number, number + 1} & rows_of(verify_rows(export_columns(swapped), Demands()))
    kept.alter(
        f"UPDATE gate_rows SET number = -1 WHERE number = {number}",
        f"UPDATE gate_rows SET number = {number} WHERE number = {number + 1}",
        f"UPDATE gate_rows SET number = {number + 1} WHERE number = -1",
    )
    assert {number, number + 1} <= rows_of(kept.verified())


@pytest.mark.parametrize("number", range(1, 13))
def test_a_row_that_was_inserted_is_found(number: int, kept: Kept) -> None:
    lines = kept.export()
    foreign = canonical_json({**json.loads(lines[number - 1]), "n": 99, "kind": "verdict"}) + b"\n"
    with_foreign = [*lines[: number - 1], foreign, *lines[number - 1 :]]
    assert {number, number + 1} & rows_of(verify_rows(export_columns(with_foreign), Demands()))


def altered_from(kept: Kept, number: int) -> None:
    """Alter a row and write every later one again so that the chain holds, as whoever owns the database can."""
    previous = ""
    for columns in list(pages(kept.record.backend)):
        said = json.loads(columns[-1])  # type: ignore[arg-type]  # the content
        if columns[0] == number:
            said["subject"] = "another"
        content = canonical_json({**said, "previous": previous})
        previous = leaf_hash(content).hex()
        kept.alter(
            "UPDATE gate_rows SET content = ?, leaf_hash = ?, subject = ? WHERE number = ?",
            values=(content, previous, said["subject"], columns[0]),
        )


@pytest.mark.parametrize("number", [1, 4, 7, 11])
def test_a_chain_that_was_written_again_does_not_fit_the_checkpoints(number: int, kept: Kept) -> None:
    altered_from(kept, number)
    assert rows_of(kept.verified()) == {6, 12} if number < 6 else {12}


@pytest.mark.parametrize("count", range(1, 7))
def test_a_cut_is_found_by_a_checkpoint_that_was_kept(count: int, kept: Kept) -> None:
    note = kept.note(12)
    kept.alter(f"DELETE FROM gate_rows WHERE number > {12 - count}")
    # By itself a record that was cut is as sound as one that never grew.
    assert kept.verified().sound
    with pytest.raises(StorageError):
        open_record(str(kept.folder / "record.db"), kept.folder / "evidence")
    result = kept.verified(Demands(checkpoint=note))
    assert rows_of(result) == ({0} if count > 1 else set())


def test_a_record_that_was_cut_and_grown_again_is_not_the_one_of_the_checkpoint(kept: Kept) -> None:
    note = kept.note(12)
    kept.alter("DELETE FROM gate_rows WHERE number > 8")
    for number in range(6):
        kept.record.append(entry(number))
    append_checkpoint(kept.record, KEY, NOW)
    assert kept.verified().sound
    result = kept.verified(Demands(checkpoint=note))
    assert [one.what for one in result.damage] == ["the first 11 rows are not those of the checkpoint that was kept"]


def test_keys_that_an_auditor_gives_are_demanded(kept: Kept) -> None:
    origin = kept.note(6).splitlines()[0]
    own, other = note_key_of(origin, KEY), note_key_of(origin, OTHER)
    assert kept.verified(Demands(keys=(own,))).sound
    assert rows_of(kept.verified(Demands(keys=(other,)))) == {6, 12}
    assert kept.verified(Demands(keys=(own,), checkpoint=kept.note(6))).sound
    with pytest.raises(SignatureError) as refused:
        kept.verified(Demands(keys=(other,), checkpoint=kept.note(6)))
    assert refused.value.code == "SIG_INVALID"


def test_a_key_may_be_rotated(kept: Kept) -> None:
    kept.record.append(entry(1))
    append_checkpoint(kept.record, OTHER, NOW)
    result = kept.verified()
    assert result.sound
    assert len(result.keys) == 2
    assert kept.verified(Demands(keys=tuple(map(parse_note_key, result.keys)))).sound


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE gate_rows SET content = x'7b7d' WHERE number = 8",
        "DELETE FROM gate_rows WHERE number = 8",
        "UPDATE gate_rows SET leaf_hash = 'ab' WHERE number = 11",
    ],
)
def test_no_checkpoint_is_signed_over_what_is_damaged(statement: str, kept: Kept) -> None:
    kept.alter("DELETE FROM gate_rows WHERE number = 12", statement)
    with pytest.raises(StorageError) as refused:
        append_checkpoint(kept.record, KEY, NOW)
    assert refused.value.code == "STORE_CORRUPT"
    last = last_checkpoint(kept.record)
    assert last is not None
    assert last.number == 6


def test_a_checkpoint_whose_peaks_were_changed_is_not_gone_on_from(kept: Kept) -> None:
    row = last_checkpoint(kept.record)
    assert row is not None
    said = json.loads(row.content)
    said["peaks"][0] = "ab" * 32
    content = canonical_json(said)
    kept.alter(
        "UPDATE gate_rows SET content = ?, leaf_hash = ? WHERE number = 12", values=(content, leaf_hash(content).hex())
    )
    kept.record.append(entry(1))
    with pytest.raises(StorageError) as refused:
        append_checkpoint(kept.record, KEY, NOW)
    assert refused.value.code == "STORE_CORRUPT"


def test_an_export_is_verified_as_the_record_is(kept: Kept) -> None:
    lines = kept.export()
    assert verify_rows(export_columns(lines), Demands(checkpoint=kept.note(12))) == kept.verified()
    cut = [*lines[:-1], lines[-1][:-20]]
    assert rows_of(verify_rows(export_columns(cut), Demands())) == {12}
    assert rows_of(verify_rows(export_columns([b"not a row\n", *lines]), Demands())) >= {1}


def test_the_key_is_private_and_made_once(tmp_path: Path) -> None:
    path = checkpoint_key_file(tmp_path / "evidence")
    first = open_checkpoint_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_checkpoint_key(path).private_bytes_raw() == first.private_bytes_raw()
    path.chmod(0o644)
    with pytest.raises(StorageError):
        open_checkpoint_key(path)
    path.chmod(0o600)
    path.write_bytes(b"no key")
    with pytest.raises(StorageError):
        open_checkpoint_key(path)
