"""Private keys from PEM: Cosign's encrypted form, PKCS #8 plain and encrypted, EC and RSA; Cosign's form is written.

Refuses keys that are not on the allow-list of `gate.codec.keys`, and key derivation that would take more memory than
256 MiB. No message holds any part of a key or of a password. Randomness is handed in by the caller.

Specification: formats reference, section 11; sigstore-go and Cosign `pkg/cosign/keys.go`; RFC 7914 (scrypt).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import nacl.exceptions
import nacl.secret
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gate.codec.encodings import decode_base64, encode_base64
from gate.codec.keys import MAX_KEY_BYTES, allowed_key, pem_label
from gate.codec.strict_json import Fault, ObjectView, canonical_json, parse_object
from gate.errors import KeyFileError

if TYPE_CHECKING:
    from collections.abc import Callable

ComputablePrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

COSIGN_LABEL: Final = "ENCRYPTED SIGSTORE PRIVATE KEY"
_OLD_COSIGN_LABEL: Final = "ENCRYPTED COSIGN PRIVATE KEY"
_PLAIN_LABELS: Final = frozenset({"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"})
_ENCRYPTED_PKCS8: Final = "ENCRYPTED PRIVATE KEY"
_FAULT: Final = Fault(KeyFileError, "KEY_MALFORMED", "Cosign's key file")
_BODY: Final = re.compile(rb"-----BEGIN [A-Z ]+-----\r?\n(.*?)-----END", re.DOTALL)

SALT_BYTES: Final = 32
NONCE_BYTES: Final = 24
_KEY_BYTES: Final = 32
# Cosign 2.4 and later write N = 65536, older ones 32768 (formats 11).
_COST, _BLOCK_SIZE, _PARALLEL = 65536, 8, 1
_MAX_SCRYPT_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Cost:
    n: int
    r: int
    p: int


def needs_password(pem: bytes) -> bool:
    """Say whether the file is encrypted; raises `KEY_MALFORMED` where it is not one PEM block."""
    label = pem_label(pem, "private key")
    return label in {COSIGN_LABEL, _OLD_COSIGN_LABEL, _ENCRYPTED_PKCS8} or b"Proc-Type: 4,ENCRYPTED" in pem


def parse_private_key(pem: bytes, password: Callable[[], bytes]) -> ComputablePrivateKey:
    """Parse and decrypt the one private key of a file that the user names.

    `password` is asked only where the file is encrypted.

    Raises:
        KeyFileError: `KEY_MALFORMED`, `KEY_PASSWORD` or `KEY_WEAK`.
    """
    label = pem_label(pem, "private key")
    if label in {COSIGN_LABEL, _OLD_COSIGN_LABEL}:
        return _load_der(_open_cosign(pem, password()))
    if label not in _PLAIN_LABELS and label != _ENCRYPTED_PKCS8:
        raise KeyFileError(
            "the file holds no private key that can be read", expected=f"{COSIGN_LABEL} or PRIVATE KEY", seen=label
        )
    return _load_pem(pem, password() if needs_password(pem) else None)


def _load_pem(pem: bytes, password: bytes | None) -> ComputablePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=password)
    except UnsupportedAlgorithm as error:
        raise KeyFileError("the key or its encryption is of an unknown kind", code="KEY_WEAK") from error
    except (TypeError, ValueError) as error:
        # The library gives one error for a wrong password and for damaged content of an encrypted file.
        if password is not None:
            raise _wrong_password() from error
        raise _unreadable() from error
    return allowed_private_key(key)


def _load_der(der: bytes) -> ComputablePrivateKey:
    try:
        return allowed_private_key(serialization.load_der_private_key(der, password=None))
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _unreadable() from error


def allowed_private_key(key: object) -> ComputablePrivateKey:
    """Return the same key if its public half is on the allow-list; raises `KEY_WEAK` otherwise."""
    match key:
        case ec.EllipticCurvePrivateKey() | ed25519.Ed25519PrivateKey() | rsa.RSAPrivateKey():
            allowed_key(key.public_key())
            return key
        case _:
            raise KeyFileError("the key is of a kind that is not accepted", code="KEY_WEAK", seen=type(key).__name__)


def _open_cosign(pem: bytes, password: bytes) -> bytes:
    view = parse_object(_cosign_body(pem), _FAULT, limit_bytes=MAX_KEY_BYTES)
    cipher = view.object("cipher")
    nonce = decode_base64(cipher.text("nonce"), _FAULT, "nonce")
    if cipher.text("name") != "nacl/secretbox" or len(nonce) != NONCE_BYTES:
        raise cipher.refuse("", "names an unknown cipher", expected="nacl/secretbox with a nonce of 24 bytes")
    ciphertext = decode_base64(view.text("ciphertext"), _FAULT, "ciphertext")
    derived = _derive(view.object("kdf"), password)
    try:
        return bytes(nacl.secret.SecretBox(derived).decrypt(ciphertext, nonce))
    except nacl.exceptions.CryptoError as error:
        raise _wrong_password() from error


def _cosign_body(pem: bytes) -> bytes:
    match = _BODY.search(pem)
    try:
        return base64.b64decode(b"".join(match.group(1).split()) if match else b"", validate=True)
    except binascii.Error as error:
        raise _unreadable() from error


def _derive(kdf: ObjectView, password: bytes) -> bytes:
    parameters = kdf.object("params")
    cost = _Cost(*(parameters.integer(name, minimum=1) for name in ("N", "r", "p")))
    salt = decode_base64(kdf.text("salt"), _FAULT, "salt")
    bounded = 128 * cost.n * cost.r <= _MAX_SCRYPT_BYTES and cost.p <= 4
    if kdf.text("name") != "scrypt" or not bounded or cost.n & (cost.n - 1) or cost.n < 2:
        raise kdf.refuse("", "asks for a key derivation that is not accepted", expected="scrypt within 256 MiB")
    return _scrypt(password, salt, cost)


def _scrypt(password: bytes, salt: bytes, cost: _Cost) -> bytes:
    try:
        return hashlib.scrypt(
            password, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=_MAX_SCRYPT_BYTES + 2**20, dklen=_KEY_BYTES
        )
    except ValueError as error:
        raise _unreadable() from error


def _wrong_password() -> KeyFileError:
    return KeyFileError(
        "the private key does not open with this password",
        code="KEY_PASSWORD",
        next_step="Set `GATE_KEY_PASSWORD` (or `COSIGN_PASSWORD`) to the key's password.",
    )


def _unreadable() -> KeyFileError:
    return KeyFileError("the private key cannot be read", expected="PKCS #8 or SEC 1 in PEM, or Cosign's key file")


def render_cosign_key(key: ComputablePrivateKey, password: bytes, *, salt: bytes, nonce: bytes) -> bytes:
    """Write the key in Cosign's encrypted PEM, 64 characters a line.

    `salt` (32 bytes) and `nonce` (24 bytes) must be fresh randomness.
    """
    if len(salt) != SALT_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("salt of 32 bytes and nonce of 24 bytes")
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    derived = _scrypt(password, salt, _Cost(_COST, _BLOCK_SIZE, _PARALLEL))
    sealed = nacl.secret.SecretBox(derived).encrypt(der, nonce).ciphertext
    body = canonical_json(
        {
            "cipher": {"name": "nacl/secretbox", "nonce": encode_base64(nonce)},
            "ciphertext": encode_base64(sealed),
            "kdf": {
                "name": "scrypt",
                "params": {"N": _COST, "p": _PARALLEL, "r": _BLOCK_SIZE},
                "salt": encode_base64(salt),
            },
        }
    )
    text = encode_base64(body)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {COSIGN_LABEL}-----", *lines, f"-----END {COSIGN_LABEL}-----", ""]).encode("ascii")
