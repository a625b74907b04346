"""Kept evidence: every field of the model comes back, the form is the published one, and what earlier releases wrote is read."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from gate.codec.stored.evidence import SCHEMA, decode_collected, encode_collected, schema
from gate.codec.stored.forms import DEFINITIONS
from gate.codec.strict_json import canonical_json
from gate.errors import StorageError
from gate.model.attachment import Attachments
from gate.model.collected import Collected
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet, ScanReport
from gate.model.finding import Epss
from tests.support.any_evidence import any_evidence
from tests.support.evidence import good_evidence, index_evidence
from tests.support.filled import classes_in, filled
from tests.support.sources import ROOT

GOLDEN = ROOT / "fixtures" / "record" / "evidence-1.0"
WHOLE, MISSING = filled(Collected), filled(Collected, missing=True)


class Pieces(dict[Digest, bytes]):
    """Pieces by digest, as a store returns them."""

    @classmethod
    def of(cls, pieces: tuple[bytes, ...]) -> Pieces:
        return cls({Digest.of(piece): piece for piece in pieces})

    def get_whole(self, digest: Digest) -> bytes:
        if digest not in self:
            raise StorageError("evidence is missing from the record", code="STORE_CORRUPT", expected=str(digest))
        return self[digest]


def again(collected: Collected) -> Collected:
    document, pieces = encode_collected(collected)
    return decode_collected(document, Pieces.of(pieces).get_whole)


@pytest.mark.parametrize("collected", [WHOLE, MISSING], ids=["all", "nothing was available"])
def test_every_field_comes_back(collected: Collected) -> None:
    assert again(collected) == collected


@pytest.mark.parametrize("kind", sorted(classes_in(Collected), key=str))
def test_every_field_of_the_model_is_stored(kind: type) -> None:
    """A field that is added to the model and to no table would be lost without a word."""
    value = filled(kind)
    assert all(getattr(value, one.name) != one.default for one in fields(kind))


@given(any_evidence())
def test_any_evidence_comes_back(evidence: EvidenceSet) -> None:
    assert again(Collected(evidence=evidence)) == Collected(evidence=evidence)


def test_equal_evidence_has_equal_bytes_and_shares_its_pieces() -> None:
    one, other = (
        encode_collected(Collected(evidence=good_evidence())),
        encode_collected(Collected(evidence=good_evidence())),
    )
    assert one == other
    index = encode_collected(Collected(evidence=index_evidence()))
    assert len(index[1]) == len(set(index[1]))


def documents() -> list[tuple[Any, tuple[bytes, ...]]]:
    values = (WHOLE, MISSING, Collected(evidence=good_evidence()), Collected(evidence=index_evidence()))
    return [(json.loads(document), pieces) for document, pieces in map(encode_collected, values)]


def test_what_is_written_has_the_published_form() -> None:
    published = json.loads((ROOT / "schemas" / "stored-evidence.schema.json").read_text(encoding="utf-8"))
    assert published == schema()
    validator = jsonschema.Draft202012Validator(published)
    for document, _ in documents():
        validator.validate(document)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, "another": 1})


def test_pieces_have_the_published_form() -> None:
    parts = {"layers": ("layers",), "scan": ("trivy", "grype"), "index": ()}
    for document, pieces in documents():
        kept = Pieces.of(pieces)
        for subject in document["evidence"].get("subjects", ()):
            for part, names in parts.items():
                named = [subject[name] for name in names if isinstance(subject.get(name), str)]
                for name in named:
                    form = {"$defs": DEFINITIONS, "$ref": f"#/$defs/{part}"}
                    jsonschema.Draft202012Validator(form).validate(json.loads(kept[Digest(name)]))


def golden() -> tuple[bytes, Pieces]:
    document = (GOLDEN / "document.json").read_bytes()
    return document, Pieces.of(tuple(path.read_bytes() for path in sorted((GOLDEN / "pieces").iterdir())))


def test_what_the_first_release_of_the_form_wrote_is_read() -> None:
    """For ever: a field that comes later has its default in what was written before, and is not written."""
    document, pieces = golden()
    read = decode_collected(document, pieces.get_whole)
    assert encode_collected(read) == (document, tuple(pieces[digest] for digest in sorted(pieces)))
    (subject,) = read.evidence.subjects
    assert isinstance(subject.trivy, ScanReport)
    assert subject.trivy.findings[0].epss == (Epss(cve="text", score=0.25, percentile=0.25),)
    assert read.conditions.limits.uncompressed_bytes == 7
    assert isinstance(read.evidence.attachments, Attachments)
    assert read.evidence.attachments.items[0].content == b"bytes"


def changed(**values: object) -> bytes:
    document = json.loads(encode_collected(WHOLE)[0])
    document |= values
    return canonical_json(document)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "STORE_CORRUPT"),
        (b"[]", "STORE_CORRUPT"),
        (b"{}", "STORE_CORRUPT"),
        (b"\xff", "STORE_CORRUPT"),
        (b"[" * 100_000, "STORE_CORRUPT"),
        (changed(schemaVersion="2.0"), "STORE_SCHEMA"),
        (changed(schemaVersion=1), "STORE_SCHEMA"),
        (changed(evidence={}), "STORE_CORRUPT"),
        (changed(evidence={"request": {"reference": 7}}), "STORE_CORRUPT"),
        (changed(evidence={"request": {"reference": "a", "repository": "NOT ONE"}}), "STORE_CORRUPT"),
        (changed(evidence={"request": {"reference": "a", "digest": "sha256:0"}}), "STORE_CORRUPT"),
        (changed(evidence={"request": {"reference": "a"}, "later": 1}), "STORE_CORRUPT"),
        (changed(conditions={}), "STORE_CORRUPT"),
    ],
)
def test_what_is_no_such_document_is_refused(document: bytes, code: str) -> None:
    pieces = Pieces.of(encode_collected(WHOLE)[1])
    with pytest.raises(StorageError) as refused:
        decode_collected(document, pieces.get_whole)
    assert refused.value.code == code


def test_a_piece_that_is_gone_is_noticed() -> None:
    document, pieces = encode_collected(WHOLE)
    assert len(pieces) >= 4
    for piece in pieces:
        kept = Pieces.of(pieces)
        del kept[Digest.of(piece)]
        with pytest.raises(StorageError) as refused:
            decode_collected(document, kept.get_whole)
        assert refused.value.code == "STORE_CORRUPT"


def test_the_version_is_in_the_schema() -> None:
    properties = schema()["properties"]
    assert isinstance(properties, dict)
    assert properties["schemaVersion"] == {"const": SCHEMA}
