"""X.509 certificates from DER: read whole or refused, with the key that they hold.

Parsing says nothing about trust. `cryptography` reads lazily, so everything that verification asks for is read here once,
and a fault in any of it refuses with the caller's error.

Specification: RFC 5280; formats reference, section 8.1 step 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from gate.codec.keys import algorithm_of, allowed_key, spki_of
from gate.codec.strict_json import Fault
from gate.errors import KeyFileError, UsageError
from gate.model.signer import PublicKey

_ROOT_FAULT: Final = Fault(UsageError, "ROOT_MALFORMED", "the trusted root")
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

# What `cryptography`, and what is built on it, raises for certificates that are not what RFC 5280 says.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def parse_certificate(der: bytes, fault: Fault) -> x509.Certificate:
    """Parse untrusted DER without trailing bytes, and read names, times, extensions and key.

    Raises:
        GateError: the caller's fault.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _read(certificate)
    except UNREADABLE as error:
        raise fault.refuse("holds a malformed certificate", seen=str(error)) from error
    if certificate.public_bytes(serialization.Encoding.DER) != der:
        raise fault.refuse("holds a certificate that is not in DER")
    return certificate


@lru_cache(maxsize=64)
def trusted_chain(certificates: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """Parse the certificates of a trusted root, once for all signatures under it: they were read before it was taken.

    Raises:
        UsageError: `ROOT_MALFORMED`.
    """
    return tuple(parse_certificate(der, _ROOT_FAULT) for der in certificates)


def _read(certificate: x509.Certificate) -> None:
    for read in (certificate.subject, certificate.issuer, certificate.extensions):
        tuple(read)
    certificate.public_key()
    # Its kind is looked at only when somebody asks: here, where an unknown one is a fault of the certificate.
    _ = certificate.signature_hash_algorithm
    if certificate.not_valid_after_utc < certificate.not_valid_before_utc:
        raise ValueError("a certificate that is never valid")


def extension(certificate: x509.Certificate, kind: type[ExtensionT]) -> x509.Extension[ExtensionT] | None:
    """Return the extension of this kind, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def key_of(certificate: x509.Certificate) -> PublicKey | None:
    """Return the certificate's key, or None where its kind or size is not on the allow-list.

    RSA is verified with PKCS #1 v1.5, which is what Sigstore's clients sign with: a certificate does not say.
    """
    try:
        key = allowed_key(certificate.public_key())
    except KeyFileError:
        return None
    return PublicKey(spki=spki_of(key), algorithm=algorithm_of(key))


def is_self_issued(der: bytes, fault: Fault) -> bool:
    """Say whether a certificate names itself as its issuer; raises the caller's fault."""
    certificate = parse_certificate(der, fault)
    return certificate.subject == certificate.issuer
