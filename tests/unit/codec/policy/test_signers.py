"""Signers of a policy: an empty identity is not anybody (attack I06), and files are read only where they may be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gate.codec.policy.document import parse_policy
from gate.codec.policy.files import ShippedRoot
from gate.errors import KeyFileError, PolicyError
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.signer import KeyAlgorithm
from tests.support.policies import (
    HEX_A,
    KEY_A,
    KEY_B,
    KEY_PEM,
    MemoryFiles,
    as_bytes,
    policy,
    policy_document,
    refusal,
    signature,
)
from tests.support.signing import GATE

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"anyOf": []},
        {"anyOf": [{}]},
        {"anyOf": [{"key": {}}]},
        {"annotations": {}},
        {"annotations": {"stage": ""}},
        {"annotations": {"": "x"}},
    ],
)
def test_i06_an_empty_identity_is_refusal(change: dict[str, object]) -> None:
    assert refusal(signature(**change)).code == "POL_EMPTY_IDENTITY"
    assert policy(signature()).signature is not None


def test_i06_an_empty_signature_section_is_refusal() -> None:
    assert refusal(policy_document(signature=[])).code == "POL_EMPTY_IDENTITY"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"allOf": [{"key": KEY_B}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A}, {"key": KEY_A | {"notAfter": "2027-01-01"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"pem": KEY_PEM.decode()}}]}, "POL_EMPTY_IDENTITY"),
        ({"anyOf": [{"key": {"pem": KEY_PEM.decode(), "sha256": HEX_A}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"notBefore": "2027-01-02", "notAfter": "2027-01-01"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"notAfter": "never"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"rsaScheme": "none"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"kee": KEY_A}]}, "POL_UNKNOWN_KEY"),
        ({"annotations": {f"a{number}": "b" for number in range(33)}}, "POL_MALFORMED"),
    ],
)
def test_a_wrong_signer_is_refusal(change: dict[str, object], code: str) -> None:
    assert refusal(signature(**change)).code == code


def test_a_key_counts_in_whole_days() -> None:
    parsed = policy(signature(anyOf=[{"key": KEY_A | {"notBefore": "2026-01-01", "notAfter": "2026-12-31"}}]))
    assert parsed.signature is not None
    (signer,) = parsed.signature[0].any_of
    assert isinstance(signer, KeySigner)
    key = signer.key
    assert key.algorithm is KeyAlgorithm.ECDSA_P256
    assert key.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert key.not_after == datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_an_inline_key_needs_no_pin() -> None:
    parsed = policy(signature(anyOf=[{"key": {"pem": KEY_PEM.decode()}}]))
    assert parsed.signature is not None
    assert parsed.signature[0].any_of == (KeySigner(key=GATE.public_key),)
    assert parsed.unpinned == ()


def test_a_file_that_is_no_key_names_its_place_and_no_content() -> None:
    files = MemoryFiles({"keys/a.pub": b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"})
    error = refusal(signature(), files)
    assert isinstance(error, KeyFileError)
    assert error.code == "KEY_MALFORMED"
    assert "spec.signature[0].anyOf[0].key" in error.message
    assert "c2VjcmV0" not in str(error)


# Files


def test_a_pinned_file_with_other_bytes_is_refusal() -> None:
    error = refusal(signature(anyOf=[{"key": KEY_A | {"sha256": "0" * 63 + "1"}}]))
    assert error.code == "POL_FILE"
    assert error.seen == f"sha256:{HEX_A}"


def test_twin_a_pinned_file_with_its_bytes_is_read() -> None:
    assert policy(signature(anyOf=[{"key": KEY_A | {"sha256": HEX_A}}])).unpinned == ()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../keys/a.pub", "keys/../../a", "keys//a.pub", "./keys/a.pub", "keys/..", "a\\b", "keys/", "a\0b"],
)
def test_a_path_that_leaves_the_folder_is_never_read(path: str) -> None:
    class Untouched:
        def read(self, path: str) -> bytes:
            raise AssertionError(path)

        def digest(self, path: str) -> Digest:
            raise AssertionError(path)

        def public_root(self) -> ShippedRoot:
            raise AssertionError("the public root")

    document = as_bytes(signature(anyOf=[{"key": {"file": path}}]))
    with pytest.raises(PolicyError) as caught:
        parse_policy(document, name="policy.yaml", files=Untouched())
    assert caught.value.code == "POL_MALFORMED"


def test_an_unpinned_file_is_named_once() -> None:
    document = policy_document(
        signature=[
            {"images": "registry.example/a", "anyOf": [{"key": KEY_A}]},
            {"images": "registry.example/b", "anyOf": [{"key": KEY_A}, {"key": KEY_B}]},
        ]
    )
    assert policy(document).unpinned == ("keys/a.pub", "keys/b.pub")
