"""Public keys from PEM, and DER back to keys that can compute.

Refuses files with no or several PEM blocks, other blocks than `PUBLIC KEY`, and keys that are not on the allow-list. A
key that cannot be read is a fault of the request (exit 2), never of the image.

Specification: RFC 7468, RFC 5280 SubjectPublicKeyInfo; formats reference, section 11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gate.errors import KeyFileError
from gate.model.signer import KeyAlgorithm, PublicKey, RsaScheme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ComputablePublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

MAX_KEY_BYTES: Final = 64 * 1024
MIN_RSA_BITS: Final = 2048
# Beyond this a verification takes seconds and buys nothing; Cosign's and OpenSSL's own tools stop here as well.
MAX_RSA_BITS: Final = 16384
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n(?:.*?)-----END \1-----", re.DOTALL)
_CURVES: Final[Mapping[str, KeyAlgorithm]] = {
    "secp256r1": KeyAlgorithm.ECDSA_P256,
    "secp384r1": KeyAlgorithm.ECDSA_P384,
    "secp521r1": KeyAlgorithm.ECDSA_P521,
}
_SCHEMES: Final[Mapping[RsaScheme, KeyAlgorithm]] = {
    RsaScheme.PKCS1: KeyAlgorithm.RSA_PKCS1,
    RsaScheme.PSS: KeyAlgorithm.RSA_PSS,
}


def pem_label(data: bytes, kind: str) -> str:
    """Return the label of the one PEM block in these bytes; `kind` is what people call the file.

    Raises:
        KeyFileError: `KEY_MALFORMED` for none or several blocks, or for a file that is too large.
    """
    blocks = _BLOCK.findall(data) if len(data) <= MAX_KEY_BYTES else []
    if len(blocks) != 1 or data.count(b"-----BEGIN ") != 1:
        raise KeyFileError(
            f"the {kind} is not one PEM block",
            expected=f"one PEM block, at most {MAX_KEY_BYTES} bytes",
            seen=f"{data.count(b'-----BEGIN ')} blocks, {len(data)} bytes",
        )
    return str(blocks[0].decode("ascii"))


def parse_public_key(
    pem: bytes,
    *,
    rsa_scheme: RsaScheme = RsaScheme.PKCS1,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> PublicKey:
    """Parse the one `PUBLIC KEY` block of a file that the user or the policy names.

    Raises:
        KeyFileError: `KEY_MALFORMED`, or `KEY_WEAK` for a key that is not on the allow-list.
    """
    label = pem_label(pem, "public key")
    if label != "PUBLIC KEY":
        raise KeyFileError("the file holds no public key", expected="a block PUBLIC KEY", seen=label)
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise _weak("an unknown kind of key") from error
    except ValueError as error:
        raise KeyFileError("the public key cannot be read", expected="DER SubjectPublicKeyInfo in PEM") from error
    computable = allowed_key(key)
    return PublicKey(
        spki=spki_of(computable),
        algorithm=algorithm_of(computable, rsa_scheme),
        not_before=not_before,
        not_after=not_after,
    )


def allowed_key(key: object) -> ComputablePublicKey:
    """Return the same key if its kind and size are on the allow-list; raises `KEY_WEAK` otherwise."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return key
        case ed25519.Ed25519PublicKey():
            return key
        case rsa.RSAPublicKey() if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return key
        case ec.EllipticCurvePublicKey():
            raise _weak(f"ECDSA {key.curve.name}")
        case rsa.RSAPublicKey():
            raise _weak(f"RSA of {key.key_size} bits")
        case _:
            raise _weak(type(key).__name__)


def _weak(seen: str) -> KeyFileError:
    return KeyFileError(
        "the key is of a kind that is not accepted",
        code="KEY_WEAK",
        expected=f"ECDSA P-256, P-384 or P-521, Ed25519, RSA of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits",
        seen=seen,
    )


def algorithm_of(key: ComputablePublicKey, rsa_scheme: RsaScheme = RsaScheme.PKCS1) -> KeyAlgorithm:
    """Name the algorithm of a key that `allowed_key` let through."""
    match key:
        case ec.EllipticCurvePublicKey():
            return _CURVES[key.curve.name]
        case ed25519.Ed25519PublicKey():
            return KeyAlgorithm.ED25519
        case rsa.RSAPublicKey():
            return _SCHEMES[rsa_scheme]


def spki_of(key: ComputablePublicKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_spki(key: PublicKey) -> ComputablePublicKey:
    """Return the key that can verify, from a value that `parse_public_key` made."""
    return allowed_key(serialization.load_der_public_key(key.spki))


def render_public_key(key: PublicKey) -> bytes:
    """Write the key as one PEM block, as Cosign and slsa-verifier read it."""
    return load_spki(key).public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def ed25519_key(raw: bytes) -> PublicKey:
    """Return the key in 32 raw bytes, as signed notes hold it."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    return PublicKey(spki=spki_of(key), algorithm=KeyAlgorithm.ED25519)
