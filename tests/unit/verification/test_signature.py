"""The numbered steps by key; tests are named after the rows of the attack table that they hold against."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from nacl import bindings

from gate.codec.attachments import parse_attachment
from gate.codec.bundle import render_key_bundle
from gate.codec.dsse import IN_TOTO_PAYLOAD, pre_authentication_encoding
from gate.codec.keys import parse_public_key
from gate.codec.legacy import render_simple_signing
from gate.codec.statement import render_cosign_statement
from gate.codec.vsa import render_summary
from gate.errors import GateError, SignatureError
from gate.model.attachment import Attachment
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.signer import PublicKey, RsaScheme
from gate.model.string_map import StringMap
from gate.verification.raw_signature import verify_bytes, verify_digest
from gate.verification.signature import VerifiedSignature, verify_image_signature, verify_statement
from tests.support.signing import (
    GATE,
    IMAGE,
    NOW,
    OTHER,
    REPOSITORY,
    STRANGER,
    bundle_attachment,
    envelope,
    image_bundle,
    image_tag_layer,
    legacy_layer,
    signed,
    summary,
)

Form = Callable[..., Attachment]
FORMS = [image_bundle, image_tag_layer]
ENTRY: dict[str, Any] = {
    "logIndex": "1",
    "logId": {"keyId": "AAAA"},
    "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
    "integratedTime": "1700000000",
    "canonicalizedBody": "e30=",
}
LEGACY_ENTRY = {
    "SignedEntryTimestamp": "AAAA",
    "Payload": {
        "body": base64.b64encode(b'{"apiVersion":"0.0.1","kind":"hashedrekord"}').decode(),
        "integratedTime": 1700000000,
        "logIndex": 1,
        "logID": "00" * 32,
    },
}


def verify(item: Attachment, key: PublicKey = GATE.public_key, digest: Digest = IMAGE) -> VerifiedSignature:
    return verify_image_signature(parse_attachment(item), signer=KeySigner(key=key), expected=digest, now=NOW)


def refusal(item: Attachment, key: PublicKey = GATE.public_key, digest: Digest = IMAGE, now: datetime = NOW) -> str:
    with pytest.raises(GateError) as refused:
        verify_image_signature(parse_attachment(item), signer=KeySigner(key=key), expected=digest, now=now)
    return refused.value.code


def edited(item: Attachment, **top: object) -> Attachment:
    """Return the bundle with more verification material."""
    fields = json.loads(item.content)
    fields["verificationMaterial"] |= top
    return dataclasses.replace(item, content=json.dumps(fields).encode())


@pytest.mark.parametrize("form", FORMS)
def test_a_good_signature_verifies_and_says_what_it_covers(form: Form) -> None:
    item = form(annotations={"env": "prod"})
    verified = verify(item)
    assert (verified.key, dict(verified.annotations)) == (GATE.public_key, {"env": "prod"})
    assert verified.digest == Digest.of(item.content)
    assert verified.times == ()


@pytest.mark.parametrize("form", FORMS)
def test_a_signature_by_another_key_is_invalid(form: Form) -> None:
    assert refusal(form(signer=STRANGER)) == "SIG_INVALID"


def with_entry(item: Attachment) -> Attachment:
    if item.annotations:
        logged = {"dev.sigstore.cosign/bundle": json.dumps(LEGACY_ENTRY)}
        return dataclasses.replace(item, annotations=StringMap.of({**item.annotations, **logged}))
    return edited(item, tlogEntries=[ENTRY])


@pytest.mark.parametrize("form", FORMS)
def test_s03_a_log_entry_that_cannot_be_verified_is_never_skipped(form: Form) -> None:
    assert refusal(with_entry(form())) == "SIG_TLOG_INVALID"
    verify(form())


def test_s03_a_broken_log_entry_is_no_missing_one() -> None:
    broken = StringMap.of({**image_tag_layer().annotations, "dev.sigstore.cosign/bundle": "{"})
    with pytest.raises(SignatureError) as refused:
        parse_attachment(dataclasses.replace(image_tag_layer(), annotations=broken))
    assert refused.value.code == "SIG_TLOG_INVALID"


def with_timestamp(item: Attachment) -> Attachment:
    if item.annotations:
        stamped = {"dev.sigstore.cosign/rfc3161timestamp": '{"SignedRFC3161Timestamp":"AAAA"}'}
        return dataclasses.replace(item, annotations=StringMap.of({**item.annotations, **stamped}))
    return edited(item, timestampVerificationData={"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]})


@pytest.mark.parametrize("form", FORMS)
def test_a_timestamp_that_cannot_be_verified_is_never_skipped(form: Form) -> None:
    assert refusal(with_timestamp(form())) == "SIG_TSA_UNTRUSTED"
    verify(form())


@pytest.mark.parametrize("form", FORMS)
def test_s15_a_key_outside_its_window_is_expired(form: Form) -> None:
    second = timedelta(seconds=1)
    key = dataclasses.replace(GATE.public_key, not_before=NOW - second, not_after=NOW + second)
    assert refusal(form(), key, now=NOW + 2 * second) == "SIG_EXPIRED"
    assert refusal(form(), key, now=NOW - 2 * second) == "SIG_EXPIRED"
    for inside in (-second, timedelta(), second):
        verify_image_signature(parse_attachment(form()), signer=KeySigner(key=key), expected=IMAGE, now=NOW + inside)


def test_s16_time_alone_is_no_key_material() -> None:
    fields = json.loads(with_timestamp(image_bundle()).content)
    del fields["verificationMaterial"]["publicKey"]
    with pytest.raises(SignatureError) as refused:
        parse_attachment(bundle_attachment(json.dumps(fields).encode()))
    assert refused.value.code == "SIG_NO_KEY_MATERIAL"


@pytest.mark.parametrize("names", [("good", "bad"), ("bad", "good"), ("good", "good"), ()])
def test_s18_there_is_exactly_one_signature(names: tuple[str, ...]) -> None:
    good = json.loads(image_bundle().content)["dsseEnvelope"]["signatures"][0]
    signatures = [good if name == "good" else {"sig": "AAAA"} for name in names]
    fields = json.loads(image_bundle().content)
    fields["dsseEnvelope"]["signatures"] = signatures
    with pytest.raises(GateError) as refused:
        parse_attachment(bundle_attachment(json.dumps(fields).encode()))
    assert refused.value.code == "ATT_SIG_COUNT"
    fields["dsseEnvelope"]["signatures"] = [good]
    verify(bundle_attachment(json.dumps(fields).encode()))


def test_s19_a_certificate_that_is_brought_along_is_not_the_key() -> None:
    fields = json.loads(image_bundle().content)
    fields["verificationMaterial"] = {"certificate": {"rawBytes": "AAAA"}}
    assert refusal(bundle_attachment(json.dumps(fields).encode())) == "ID_MISMATCH"
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    annotations = StringMap.of({**image_tag_layer().annotations, "dev.sigstore.cosign/certificate": pem})
    assert refusal(dataclasses.replace(image_tag_layer(), annotations=annotations)) == "ID_MISMATCH"


@pytest.mark.parametrize(
    "pem",
    [
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "AAAA",
        "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 2,
    ],
)
def test_a_certificate_field_that_holds_something_else_is_refused(pem: str) -> None:
    annotations = StringMap.of({**image_tag_layer().annotations, "dev.sigstore.cosign/certificate": pem})
    with pytest.raises(SignatureError) as refused:
        parse_attachment(dataclasses.replace(image_tag_layer(), annotations=annotations))
    assert refused.value.code == "SIG_MALFORMED"
    empty = StringMap.of({**image_tag_layer().annotations, "dev.sigstore.cosign/certificate": ""})
    verify(dataclasses.replace(image_tag_layer(), annotations=empty))


def payload(**critical: object) -> bytes:
    fields = json.loads(render_simple_signing(REPOSITORY, IMAGE, {}))
    fields["critical"] |= critical
    return json.dumps({name: value for name, value in fields.items() if value != {}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        render_simple_signing(REPOSITORY, OTHER, {}),
        payload(type="atomic container signature"),
        payload(image={"docker-manifest-digest": IMAGE.hex}),
        payload(image={"docker-manifest-digest": str(IMAGE).upper()}),
        payload(image={}),
        b'{"optional":null}',
        b'{"critical":null}',
        b"not JSON",
        b"",
        b'{"critical":1,"critical":1}',
    ],
    ids=range(10),
)
def test_s20_a_payload_about_something_else_is_refused(content: bytes) -> None:
    assert refusal(legacy_layer(content)) == "SIG_SUBJECT_MISMATCH"
    verify(legacy_layer(payload()))


@pytest.mark.parametrize("form", FORMS)
def test_s20_a_signature_of_another_digest_is_refused(form: Form) -> None:
    assert refusal(form(digest=OTHER)) == "SIG_SUBJECT_MISMATCH"
    verify(form(digest=OTHER), digest=OTHER)


def test_a_verdict_is_no_image_signature() -> None:
    assert refusal(signed(render_summary(summary()))) == "ATT_TYPE"


def test_an_image_signature_of_another_payload_type_is_refused() -> None:
    content = render_cosign_statement(IMAGE, {})
    good = render_key_bundle(envelope(content, IN_TOTO_PAYLOAD), GATE.public_key)
    verify(bundle_attachment(good))
    other = render_key_bundle(envelope(content, "application/json"), GATE.public_key)
    assert refusal(bundle_attachment(other)) == "ATT_PAYLOAD_TYPE"


def test_a_changed_payload_type_breaks_the_signature() -> None:
    fields = json.loads(image_bundle().content)
    fields["dsseEnvelope"]["payloadType"] = "text/plain"
    assert refusal(bundle_attachment(json.dumps(fields).encode())) == "SIG_INVALID"


def test_s26_what_was_signed_is_kept_as_bytes() -> None:
    spaced = json.dumps(json.loads(render_cosign_statement(IMAGE, {})), indent=3).encode()
    verified = verify(signed(spaced))
    assert verified.payload == spaced
    fields = json.loads(signed(spaced).content)
    fields["dsseEnvelope"]["payload"] = base64.b64encode(render_cosign_statement(IMAGE, {})).decode()
    assert refusal(bundle_attachment(json.dumps(fields).encode())) == "SIG_INVALID"


@pytest.mark.parametrize("text", ["", "!", "QR==", "AAAA\n", " AAAA", "AAA", "\uff21AAA"], ids=range(7))
def test_s27_a_malformed_signature_annotation_is_malformed(text: str) -> None:
    annotations = StringMap.of({"dev.cosignproject.cosign/signature": text})
    with pytest.raises(SignatureError) as refused:
        parse_attachment(dataclasses.replace(image_tag_layer(), annotations=annotations))
    assert refused.value.code == "SIG_MALFORMED"


def manifest_bundle(signature: bytes, said: Digest | None = IMAGE) -> Attachment:
    fields = json.loads(image_bundle().content)
    del fields["dsseEnvelope"]
    fields["messageSignature"] = {"signature": base64.b64encode(signature).decode()}
    if said is not None:
        digest = base64.b64encode(bytes.fromhex(said.hex)).decode()
        fields["messageSignature"]["messageDigest"] = {"algorithm": "SHA2_256", "digest": digest}
    return bundle_attachment(json.dumps(fields).encode())


def test_a_signature_over_the_manifest_itself_verifies_by_its_digest() -> None:
    signature = GATE.sign(b"an image")
    assert verify(manifest_bundle(signature)).payload == b""
    verify(manifest_bundle(signature, said=None))
    assert refusal(manifest_bundle(signature, said=OTHER)) == "SIG_SUBJECT_MISMATCH"
    assert refusal(manifest_bundle(GATE.sign(b"another image"))) == "SIG_INVALID"
    assert refusal(manifest_bundle(signature), STRANGER.public_key) == "SIG_INVALID"
    with pytest.raises(GateError) as refused:
        verify_statement(parse_attachment(manifest_bundle(signature)), signer=KeySigner(key=GATE.public_key), now=NOW)
    assert refused.value.code == "ATT_TYPE"


def key_of(private: PrivateKeyTypes, scheme: RsaScheme = RsaScheme.PKCS1) -> PublicKey:
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return parse_public_key(pem, rsa_scheme=scheme)


def holds(key: PublicKey, signature: bytes, message: bytes = b"message") -> bool:
    try:
        verify_bytes(key, signature, message)
    except SignatureError as error:
        if error.code != "SIG_INVALID":
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("curve", "good", "bad"),
    [
        (ec.SECP256R1(), [hashes.SHA256()], [hashes.SHA384(), hashes.SHA512(), hashes.SHA224()]),
        (ec.SECP384R1(), [hashes.SHA256(), hashes.SHA384()], [hashes.SHA512()]),
        (ec.SECP521R1(), [hashes.SHA256(), hashes.SHA512()], [hashes.SHA384()]),
    ],
)
def test_s28_the_hash_is_the_curves_or_sha256(
    curve: ec.EllipticCurve, good: list[hashes.HashAlgorithm], bad: list[hashes.HashAlgorithm]
) -> None:
    private = ec.derive_private_key(5, curve)
    key = key_of(private)
    for chosen in good:
        assert holds(key, private.sign(b"message", ec.ECDSA(chosen)))
    for chosen in bad:
        assert not holds(key, private.sign(b"message", ec.ECDSA(chosen)))


def test_s28_the_policy_chooses_the_padding_never_the_signature() -> None:
    private = rsa.generate_private_key(65537, 2048)
    pkcs1 = private.sign(b"message", padding.PKCS1v15(), hashes.SHA256())
    pss = private.sign(b"message", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    sha1 = private.sign(b"message", padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the attack
    for scheme, good, bad in ((RsaScheme.PKCS1, pkcs1, pss), (RsaScheme.PSS, pss, pkcs1)):
        key = key_of(private, scheme)
        assert holds(key, good)
        assert not holds(key, bad)
        assert not holds(key, sha1)
    verify_digest(key_of(private), pkcs1, Digest.of(b"message"))
    with pytest.raises(SignatureError) as refused:
        verify_digest(key_of(private), pss, Digest.of(b"message"))
    assert refused.value.code == "SIG_INVALID"


def prehashed(seed: bytes, message: bytes) -> bytes:
    _, secret = bindings.crypto_sign_seed_keypair(seed)
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, message)
    return bytes(bindings.crypto_sign_ed25519ph_final_create(state, secret))


def test_s28_ed25519_verifies_pure_or_prehashed_and_nothing_else() -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = key_of(private)
    assert holds(key, private.sign(b"message"))
    assert holds(key, prehashed(bytes(32), b"message"))
    assert not holds(key, prehashed(bytes(32), b"other"))
    assert not holds(key, prehashed(bytes([1] * 32), b"message"))
    for broken in (b"", b"\0" * 63, b"\0" * 64, b"\0" * 65):
        assert not holds(key, broken)
    with pytest.raises(SignatureError) as refused:
        verify_digest(key, private.sign(b"message"), Digest.of(b"message"))
    assert refused.value.code == "SIG_ALG"


def test_what_is_no_signature_is_not_computed_with() -> None:
    for broken in (b"", b"\0", b"\xff" * 72, b"\0" * 5000):
        assert not holds(GATE.public_key, broken)


def test_a_high_s_is_as_good_as_a_low_one() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    r, s = utils.decode_dss_signature(GATE.sign(b"message"))
    assert holds(GATE.public_key, utils.encode_dss_signature(r, s))
    assert holds(GATE.public_key, utils.encode_dss_signature(r, order - s))


def test_the_signed_bytes_include_the_payload_type() -> None:
    signature = GATE.sign(pre_authentication_encoding("a", b"bc"))
    assert holds(GATE.public_key, signature, pre_authentication_encoding("a", b"bc"))
    assert not holds(GATE.public_key, signature, pre_authentication_encoding("ab", b"c"))
