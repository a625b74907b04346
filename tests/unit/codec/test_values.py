"""Kept values: the same bytes for the same value, and nothing is bent into another type on the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gate.codec.values import decode_value, encode_value
from gate.errors import StorageError
from gate.model.evidence import EvidenceSet, LayerFacts, RuleResult, SecretEvidence, SubjectEvidence, Unavailable
from gate.model.finding import PackageKey
from tests.support.evidence import good_evidence, index_evidence


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    return json.loads(encode_value(value))


def read(content: object, kind: type[object] = EvidenceSet) -> object:
    return decode_value(kind, json.dumps(content).encode())


@pytest.mark.parametrize("evidence", [good_evidence(), index_evidence()], ids=["image", "index"])
def test_evidence_comes_back_as_it_was(evidence: EvidenceSet) -> None:
    assert decode_value(EvidenceSet, encode_value(evidence)) == evidence


@pytest.mark.parametrize(
    "piece",
    [Unavailable(code="SCAN_FAILED", reason="it ended"), None, (RuleResult(id="a", value=None, error="why"),), ()],
    ids=["unobtained", "none", "results", "empty"],
)
def test_each_member_of_a_union_comes_back_as_itself(piece: Unavailable | tuple[RuleResult, ...] | None) -> None:
    subject = replace(good_evidence().subjects[0], rules=piece)
    assert decode_value(SubjectEvidence, encode_value(subject)).rules == piece


def test_a_set_has_one_text() -> None:
    names = [PackageKey("deb", "", name, "1") for name in ("a", "b", "c", "d")]
    layers = good_evidence().subjects[0].layers
    assert isinstance(layers, LayerFacts)
    texts = {encode_value(replace(layers, language_packages=frozenset(order))) for order in (names, names[::-1])}
    assert len(texts) == 1


def test_bytes_of_a_signature_are_kept() -> None:
    attachments = good_evidence().attachments
    assert decode_value(EvidenceSet, encode_value(good_evidence())).attachments == attachments


ALTERATIONS: dict[str, Callable[[Any], Any]] = {
    "an unknown field": lambda content: {**content, "extra": 1},
    "a number for a text": lambda content: _in_subject(content, "config", user=0),
    "a text for a number": lambda content: _in_subject(content, "layers", files="9"),
    "a text for a truth": lambda content: _in_subject(content, "trivy", covered="no"),
    "a number for a truth": lambda content: _in_subject(content, "trivy", covered=1),
    "a text for a list": lambda content: _in_subject(content, "config", env="AB"),
    "a mapping for a list": lambda content: _in_subject(content, "config", env={"A": "B"}),
    "a time without a zone": lambda content: _in_subject(content, "config", created="2026-03-01T00:00:00"),
    "a time that is none": lambda content: _in_subject(content, "config", created="2026-13-45"),
    "a digest that is none": lambda content: _in_subject(content, "config", diff_ids=["sha256:0"]),
    "a word that is none": lambda content: _in_subject(content, "trivy", kind="nessus"),
    "too short a tuple": lambda content: _in_subject(content, "layers", os_packages=[["a", "b"]]),
    "labels that are a list": lambda content: _in_subject(content, "config", labels=["a"]),
    "a label that is a number": lambda content: _in_subject(content, "config", labels={"a": 1}),
    "bytes that are none": lambda content: {
        **content,
        "attachments": {
            **content["attachments"],
            "items": [{**content["attachments"]["items"][0], "content": "*"}],
        },
    },
    "a list": lambda _: [],
    "nothing": lambda _: None,
}


def _in_subject(content: Any, piece: str, **fields: Any) -> Any:  # noqa: ANN401 - JSON
    subject = content["subjects"][0]
    return {**content, "subjects": [{**subject, piece: {**subject[piece], **fields}}]}


@pytest.mark.parametrize("alteration", sorted(ALTERATIONS))
def test_another_form_is_refused(alteration: str) -> None:
    content = plain(good_evidence())
    assert read(content) == good_evidence()
    with pytest.raises(StorageError) as refused:
        read(ALTERATIONS[alteration](content))
    assert refused.value.code == "CACHE_CORRUPT"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"findings": [], "findings": []}', b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    assert decode_value(SecretEvidence, b'{"findings": []}') == SecretEvidence()
    with pytest.raises(StorageError) as refused:
        decode_value(SecretEvidence, data)
    assert refused.value.code == "CACHE_CORRUPT"
