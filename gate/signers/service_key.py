"""A signer whose private key stays where it is: in a key service or a hardware module.

What every such place has in common stands here, so that an adapter only asks. The public key is fetched once and held
against the allow-list; the service gets the digest of the signed bytes (SHA-256 for P-256 and RSA, the curve's own hash
above; Ed25519 needs the bytes themselves); and what it answers is verified here before anybody else sees it: a service
that signs with another key, another version of it or over something else is a fault, never a bad attestation.

Specification: formats reference, section 11.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gate.codec.keys import parse_public_key
from gate.codec.strict_json import printable
from gate.errors import EvidenceError, KeyFileError, SignatureError
from gate.model.signer import KeyAlgorithm
from gate.verification.raw_signature import verify_bytes

if TYPE_CHECKING:
    from gate.model.signer import PublicKey

# Services are near or not there: a run that waits for minutes only hides which.
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0
_HASHES: Final[Mapping[KeyAlgorithm, hashes.HashAlgorithm]] = {
    KeyAlgorithm.ECDSA_P256: hashes.SHA256(),
    KeyAlgorithm.ECDSA_P384: hashes.SHA384(),
    KeyAlgorithm.ECDSA_P521: hashes.SHA512(),
    KeyAlgorithm.RSA_PKCS1: hashes.SHA256(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """What is to be signed: the bytes, and their digest under the key's hash (empty for Ed25519, which has none)."""

    algorithm: KeyAlgorithm
    data: bytes
    digest: bytes
    hash_name: str


class KeyService(Protocol):
    """One key at one place."""

    @property
    def place(self) -> str:
        """Name the place for people, without anything secret."""

    def public_key_pem(self) -> bytes:
        """Fetch the public half; raises EvidenceError `KEY_SERVICE`, KeyFileError."""

    def sign(self, request: SignRequest) -> bytes:
        """Return the signature (ECDSA: ASN.1 DER); raises EvidenceError `KEY_SERVICE`, KeyFileError."""


class ServiceSigner:
    """A key in a service or device, asked through its adapter."""

    __slots__ = ("_public_key", "_service")

    def __init__(self, service: KeyService) -> None:
        """Fetch and check the public key.

        Raises:
            KeyFileError: `KEY_WEAK`, or what the adapter says of URI, extra and password.
            EvidenceError: `KEY_SERVICE`.
        """
        self._service = service
        try:
            self._public_key = parse_public_key(service.public_key_pem())
        except KeyFileError as error:
            if error.code != "KEY_MALFORMED":
                raise
            raise service_fault(service.place, "a public key that cannot be read") from error

    @property
    def public_key(self) -> PublicKey:
        """Return the public half, as it was fetched."""
        return self._public_key

    def sign(self, data: bytes) -> bytes:
        """Have the data signed, and verify the answer.

        Raises:
            EvidenceError: `KEY_SERVICE`.
        """
        signature = self._service.sign(sign_request(self._public_key.algorithm, data))
        try:
            verify_bytes(self._public_key, signature, data)
        except SignatureError as error:
            raise service_fault(self._service.place, "a signature that does not verify by its own key") from error
        return signature

    def __repr__(self) -> str:
        return f"ServiceSigner({self._service.place}, {self._public_key.key_id})"


def sign_request(algorithm: KeyAlgorithm, data: bytes) -> SignRequest:
    """Return what an adapter is asked for these bytes."""
    chosen = _HASHES.get(algorithm)
    if chosen is None:
        return SignRequest(algorithm=algorithm, data=data, digest=b"", hash_name="")
    hashed = hashes.Hash(chosen)
    hashed.update(data)
    return SignRequest(algorithm=algorithm, data=data, digest=hashed.finalize(), hash_name=chosen.name)


def der_signature(raw: bytes, place: str) -> bytes:
    """Return ASN.1 DER for ECDSA's two numbers written one after the other (IEEE P1363), as JWS and PKCS #11 have them."""
    if not raw or len(raw) % 2:
        raise service_fault(place, f"a signature of {len(raw)} bytes")
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def service_fault(place: str, seen: str) -> EvidenceError:
    """Make (not raise) the error of a service that did not do what it was asked; `seen` is cut and escaped here."""
    return EvidenceError(
        f"{place} did not sign",
        code="KEY_SERVICE",
        expected="a public key and its signature",
        seen=printable(seen, 200),
    )


def malformed_uri(scheme: str, expected: str, seen: str = "") -> KeyFileError:
    """Make (not raise) the error of a key URI; `seen` never holds the part that may be secret."""
    return KeyFileError(
        f"the {scheme}: key URI names no key", code="KEY_URI", expected=expected, seen=printable(seen, 200)
    )


def unsupported_key(place: str, algorithm: str, expected: str) -> KeyFileError:
    """Make (not raise) the error of a key that the service holds and the gate cannot have sign there."""
    return KeyFileError(
        f"a key of this kind cannot sign at {place}",
        code="KEY_UNSUPPORTED",
        expected=expected,
        seen=printable(algorithm),
        next_step="Use an ECDSA P-256 key.",
    )


def require_extra(module: str, extra: str, scheme: str) -> None:
    """Return if the client library is here; it is imported only afterwards, by its adapter.

    Raises:
        KeyFileError: `KEY_UNSUPPORTED`, with the line that installs it.
    """
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise KeyFileError(
            f"{scheme}: keys need a package that is not installed",
            code="KEY_UNSUPPORTED",
            expected=f"the extra [{extra}]",
            next_step=f"In the gate's checkout: pip install '.[{extra}]'",
        )
