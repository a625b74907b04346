"""Cosign's legacy tags, read and written, and files that tell by themselves what they are."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from gate.codec.attachments import parse_attachment, split_attestation_file
from gate.codec.legacy import parse_simple_signing, render_simple_signing
from gate.codec.verdict_manifest import render_envelope_file
from gate.errors import GateError
from gate.model.bundle import CertificateMaterial, KeyHint, SignatureFormat
from gate.model.digest import Digest
from gate.model.string_map import StringMap
from gate.signers.signing import sign_statement
from tests.support.signing import GATE, IMAGE, REPOSITORY, bundle_attachment, image_tag_layer

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ENTRY = {
    "SignedEntryTimestamp": "AAAA",
    "Payload": {
        "body": base64.b64encode(b'{"apiVersion":"0.0.1","kind":"hashedrekord"}').decode(),
        "integratedTime": 1700000000,
        "logIndex": 123,
        "logID": "c0" * 32,
    },
}


def test_the_payload_is_that_of_cosign() -> None:
    assert render_simple_signing(REPOSITORY, IMAGE, {}).decode() == (
        '{"critical":{"identity":{"docker-reference":"registry.example/shop/web"},'
        f'"image":{{"docker-manifest-digest":"{IMAGE}"}},"type":"cosign container image signature"}},"optional":null}}'
    )
    claims = parse_simple_signing(render_simple_signing(REPOSITORY, IMAGE, {"env": "prod"}))
    assert (claims.digest, claims.docker_reference) == (IMAGE, "registry.example/shop/web")
    assert dict(claims.annotations) == {"env": "prod"}


def test_only_texts_are_annotations() -> None:
    payload = json.loads(render_simple_signing(REPOSITORY, IMAGE, {"env": "prod"}))
    payload["optional"] |= {"timestamp": 1700000000, "nested": {}}
    assert dict(parse_simple_signing(json.dumps(payload).encode()).annotations) == {"env": "prod"}


def with_annotations(**values: str) -> StringMap:
    extra = {f"dev.sigstore.cosign/{name}": value for name, value in values.items()}
    return StringMap.of({**image_tag_layer().annotations, **extra})


def test_a_layer_with_everything_beside_it_is_read() -> None:
    annotations = with_annotations(
        certificate=PEM,
        chain=PEM + PEM,
        bundle=json.dumps(ENTRY),
        rfc3161timestamp='{"SignedRFC3161Timestamp":"AAAA"}',
    )
    read = parse_attachment(dataclasses.replace(image_tag_layer(), annotations=annotations, manifest=IMAGE))
    assert read.material == CertificateMaterial((b"\0\0\0",) * 3)
    assert (read.format, read.manifest, read.timestamps) == (SignatureFormat.LEGACY_SIGNATURE, IMAGE, (b"\0\0\0",))
    (entry,) = read.entries
    assert (entry.kind, entry.version, entry.log_index, entry.integrated_time) == (
        "hashedrekord", "0.0.1", 123, 1700000000,
    )  # fmt: skip
    assert (entry.log_id, entry.promise, entry.proof) == (b"\xc0" * 32, b"\0\0\0", None)


def test_a_layer_by_key_has_no_material_of_its_own() -> None:
    read = parse_attachment(image_tag_layer())
    assert (read.material, read.entries, read.timestamps) == (KeyHint(), (), ())


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("bundle", "{", "SIG_TLOG_INVALID"),
        ("bundle", json.dumps(ENTRY | {"Payload": None}), "SIG_TLOG_INVALID"),
        ("bundle", json.dumps(ENTRY | {"Payload": ENTRY["Payload"] | {"logID": "C0"}}), "SIG_TLOG_INVALID"),  # type: ignore[operator]
        ("bundle", json.dumps(ENTRY | {"Payload": ENTRY["Payload"] | {"logIndex": -1}}), "SIG_TLOG_INVALID"),  # type: ignore[operator]
        ("bundle", json.dumps(ENTRY | {"SignedEntryTimestamp": "!"}), "SIG_TLOG_INVALID"),
        ("rfc3161timestamp", "{}", "SIG_MALFORMED"),
        ("certificate", PEM + PEM, "SIG_MALFORMED"),
        ("certificate", "x" + PEM, "SIG_MALFORMED"),
        ("chain", PEM * 9, "SIG_MALFORMED"),
        ("chain", "x" * (1024 * 1024 + 1), "LIMIT_BUNDLE"),
    ],
    ids=range(10),
)
def test_broken_annotations_are_refused(name: str, text: str, code: str) -> None:
    annotations = with_annotations(**{name: text} if name != "chain" else {"certificate": PEM, "chain": text})
    with pytest.raises(GateError) as refused:
        parse_attachment(dataclasses.replace(image_tag_layer(), annotations=annotations))
    assert refused.value.code == code


def test_an_unknown_media_type_is_refused() -> None:
    with pytest.raises(GateError) as refused:
        parse_attachment(bundle_attachment(b"{}", "application/vnd.cncf.notary.signature"))
    assert refused.value.code == "SIG_MALFORMED"


def test_a_file_holds_a_bundle_an_envelope_or_one_a_line() -> None:
    made = sign_statement(GATE, b"{}")
    envelope = render_envelope_file(made.envelope)
    assert envelope.endswith(b"\n")
    assert [parse_attachment(item).format for item in split_attestation_file(made.bundle)] == [SignatureFormat.BUNDLE]
    pretty = json.dumps(json.loads(made.bundle), indent=2).encode()
    assert [parse_attachment(item).format for item in split_attestation_file(pretty)] == [SignatureFormat.BUNDLE]
    lines = split_attestation_file(envelope + b"\n" + made.bundle + b"\n")
    assert [parse_attachment(item).format for item in lines] == [SignatureFormat.ENVELOPE, SignatureFormat.BUNDLE]
    assert parse_attachment(lines[1]).digest == Digest.of(made.bundle)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "SIG_MALFORMED"),
        (b"\n \n", "SIG_MALFORMED"),
        (b"{}\n" * 501, "LIMIT_SIGNATURES"),
        (b" " * (16 * 1024 * 1024 + 1), "LIMIT_BUNDLE"),
    ],
    ids=range(4),
)
def test_a_file_that_holds_nothing_or_too_much_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(GateError) as refused:
        split_attestation_file(data)
    assert refused.value.code == code
    assert len(split_attestation_file(b"{}\n" * 500)) == 500
