"""Statements: what is a subject, what binds, what is written."""

from __future__ import annotations

import json

import pytest

from gate.codec.statement import own_subjects, parse_statement, render_cosign_statement, render_statement
from gate.errors import AttestationError
from gate.model.statement import COSIGN_SIGNATURE, STATEMENT_V01, NamedSubject
from tests.support.signing import CHILD, IMAGE, OTHER

OWN = (NamedSubject(name="registry.example/shop/web", digest=IMAGE), NamedSubject(name="x", digest=CHILD))


def written(**fields: object) -> bytes:
    statement = json.loads(render_statement(OWN, "https://example.com/type", {"a": 1}))
    return json.dumps(statement | fields).encode()


def test_what_is_written_is_read_back_in_one_form() -> None:
    data = render_statement(OWN, "https://example.com/type", {"b": [], "a": "é"})
    statement = parse_statement(data)
    assert (statement.predicate_type, own_subjects(statement)) == ("https://example.com/type", OWN)
    assert statement.names(CHILD)
    assert not statement.names(OTHER)
    assert data.startswith(b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":"\xc3\xa9","b":[]},')


def test_cosigns_statement_has_no_name_and_keeps_annotations_in_the_subject() -> None:
    assert json.loads(render_cosign_statement(IMAGE, {})) == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": {},
        "predicateType": COSIGN_SIGNATURE,
        "subject": [{"digest": {"sha256": IMAGE.hex}}],
    }
    (subject,) = parse_statement(render_cosign_statement(IMAGE, {"env": "prod"})).subjects
    assert (subject.digest, dict(subject.annotations)) == (IMAGE, {"env": "prod"})


def test_foreign_statements_may_be_older_and_name_other_algorithms_beside() -> None:
    subject = [{"name": "x", "digest": {"sha256": IMAGE.hex, "sha512": "0" * 128}}]
    statement = parse_statement(written(_type=STATEMENT_V01, subject=subject, predicate="a text"))
    assert statement.names(IMAGE)
    with pytest.raises(AttestationError) as refused:
        own_subjects(statement)
    assert refused.value.code == "ATT_TYPE"


@pytest.mark.parametrize("digits", [IMAGE.hex.upper(), str(IMAGE), IMAGE.hex[:-1], ""])
def test_another_spelling_of_a_digest_binds_nothing(digits: str) -> None:
    statement = parse_statement(written(subject=[{"digest": {"sha256": digits}}]))
    assert statement.subjects[0].digest is None
    assert not statement.names(IMAGE)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"_type": "https://in-toto.io/Statement/v1/"}, "ATT_TYPE"),
        ({"_type": None}, "ATT_MALFORMED"),
        ({"predicateType": 1}, "ATT_MALFORMED"),
        ({"subject": []}, "ATT_SUBJECT"),
        ({"subject": None}, "ATT_SUBJECT"),
        ({"subject": "x"}, "ATT_MALFORMED"),
        ({"subject": ["x"]}, "ATT_MALFORMED"),
        ({"subject": [{"digest": {"gitCommit": "0"}}]}, "ATT_SUBJECT"),
        ({"subject": [{"digest": {"sha256": 1}}]}, "ATT_MALFORMED"),
        ({"subject": [{"digest": {"sha256": "0"}}] * 1025}, "LIMIT_BUNDLE"),
    ],
    ids=range(10),
)
def test_what_is_no_statement_is_refused(fields: dict[str, object], code: str) -> None:
    with pytest.raises(AttestationError) as refused:
        parse_statement(written(**fields))
    assert refused.value.code == code


def test_s25_subjects_up_to_the_cap_are_read() -> None:
    assert len(parse_statement(written(subject=[{"digest": {"sha256": "0"}}] * 1024)).subjects) == 1024
