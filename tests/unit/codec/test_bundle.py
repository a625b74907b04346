"""Sigstore bundles: each rule of the formats reference, section 7, with its code."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gate.codec.bundle import parse_bundle, render_key_bundle
from gate.errors import RefusedError, SignatureError
from gate.model.bundle import CertificateMaterial, Envelope, KeyHint, MessageSignature
from gate.model.digest import Digest
from tests.support.signing import GATE, envelope

Fields = dict[str, Any]
ENVELOPE = envelope(b"{}", "application/vnd.in-toto+json")
ENTRY: Fields = {
    "logIndex": "735",
    "logId": {"keyId": "AAAA"},
    "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
    "integratedTime": "0",
    "inclusionPromise": {"signedEntryTimestamp": "AAAA"},
    "inclusionProof": {
        "logIndex": "735",
        "rootHash": "AAAA",
        "treeSize": "736",
        "hashes": ["AAAA"],
        "checkpoint": {"envelope": "log.example\n736\n"},
    },
    "canonicalizedBody": "e30=",
}


def changed(*changes: Callable[[Fields], object]) -> bytes:
    fields = json.loads(render_key_bundle(ENVELOPE, GATE.public_key))
    for change in changes:
        change(fields)
    return json.dumps(fields).encode()


def material(**values: object) -> Callable[[Fields], object]:
    return lambda fields: fields["verificationMaterial"].update(values)


def without_key(fields: Fields) -> None:
    del fields["verificationMaterial"]["publicKey"]


def top(**values: object) -> Callable[[Fields], object]:
    return lambda fields: fields.update(values)


def message(**values: object) -> Callable[[Fields], object]:
    def change(fields: Fields) -> None:
        del fields["dsseEnvelope"]
        digest = {"algorithm": "SHA2_256", "digest": "Jr3DLNA3pkpBGvQ+V4nZ4P7fZo4EG0dMzgRxTB0gyCE="}
        fields["messageSignature"] = {"messageDigest": digest, "signature": "AAAA"} | values

    return change


def entry(**values: object) -> Callable[[Fields], object]:
    return material(tlogEntries=[copy.deepcopy(ENTRY) | values])


def proof(**values: object) -> Callable[[Fields], object]:
    return entry(inclusionProof=ENTRY["inclusionProof"] | values)


def test_what_is_written_is_read_back() -> None:
    bundle = parse_bundle(changed())
    assert bundle.content == ENVELOPE
    assert bundle.material == KeyHint("XNJS+wzokyQ2+vjM0QQJgbie5K1rn+niorfnGqyyfNM=")
    assert (bundle.version, bundle.entries, bundle.timestamps) == ("0.3", (), ())
    assert bundle.digest == Digest.of(changed())


@pytest.mark.parametrize(
    ("media_type", "version"),
    [
        ("application/vnd.dev.sigstore.bundle+json;version=0.1", "0.1"),
        ("application/vnd.dev.sigstore.bundle+json;version=0.2", "0.2"),
        ("application/vnd.dev.sigstore.bundle+json;version=0.3", "0.3"),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "0.3"),
    ],
)
def test_each_version_is_read(media_type: str, version: str) -> None:
    assert parse_bundle(changed(top(mediaType=media_type))).version == version


def test_a_log_entry_is_read_whole() -> None:
    (read,) = parse_bundle(changed(entry())).entries
    assert (read.log_index, read.kind, read.version, read.integrated_time) == (735, "hashedrekord", "0.0.2", 0)
    assert (read.body, read.promise, read.log_id) == (b"{}", b"\0\0\0", b"\0\0\0")
    assert read.proof is not None
    assert (read.proof.tree_size, read.proof.hashes, read.proof.checkpoint) == (736, (b"\0\0\0",), "log.example\n736\n")


def test_defaults_of_protobuf_are_absent_or_null() -> None:
    bare = {name: ENTRY[name] for name in ("logId", "kindVersion", "canonicalizedBody")}
    (read,) = parse_bundle(changed(material(tlogEntries=[bare | {"inclusionProof": None}]))).entries
    assert (read.log_index, read.integrated_time, read.promise, read.proof) == (0, 0, b"", None)
    empty = changed(material(tlogEntries=None, timestampVerificationData={}))
    assert parse_bundle(empty).entries == ()


def test_certificates_are_read_as_certificates() -> None:
    leaf = changed(without_key, material(certificate={"rawBytes": "AAAA"}))
    assert parse_bundle(leaf).material == CertificateMaterial((b"\0\0\0",))
    old = top(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2")
    chain = changed(old, without_key, material(x509CertificateChain={"certificates": [{"rawBytes": "AAAA"}]}))
    assert parse_bundle(chain).material == CertificateMaterial((b"\0\0\0",))


def test_a_signature_over_an_artifact_keeps_the_digest_that_is_said() -> None:
    content = parse_bundle(changed(message())).content
    assert isinstance(content, MessageSignature)
    assert content.digest is not None
    unsaid = parse_bundle(changed(message(messageDigest=None))).content
    assert isinstance(unsaid, MessageSignature)
    assert unsaid.digest is None


def timestamps(count: int) -> Callable[[Fields], object]:
    tokens = [{"signedTimestamp": f"{index:04d}"} for index in range(count)]
    return material(timestampVerificationData={"rfc3161Timestamps": tokens})


def entries(count: int) -> Callable[[Fields], object]:
    return material(tlogEntries=[ENTRY | {"logIndex": str(index)} for index in range(count)])


def chain(count: int) -> Callable[[Fields], object]:
    def change(fields: Fields) -> None:
        fields["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
        certificates = [{"rawBytes": "AAAA"}] * count
        fields["verificationMaterial"] = {"x509CertificateChain": {"certificates": certificates}}

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (top(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"), "SIG_BUNDLE_VERSION"),
        (top(mediaType=None), "SIG_BUNDLE_VERSION"),
        (top(unknown=1), "SIG_MALFORMED"),
        (material(unknown=1), "SIG_MALFORMED"),
        (top(verificationMaterial=None), "SIG_MALFORMED"),
        (without_key, "SIG_NO_KEY_MATERIAL"),
        (chain(0), "SIG_NO_KEY_MATERIAL"),
        (
            lambda fields: fields.update(verificationMaterial={"x509CertificateChain": {"certificates": []}}),
            "SIG_MALFORMED",
        ),
        (material(certificate={"rawBytes": "AAAA"}), "SIG_MALFORMED"),
        (message(extra=1), "SIG_MALFORMED"),
        (message(signature=""), "SIG_MALFORMED"),
        (message(messageDigest={"algorithm": "SHA2_512", "digest": "AAAA"}), "SIG_MALFORMED"),
        (message(messageDigest={"algorithm": "SHA2_256", "digest": "AAAA"}), "SIG_MALFORMED"),
        (top(messageSignature={"signature": "AAAA"}), "SIG_MALFORMED"),
        (top(dsseEnvelope=None), "SIG_MALFORMED"),
        (lambda fields: fields["dsseEnvelope"].update(extra=1), "SIG_MALFORMED"),
        (lambda fields: fields["dsseEnvelope"].update(signatures=[]), "ATT_SIG_COUNT"),
        (entry(logIndex="-1"), "SIG_MALFORMED"),
        (entry(logIndex=735), "SIG_MALFORMED"),
        (entry(logIndex="0735"), "SIG_MALFORMED"),
        (entry(integratedTime="99999999999999999999"), "SIG_MALFORMED"),
        (entry(log_index="1"), "SIG_MALFORMED"),
        (proof(logIndex="736"), "SIG_MALFORMED"),
        (proof(hashes=["AAAA"] * 65), "LIMIT_BUNDLE"),
        (material(tlogEntries=[ENTRY, ENTRY]), "SIG_MALFORMED"),
        (
            material(timestampVerificationData={"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}] * 2}),
            "SIG_MALFORMED",
        ),
        (timestamps(9), "LIMIT_BUNDLE"),
        (entries(9), "LIMIT_BUNDLE"),
        (chain(9), "LIMIT_BUNDLE"),
    ],
)
def test_what_is_no_bundle_is_refused(change: Callable[[Fields], object], code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_bundle(changed(change))
    assert refused.value.code == code


@pytest.mark.parametrize("change", [timestamps(8), entries(8), chain(8), proof(hashes=["AAAA"] * 64), message()])
def test_its_positive_twin_is_read(change: Callable[[Fields], object]) -> None:
    assert isinstance(parse_bundle(changed(change)).content, Envelope | MessageSignature)


def test_s25_huge_lists_are_refused_before_an_item_is_read() -> None:
    with pytest.raises(RefusedError) as refused:
        parse_bundle(changed(material(tlogEntries=[{"nothing": "of an entry"}] * 10_000)))
    assert refused.value.code == "LIMIT_BUNDLE"


def test_s27_bytes_that_are_no_json_are_refused() -> None:
    for content in (b"", b"{", b"\xff", b"null", b"[]", b'{"a":1,"a":1}', changed()[:-1], b"[" * 100_000):
        with pytest.raises(RefusedError) as refused:
            parse_bundle(content)
        assert refused.value.code == "SIG_MALFORMED"
    with pytest.raises(RefusedError) as large:
        parse_bundle(b" " * (4 * 1024 * 1024 + 1))
    assert large.value.code == "LIMIT_BUNDLE"


def _conformance_cases() -> list[Path]:
    folder = os.environ.get("SIGSTORE_CONFORMANCE_DIR")
    return sorted(Path(folder).glob("*/bundle.sigstore.json")) if folder else []


MALFORMED_CASES = {"bundle-invalid-base64-signature_fail", "bundle-negative-log-index_fail"}


@pytest.mark.skipif(not _conformance_cases(), reason="SIGSTORE_CONFORMANCE_DIR is not set")
def test_every_bundle_of_the_conformance_suite_is_read_except_the_malformed_ones() -> None:
    for path in _conformance_cases():
        if path.parent.name in MALFORMED_CASES:
            with pytest.raises(SignatureError) as refused:
                parse_bundle(path.read_bytes())
            assert refused.value.code == "SIG_MALFORMED"
        else:
            assert parse_bundle(path.read_bytes()).version in {"0.1", "0.2", "0.3"}
