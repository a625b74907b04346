"""Public keys that a policy trusts: an allow-list of algorithms, and the time in which a key may be used.

Only what is strong enough exists in the type (attack S28): a key of another kind cannot be written down. The bytes are
those of the key itself; nothing that comes with a signature ever becomes a `PublicKey`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class KeyAlgorithm(StrEnum):
    """Kinds of key with the way in which they sign.

    ECDSA verifies with the curve's own hash or SHA-256, Ed25519 pure or prehashed (RFC 8032), RSA with SHA-256 and with
    exactly the padding that the policy chose for this key: the signature never chooses.
    """

    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    ECDSA_P521 = "ecdsa-p521"
    ED25519 = "ed25519"
    RSA_PKCS1 = "rsa-pkcs1v15-sha256"
    RSA_PSS = "rsa-pss-sha256"


class RsaScheme(StrEnum):
    """The padding that an RSA key is trusted with."""

    PKCS1 = "pkcs1v15"
    PSS = "pss"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A trusted key: DER SubjectPublicKeyInfo, algorithm, and its validity window (both ends inclusive; None: open)."""

    spki: bytes
    algorithm: KeyAlgorithm
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def key_id(self) -> str:
        """Return the name of the key in records: `sha256:` and hex of the SHA-256 of the SPKI."""
        return "sha256:" + hashlib.sha256(self.spki).hexdigest()

    @property
    def fingerprint(self) -> bytes:
        """Return the SHA-256 of the SPKI, which Cosign writes into bundles as a hint."""
        return hashlib.sha256(self.spki).digest()
