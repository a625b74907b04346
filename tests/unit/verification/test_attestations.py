"""Attestations that are there and are not the demanded one: attacks A01 to A07, in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gate.codec.bundle import key_hint, render_key_bundle
from gate.codec.dsse import render_envelope
from gate.errors import GateError
from gate.model.attachment import DSSE_ENVELOPE, FAILED_VERDICT, Attachment, AttachmentSource
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.verification.attestations import require_attestation
from gate.verification.signature import VerifiedStatement
from tests.support.signing import (
    GATE,
    IMAGE,
    NOW,
    OTHER,
    STRANGER,
    attached,
    bundle_attachment,
    envelope,
    image_bundle,
    signed,
    verdict,
)

IN_TOTO = "application/vnd.in-toto+json"
WANTED = "https://shop.example/review/v1"


def payload(**changes: Any) -> bytes:  # noqa: ANN401 - any field of a statement
    """Return the demanded statement with some fields changed; None takes a field away."""
    made = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "image", "digest": {"sha256": IMAGE.hex}}],
        "predicateType": WANTED,
        "predicate": {"approved": True},
    } | changes
    return json.dumps({name: value for name, value in made.items() if value is not None}).encode()


def as_bundle(content: bytes, kind: str = IN_TOTO) -> Attachment:
    return bundle_attachment(render_key_bundle(envelope(content, kind), GATE.public_key))


def as_tag(content: bytes, kind: str = IN_TOTO) -> Attachment:
    return Attachment(
        source=AttachmentSource.LEGACY_ATTESTATION,
        media_type=DSSE_ENVELOPE,
        content=render_envelope(envelope(content, kind)),
    )


FORMS = pytest.mark.parametrize("form", [as_bundle, as_tag], ids=["bundle", "tag"])


def demand(*items: Attachment) -> VerifiedStatement:
    return require_attestation(
        attached(*items),
        (KeySigner(key=GATE.public_key),),
        NOW,
        accepts=lambda kind: kind == WANTED,
        wanted=WANTED,
        judge=lambda verified: verified,
    )


def refused(*items: Attachment) -> str:
    with pytest.raises(GateError) as caught:
        demand(*items)
    return caught.value.code


@FORMS
def test_the_demanded_attestation_is_found_among_others(form: Any) -> None:  # noqa: ANN401
    others = (image_bundle(), verdict(), form(payload(predicateType="https://spdx.dev/Document")))
    assert demand(*others, form(payload())).statement.predicate_type == WANTED


@FORMS
def test_a01_another_valid_attestation_is_no_success(form: Any) -> None:  # noqa: ANN401
    assert refused(form(payload(predicateType="https://spdx.dev/Document"))) == "ATT_TYPE_MISSING"
    assert refused(image_bundle(), verdict()) == "ATT_TYPE_MISSING"
    assert refused() == "ATT_TYPE_MISSING"


@FORMS
@pytest.mark.parametrize("content", [b"{", b"null", b"[]", b"", b'"text"', b"\xff"])
def test_a02_a_signed_payload_that_is_no_statement_is_none(form: Any, content: bytes) -> None:  # noqa: ANN401
    assert refused(form(content)) == "ATT_MALFORMED"


@FORMS
def test_a03_a04_an_attestation_of_another_image_is_none_of_this_one(form: Any) -> None:  # noqa: ANN401
    about_other = payload(subject=[{"name": "image", "digest": {"sha256": OTHER.hex}}])
    assert refused(form(about_other)) == "ATT_SUBJECT_MISMATCH"


@FORMS
@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ([], "ATT_SUBJECT"),
        (None, "ATT_SUBJECT"),
        ([{"name": "image", "digest": {"sha512": "0" * 128}}], "ATT_SUBJECT"),
        ([{"name": "image", "digest": {"gitCommit": "0" * 40}}], "ATT_SUBJECT"),
        ([{"name": "image", "digest": {"SHA256": IMAGE.hex}}], "ATT_SUBJECT"),
        ([{"name": "image", "digest": {"sha256": IMAGE.hex.upper()}}], "ATT_SUBJECT_MISMATCH"),
        ([{"name": "image", "digest": {"sha256": f"sha256:{IMAGE.hex}"}}], "ATT_SUBJECT_MISMATCH"),
        ([{"name": "image", "digest": {"sha256": IMAGE.hex}}] * 1025, "LIMIT_BUNDLE"),
    ],
)
def test_a05_only_a_sha256_of_the_image_binds(form: Any, subject: object, code: str) -> None:  # noqa: ANN401
    assert refused(form(payload(subject=subject))) == code


@FORMS
@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.in-toto+json ", "application/json", ""])
def test_a06_bytes_that_were_signed_as_something_else_are_no_statement(form: Any, kind: str) -> None:  # noqa: ANN401
    assert refused(form(payload(), kind)) in {"ATT_PAYLOAD_TYPE", "ATT_MALFORMED"}
    assert demand(form(payload())).statement.names(IMAGE)


@FORMS
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"predicateType": WANTED + "/"}, "ATT_TYPE_MISSING"),
        ({"predicateType": WANTED.upper()}, "ATT_TYPE_MISSING"),
        ({"predicateType": WANTED + "?"}, "ATT_TYPE_MISSING"),
        ({"predicateType": "review"}, "ATT_TYPE_MISSING"),
        ({"_type": "https://in-toto.io/Statement/v2"}, "ATT_TYPE"),
        ({"_type": "https://in-toto.io/Statement/v1/"}, "ATT_TYPE"),
    ],
)
def test_a07_types_are_compared_byte_for_byte(form: Any, changes: dict[str, str], code: str) -> None:  # noqa: ANN401
    assert refused(form(payload(**changes))) == code


def test_an_attestation_by_somebody_else_is_none_of_the_signers() -> None:
    assert refused(signed(payload(), STRANGER)) == "ID_MISMATCH"
    # One that claims to be by the demanded key and does not verify is a broken one.
    forged = render_key_bundle(envelope(payload(), IN_TOTO, STRANGER), GATE.public_key)
    assert key_hint(GATE.public_key) in forged.decode()
    assert refused(bundle_attachment(forged)) == "SIG_INVALID"


def test_what_belongs_to_a_failed_verdict_is_no_evidence() -> None:
    item = replace(as_bundle(payload()), media_type=FAILED_VERDICT)
    assert refused(item) == "ATT_TYPE_MISSING"
    assert demand(as_bundle(payload())).signature.digest == Digest.of(item.content)


def test_s23_the_first_so_many_are_not_taken_for_all() -> None:
    assert refused(*[as_bundle(payload())] * 501) == "LIMIT_SIGNATURES"
