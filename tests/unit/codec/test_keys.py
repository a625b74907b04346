"""Keys: what is read, what is too weak, what is malformed; never a key or a password in a message."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from gate.codec.keys import load_spki, parse_public_key, render_public_key
from gate.codec.private_keys import needs_password, parse_private_key, render_cosign_key
from gate.errors import KeyFileError
from gate.model.signer import KeyAlgorithm, RsaScheme
from gate.signers.file_key import FileSigner
from tests.support.signing import GATE, pem_of

SALT, NONCE = bytes(32), bytes(24)
PASSWORD = b"correct horse"
P256 = ec.derive_private_key(1, ec.SECP256R1())
RSA_2048 = rsa.generate_private_key(65537, 2048)
# Made once: each derivation takes 64 MiB and a sixth of a second.
SEALED = render_cosign_key(P256, PASSWORD, salt=SALT, nonce=NONCE)


def public_pem(key: PrivateKeyTypes) -> bytes:
    made: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made


def private_pem(
    key: PrivateKeyTypes,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    password: bytes | None = None,
) -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    made: bytes = key.private_bytes(serialization.Encoding.PEM, form, protection)
    return made


def no_password() -> bytes:
    raise AssertionError("a password was asked for a key that is not encrypted")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (P256, KeyAlgorithm.ECDSA_P256),
        (ec.derive_private_key(1, ec.SECP384R1()), KeyAlgorithm.ECDSA_P384),
        (ec.derive_private_key(1, ec.SECP521R1()), KeyAlgorithm.ECDSA_P521),
        (ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), KeyAlgorithm.ED25519),
        (RSA_2048, KeyAlgorithm.RSA_PKCS1),
    ],
)
def test_keys_of_the_allow_list_are_read(key: PrivateKeyTypes, algorithm: KeyAlgorithm) -> None:
    parsed = parse_public_key(public_pem(key))
    assert parsed.algorithm is algorithm
    assert render_public_key(parsed) == public_pem(key)
    assert load_spki(parsed) == key.public_key()


def test_the_policy_chooses_the_padding_and_the_window() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    parsed = parse_public_key(public_pem(RSA_2048), rsa_scheme=RsaScheme.PSS, not_before=start, not_after=end)
    assert (parsed.algorithm, parsed.not_before, parsed.not_after) == (KeyAlgorithm.RSA_PSS, start, end)


def test_a_key_is_named_by_its_spki() -> None:
    assert GATE.public_key.key_id == "sha256:5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - the attack
        ec.derive_private_key(1, ec.SECP224R1()),
        ec.derive_private_key(1, ec.SECP256K1()),
        dsa.generate_private_key(1024),  # noqa: S505 - the attack
        x25519.X25519PrivateKey.generate(),
    ],
    ids=["rsa-1024", "p-224", "secp256k1", "dsa", "x25519"],
)
def test_s28_a_weak_or_foreign_key_is_refused(key: PrivateKeyTypes) -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_public_key(public_pem(key))
    assert refused.value.code == "KEY_WEAK"
    with pytest.raises(KeyFileError) as private:
        parse_private_key(private_pem(key), no_password)
    assert private.value.code == "KEY_WEAK"


def of_unknown_kind(pem: bytes) -> bytes:
    """Return the key with one digit of its algorithm's object identifier changed: ecPublicKey to one that nobody uses."""
    label, body = pem.splitlines()[0], base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    changed = body.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209"))
    assert changed != body
    return b"\n".join([label, base64.b64encode(changed), label.replace(b"BEGIN", b"END"), b""])


def test_s28_a_key_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_public_key(of_unknown_kind(public_pem(P256)))
    assert refused.value.code == "KEY_WEAK"
    with pytest.raises(KeyFileError) as private:
        parse_private_key(of_unknown_kind(private_pem(P256)), no_password)
    assert private.value.code == "KEY_WEAK"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no key",
        pem_of(GATE.public_key) * 2,
        pem_of(GATE.public_key).replace(b"PUBLIC KEY", b"CERTIFICATE"),
        pem_of(GATE.public_key)[:-30],
        pem_of(GATE.public_key).replace(b"MFk", b"AAA"),
        b"-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n",
        private_pem(P256),
        b"x" * 70_000,
    ],
    ids=range(9),
)
def test_what_is_not_one_public_key_is_a_fault_of_the_request(data: bytes) -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_public_key(data)
    assert refused.value.code == "KEY_MALFORMED"


@pytest.mark.parametrize(
    "pem",
    [
        private_pem(P256),
        private_pem(P256, serialization.PrivateFormat.TraditionalOpenSSL),
        private_pem(RSA_2048, serialization.PrivateFormat.TraditionalOpenSSL),
        private_pem(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))),
    ],
    ids=["pkcs8", "sec1", "pkcs1", "ed25519"],
)
def test_plain_keys_are_read_without_a_password(pem: bytes) -> None:
    assert not needs_password(pem)
    assert FileSigner(parse_private_key(pem, no_password)).public_key.algorithm in set(KeyAlgorithm)


@pytest.mark.parametrize(
    "pem",
    [
        private_pem(P256, password=PASSWORD),
        private_pem(P256, serialization.PrivateFormat.TraditionalOpenSSL, PASSWORD),
        SEALED,
        SEALED.replace(b"SIGSTORE", b"COSIGN"),
    ],
    ids=["pkcs8", "sec1", "cosign", "old-cosign"],
)
def test_encrypted_keys_open_with_their_password_alone(pem: bytes) -> None:
    assert needs_password(pem)
    assert FileSigner(parse_private_key(pem, lambda: PASSWORD)).public_key == GATE.public_key
    for wrong in (b"wrong horse", b""):
        with pytest.raises(KeyFileError) as refused:
            parse_private_key(pem, wrong.strip)
        assert refused.value.code == "KEY_PASSWORD"
        assert "horse" not in str(refused.value)


def test_an_empty_password_is_a_password() -> None:
    pem = render_cosign_key(P256, b"", salt=SALT, nonce=NONCE)
    assert FileSigner(parse_private_key(pem, lambda: b"")).public_key == GATE.public_key


def test_the_written_form_is_cosigns() -> None:
    lines = SEALED.decode().splitlines()
    assert (lines[0], lines[-1]) == (
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
        "-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
    )
    body = json.loads(base64.b64decode("".join(lines[1:-1])))
    assert body["kdf"]["params"] == {"N": 65536, "r": 8, "p": 1}
    assert body["cipher"]["name"] == "nacl/secretbox"


def test_randomness_of_another_length_is_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        render_cosign_key(P256, PASSWORD, salt=b"short", nonce=NONCE)


def cosign_body(change: Callable[[dict[str, Any]], object]) -> bytes:
    lines = SEALED.decode().splitlines()
    body = json.loads(base64.b64decode("".join(lines[1:-1])))
    change(body)
    text = base64.b64encode(json.dumps(body).encode()).decode()
    return f"{lines[0]}\n{text}\n{lines[-1]}\n".encode()


def scrypt(**values: int) -> Callable[[dict[str, Any]], object]:
    return lambda body: body["kdf"]["params"].update(values)


@pytest.mark.parametrize(
    "change",
    [
        scrypt(N=2**22),
        scrypt(N=65535),
        scrypt(N=1),
        scrypt(r=2**20),
        scrypt(p=1000),
        lambda body: body["kdf"].update(name="argon2"),
        lambda body: body["kdf"].update(salt="!"),
        lambda body: body["cipher"].update(name="aes"),
        lambda body: body["cipher"].update(nonce="AAAA"),
        lambda body: body.update(ciphertext=5),
    ],
)
def test_a_key_file_with_other_parameters_is_refused_before_it_costs_anything(
    change: Callable[[dict[str, Any]], object],
) -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_private_key(cosign_body(change), lambda: PASSWORD)
    assert refused.value.code == "KEY_MALFORMED"


def test_an_unchanged_body_is_read() -> None:
    assert FileSigner(parse_private_key(cosign_body(lambda body: body), lambda: PASSWORD)).public_key == GATE.public_key


def test_the_parameters_of_older_cosign_are_read() -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_private_key(cosign_body(scrypt(N=32768)), lambda: PASSWORD)
    assert refused.value.code == "KEY_PASSWORD"  # derived with another cost: within the bounds, another key


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pem_of(GATE.public_key),
        private_pem(P256) * 2,
        private_pem(P256).replace(b"MIG", b"AAA"),
        b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n!!!\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
    ],
    ids=range(5),
)
def test_what_is_not_one_private_key_is_refused(data: bytes) -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_private_key(data, lambda: PASSWORD)
    assert refused.value.code == "KEY_MALFORMED"
