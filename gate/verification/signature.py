"""The one path on which signatures are verified, in the numbered steps of the formats reference, section 8.1.

Pure: bundle, trust and clock are arguments; what was verified is returned, or the step's error is raised, and no
branch skips on an error (attack S03). Keys come from the policy alone. The steps here are those of the key column;
those of certificates (2 in part, 8 and 9) stand beside them when identities can be trusted. Nothing in a bundle says
what is demanded (attack S11).

 1. one material, one content, one signature (`gate.codec` read them so); a certificate is not what a key policy asks
 for 2. the key is the policy's
 3. timestamps are over this signature and by a trusted authority
 4. log entries are in a trusted log
 5. log entries are about this signature, key and digest
 6. enough distinct logs and authorities: keys demand none here; a verdict's timestamp is demanded in `verdict`
 7. the key may be used at every verified time, or now where there is none
 8. proof that the certificate is logged: no certificate here
 9. identity: a key is its own identity
10. the signature covers the bytes
11. the bytes are about the digest that was asked for
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

from gate.codec.dsse import IN_TOTO_PAYLOAD, pre_authentication_encoding
from gate.codec.legacy import parse_simple_signing
from gate.codec.statement import Statement, parse_statement
from gate.codec.strict_json import printable
from gate.codec.times import format_time
from gate.errors import AttestationError, SignatureError
from gate.model.bundle import (
    Bundle,
    CertificateMaterial,
    Envelope,
    MessageSignature,
    SignatureFormat,
    SimpleSigning,
)
from gate.model.statement import COSIGN_SIGNATURE
from gate.model.string_map import StringMap
from gate.verification.arithmetic import verify_bytes, verify_digest

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.signer import PublicKey

_NEEDS_ROOT: Final = (
    "Sign without a log (`cosign sign --tlog-upload=false`), or see docs/adr/0004-log-entries-need-trust.md."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """A signature that verified, and what it covers.

    `payload` is the exact signed content: Cosign's JSON, a statement, or nothing for a signature over the manifest
    itself. `annotations` are signed. `times` are those of trusted authorities, never the signer's word. `digest` is
    that of the attachment's bytes, `manifest` that of the manifest which holds it.
    """

    key: PublicKey
    format: SignatureFormat
    payload: bytes
    digest: Digest
    manifest: Digest | None = None
    annotations: StringMap = StringMap()
    docker_reference: str = ""
    times: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """A statement whose signature verified; its type and subjects are still to be compared with what is demanded."""

    signature: VerifiedSignature
    statement: Statement


def verify_image_signature(bundle: Bundle, *, key: PublicKey, expected: Digest, now: datetime) -> VerifiedSignature:
    """Verify a signature of an image by this key, in any of Cosign's formats.

    Raises:
        SignatureError, AttestationError: the code of the first step that does not hold.
    """
    verified = _verify_steps_1_to_10(bundle, key=key, artifact=expected, now=now)
    # Step 11: the bytes that the signature covers name the asked digest.
    match bundle.content:
        case SimpleSigning(payload=payload):
            claims = parse_simple_signing(payload)
            _expect_digest(claims.digest == expected, expected, str(claims.digest))
            return replace(verified, annotations=claims.annotations, docker_reference=claims.docker_reference)
        case Envelope():
            return replace(verified, annotations=_cosign_annotations(bundle, expected))
        case MessageSignature():
            return verified
        case _ as unreachable:
            assert_never(unreachable)


def verify_statement(bundle: Bundle, *, key: PublicKey, now: datetime) -> VerifiedStatement:
    """Verify an envelope by this key and parse what it signs.

    Raises:
        SignatureError, AttestationError: the code of the first step that does not hold.
    """
    verified = _verify_steps_1_to_10(bundle, key=key, artifact=None, now=now)
    # Step 11, as far as it does not depend on what is demanded.
    return VerifiedStatement(signature=verified, statement=signed_statement(bundle))


def signed_statement(bundle: Bundle) -> Statement:
    """Give the statement in an envelope; the payload type is compared before the payload is parsed (attack A06).

    Raises:
        AttestationError: `ATT_PAYLOAD_TYPE`, or as `parse_statement`.
    """
    content = bundle.content
    if not isinstance(content, Envelope):
        raise AttestationError("the signature is not over a statement", code="ATT_TYPE", expected="a DSSE envelope")
    if content.payload_type != IN_TOTO_PAYLOAD:
        raise AttestationError(
            "the payload is not an in-toto statement",
            code="ATT_PAYLOAD_TYPE",
            expected=IN_TOTO_PAYLOAD,
            seen=printable(content.payload_type),
        )
    return parse_statement(content.payload)


def _verify_steps_1_to_10(
    bundle: Bundle, *, key: PublicKey, artifact: Digest | None, now: datetime
) -> VerifiedSignature:
    _expect_key_material(bundle)  # 1; step 2 is the argument `key`
    times = _trusted_times(bundle)  # 3
    _verify_log_entries(bundle)  # 4, 5; step 6 demands nothing of keys
    _expect_key_in_window(key, times or (now,))  # 7; steps 8 and 9 are about certificates
    _verify_content(bundle, key, artifact)  # 10, and 11 for a message
    return VerifiedSignature(
        key=key,
        format=bundle.format,
        payload=b"" if isinstance(bundle.content, MessageSignature) else bundle.content.payload,
        digest=bundle.digest,
        manifest=bundle.manifest,
        times=times,
    )


def _expect_key_material(bundle: Bundle) -> None:
    """Step 1: a certificate that somebody brings along is not the key that the policy names."""
    if isinstance(bundle.material, CertificateMaterial):
        raise SignatureError(
            "the signature was made with a certificate, and a key is demanded",
            code="ID_MISMATCH",
            expected="a signature by key",
            seen="a certificate",
        )


def _trusted_times(bundle: Bundle) -> tuple[datetime, ...]:
    """Step 3: no authority is trusted without a trusted root, and a timestamp that is there must verify."""
    if bundle.timestamps:
        raise SignatureError(
            "the signature carries a timestamp, and no trusted root says whose timestamps count",
            code="SIG_TSA_UNTRUSTED",
            expected="no timestamp, or a trusted root",
            seen=f"{len(bundle.timestamps)} timestamps",
            next_step=_NEEDS_ROOT,
        )
    return ()


def _verify_log_entries(bundle: Bundle) -> None:
    """Steps 4 and 5: an entry that is there must verify (attack S03), and no log is trusted without a root."""
    if bundle.entries:
        raise SignatureError(
            "the signature carries a log entry, and no trusted root says which log counts",
            code="SIG_TLOG_INVALID",
            expected="no log entry, or a trusted root",
            seen=f"{len(bundle.entries)} entries",
            next_step=_NEEDS_ROOT,
        )


def _expect_key_in_window(key: PublicKey, times: tuple[datetime, ...]) -> None:
    """Step 7: both ends are inclusive, and every time must lie inside (attacks S06, S15)."""
    for time in times:
        if key.not_before is not None and time < key.not_before:
            raise _outside(key, f"not before {format_time(key.not_before)}", time)
        if key.not_after is not None and time > key.not_after:
            raise _outside(key, f"not after {format_time(key.not_after)}", time)


def _outside(key: PublicKey, expected: str, time: datetime) -> SignatureError:
    return SignatureError(
        f"the key {key.key_id[:19]} may not be used at this time",
        code="SIG_EXPIRED",
        expected=expected,
        seen=format_time(time),
    )


def _verify_content(bundle: Bundle, key: PublicKey, artifact: Digest | None) -> None:
    """Step 10, over the bytes as they came."""
    match bundle.content:
        case Envelope() as envelope:
            encoded = pre_authentication_encoding(envelope.payload_type, envelope.payload)
            verify_bytes(key, envelope.signature, encoded)
        case SimpleSigning() as signed:
            verify_bytes(key, signed.signature, signed.payload)
        case MessageSignature() as message:
            _verify_message(message, key, artifact)
        case _ as unreachable:
            assert_never(unreachable)


def _verify_message(message: MessageSignature, key: PublicKey, artifact: Digest | None) -> None:
    if artifact is None:
        raise AttestationError("the signature is not over a statement", code="ATT_TYPE", expected="a DSSE envelope")
    # Step 11 before 10 here: the word of the bundle about the artifact decides nothing but a refusal.
    _expect_digest(message.digest in {None, artifact}, artifact, str(message.digest))
    verify_digest(key, message.signature, artifact)


def _cosign_annotations(bundle: Bundle, expected: Digest) -> StringMap:
    """Step 11 for a statement: of Cosign's signature type, and the asked digest is its subject."""
    statement = signed_statement(bundle)
    if statement.predicate_type != COSIGN_SIGNATURE:
        raise AttestationError(
            "the statement is not a signature of an image",
            code="ATT_TYPE",
            expected=COSIGN_SIGNATURE,
            seen=printable(statement.predicate_type),
        )
    for subject in statement.subjects:
        if subject.digest == expected:
            return subject.annotations
    first = statement.subjects[0].digest
    raise _other_digest(expected, str(first) if first is not None else "a malformed digest")


def _expect_digest(same: bool, expected: Digest, seen: str) -> None:  # noqa: FBT001
    if not same:
        raise _other_digest(expected, seen)


def _other_digest(expected: Digest, seen: str) -> SignatureError:
    return SignatureError(
        "the signature is about another digest", code="SIG_SUBJECT_MISMATCH", expected=str(expected), seen=seen
    )
