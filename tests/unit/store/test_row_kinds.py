"""Every kind of row has one form: golden bytes that every later release reads, a published schema, one function that makes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import jsonschema
import pytest

from gate.errors import StorageError
from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.policy import Waiver
from gate.model.string_map import StringMap
from gate.store import row_kinds
from gate.store.rows import ROW_SCHEMA, Author, Entry, Row, number_entries, read_row
from tests.support.sources import ROOT

GOLDEN = ROOT / "fixtures" / "record" / "rows-2.0.jsonl"
SCHEMA = json.loads((ROOT / "schemas" / "record-row.schema.json").read_text(encoding="utf-8"))
AT = datetime(2026, 12, 1, 12, 30, 15, 999, tzinfo=UTC)
A, B, C = (Digest.of(name) for name in (b"a", b"b", b"c"))
SUBJECT = f"registry.example/shop/web@{A}"
AUTHOR = Author(run="0" * 32, actor={"system": "github", "user": "octo"})

WAIVER = Waiver(
    id="W-12",
    check="vulnerability",
    images=Glob("**"),
    match=StringMap(),
    reason="not reachable",
    owner="web-team",
    approved_by="security",
    expires=date(2027, 1, 31),
)
VERDICT = Entry(
    kind="verdict",
    subject=SUBJECT,
    inputs="1f" * 32,
    content={
        "at": "2026-12-01T12:30:15Z", "gate": "0.1.0", "reference": SUBJECT, "repository": "registry.example/shop/web",
        "digest": str(A), "decision": "refused", "policy": {"name": "production", "digest": str(B)},
        "environments": ["production"], "checks": [{"id": "vulnerability", "outcome": "fail", "codes": ["VULN_FOUND"]}],
        "findings": ["0123456789abcdef"], "fixed": [], "waivers": ["W-12"], "subjects": [str(A)], "demonstration": False,
        "evidence": {"verdict": str(C), "policy": str(B), "reports": []},
    },
)  # fmt: skip
INTENT = Entry(
    kind="intent",
    subject=SUBJECT,
    refers_to_first=True,
    content={
        "at": "2026-12-01T12:30:15Z", "target": "registry.example/shop/web",
        "publications": [
            {
                "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": str(A), "size": 7},
                "manifest": str(B), "bundle": str(C), "predicateType": "https://slsa.dev/verification_summary/v1",
            }
        ],
    },
)  # fmt: skip
PUBLISHED = Entry(
    kind="published",
    subject=SUBJECT,
    refers_to=2,
    content={"at": "2026-12-01T12:30:16Z", "intent": 2, "manifests": [str(B)]},
)
SUPERSEDED = Entry(
    kind="superseded",
    subject=SUBJECT,
    refers_to=2,
    content={"at": "2026-12-01T12:30:16Z", "intent": 2, "reason": "STORE_CORRUPT"},
)
MADE: dict[str, Callable[[], Entry]] = {
    "given-again": lambda: row_kinds.given_again(
        at=AT, gate="0.1.0", verdict=1, subject=SUBJECT, inputs="1f" * 32, digest=A, decision="refused", policy=B
    ),
    "admission": lambda: row_kinds.AdmissionRow(
        at=AT, gate="0.1.0", stage="webhook", reference=SUBJECT, repository="registry.example/shop/web", digest=A,
        decision="refused", mode="enforce", code="ATT_MISSING", message="no verdict is attached", requirement=B,
        environment="production", policy=C, attestation=B, signers=("b", "a", "a"),
        set_aside=("SIG_INVALID", "ATT_EXPIRED"), location=StringMap.of({"namespace": "shop", "kind": "Pod", "name": "web-1"}),
    ).entry(),
    "waiver-use": lambda: row_kinds.waiver_use(
        at=AT, subject=SUBJECT, waiver=WAIVER, covers=2, policy=B
    ),
    "break-glass": lambda: row_kinds.BreakGlassRow(
        at=AT, subject=SUBJECT, digest=A, reason="outage", requested_by="ann", approvers=("cem", "bo"),
        environment="production", until=AT, close_by=AT, statement=C,
    ).entry(),
    "break-glass-closed": lambda: row_kinds.break_glass_closed(
        at=AT, opened=8, subject=SUBJECT, closed_by="bo", outcome="replaced by a checked image"
    ),
    "revocation": lambda: row_kinds.revocation(
        at=AT, subject=SUBJECT, digest=A, reason="key lost", revoked_by="security", statement=C
    ),
    "policy": lambda: row_kinds.policy_seen(at=AT, name="production", document="policy", digest=B),
    "refresh": lambda: row_kinds.refresh(
        at=AT, scope="registry.example/shop/**", policy=B, judged=3, now_refused=(SUBJECT,), now_passed=(), not_judged=()
    ),
    "checkpoint": lambda: row_kinds.checkpoint(
        at=AT, size=12, root="ab" * 32, peaks=("cd" * 32, "ef" * 32),
        note="gate.example/0011\n12\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n\u2014 gate.example/0011 AAAAAAA=\n",
        key="gate.example/0011+00000000+AQ==",
    ),
}  # fmt: skip


def rows() -> tuple[Row, ...]:
    given = [VERDICT, INTENT, PUBLISHED, SUPERSEDED, *(make() for make in MADE.values())]
    # `waiver-use` refers to the first row of its call, which is the verdict here, too.
    return number_entries(given, 1, AUTHOR)


def golden() -> list[bytes]:
    return GOLDEN.read_bytes().splitlines()


def validate(row: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(row)


def test_every_kind_is_in_the_schema_the_golden_file_and_the_list() -> None:
    assert SCHEMA["properties"]["kind"]["enum"] == list(row_kinds.KINDS)
    assert {branch["properties"]["kind"]["const"] for branch in SCHEMA["oneOf"]} == set(row_kinds.KINDS)
    assert {json.loads(line)["kind"] for line in golden()} == set(row_kinds.KINDS)


def test_rows_have_the_golden_bytes() -> None:
    assert [row.content for row in rows()] == golden()


def test_golden_rows_are_read_and_fulfil_the_schema() -> None:
    for line, row in zip(golden(), rows(), strict=True):
        assert read_row(row.columns()) == row
        said = json.loads(line)
        validate(said)
        assert (said["kind"], said["number"], said["schemaVersion"]) == (row.kind, row.number, ROW_SCHEMA)


@pytest.mark.parametrize("line", golden(), ids=lambda line: json.loads(line)["kind"])
def test_a_row_without_one_of_its_fields_is_not_of_its_kind(line: bytes) -> None:
    said = json.loads(line)
    (branch,) = (one for one in SCHEMA["oneOf"] if one["properties"]["kind"]["const"] == said["kind"])
    for name in (*branch["required"], *SCHEMA["required"]):
        with pytest.raises(jsonschema.ValidationError):
            validate({key: value for key, value in said.items() if key != name})


@pytest.mark.parametrize("column", range(6))
def test_every_column_stands_in_the_bytes(column: int) -> None:
    for row in rows():
        columns = list(row.columns())
        columns[column] = 99 if isinstance(columns[column], int) or columns[column] is None else "other"
        with pytest.raises(StorageError) as refused:
            read_row(tuple(columns))
        assert refused.value.code == "STORE_CORRUPT"


def test_foreign_text_is_cut_and_printable() -> None:
    hostile = "'; DROP TABLE gate_rows; --\0\x1b[31m<b>" + "x" * 1_000_000
    entry = row_kinds.AdmissionRow(
        at=AT, gate="0.1.0", stage="webhook", reference=hostile, repository=hostile, digest=None, decision="refused",
        mode="enforce", code="REF_MALFORMED", message=hostile, signers=(hostile,), location=StringMap.of({"name": hostile}),
    ).entry()  # fmt: skip
    (row,) = number_entries([entry], 1, AUTHOR)
    assert len(row.content) < 5_000
    assert all(32 <= byte < 127 for byte in row.content)
    validate(json.loads(row.content))
