"""The one path on which signatures are verified, in the numbered steps of the formats reference, section 8.1.

Pure: bundle, signer, demanded evidence and clock are arguments; what was verified is returned, or the step's error is
raised, and no branch skips on an error (attack S03). Keys and anchors come from the signer that the policy names, never
from the bundle, and nothing in a bundle says what is demanded of it (attack S11).

 1. one material, one content, one signature (`gate.codec` read them so); a certificate where an identity is demanded, a key
    where a key is
 2. the key is the policy's, or the certificate's, which may sign code
 3. timestamps are over this signature and by a trusted authority
 4. log entries are in a trusted log
 5. log entries are about this signature, key and digest
 6. enough distinct logs and authorities; of a certificate something trusted says when it was used
 7. the key may be used at every verified time, or now where there is none; the certificate leads to a trusted authority,
    valid at every verified time
 8. the certificate is proven to be in a certificate log
 9. the certificate's identity and claims are the demanded ones; a key is its own identity
10. the signature covers the bytes
11. the bytes are about the digest that was asked for

Steps 2, 7 and 8 are in `certificates`, 3 to 6 in `vouchers` over `timestamps` and `log`, 9 in `identity`, 10 in `arithmetic`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from gate.codec.dsse import IN_TOTO_PAYLOAD, pre_authentication_encoding
from gate.codec.legacy import parse_simple_signing
from gate.codec.statement import Statement, parse_statement
from gate.codec.strict_json import printable
from gate.errors import AttestationError, SignatureError
from gate.model.bundle import (
    Bundle,
    CertificateMaterial,
    Envelope,
    MessageSignature,
    SignatureFormat,
    SimpleSigning,
)
from gate.model.digest import Digest
from gate.model.evidence_demand import EvidenceDemand
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.statement import COSIGN_SIGNATURE
from gate.model.string_map import StringMap
from gate.verification.countersignatures import Artifact, Countersignatures, require_usable_root, verify_vouchers
from gate.verification.raw_signature import verify_bytes, verify_digest
from gate.verification.windows import require_key_in_window

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.identity import VerifiedIdentity
    from gate.model.policy_signers import Signer
    from gate.model.signer import PublicKey
    from gate.verification.log import VerifiedEntry
    from gate.verification.timestamps import VerifiedTime


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """A signature that verified, and what it covers.

    `key` is the policy's key, or that of the certificate whose signer is `identity`. `payload` is the exact signed content:
    Cosign's JSON, a statement, or nothing for a signature over the artifact itself. `annotations` are signed. `times` are
    those of trusted logs and authorities, ascending, never the signer's word. `digest` is that of the attachment's bytes,
    `manifest` that of the manifest which holds it, `trusted_root` that of the root which judged it, if any did.
    """

    key: PublicKey
    format: SignatureFormat
    payload: bytes
    digest: Digest
    identity: VerifiedIdentity | None = None
    manifest: Digest | None = None
    annotations: StringMap = StringMap()
    docker_reference: str = ""
    times: tuple[datetime, ...] = ()
    entries: tuple[VerifiedEntry, ...] = ()
    timestamps: tuple[VerifiedTime, ...] = ()
    trusted_root: Digest | None = None

    @property
    def signer(self) -> str:
        """Say in a few words who signed."""
        return str(self.identity) if self.identity is not None else self.key.key_id[:19]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """A statement whose signature verified; its type and subjects are still to be compared with what is demanded."""

    signature: VerifiedSignature
    statement: Statement


def demanded_of(signer: Signer) -> EvidenceDemand:
    """Return what must stand beside a signature by this signer where nothing else is said: of a key, nothing."""
    return signer.trust.demand if isinstance(signer, KeylessSigner) else EvidenceDemand(sct=False)


def verify_image_signature(
    bundle: Bundle, *, signer: Signer, expected: Digest, now: datetime, demand: EvidenceDemand | None = None
) -> VerifiedSignature:
    """Verify a signature of an image by this signer, in any of Cosign's formats.

    Raises:
        SignatureError, AttestationError: the code of the first step that does not hold.
        EvidenceError: `ROOT_EMPTY`.
    """
    verified = _verify_steps_1_to_10(bundle, signer=signer, artifact=expected, now=now, demand=demand)
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


def verify_statement(
    bundle: Bundle, *, signer: Signer, now: datetime, demand: EvidenceDemand | None = None
) -> VerifiedStatement:
    """Verify an envelope by this signer and parse what it signs.

    Raises:
        SignatureError, AttestationError: the code of the first step that does not hold.
        EvidenceError: `ROOT_EMPTY`.
    """
    verified = _verify_steps_1_to_10(bundle, signer=signer, artifact=None, now=now, demand=demand)
    # Step 11, as far as it does not depend on what is demanded.
    return VerifiedStatement(signature=verified, statement=signed_statement(bundle))


def verify_artifact(
    bundle: Bundle, *, signer: Signer, artifact: Artifact, now: datetime, demand: EvidenceDemand | None = None
) -> VerifiedSignature:
    """Verify a signature over any artifact, or a statement with the artifact among its subjects, by this signer.

    Raises:
        SignatureError, AttestationError: the code of the first step that does not hold.
        EvidenceError: `ROOT_EMPTY`.
    """
    verified = _verify_steps_1_to_10(bundle, signer=signer, artifact=artifact, now=now, demand=demand)
    digest = _digest_of(artifact)
    # Step 11.
    if isinstance(bundle.content, Envelope) and not signed_statement(bundle).names(digest):
        raise AttestationError(
            "the statement is about another artifact", code="ATT_SUBJECT_MISMATCH", expected=str(digest)
        )
    return verified


def signed_statement(bundle: Bundle) -> Statement:
    """Return the statement in an envelope; the payload type is compared before the payload is parsed (attack A06).

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
    bundle: Bundle, *, signer: Signer, artifact: Artifact | None, now: datetime, demand: EvidenceDemand | None
) -> VerifiedSignature:
    demanded = demand if demand is not None else demanded_of(signer)
    require_usable_root(signer, demanded)
    match signer:
        case KeySigner():
            return _verify_by_key(bundle, signer, artifact, now, demanded)
        case KeylessSigner():
            return _verify_by_identity(bundle, signer, artifact, now, demanded)
        case _ as unreachable:
            assert_never(unreachable)


def _verify_by_key(
    bundle: Bundle, signer: KeySigner, artifact: Artifact | None, now: datetime, demand: EvidenceDemand
) -> VerifiedSignature:
    if isinstance(bundle.material, CertificateMaterial):  # 1: what somebody brings along is not the policy's key
        raise _other_material("a signature by key", "a certificate")
    key = signer.key  # 2
    found = verify_vouchers(bundle, signer.trust, key.spki, artifact, now, demand)  # 3 to 6
    require_key_in_window(key, found.times or (now,))  # 7; steps 8 and 9 are about certificates
    _verify_content(bundle, key, artifact)  # 10, and 11 for a message
    return _verified(bundle, key, found, signer)


def _verify_by_identity(
    bundle: Bundle, signer: KeylessSigner, artifact: Artifact | None, now: datetime, demand: EvidenceDemand
) -> VerifiedSignature:
    # Only identities pay for reading certificates.
    from gate.verification.certificates import signing_certificate, verify_chain, verify_logged  # noqa: PLC0415
    from gate.verification.identity import verify_identity  # noqa: PLC0415

    if not isinstance(bundle.material, CertificateMaterial):  # 1
        raise _other_material("a signature with a certificate", "a key")
    leaf, key = signing_certificate(bundle, bundle.material)  # 2
    root = signer.trust.root
    der = bundle.material.certificates[0]
    found = verify_vouchers(bundle, signer.trust, der, artifact, now, demand)  # 3 to 6
    if not found.times:  # 6: a certificate lives for minutes, and only trusted times say that it was used in them
        raise SignatureError(
            "nothing trusted says when the certificate was used",
            code="SIG_NO_TRUSTED_TIME",
            expected="a promise by a log, or a timestamp by an authority",
            seen=f"{len(bundle.entries)} log entries, {len(bundle.timestamps)} timestamps",
        )
    issuer = verify_chain(leaf, root, found.times)  # 7
    if demand.sct:
        verify_logged(leaf, issuer, root, now)  # 8
    identity = verify_identity(leaf, signer.identity)  # 9
    _verify_content(bundle, key, artifact)  # 10, and 11 for a message
    return replace(_verified(bundle, key, found, signer), identity=identity)


def _verified(bundle: Bundle, key: PublicKey, found: Countersignatures, signer: Signer) -> VerifiedSignature:
    return VerifiedSignature(
        key=key,
        format=bundle.format,
        payload=b"" if isinstance(bundle.content, MessageSignature) else bundle.content.payload,
        digest=bundle.digest,
        manifest=bundle.manifest,
        times=found.times,
        entries=found.entries,
        timestamps=found.timestamps,
        trusted_root=signer.trust.root.digest if signer.trust is not None else None,
    )


def _other_material(expected: str, seen: str) -> SignatureError:
    return SignatureError(
        f"the signature was made with {seen}, and another signer is demanded",
        code="ID_MISMATCH",
        expected=expected,
        seen=seen,
    )


def _digest_of(artifact: Artifact) -> Digest:
    return artifact if isinstance(artifact, Digest) else Digest.of(artifact)


def _verify_content(bundle: Bundle, key: PublicKey, artifact: Artifact | None) -> None:
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


def _verify_message(message: MessageSignature, key: PublicKey, artifact: Artifact | None) -> None:
    if artifact is None:
        raise AttestationError("the signature is not over a statement", code="ATT_TYPE", expected="a DSSE envelope")
    digest = _digest_of(artifact)
    # Step 11 before 10 here: the word of the bundle about the artifact decides nothing but a refusal.
    _expect_digest(message.digest in {None, digest}, digest, str(message.digest))
    if isinstance(artifact, Digest):
        verify_digest(key, message.signature, artifact)
    else:
        verify_bytes(key, message.signature, artifact)


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
