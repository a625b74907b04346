"""What checks over attachments share: that they were looked at, on the very digest, and how an accepted one is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._per_subject import image_fault
from gate.model.evidence import Unavailable
from gate.model.problems import problem_of
from gate.model.verdict import AcceptedSignature, Problem

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.model.attachment import Attachments
    from gate.model.evidence import EvidenceSet
    from gate.verification.signature import VerifiedSignature


def attachments_of(evidence: EvidenceSet) -> Attachments | Problem:
    """Return what hangs on the digest that was asked for, or why nothing can be said of it."""
    fault = image_fault(evidence)
    if fault is not None:
        return fault
    attachments = evidence.attachments
    if attachments is None or isinstance(attachments, Unavailable):
        return problem_of(attachments, "what is attached to the digest")
    if attachments.digest != evidence.request.digest:
        return problem_of(None, "what is attached to this very digest")
    return attachments


def refusal(error: GateError, expected: str = "") -> Problem:
    """Return an error of verification as the check's problem."""
    return Problem(
        code=error.code,
        message=error.message,
        expected=error.expected or expected,
        seen=error.seen,
        next_step=error.next_step,
    )


def accepted(signature: VerifiedSignature) -> AcceptedSignature:
    """Return what the record says of an attestation that met the policy, by its own digest: a `.att` tag holds several."""
    identity = signature.identity
    return AcceptedSignature(
        key_id=signature.key.key_id,
        format=signature.format.value,
        attachment=signature.digest,
        identity=identity.subject if identity is not None else "",
        issuer=identity.issuer if identity is not None else "",
        trusted_root=signature.trusted_root,
    )
