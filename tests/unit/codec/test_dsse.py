"""DSSE envelopes: the exact signed bytes, and one signature."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from gate.codec.bundle import key_hint
from gate.codec.dsse import IN_TOTO_PAYLOAD, parse_envelope, pre_authentication_encoding, render_envelope
from gate.errors import AttestationError
from gate.model.bundle import Envelope
from tests.support.signing import GATE

# Formats reference, section 12.6.
VECTORS = [
    (b"{}", "4842cb1ba6fed6e460d8a0d56f6b64ccf1f1e11f7714a7f282080d5780251b63"),
    ('{"a":"é"}'.encode(), "0f5fd86c0317c0a6ce89176ecb8468d8fa5f01eb021ab75e98797cc8bebd86f0"),
]
FIRST_SIGNATURE = "MEQCIAjEDUD9vpsqduwnM2e0U1uHd/HljhyFO+ByKr32QvgVAiBm2zCr4km+jA1OuWGYS1/6gIKo/bvTy2sjxqYaa/dJKg=="


@pytest.mark.parametrize(("payload", "digest"), VECTORS)
def test_the_signed_bytes_are_those_of_the_vectors(payload: bytes, digest: str) -> None:
    assert hashlib.sha256(pre_authentication_encoding(IN_TOTO_PAYLOAD, payload)).hexdigest() == digest


def test_a_deterministic_signature_and_its_hint_are_those_of_the_vectors() -> None:
    signature = GATE.sign(pre_authentication_encoding(IN_TOTO_PAYLOAD, b"{}"))
    assert base64.b64encode(signature).decode() == FIRST_SIGNATURE
    assert key_hint(GATE.public_key) == "XNJS+wzokyQ2+vjM0QQJgbie5K1rn+niorfnGqyyfNM="


def written(**changes: object) -> bytes:
    fields = {"payload": "e30=", "payloadType": IN_TOTO_PAYLOAD, "signatures": [{"sig": "AAAA"}]}
    return json.dumps(fields | changes).encode()


def test_what_is_written_is_read_back() -> None:
    envelope = Envelope(payload_type=IN_TOTO_PAYLOAD, payload=b"\xff\x00 any bytes", signature=b"signature")
    data = render_envelope(envelope)
    assert parse_envelope(data) == envelope
    assert b"keyid" not in data


def test_both_alphabets_are_read_and_unknown_fields_ignored() -> None:
    url_safe = written(payload=base64.urlsafe_b64encode(b"\xfb\xff\xfe").decode(), other=1)
    assert parse_envelope(url_safe).payload == b"\xfb\xff\xfe"


def test_a_key_id_is_never_read() -> None:
    named = written(signatures=[{"sig": "AAAA", "keyid": "whoever"}])
    assert parse_envelope(named) == parse_envelope(written())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (written(signatures=[]), "ATT_SIG_COUNT"),
        (written(signatures=None), "ATT_SIG_COUNT"),
        (written(signatures=[{"sig": "AAAA"}, {"sig": "AAAA"}]), "ATT_SIG_COUNT"),
        (written(payload="e30"), "ATT_MALFORMED"),
        (written(payload="QR=="), "ATT_MALFORMED"),
        (written(payload="e30=\n"), "ATT_MALFORMED"),
        (written(payload=5), "ATT_MALFORMED"),
        (written(payloadType=None), "ATT_MALFORMED"),
        (b'{"payload":"e30=","payload":"e30="}', "ATT_MALFORMED"),
        (b"{", "ATT_MALFORMED"),
        (b"[]", "ATT_MALFORMED"),
        (b" " * (4 * 1024 * 1024 + 1), "LIMIT_BUNDLE"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_envelope_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(AttestationError) as refused:
        parse_envelope(content)
    assert refused.value.code == code
