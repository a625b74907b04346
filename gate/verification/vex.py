"""VEX that hangs on the image: which of it may speak, because an author whom the policy names signed it.

Whoever can push a referrer can attach a document (attack L11), so an unsigned one, or one by another author, says
nothing; it is noted, so that nobody wonders why a finding stays. The author may speak for the packages that the policy
grants, no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.attachments import parse_attachment
from gate.codec.vex import read_vex
from gate.errors import AttestationError, GateError
from gate.model.attachment import Attachments
from gate.model.bundle import Envelope
from gate.model.digest import Digest
from gate.verification.signature import signed_statement, verify_statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.model.bundle import Bundle
    from gate.model.evidence import Unavailable
    from gate.model.policy import VexAuthor
    from gate.model.vex import VexDocument

_UNTRUSTED: Final = "POL_VEX_UNTRUSTED"
_TYPES: Final = ("https://openvex.dev/ns", "https://cyclonedx.org/bom")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVex:
    """The documents that may speak, and a line for each attached one that may not."""

    documents: tuple[VexDocument, ...] = ()
    notes: tuple[str, ...] = ()


def signed_vex(attachments: Attachments | Unavailable | None, authors: Sequence[VexAuthor], now: datetime) -> SignedVex:
    """Return the VEX documents on this digest that are signed by the policy's authors.

    Never raises: a document that does not verify hides nothing, so it can only be left out.
    """
    if not isinstance(attachments, Attachments) or not authors:
        return SignedVex()
    documents: list[VexDocument] = []
    notes: list[str] = []
    for bundle in _claiming_to_be_vex(attachments):
        try:
            documents.append(_verified(bundle, attachments.digest, authors, now))
        except GateError as error:
            notes.append(f"{_UNTRUSTED}: an attached VEX document says nothing here: {error.code}: {error.message}")
    return SignedVex(documents=tuple(documents), notes=tuple(notes))


def _claiming_to_be_vex(attachments: Attachments) -> list[Bundle]:
    claiming = []
    for item in attachments.items:
        try:
            bundle = parse_attachment(item)
            if isinstance(bundle.content, Envelope) and _is_vex(signed_statement(bundle).predicate_type):
                claiming.append(bundle)
        except GateError:
            continue  # what cannot be read is no VEX; whether it is a broken signature is another check's question
    return claiming


def _is_vex(predicate_type: str) -> bool:
    return any(predicate_type == base or predicate_type.startswith(f"{base}/v") for base in _TYPES)


def _verified(bundle: Bundle, image: Digest, authors: Sequence[VexAuthor], now: datetime) -> VexDocument:
    refusal: GateError | None = None
    for author in authors:
        try:
            verified = verify_statement(bundle, signer=author.signer, now=now)
        except GateError as error:
            refusal = error
            continue
        if not verified.statement.names(image):
            raise AttestationError("it is about another image", code="ATT_SUBJECT_MISMATCH", expected=str(image))
        source = f"signed by {verified.signature.identity or verified.signature.key.key_id}"
        predicate = verified.statement.view.object("predicate")
        return read_vex(predicate, Digest.of(verified.signature.payload), source=source, products=author.products)
    raise refusal or AttestationError("it is by nobody whom the policy names", code="ID_MISMATCH")
