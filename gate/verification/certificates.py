"""Signing certificates: what kind of certificate it is, whom it leads to, at which times, and that it is logged.

Steps 2, 7 and 8 of the numbered steps. Anchors come from the trusted root alone; certificates that a bundle brings along
are dropped (attack S19). Every certificate of the chain must be valid at every verified time (attacks S06, S14).
`cryptography`'s own path building cannot take these chains (formats 8.1), so it is asked for names and signatures of each
link, and the rest is compared here.

Specification: RFC 5280, sections 4.2 and 6.1; RFC 6962, section 3.2; formats reference, sections 8.1 and 8.2.
"""

from __future__ import annotations

import struct
from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from gate.codec.certificates import UNREADABLE, extension, is_self_issued, key_of, parse_certificate, trusted_chain
from gate.codec.strict_json import Fault
from gate.codec.times import format_time
from gate.errors import SignatureError
from gate.model.bundle import SignatureFormat
from gate.model.validity import Validity
from gate.verification.log import CLOCK_TOLERANCE
from gate.verification.raw_signature import verify_bytes
from gate.verification.windows import require_times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.model.bundle import Bundle, CertificateMaterial
    from gate.model.signer import PublicKey
    from gate.model.trust import CertificateAuthority, TrustedRoot

_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the signature")
_KNOWN_CRITICAL: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def signing_certificate(bundle: Bundle, material: CertificateMaterial) -> tuple[x509.Certificate, PublicKey]:
    """Verify step 2: give the leaf, which may sign and holds a key that is accepted, with that key.

    Raises:
        SignatureError: `SIG_MALFORMED`, `SIG_UNTRUSTED_CHAIN` or `SIG_ALG`.
    """
    # Cosign's annotations hold the whole chain by design (formats 4); a bundle must not hold a root.
    others = material.certificates[1:] if bundle.format is SignatureFormat.BUNDLE else ()
    if any(is_self_issued(der, _FAULT) for der in others):
        raise _untrusted("the bundle brings a root certificate along", "a signing certificate alone")
    return signing_leaf(material.certificates[0])


def signing_leaf(der: bytes) -> tuple[x509.Certificate, PublicKey]:
    """Return a certificate that may sign, with its key, which is of an accepted kind.

    Raises:
        SignatureError: `SIG_MALFORMED`, `SIG_UNTRUSTED_CHAIN` or `SIG_ALG`.
    """
    leaf = parse_certificate(der, _FAULT)
    _expect_signing_usage(leaf)
    key = key_of(leaf)
    if key is None:
        raise SignatureError(
            "the certificate's key is of a kind that is not accepted",
            code="SIG_ALG",
            expected="ECDSA P-256, P-384 or P-521, Ed25519, RSA of 2048 bits and more",
            seen=type(leaf.public_key()).__name__,
        )
    return leaf, key


def _expect_signing_usage(leaf: x509.Certificate) -> None:
    constraints = extension(leaf, x509.BasicConstraints)
    usage = extension(leaf, x509.KeyUsage)
    purposes = extension(leaf, x509.ExtendedKeyUsage)
    if constraints is not None and constraints.value.ca:
        raise _untrusted("the certificate is an authority's", "a certificate that may not issue others")
    if usage is None or not usage.value.digital_signature:
        raise _untrusted("the certificate may not sign", "key usage digitalSignature")
    if purposes is None or ExtendedKeyUsageOID.CODE_SIGNING not in purposes.value:
        raise _untrusted("the certificate is not for signing code", "extended key usage codeSigning")
    _expect_known_extensions(leaf)


def _expect_known_extensions(certificate: x509.Certificate) -> None:
    unknown = [item.oid for item in certificate.extensions if item.critical and item.oid not in _KNOWN_CRITICAL]
    if unknown:
        expected = f"none like {unknown[0].dotted_string}"
        raise _untrusted("a certificate has a critical extension that is not known", expected)


def verify_chain(leaf: x509.Certificate, root: TrustedRoot, times: Sequence[datetime]) -> x509.Certificate:
    """Verify step 7: give the certificate that issued the leaf, from a trusted chain that is valid at every time.

    Raises:
        SignatureError: `SIG_UNTRUSTED_CHAIN`, `SIG_EXPIRED`, `SIG_CHAIN_TIME` or `SIG_TIME_CONFLICT`.
    """
    paths = [(authority, _path(leaf, authority)) for authority in root.certificate_authorities]
    paths = [(authority, path) for authority, path in paths if path]
    if not paths:
        raise _untrusted("the certificate is not by a trusted authority", "an authority of the trusted root")
    require_times((_window(leaf),), times, code="SIG_EXPIRED", what="the signer's certificate")
    refusals: list[SignatureError] = []
    for authority, path in paths:
        try:
            _expect_authorities(path)
            windows = (authority.validity, *map(_window, path))
            require_times(windows, times, code="SIG_CHAIN_TIME", what="a certificate above the signer's")
            return path[0]
        except SignatureError as error:
            refusals.append(error)
    raise refusals[0]


def _path(leaf: x509.Certificate, authority: CertificateAuthority) -> tuple[x509.Certificate, ...]:
    """Return the authority's certificates from the leaf's issuer up to its last, or nothing where they do not link."""
    chain = trusted_chain(authority.certificates)
    for start in range(len(chain)):
        path = (leaf, *chain[start:])
        if all(_issued(child, parent) for child, parent in pairwise(path)):
            return path[1:]
    return ()


def _issued(child: x509.Certificate, parent: x509.Certificate) -> bool:
    """Compare names, key identifiers and signature; SHA-1 and the like are no signatures (attack S28)."""
    chosen = child.signature_hash_algorithm
    if chosen is not None and not isinstance(chosen, _HASHES):
        return False
    if key_of(parent) is None or not _identifiers_fit(child, parent):
        return False
    try:
        child.verify_directly_issued_by(parent)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _identifiers_fit(child: x509.Certificate, parent: x509.Certificate) -> bool:
    authority = extension(child, x509.AuthorityKeyIdentifier)
    subject = extension(parent, x509.SubjectKeyIdentifier)
    if authority is None or subject is None or authority.value.key_identifier is None:
        return True
    return authority.value.key_identifier == subject.value.digest


def _expect_authorities(path: Sequence[x509.Certificate]) -> None:
    """Compare what each authority may do; `path` begins with the leaf's issuer."""
    for below, certificate in enumerate(path):
        constraints = extension(certificate, x509.BasicConstraints)
        usage = extension(certificate, x509.KeyUsage)
        purposes = extension(certificate, x509.ExtendedKeyUsage)
        if constraints is None or not constraints.value.ca:
            raise _untrusted("a certificate in the chain is no authority's", "basic constraints CA")
        if constraints.value.path_length is not None and below > constraints.value.path_length:
            raise _untrusted(
                "the chain is longer than an authority allows", f"{constraints.value.path_length} below it"
            )
        if usage is None or not usage.value.key_cert_sign:
            raise _untrusted("an authority may not issue certificates", "key usage keyCertSign")
        if purposes is not None and ExtendedKeyUsageOID.CODE_SIGNING not in purposes.value:
            raise _untrusted("an authority is not for signing code", "extended key usage codeSigning")
        _expect_known_extensions(certificate)


def _window(certificate: x509.Certificate) -> Validity:
    return Validity(start=certificate.not_valid_before_utc, end=certificate.not_valid_after_utc)


def verify_logged(leaf: x509.Certificate, issuer: x509.Certificate, root: TrustedRoot, now: datetime) -> None:
    """Verify step 8: a trusted log has promised to keep this certificate, for the very key that issued it (attack S13).

    Raises:
        SignatureError: `SIG_SCT`.
    """
    promises = extension(leaf, x509.PrecertificateSignedCertificateTimestamps)
    good = [_is_promised(promise, leaf, issuer, root, now) for promise in (promises.value if promises else ())]
    if not any(good):
        raise _unlogged("no trusted log promises to keep the certificate", f"{len(good)} by other logs")


def _is_promised(
    promise: x509.certificate_transparency.SignedCertificateTimestamp,
    leaf: x509.Certificate,
    issuer: x509.Certificate,
    root: TrustedRoot,
    now: datetime,
) -> bool:
    """Say whether a trusted log made this promise; False for a log that is not known, a bad one of a known log refuses."""
    logs = [log for log in root.certificate_logs if log.log_id == promise.log_id]
    if not logs:
        return False
    at = promise.timestamp.replace(tzinfo=UTC)
    if at > now + CLOCK_TOLERANCE or not any(log.validity.covers(at) for log in logs):
        raise _unlogged("the certificate log's promise is outside its window", format_time(at))
    try:
        verify_bytes(logs[0].key, promise.signature, _promised_bytes(promise, leaf, issuer))
    except (SignatureError, *UNREADABLE) as error:
        raise _unlogged("the certificate log's promise does not verify", "") from error
    return True


def _promised_bytes(
    promise: x509.certificate_transparency.SignedCertificateTimestamp, leaf: x509.Certificate, issuer: x509.Certificate
) -> bytes:
    """Return what a log signs of a precertificate (RFC 6962, section 3.2)."""
    issuer_key = key_of(issuer)
    fingerprint = issuer_key.fingerprint if issuer_key is not None else b""
    body = leaf.tbs_precertificate_bytes
    at = promise.timestamp.replace(tzinfo=UTC)
    milliseconds = int(at.timestamp()) * 1000 + at.microsecond // 1000
    head = struct.pack(">BBQH", 0, 0, milliseconds, 1) + fingerprint + len(body).to_bytes(3, "big") + body
    return head + struct.pack(">H", len(promise.extension_bytes)) + promise.extension_bytes


def _untrusted(message: str, expected: str) -> SignatureError:
    return SignatureError(message, code="SIG_UNTRUSTED_CHAIN", expected=expected)


def _unlogged(message: str, seen: str) -> SignatureError:
    return SignatureError(
        message, code="SIG_SCT", expected="a promise by a certificate log of the trusted root", seen=seen
    )
