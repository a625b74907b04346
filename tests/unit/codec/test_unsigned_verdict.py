"""The file between two jobs: what was written is read, and nothing else."""

from __future__ import annotations

import json

import pytest

from gate.codec import unsigned_verdict
from gate.codec.unsigned_verdict import parse_unsigned, render_unsigned
from gate.errors import AttestationError
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.image import Platform
from gate.model.unsigned import KeptReport, ScannedSubject, UnsignedVerdict
from tests.support.evidence import good_evidence
from tests.support.signing import IMAGE, NOW, POLICY

(GOOD,) = good_evidence().subjects
VERDICT = UnsignedVerdict(
    gate="1.0.0",
    gathered_at=NOW,
    reference=f"registry.example/shop/web@{IMAGE}",
    digest=IMAGE,
    policy=POLICY,
    decision=Decision.PASSED,
    platforms=(Platform("linux", "amd64"),),
    subjects=(
        ScannedSubject(digest=IMAGE, layers=GOOD.layers, trivy=GOOD.trivy, grype=GOOD.grype, secrets=GOOD.secrets),
    ),
    reports=(KeptReport(digest=Digest.of(b"a report"), content=b"a report"),),
)


def code_of(data: bytes) -> str:
    with pytest.raises(AttestationError) as caught:
        parse_unsigned(data)
    return caught.value.code


def with_body(body: bytes) -> bytes:
    head = {"kind": unsigned_verdict.KIND, "schemaVersion": "1.0", "sha256": Digest.of(body).hex}
    return json.dumps(head).encode() + b"\n" + body


def test_what_was_written_is_read_again_and_the_same_is_written_the_same() -> None:
    assert parse_unsigned(render_unsigned(VERDICT)) == VERDICT
    assert render_unsigned(VERDICT) == render_unsigned(VERDICT)


@pytest.mark.parametrize("place", [200, 2000, -3])
def test_one_changed_byte_is_noticed(place: int) -> None:
    data = bytearray(render_unsigned(VERDICT))
    data[place] ^= 1
    assert code_of(bytes(data)) == "ATT_BYTES"


def test_a_report_of_other_bytes_is_noticed() -> None:
    other = json.loads(render_unsigned(VERDICT).split(b"\n")[1])
    other["reports"][0]["content"] = "YW5vdGhlcg=="
    assert code_of(with_body(json.dumps(other).encode())) == "ATT_BYTES"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"{}\n{}",
        b"not json\n{}",
        b'{"kind":"gate-unsigned-verdict","schemaVersion":"2.0","sha256":""}\n{}',
        b'{"kind":"another","schemaVersion":"1.0","sha256":""}\n{}',
        with_body(b"{}"),
        with_body(b"[]"),
        with_body(b'{"gate": 1}'),
        b"x" * 5000,
        b"\x00\xff\n",
    ],
)
def test_another_file_is_refused(data: bytes) -> None:
    assert code_of(data) == "ATT_MALFORMED"


def test_a_huge_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsigned_verdict, "MAX_FILE_BYTES", 100)
    assert code_of(render_unsigned(VERDICT)) == "LIMIT_BUNDLE"
