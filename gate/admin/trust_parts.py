"""A trusted root from PEM parts: for a private Sigstore whose operator hands out certificates and keys, and no file.

Every part gets the window that the person who imports it says: PEM says nothing about since when a key is to be trusted, and
nothing here guesses it. A chain is ordered as its file has it, and must end in a root.

Specification: formats reference, sections 8.5 and 9.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate.codec.encodings import encode_base64
from gate.codec.keys import parse_public_key
from gate.codec.strict_json import JsonValue, canonical_json
from gate.codec.times import format_time
from gate.errors import UsageError
from gate.model.signer import KeyAlgorithm, PublicKey

if TYPE_CHECKING:
    from gate.model.validity import Validity

ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_DETAILS: Final[Mapping[KeyAlgorithm, str]] = {
    KeyAlgorithm.ECDSA_P256: "PKIX_ECDSA_P256_SHA_256",
    KeyAlgorithm.ECDSA_P384: "PKIX_ECDSA_P384_SHA_384",
    KeyAlgorithm.ECDSA_P521: "PKIX_ECDSA_P521_SHA_512",
    KeyAlgorithm.ED25519: "PKIX_ED25519",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustParts:
    """PEM files by what they are for; `logs` maps a log's URL to its key. All count in `validity` alone."""

    validity: Validity
    authorities: tuple[bytes, ...] = ()
    certificate_logs: tuple[bytes, ...] = ()
    logs: Mapping[str, bytes]
    timestamp_authorities: tuple[bytes, ...] = ()


def root_of_parts(parts: TrustParts) -> bytes:
    """Return the trusted root that these parts make, to be imported as a file.

    Raises:
        UsageError: `ROOT_MALFORMED` for a chain that is none; KeyFileError for a key.
    """
    window: dict[str, JsonValue] = {"start": format_time(parts.validity.start)}
    if parts.validity.end is not None:
        window["end"] = format_time(parts.validity.end)
    return canonical_json(
        {
            "mediaType": ROOT_TYPE,
            "certificateAuthorities": [_authority(pem, window) for pem in parts.authorities],
            "ctlogs": [_log("", pem, window) for pem in parts.certificate_logs],
            "timestampAuthorities": [_authority(pem, window) for pem in parts.timestamp_authorities],
            "tlogs": [_log(url, pem, window) for url, pem in parts.logs.items()],
        }
    )


def _authority(pem: bytes, window: dict[str, JsonValue]) -> JsonValue:
    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _malformed("PEM certificates", "no certificate that can be read") from error
    last = chain[-1]
    if last.subject != last.issuer:
        raise _malformed("a chain that ends in its root", last.subject.rfc4514_string()[:80])
    certificates: list[JsonValue] = [
        {"rawBytes": encode_base64(certificate.public_bytes(serialization.Encoding.DER))} for certificate in chain
    ]
    return {"certChain": {"certificates": certificates}, "validFor": {**window}}


def _log(url: str, pem: bytes, window: dict[str, JsonValue]) -> JsonValue:
    key = parse_public_key(pem)
    details = _DETAILS.get(key.algorithm)
    if details is None:
        raise _malformed("an ECDSA or Ed25519 key; for RSA import a whole trusted root", key.algorithm)
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "logId": {"keyId": encode_base64(_log_id(url, key))},
        "publicKey": {"keyDetails": details, "rawBytes": encode_base64(key.spki), "validFor": {**window}},
    }


def _log_id(url: str, key: PublicKey) -> bytes:
    """Return the id: of an Ed25519 key that of C2SP signed-note, which Rekor v2 uses; of others the SHA-256 of the key."""
    if key.algorithm is not KeyAlgorithm.ED25519:
        return key.fingerprint
    return hashlib.sha256(urlsplit(url).netloc.encode() + b"\n\x01" + key.spki[-32:]).digest()


def _malformed(expected: str, seen: str) -> UsageError:
    return UsageError("a part of the trusted root is not usable", code="ROOT_MALFORMED", expected=expected, seen=seen)
