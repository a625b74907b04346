"""Signers: a key in a file, chosen by its URI."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from gate.codec.attachments import parse_attachment
from gate.codec.private_keys import render_cosign_key
from gate.codec.statement import render_cosign_statement
from gate.errors import KeyFileError
from gate.model.policy_signers import KeySigner
from gate.signers.file_key import FileSigner
from gate.signers.signing import sign_statement
from gate.signers.uri import signer_for
from gate.verification.raw_signature import verify_bytes
from gate.verification.signature import verify_statement
from tests.support.signing import GATE, IMAGE, NOW, bundle_attachment, p256_signer


def pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def no_password() -> bytes:
    raise AssertionError("a password was asked for a key that is not encrypted")


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(7, ec.SECP256R1()),
        ec.derive_private_key(7, ec.SECP384R1()),
        ec.derive_private_key(7, ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "p521", "ed25519", "rsa"],
)
def test_what_each_kind_of_key_signs_verifies(key: PrivateKeyTypes) -> None:
    signer = FileSigner.from_pem(pem(key), no_password)
    verify_bytes(signer.public_key, signer.sign(b"data"), b"data")
    made = sign_statement(signer, render_cosign_statement(IMAGE, {}))
    verified = verify_statement(
        parse_attachment(bundle_attachment(made.bundle)), signer=KeySigner(key=signer.public_key), now=NOW
    )
    assert verified.statement.names(IMAGE)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_signatures_are_deterministic(curve: ec.EllipticCurve) -> None:
    signer = FileSigner(ec.derive_private_key(7, curve))
    assert signer.sign(b"data") == signer.sign(b"data")


def test_the_private_key_is_not_shown() -> None:
    assert repr(GATE) == f"FileSigner({GATE.public_key.key_id})"


def test_a_path_names_a_file_and_the_password_is_asked_only_where_it_is_needed(tmp_path: Path) -> None:
    key = ec.derive_private_key(1, ec.SECP256R1())
    plain, sealed = tmp_path / "plain.key", tmp_path / "sealed.key"
    plain.write_bytes(pem(key))
    sealed.write_bytes(render_cosign_key(key, b"secret", salt=bytes(32), nonce=bytes(24)))
    assert signer_for(str(plain), no_password).public_key == p256_signer(1).public_key
    assert signer_for(str(sealed), lambda: b"secret").public_key == p256_signer(1).public_key
    with pytest.raises(KeyFileError) as refused:
        signer_for(str(sealed), lambda: b"wrong")
    assert refused.value.code == "KEY_PASSWORD"


@pytest.mark.parametrize("uri", ["env://KEY", "gitlab://123", "k8s://shop/key"])
def test_a_scheme_that_is_not_built_in_is_refused_by_name(uri: str) -> None:
    with pytest.raises(KeyFileError) as refused:
        signer_for(uri, no_password)
    assert refused.value.code == "KEY_UNSUPPORTED"
    assert uri.partition(":")[0] in refused.value.seen


def test_a_file_that_cannot_be_a_key_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 70_000)
    for path in (tmp_path / "absent", tmp_path, large):
        with pytest.raises(KeyFileError) as refused:
            signer_for(str(path), no_password)
        assert refused.value.code == "KEY_MALFORMED"
