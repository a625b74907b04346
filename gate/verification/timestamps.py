"""RFC 3161 timestamps: a trusted authority says when this signature existed.

Step 3 of the numbered steps. Each authority is tried on its own, with its own certificates alone and its own window, so
that a retired one borrows nothing from another (attack S07). What is there must verify. A time is never evidence of who
signed (attack S16).

Specification: RFC 3161; RFC 5816; formats reference, section 8.6.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509

from gate.codec.certificates import UNREADABLE, extension, trusted_chain
from gate.codec.strict_json import Fault
from gate.codec.times import format_time
from gate.errors import SignatureError
from gate.model.bundle import Bundle, SignatureFormat
from gate.verification.log import CLOCK_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfc3161_client import TimeStampResponse

    from gate.model.trust import CertificateAuthority, TrustedRoot

_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the timestamp")
_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}


@dataclass(frozen=True, slots=True)
class VerifiedTime:
    """A time, and who says so."""

    at: datetime
    authority: str


def verify_timestamps(bundle: Bundle, root: TrustedRoot, now: datetime) -> tuple[VerifiedTime, ...]:
    """Verify every timestamp of a bundle over its signature (of a `.att` layer: over the layer).

    Raises:
        SignatureError: `SIG_MALFORMED` or `SIG_TSA_UNTRUSTED`.
    """
    stamped = bundle.raw if bundle.format is SignatureFormat.LEGACY_ATTESTATION else bundle.content.signature
    return tuple(_verify_one(token, stamped, root.timestamp_authorities, now) for token in bundle.timestamps)


def _verify_one(
    token: bytes, stamped: bytes, authorities: Sequence[CertificateAuthority], now: datetime
) -> VerifiedTime:
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415 - only users of timestamps pay for it

    try:
        response = decode_timestamp_response(token)
        at = response.tst_info.gen_time.astimezone(UTC)
    except (*UNREADABLE, OverflowError) as error:
        raise _FAULT.refuse("cannot be read", expected="an RFC 3161 response") from error
    if at > now + CLOCK_TOLERANCE:
        raise _untrusted("the timestamp is in the future", f"not after {format_time(now)}", format_time(at))
    for authority in authorities:
        if _is_by(authority, response, stamped):
            _expect_window(authority, at)
            return VerifiedTime(at, authority.authority)
    raise _untrusted("no trusted authority made the timestamp over this signature", "a trusted authority", "")


def _is_by(authority: CertificateAuthority, response: TimeStampResponse, stamped: bytes) -> bool:
    """Say whether the authority's certificates alone verify the response over these bytes."""
    from rfc3161_client import VerificationError, VerifierBuilder  # noqa: PLC0415 - as above

    chain = list(trusted_chain(authority.certificates))
    leaf = None if _is_authority(chain[0]) else chain[0]
    above = chain if leaf is None else chain[1:]
    builder = VerifierBuilder(tsa_certificate=leaf, intermediates=above[:-1], roots=above[-1:] or chain)
    try:
        verifier = builder.build()
        return verifier.verify(response, _hash_named_by(response, stamped))
    except (VerificationError, *UNREADABLE):
        return False


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.value.ca


def _hash_named_by(response: TimeStampResponse, stamped: bytes) -> bytes:
    algorithm = _HASHES.get(response.tst_info.message_imprint.hash_algorithm.dotted_string)
    if algorithm is None:
        raise ValueError("a hash that is not accepted")
    return algorithm(stamped).digest()


def _expect_window(authority: CertificateAuthority, at: datetime) -> None:
    """The library compares neither the root's window for this authority nor, before all releases, every certificate's."""
    chain = trusted_chain(authority.certificates)
    windows = [certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc for certificate in chain]
    if not (authority.validity.covers(at) and all(windows)):
        raise _untrusted("the timestamp authority does not count at this time", "a time in its window", format_time(at))


def _untrusted(message: str, expected: str, seen: str) -> SignatureError:
    return SignatureError(message, code="SIG_TSA_UNTRUSTED", expected=expected, seen=seen)
