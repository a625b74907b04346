"""A signer whose key is in a file: Cosign's encrypted form, or PKCS #8, SEC 1 and PKCS #1 in PEM.

ECDSA signatures are deterministic (RFC 6979): the same verdict gives the same bytes, and a poor source of randomness
cannot give the key away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from gate.codec.keys import algorithm_of, allowed_key, spki_of
from gate.codec.private_keys import ComputablePrivateKey, parse_private_key
from gate.model.signer import PublicKey

if TYPE_CHECKING:
    from gate.signers.signer import PasswordSource


class FileSigner:
    """A private key in memory."""

    __slots__ = ("_key", "_public_key")

    def __init__(self, key: ComputablePrivateKey) -> None:
        self._key = key
        public = allowed_key(key.public_key())
        self._public_key = PublicKey(spki=spki_of(public), algorithm=algorithm_of(public))

    @classmethod
    def from_pem(cls, pem: bytes, password: PasswordSource) -> FileSigner:
        """Open the key in these bytes; raises KeyFileError `KEY_MALFORMED`, `KEY_PASSWORD` or `KEY_WEAK`."""
        return cls(parse_private_key(pem, password))

    @property
    def public_key(self) -> PublicKey:
        """Return the public half."""
        return self._public_key

    def sign(self, data: bytes) -> bytes:
        """Sign with the curve's own hash (P-256: SHA-256), pure Ed25519, or RSA PKCS #1 v1.5 with SHA-256."""
        match self._key:
            case ec.EllipticCurvePrivateKey() as curve_key:
                return curve_key.sign(data, ec.ECDSA(_curve_hash(curve_key), deterministic_signing=True))
            case ed25519.Ed25519PrivateKey() as edwards_key:
                return edwards_key.sign(data)
            case rsa.RSAPrivateKey() as rsa_key:
                return rsa_key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def __repr__(self) -> str:
        return f"FileSigner({self._public_key.key_id})"


def _curve_hash(key: ec.EllipticCurvePrivateKey) -> hashes.HashAlgorithm:
    match key.curve.key_size:
        case 384:
            return hashes.SHA384()
        case 521:
            return hashes.SHA512()
        case _:
            return hashes.SHA256()
