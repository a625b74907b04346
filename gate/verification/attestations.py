"""An attestation of a demanded type by a demanded signer, about this very digest.

All conditions are met by one and the same attestation (attack S22). That another valid attestation is there is no success
(attack A01), and what cannot be read or is of another type is none (attack A02). What the statement says beyond its type and
subject is judged by the caller's `judge`, which raises. Pure; signers and clock are arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gate.codec.attachments import parse_attachment
from gate.codec.bundle import key_hint
from gate.codec.strict_json import printable
from gate.errors import AttestationError, EvidenceError, GateError, RefusedError, SignatureError
from gate.model.attachment import FAILED_VERDICT
from gate.model.bundle import Envelope, KeyHint
from gate.model.policy_signers import KeySigner
from gate.verification.match import require_bounded
from gate.verification.progress import furthest
from gate.verification.signature import signed_statement, verify_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gate.model.attachment import Attachments
    from gate.model.bundle import Bundle
    from gate.model.digest import Digest
    from gate.model.policy_signers import Signer
    from gate.verification.signature import VerifiedStatement

T = TypeVar("T")


def require_attestation(
    attachments: Attachments,
    signers: Sequence[Signer],
    now: datetime,
    *,
    accepts: Callable[[str], bool],
    wanted: str,
    judge: Callable[[VerifiedStatement], T],
    missing: str = "ATT_TYPE_MISSING",
) -> T:
    """Return what `judge` makes of the first attestation that meets every demand.

    `accepts` says whether a predicate type is one of those demanded, `wanted` says which in words; `missing` is the code
    where there is none of them.

    Raises:
        AttestationError, SignatureError: the reason of the candidate that came furthest; `LIMIT_SIGNATURES`.
        EvidenceError: `ROOT_EMPTY`, or what `judge` raises.
    """
    candidates, others, errors = _candidates(attachments, accepts)
    require_bounded(len(candidates))
    for bundle in candidates:
        for signer in signers:
            try:
                return judge(_verified(bundle, signer, attachments.digest, now))
            except (RefusedError, EvidenceError) as error:
                errors.append(error)
    refusal = furthest(errors)
    if refusal is not None:
        raise refusal
    raise AttestationError(
        "no attestation of the demanded type is attached to this digest",
        code=missing,
        expected=wanted,
        seen=printable(", ".join(sorted(set(others)))) or "no attestations",
    )


def _candidates(
    attachments: Attachments, accepts: Callable[[str], bool]
) -> tuple[list[Bundle], list[str], list[GateError]]:
    """Sort what is there by its unverified type: only the choice of refusals hangs on it."""
    candidates: list[Bundle] = []
    others: list[str] = []
    broken: list[GateError] = []
    for item in attachments.items:
        # What belongs to a FAILED verdict of the gate is no evidence of anybody else's.
        if item.media_type == FAILED_VERDICT:
            continue
        try:
            bundle = parse_attachment(item)
            if isinstance(bundle.content, Envelope):
                kind = signed_statement(bundle).predicate_type
                candidates.append(bundle) if accepts(kind) else others.append(kind)
        except RefusedError as error:
            broken.append(error)
    return candidates, others, broken


def _verified(bundle: Bundle, signer: Signer, digest: Digest, now: datetime) -> VerifiedStatement:
    try:
        verified = verify_statement(bundle, signer=signer, now=now)
    except SignatureError as error:
        if error.code != "SIG_INVALID" or _claims_to_be_by(bundle, signer):
            raise
        # A signature by somebody else is no broken one; the unsigned hint only chooses between two refusals.
        raise SignatureError(
            "the attestation is not signed by this signer", code="ID_MISMATCH", expected=str(signer)
        ) from error
    if not verified.statement.names(digest):
        seen = ", ".join(str(subject.digest or "a malformed digest") for subject in verified.statement.subjects[:3])
        raise AttestationError(
            "the attestation is about another digest", code="ATT_SUBJECT_MISMATCH", expected=str(digest), seen=seen
        )
    return verified


def _claims_to_be_by(bundle: Bundle, signer: Signer) -> bool:
    if not isinstance(signer, KeySigner) or not isinstance(bundle.material, KeyHint):
        return False
    return bundle.material.hint == key_hint(signer.key)
