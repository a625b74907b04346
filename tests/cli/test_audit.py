"""`gate audit`: each question's answer equals a plain recomputation, and what was altered, forged or foreign is refused."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gate.codec.strict_json import JsonValue
from gate.model.digest import Digest
from gate.store.checkpoint_key import checkpoint_key_file, open_checkpoint_key
from gate.store.checkpoints import append_checkpoint
from gate.store.record import Entry, open_record
from tests.cli.conftest import Run
from tests.support.evidence import good_evidence
from tests.support.recorded import Recorder, recorder, written_policy
from tests.support.signing import IMAGE, NOW


@dataclass(frozen=True)
class Kept:
    folder: Path
    run: Run

    @property
    def database(self) -> Path:
        return self.folder / "record.db"

    def gate(self, *arguments: str, code: int = 0) -> str:
        result = self.run("audit", *arguments, "--record", str(self.database))
        assert result.exit_code == code, result.stderr
        return str(result.stdout if code in {0, 3, 4} and result.stdout else result.stderr)

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.gate(*arguments, "-f", "json", code=code))
        return answer

    def alter(self, statement: str) -> None:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute(statement)
            connection.commit()

    def contents(self) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return [
                json.loads(content)
                for (content,) in connection.execute("SELECT content FROM gate_rows ORDER BY number")
            ]

    def key(self) -> str:
        return str(next(row["key"] for row in reversed(self.contents()) if row["kind"] == "checkpoint"))


def seal(one: Recorder, folder: Path) -> None:
    append_checkpoint(one.record, open_checkpoint_key(checkpoint_key_file(folder / "evidence")), NOW)


@pytest.fixture
def kept(tmp_path: Path, run: Run) -> Kept:
    """A passed and a refused verdict on one image, one of a hostile name, and a checkpoint over them."""
    with recorder(tmp_path) as one:
        one.decided(written_policy(tmp_path / "one", vulnerabilities={"failOn": "high"}))
        one.decided(written_policy(tmp_path / "two", image={"user": "non-root", "maxAge": "1d"}))
        request = replace(good_evidence().request, reference='=cmd|"/c calc"!A0\x1b[31m', repository=None)
        one.decided(written_policy(tmp_path / "one", vulnerabilities={}), replace(good_evidence(), request=request))
        seal(one, tmp_path)
    return Kept(tmp_path, run)


def test_list_says_what_the_rows_say_newest_first(kept: Kept) -> None:
    rows = kept.json("list")["rows"]
    assert [(row["row"], row["kind"]) for row in rows] == [
        (said["number"], said["kind"]) for said in reversed(kept.contents())
    ]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--kind", "verdict"), lambda said: said["kind"] == "verdict"),
        (("--decision", "refused"), lambda said: said.get("decision") == "refused"),
        (("--decision", "admitted"), lambda _: False),
        (("--code", "IMG_TOO_OLD"), lambda said: "IMG_TOO_OLD" in json.dumps(said)),
        (("--digest", str(IMAGE)), lambda said: said.get("digest") == str(IMAGE)),
        (("--digest", str(Digest.of(b"another"))), lambda _: False),
        (
            ("--repository", "registry.example/shop/web"),
            lambda said: said.get("repository") == "registry.example/shop/web",
        ),
        (("--repository", "registry.example/shop/we"), lambda _: False),
        (("--since", "2026-03-01"), lambda _: True),
        (("--since", "2026-03-02"), lambda _: False),
        (("--until", "2026-03-01T12:00:00Z"), lambda _: False),
        (("--until", "2026-03-01T12:00:01Z"), lambda _: True),
        (("--of-policy", "test"), lambda said: isinstance(said.get("policy"), dict)),
        (("--of-policy", "another"), lambda _: False),
        (("--waiver", "W-1"), lambda _: False),
        (("--of-environment", "production"), lambda _: False),
        (("--actor", "nobody"), lambda _: False),
        (("--commit", "0" * 40), lambda _: False),
    ],
)
def test_a_filter_is_a_plain_recomputation(options: tuple[str, ...], wanted: Any, kept: Kept) -> None:  # noqa: ANN401
    rows = [row["row"] for row in kept.json("list", *options)["rows"]]
    assert rows == [said["number"] for said in reversed(kept.contents()) if wanted(said)]


def test_every_other_filter_finds_its_row(kept: Kept, tmp_path: Path) -> None:
    with closing(
        open_record(str(kept.database), tmp_path / "evidence", actor={"user": "ann", "commit": "c" * 40})
    ) as one:
        content = {"at": "2026-03-02T00:00:00Z", "waiver": "W-1", "environment": "production"}
        one.append(Entry(kind="waiver-use", content=content, subject="a"))
    number = kept.contents()[-1]["number"]
    for option, value in (
        ("--waiver", "W-1"), ("--of-environment", "production"), ("--actor", "ann"), ("--commit", "c" * 40),
    ):  # fmt: skip
        assert [row["row"] for row in kept.json("list", option, value)["rows"]] == [number]


def test_list_says_that_there_are_more(kept: Kept) -> None:
    assert len(kept.json("list", "--limit", "2")["rows"]) == 2
    assert "--limit shows more" in kept.gate("list", "--limit", "2")
    assert "the time" in kept.gate("list", "--since", "yesterday", code=2)


def test_show_and_diff(kept: Kept) -> None:
    said = json.loads(kept.gate("show", "1"))
    assert {name: said[name] for name in kept.contents()[0]} == kept.contents()[0]
    assert [row["number"] for row in json.loads(kept.gate("show", str(IMAGE)))] == [
        row["number"] for row in kept.contents() if row.get("digest") == str(IMAGE)
    ]
    fields = {row["field"] for row in kept.json("diff", "1", "3")["differences"]}
    assert {"decision", "checks", "policy.digest"} <= fields
    assert kept.json("diff", "1", "1")["differences"] == []
    for name in ("99", str(Digest.of(b"unknown"))):
        assert "no such row" in kept.gate("show", name, code=2)
    assert "not a digest" in kept.gate("show", "sha256:0", code=2)


def test_nothing_hostile_is_printed(kept: Kept) -> None:
    for command in (("list",), ("show", "5"), ("verify",), ("replay",)):
        assert "\x1b" not in kept.gate(*command)


def test_verify_and_what_was_altered(kept: Kept) -> None:
    found = kept.json("verify")["audit"]
    assert [row["state"] for row in found if row["component"] in {"rows", "sealed"}] == ["ok", "ok"]
    assert kept.gate("verify", "--checkpoint-key", kept.key())
    kept.alter("UPDATE gate_rows SET content = replace(content, 'refused', 'passed') WHERE number = 3")
    damaged = [row for row in kept.json("verify", code=3)["audit"] if row["state"] == "damaged"]
    assert {row["component"] for row in damaged} >= {"row 3"}


def test_verify_by_another_key_or_checkpoint(kept: Kept, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text(kept.gate("checkpoint"), encoding="utf-8")
    assert kept.gate("verify", "--checkpoint", str(note), "--checkpoint-key", kept.key())
    with recorder(tmp_path / "other") as other:
        other.decided(written_policy(tmp_path / "one", vulnerabilities={}))
        seal(other, tmp_path / "other")
    foreign = Kept(tmp_path / "other", kept.run)
    assert "damaged" in kept.gate("verify", "--checkpoint-key", foreign.key(), code=3)
    note.write_text(foreign.gate("checkpoint"), encoding="utf-8")
    assert "not those of the checkpoint" in kept.gate("verify", "--checkpoint", str(note), code=3)
    note.write_text("not a note", encoding="utf-8")
    assert "SIG_INCLUSION" in kept.gate("verify", "--checkpoint", str(note), code=1)
    assert "verifier key" in kept.gate("verify", "--checkpoint-key", "a+b+c", code=1)


def test_an_export_is_verified_anywhere(kept: Kept, tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    kept.gate("export", str(lines))
    assert [json.loads(line) for line in lines.read_bytes().splitlines()] == kept.contents()
    assert kept.run("audit", "verify", str(lines)).exit_code == 0
    lines.write_bytes(lines.read_bytes().replace(b"IMG_TOO_OLD", b"IMG_TOO_NEW"))
    result = kept.run("audit", "verify", str(lines))
    assert (result.exit_code, "row 3" in result.stdout) == (3, True)
    os.mkfifo(tmp_path / "fifo")
    assert kept.run("audit", "verify", str(tmp_path / "fifo")).exit_code == 2
    assert kept.run("audit", "verify", str(tmp_path / "missing")).exit_code == 2


def test_a_table_has_no_formula(kept: Kept, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    kept.gate("export", str(table), "--csv")
    with table.open(newline="", encoding="ascii") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + len(kept.contents())
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert [cell for cell in cells if cell.startswith("'=cmd|")]
    for arguments in ((), (str(table), "--tiles", "t"), ("--tiles", "t", "--csv")):
        assert "what to write" in kept.gate("export", *arguments, code=2)


def test_a_proof_stands_alone(kept: Kept, tmp_path: Path) -> None:
    proof = tmp_path / "verdict.tlog-proof"
    proof.write_text(kept.gate("prove", "3"), encoding="utf-8")
    key = ("--checkpoint-key", kept.key())
    result = kept.run("audit", "verify-proof", str(proof), *key, "-f", "json")
    (row,) = json.loads(result.stdout)["rows"]
    assert (row["row"], row["decision"], row["codes"]) == (3, "refused", "IMG_TOO_OLD")
    text = proof.read_text(encoding="utf-8")
    other = kept.gate("prove", "1")
    # By an index and hashes of one row, the content of another.
    mixed = "\n".join([*other.split("\n")[:2], *text.split("\n")[2:]])
    for forged in (mixed, text.replace("index 2", "index 3"), text.replace("extra ", "extra AAAA"), text[:-20], ""):
        proof.write_text(forged, encoding="utf-8")
        result = kept.run("audit", "verify-proof", str(proof), *key)
        assert result.exit_code == 1, forged
        assert "SIG_IN" in result.stderr
    proof.write_text(text, encoding="utf-8")
    assert kept.run("audit", "verify-proof", str(proof)).exit_code == 2
    other_key = key[1].replace("gate.example/", "gate.example/x")
    assert kept.run("audit", "verify-proof", str(proof), "--checkpoint-key", other_key).exit_code == 1


def test_a_row_that_is_not_sealed_has_no_proof(kept: Kept, tmp_path: Path) -> None:
    with recorder(tmp_path) as one:
        row, _ = one.decided(written_policy(tmp_path / "one", vulnerabilities={"failOn": "low"}))
    assert "STORE_NO_CHECKPOINT" in kept.gate("prove", str(row.number), code=2)
    kept.gate("checkpoint")
    assert kept.gate("prove", str(row.number)).startswith("c2sp.org/tlog-proof@v1\n")
    kept.alter("UPDATE gate_rows SET content = x'7b7d' WHERE number = 1")
    assert "STORE_CORRUPT" in kept.gate("prove", str(row.number), code=3)


def test_replay_says_identical_and_what_another_policy_would_say(kept: Kept, tmp_path: Path) -> None:
    states = [(row["state"], row["before"], row["now"]) for row in kept.json("replay")["replays"]]
    assert {state for state, *_ in states} == {"identical"}
    loose = written_policy(tmp_path / "loose", image={"user": "non-root"})
    path = str(tmp_path / "loose" / "policy.yaml")
    del loose
    again = kept.json("replay", "--policy", path, "--decision", "refused", "--repository", "registry.example/shop/web")
    assert [(row["state"], row["before"], row["now"]) for row in again["replays"]] == [("changed", "refused", "passed")]
    late = kept.json("replay", "--at", "now", "--of-policy", "test", "--limit", "3")["replays"]
    assert {row["state"] for row in late} <= {"same", "changed"}


def test_replay_of_rows_without_evidence(kept: Kept, tmp_path: Path) -> None:
    with closing(open_record(str(kept.database), tmp_path / "evidence")) as one:
        old: dict[str, JsonValue] = {
            "at": "2026-03-02T00:00:00Z",
            "decision": "passed",
            "evidence": {"verdict": str(IMAGE)},
        }
        one.append(Entry(kind="verdict", content=old, subject="registry.example/old/web@" + str(IMAGE)))
    rows = kept.json("replay", "--repository", "registry.example/old/web", code=3)["replays"]
    assert [(row["state"], row["codes"]) for row in rows] == [("no evidence", "STORE_NO_EVIDENCE")]


def test_a_verdict_that_does_not_come_out_again_is_a_defect(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gate.audit.replay.encode_value", lambda _: b"{}")
    assert {row["state"] for row in kept.json("replay", code=4)["replays"]} == {"different"}


def test_what_is_no_record_is_refused_in_one_line(tmp_path: Path, run: Run) -> None:
    text = tmp_path / "text.db"
    text.write_text("not a database", encoding="utf-8")
    text.chmod(0o600)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    (tmp_path / "other.db").chmod(0o600)
    for name, code in (("text.db", "STORE_CORRUPT"), ("other.db", "STORE_SCHEMA")):
        result = run("audit", "verify", "--record", str(tmp_path / name))
        assert (result.exit_code, code in result.stderr) == (3, True)
