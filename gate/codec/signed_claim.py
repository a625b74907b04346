"""What an attachment's signer signed, read without the material around it: enough for a FAILED verdict (DESIGN rule 12).

A bundle with a field that is not known, too many log entries or several signatures is refused where it says PASSED. None of
this makes a FAILED verdict say less, so here only the envelope is read, and of the material only the signer's certificate.
The payload is read after its signature was verified, and by name: who wrote the rest badly is still heard.

Specification: DSSE; formats reference, sections 6.1, 7 and 10.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.bundle import MAX_BUNDLE_BYTES
from gate.codec.dsse import IN_TOTO_PAYLOAD, MAX_ENVELOPE_BYTES, pre_authentication_encoding
from gate.codec.encodings import decode_base64
from gate.codec.legacy import signing_certificate_of
from gate.codec.statement import parse_statement
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.vsa import parse_summary
from gate.errors import AttestationError, RefusedError, SignatureError
from gate.model.attachment import SIMPLE_SIGNING
from gate.model.bundle import Bundle, CertificateMaterial, Envelope, MessageSignature
from gate.model.statement import VERIFICATION_SUMMARY, VerificationResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.model.attachment import Attachment
    from gate.model.digest import Digest
    from gate.model.statement import VerificationSummary

MAX_SIGNATURES: Final = 16
_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the attachment")
_PAYLOAD_FAULT: Final = Fault(AttestationError, "ATT_MALFORMED", "the statement")
_URL_ALPHABET: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedClaim:
    """Signed bytes with every signature beside them, and the signer's certificate (DER) where one is there; unverified.

    `bare` says that the payload itself is signed, as in Cosign's legacy format, and not an envelope's encoding.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]
    certificate: bytes | None = None
    bare: bool = False

    @property
    def covered(self) -> bytes:
        """Return the bytes that a signature covers."""
        return self.payload if self.bare else pre_authentication_encoding(self.payload_type, self.payload)


def claim_of(bundle: Bundle) -> SignedClaim | None:
    """Return the claim of a bundle that was read; None for a signature over an artifact, whose bytes are elsewhere."""
    content = bundle.content
    if isinstance(content, MessageSignature):
        return None
    material = bundle.material
    return SignedClaim(
        payload_type=content.payload_type if isinstance(content, Envelope) else "",
        bare=not isinstance(content, Envelope),
        payload=content.payload,
        signatures=(content.signature,),
        certificate=material.certificates[0] if isinstance(material, CertificateMaterial) else None,
    )


def read_claim(attachment: Attachment) -> SignedClaim | None:
    """Read the envelope of an attachment and nothing else of it; None where there is none."""
    if attachment.media_type == SIMPLE_SIGNING:
        return None
    try:
        view = parse_object(attachment.content, _FAULT, limit_bytes=MAX_BUNDLE_BYTES)
        envelope = view.object("dsseEnvelope") if view.has("dsseEnvelope") else view
        return SignedClaim(
            payload_type=envelope.text("payloadType"),
            payload=_decoded(envelope, "payload"),
            signatures=_signatures(envelope),
            certificate=_certificate(view) or signing_certificate_of(attachment.annotations),
        )
    except RefusedError:
        return None


def _decoded(view: ObjectView, field: str) -> bytes:
    return decode_base64(view.text(field).translate(_URL_ALPHABET), view.fault, field)


def _signatures(envelope: ObjectView) -> tuple[bytes, ...]:
    items = envelope.fields.get("signatures")
    found: list[bytes] = []
    for item in items[:MAX_SIGNATURES] if isinstance(items, list) else ():
        try:
            found.append(_decoded(ObjectView({"signature": item}, _FAULT).object("signature"), "sig"))
        except RefusedError:
            continue
    return tuple(found)


def _certificate(view: ObjectView) -> bytes | None:
    try:
        material = view.object("verificationMaterial")
        if material.has("certificate"):
            return _decoded(material.object("certificate"), "rawBytes")
        return _decoded(material.object("x509CertificateChain").objects("certificates")[0], "rawBytes")
    except (RefusedError, IndexError):
        return None


def says_failed(claim: SignedClaim, asked: Digest) -> bool:
    """Say whether the payload is a verdict on this digest that says FAILED; its signature is verified by the caller."""
    if claim.payload_type != IN_TOTO_PAYLOAD:
        return False
    try:
        view = parse_object(claim.payload, _PAYLOAD_FAULT, limit_bytes=MAX_ENVELOPE_BYTES)
        if view.optional_text("predicateType") != VERIFICATION_SUMMARY:
            return False
        result = view.object("predicate").optional_text("verificationResult")
        return result == VerificationResult.FAILED.value and _names(view, asked)
    except RefusedError:
        return False


def _names(view: ObjectView, asked: Digest) -> bool:
    for subject in view.optional_objects("subject"):
        try:
            if subject.object("digest").optional_text("sha256") == asked.hex:
                return True
        except RefusedError:
            continue
    return False


def readable_summary(claim: SignedClaim, prefixes: Sequence[str]) -> VerificationSummary | None:
    """Return what the verdict says, or None where it is written otherwise than the gate writes it."""
    try:
        return parse_summary(parse_statement(claim.payload), extension_prefixes=prefixes)
    except RefusedError:
        return None
