"""What a deploy stage demands of all verdicts on a digest, over raw attachments, its own rule and the clock.

Refuses where nothing was found, where nothing that was found counts, and where a newer verdict says FAILED: that one needs
no more than a right signature (DESIGN rule 12). Withholding a newer FAILED is bounded by the verdict's age alone (attack
A15). The answer names the reason of the candidate that came furthest, and every candidate that was set aside.

Specification: formats reference, sections 10.2 and 10.6 rule 2; DESIGN, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gate.codec.attachments import parse_attachment
from gate.codec.signed_claim import claim_of
from gate.codec.times import format_time
from gate.errors import AttestationError, EvidenceError, GateError, RefusedError
from gate.model.bundle import Envelope
from gate.model.digest import Digest
from gate.model.statement import COSIGN_SIGNATURE, VERIFICATION_SUMMARY
from gate.verification.authorship import is_author
from gate.verification.failed_verdict import FailedVerdict, find_failed, first_objection, is_accepted, of_verified
from gate.verification.match import require_bounded
from gate.verification.progress import furthest
from gate.verification.signature import signed_statement
from gate.verification.verdict import VerdictDemand, VerifiedVerdict, admit_verdict, verify_by_any, verify_verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gate.model.attachment import Attachment, Attachments
    from gate.model.bundle import Bundle
    from gate.model.requirement import VerdictRule


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A candidate that does not let the image in, with the code of the reason; `place` is its manifest or its bytes."""

    code: str
    message: str
    place: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictJudgement:
    """The verdict that stands, or why none does (exactly one is given), and every other candidate."""

    standing: VerifiedVerdict | None = None
    refusal: GateError | None = None
    set_aside: tuple[SetAside, ...] = ()


def judge_verdicts(
    attachments: Attachments, demand: VerdictDemand, now: datetime, *, expect_time: Callable[[], None] | None = None
) -> VerdictJudgement:
    """Choose the newest verdict that admits the asked digest and that no FAILED one takes back.

    `expect_time` is called before each candidate and raises when no time is left.

    Raises:
        EvidenceError: what `expect_time` raises. Refusals are values: `ATT_MISSING`, `ATT_TYPE_MISSING`, `ID_MISMATCH`,
            `LIMIT_SIGNATURES`; the codes of `admit_verdict`; `ATT_NEWER_FAIL` or `ATT_CONFLICT`.
    """
    found = _Candidates()
    for item in attachments.items:
        if expect_time is not None:
            expect_time()
        _sort(item, demand, now, found)
        try:
            require_bounded(found.authentic)
        except RefusedError as error:
            return VerdictJudgement(refusal=error)
    return _judged(found, demand.rule, now)


@dataclass(slots=True)
class _Candidates:
    """The attachments of a digest while they are sorted.

    `others` are attestations of other types, `verdicts` counts what claims to be a verdict, or does not say what it is,
    `authentic` what an accepted signer signed.
    """

    admitted: list[VerifiedVerdict] = field(default_factory=list)
    failed: list[FailedVerdict] = field(default_factory=list)
    refused: list[tuple[GateError, Digest]] = field(default_factory=list)
    others: list[Bundle] = field(default_factory=list)
    verdicts: int = 0
    authentic: int = 0


def _sort(item: Attachment, demand: VerdictDemand, now: datetime, found: _Candidates) -> None:
    """Put one attachment where it belongs: nothing that is wrong with one hides another."""
    try:
        bundle = parse_attachment(item)
        kind = _claimed_type(bundle)
        if kind == COSIGN_SIGNATURE:
            return
        if kind not in {"", VERIFICATION_SUMMARY}:
            found.others.append(bundle)
            return
        found.verdicts += 1
        found.authentic += _is_authentic(bundle, demand.rule)
        verdict = verify_verdict(bundle, demand.rule, now)
    except (RefusedError, EvidenceError) as error:
        _sort_unverified(item, error, demand, found)
        return
    _sort_verified(verdict, demand, now, found)


def _is_authentic(bundle: Bundle, rule: VerdictRule) -> bool:
    claim = claim_of(bundle)
    return claim is not None and any(is_author(claim, entry.signer) for entry in rule.signed_by + rule.failed_by)


def _sort_unverified(item: Attachment, error: GateError, demand: VerdictDemand, found: _Candidates) -> None:
    failed = find_failed(item, demand)
    if failed is not None:
        found.failed.append(failed)
        found.verdicts += 1
        error = _failed(failed, demand.rule) or error
    found.refused.append((error, item.manifest or Digest.of(item.content)))


def _sort_verified(verdict: VerifiedVerdict, demand: VerdictDemand, now: datetime, found: _Candidates) -> None:
    place = verdict.signature.manifest or verdict.signature.digest
    failed = of_verified(verdict) if not verdict.passed and _is_about(verdict, demand.asked) else None
    if failed is not None:
        found.failed.append(failed)
    try:
        error = _failed(failed, demand.rule) if failed is not None else None
        if error is not None:
            raise error
        admit_verdict(verdict, demand, now)
        found.admitted.append(verdict)
    except (RefusedError, EvidenceError) as refusal:
        found.refused.append((refusal, place))


def _is_about(verdict: VerifiedVerdict, asked: Digest) -> bool:
    return any(subject.digest == asked for subject in verdict.summary.subjects)


def _failed(failed: FailedVerdict, rule: VerdictRule) -> AttestationError | None:
    """Return the refusal by a FAILED verdict alone, or None where it is of another scope than is demanded here."""
    if not is_accepted(failed, rule):
        return None
    at = failed.at or failed.own_time
    seen = "FAILED" if at is None else f"FAILED of {format_time(at)}"
    return AttestationError("the verdict says FAILED", code="ATT_VERDICT_FAIL", expected="PASSED", seen=seen)


def _claimed_type(bundle: Bundle) -> str:
    """Return the unverified predicate type, "" where it cannot be read: only to sort candidates for the right refusal.

    An image signature of Cosign's, in whatever format, is no attestation.
    """
    if not isinstance(bundle.content, Envelope):
        return COSIGN_SIGNATURE
    try:
        return signed_statement(bundle).predicate_type
    except RefusedError:
        return ""


def _judged(found: _Candidates, rule: VerdictRule, now: datetime) -> VerdictJudgement:
    if not found.admitted:
        foreign = _nothing_of_the_type(found, rule, now) if not found.verdicts else None
        missing = AttestationError("no attestation is attached to this digest", code="ATT_MISSING")
        refusal = foreign or furthest(error for error, _ in found.refused) or missing
        return VerdictJudgement(refusal=refusal, set_aside=_set_aside(found, None))
    objections: list[GateError] = []
    for passed in sorted(found.admitted, key=lambda verdict: verdict.at, reverse=True):
        objection = first_objection(passed, found.failed, rule)
        if objection is None:
            return VerdictJudgement(standing=passed, set_aside=_set_aside(found, passed))
        objections.append(objection)
    return VerdictJudgement(refusal=objections[0], set_aside=_set_aside(found, None))


def _set_aside(found: _Candidates, standing: VerifiedVerdict | None) -> tuple[SetAside, ...]:
    refused = [SetAside(code=error.code, message=error.message, place=place) for error, place in found.refused]
    taken_back = [
        SetAside(
            code="ATT_NEWER_FAIL",
            message="a verdict that says FAILED takes it back",
            place=verdict.signature.manifest or verdict.signature.digest,
        )
        for verdict in found.admitted
        if standing is None
    ]
    return (*refused, *taken_back)


def _nothing_of_the_type(found: _Candidates, rule: VerdictRule, now: datetime) -> GateError | None:
    if not found.others:
        return None
    # The verdict's keys sign verdicts and their evidence and nothing else: another type by one of them is no accident
    # (attack A07), while other people's attestations are none of our business (attack A01).
    for bundle in found.others:
        kind = _claimed_type(bundle)
        if kind not in rule.evidence_types and _is_by_accepted_key(bundle, rule, now):
            return AttestationError(
                "the attestation is of another type", code="ATT_TYPE", expected=VERIFICATION_SUMMARY, seen=ascii(kind)
            )
    return AttestationError(
        "attestations are attached, and none is a verdict",
        code="ATT_TYPE_MISSING",
        expected=VERIFICATION_SUMMARY,
        seen=f"{len(found.others)} of other types",
    )


def _is_by_accepted_key(bundle: Bundle, rule: VerdictRule, now: datetime) -> bool:
    try:
        verify_by_any(bundle, rule.signed_by + rule.failed_by, now)
    except (RefusedError, EvidenceError):
        return False
    return True
