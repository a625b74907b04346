"""What a deploy stage demands of all verdicts on a digest, over raw attachments, its own rule and the clock.

Refuses where nothing was found, where nothing that was found counts, and where a newer verdict says FAILED.
Withholding a newer FAILED is bounded by the verdict's age alone (attack A15). Every refusal names the reason of the
candidate that came furthest.

Specification: formats reference, sections 10.2 and 10.6 rule 2; DESIGN, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.attachments import parse_attachment
from gate.codec.evidence_summary import parse_evidence
from gate.codec.times import format_time
from gate.errors import AttestationError, EvidenceError, GateError, RefusedError
from gate.model.bundle import Envelope
from gate.model.digest import Digest
from gate.model.statement import COSIGN_SIGNATURE, VERIFICATION_SUMMARY, EvidenceSummary
from gate.verification.match import expect_bounded
from gate.verification.progress import furthest
from gate.verification.signature import signed_statement
from gate.verification.verdict import (
    CLOCK_TOLERANCE,
    TIMESTAMP_TOLERANCE,
    VerdictDemand,
    VerifiedVerdict,
    admit_verdict,
    covers_environment,
    names_resource,
    signed_by_pair,
    verify_by_any,
    verify_verdict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.model.attachment import Attachments
    from gate.model.bundle import Bundle
    from gate.model.requirement import VerdictRule


def demand_verdict(attachments: Attachments, demand: VerdictDemand, now: datetime) -> VerifiedVerdict:
    """Give the newest verdict that admits the asked digest.

    Raises:
        AttestationError, SignatureError, EvidenceError: `ATT_MISSING`, `ATT_TYPE_MISSING`, `ID_MISMATCH`,
            `LIMIT_SIGNATURES`; the codes of `admit_verdict`; `ATT_NEWER_FAIL` or `ATT_CONFLICT` where another verdict
            takes it back.
    """
    found = _find(attachments)
    if not found.verdicts:
        raise _nothing_of_the_type(found, demand.rule, now)
    verified, errors = _verified(found, demand.rule, now)
    admitted: list[VerifiedVerdict] = []
    for verdict in verified:
        try:
            admit_verdict(verdict, demand, now)
            admitted.append(verdict)
        except (RefusedError, EvidenceError) as error:
            errors.append(error)
    if admitted:
        return _standing(admitted, verified, demand)
    raise furthest(errors) or AttestationError("no verdict counts", code="ATT_MISSING")


@dataclass(frozen=True, slots=True)
class _Found:
    """Attestations of a digest, sorted by what they claim to be; `broken` could not be read at all."""

    verdicts: tuple[Bundle, ...]
    others: tuple[Bundle, ...]
    broken: tuple[GateError, ...]


def _find(attachments: Attachments) -> _Found:
    expect_bounded(attachments)
    verdicts: list[Bundle] = []
    others: list[Bundle] = []
    broken: list[GateError] = []
    for item in attachments.items:
        try:
            bundle = parse_attachment(item)
        except RefusedError as error:
            broken.append(error)
            continue
        kind = _claimed_type(bundle)
        if kind in {"", VERIFICATION_SUMMARY}:
            verdicts.append(bundle)
        elif kind != COSIGN_SIGNATURE:
            others.append(bundle)
    return _Found(tuple(verdicts), tuple(others), tuple(broken))


def _claimed_type(bundle: Bundle) -> str:
    """Give the unverified predicate type, "" where it cannot be read: only to sort candidates for the right refusal.

    An image signature of Cosign's, in whatever format, is no attestation.
    """
    if not isinstance(bundle.content, Envelope):
        return COSIGN_SIGNATURE
    try:
        return signed_statement(bundle).predicate_type
    except RefusedError:
        return ""


def _nothing_of_the_type(found: _Found, rule: VerdictRule, now: datetime) -> GateError:
    broken = furthest(found.broken)
    if not found.others:
        return broken or AttestationError("no attestation is attached to this digest", code="ATT_MISSING")
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


def _verified(found: _Found, rule: VerdictRule, now: datetime) -> tuple[list[VerifiedVerdict], list[GateError]]:
    verified: list[VerifiedVerdict] = []
    errors = list(found.broken)
    for bundle in found.verdicts:
        try:
            verified.append(verify_verdict(bundle, rule, now))
        except (RefusedError, EvidenceError) as error:
            errors.append(error)
    return verified, errors


def _standing(
    admitted: Sequence[VerifiedVerdict], verified: Sequence[VerifiedVerdict], demand: VerdictDemand
) -> VerifiedVerdict:
    """Apply rule 2: the newest admitted verdict that no FAILED verdict of its scope takes back."""
    refusals: list[GateError] = []
    for passed in sorted(admitted, key=lambda verdict: verdict.at, reverse=True):
        error = _taken_back(passed, verified, demand)
        if error is None:
            return passed
        refusals.append(error)
    raise refusals[0]


def _taken_back(
    passed: VerifiedVerdict, verified: Sequence[VerifiedVerdict], demand: VerdictDemand
) -> GateError | None:
    conflict: GateError | None = None
    for failed in verified:
        if failed.passed or not _same_scope(failed, passed, demand):
            continue
        newer = _is_not_older(failed, passed)
        if newer is None:
            conflict = _refuse("ATT_CONFLICT", "two verdicts contradict each other at about the same time", failed)
        elif newer:
            return _refuse("ATT_NEWER_FAIL", "a newer verdict says FAILED", failed)
    return conflict


def _same_scope(failed: VerifiedVerdict, passed: VerifiedVerdict, demand: VerdictDemand) -> bool:
    """Say whether both are about the same subject, policy, environment and verifier; the repository does not matter."""
    return (
        any(subject.digest == demand.asked for subject in failed.summary.subjects)
        and failed.summary.policy_digest == passed.summary.policy_digest
        and failed.summary.verifier_id == passed.summary.verifier_id
        and covers_environment(failed.summary, demand.rule.environment)
        and signed_by_pair(failed, demand.rule)
    )


def _is_not_older(failed: VerifiedVerdict, passed: VerifiedVerdict) -> bool | None:
    """Compare two times of one kind; at the same second FAILED wins.

    A trusted time and a signer's word are compared by what both signers say, and not at all where these are closer
    than a trusted time may be from the signer's.
    """
    if failed.trusted is passed.trusted:
        return failed.at >= passed.at
    apart = failed.summary.time_verified - passed.summary.time_verified
    return None if abs(apart) <= TIMESTAMP_TOLERANCE else apart > TIMESTAMP_TOLERANCE


def _refuse(code: str, message: str, failed: VerifiedVerdict) -> AttestationError:
    place = failed.signature.manifest or failed.signature.digest
    return AttestationError(
        message,
        code=code,
        expected="no FAILED verdict that is not older",
        seen=f"FAILED of {format_time(failed.at)} in {place}",
    )


def standing_verdict(
    attachments: Attachments, *, demand: VerdictDemand, environments: frozenset[str], now: datetime
) -> VerifiedVerdict | None:
    """Give the newest own verdict, PASSED or FAILED, for exactly these environments, within the rule's maximal age.

    For the decision whether a new one must be issued; `demand.rule.environment` is not read. None where there is none.

    Raises:
        SignatureError: `LIMIT_SIGNATURES`.
    """
    rule = demand.rule
    verified, _ = _verified(_find(attachments), rule, now)
    own = [
        verdict
        for verdict in verified
        if signed_by_pair(verdict, rule)
        and any(subject.digest == demand.asked for subject in verdict.summary.subjects)
        and names_resource(verdict.summary, demand)
        and verdict.summary.policy_digest in rule.policies
        and frozenset(verdict.summary.environments) == environments
    ]
    newest = max(own, key=lambda verdict: (verdict.at, not verdict.passed), default=None)
    if newest is None or not -CLOCK_TOLERANCE <= now - newest.at <= rule.max_age:
        return None
    return newest


def find_evidence(
    attachments: Attachments, verdict: VerifiedVerdict, rule: VerdictRule, now: datetime
) -> tuple[EvidenceSummary, bytes]:
    """Give the evidence that the verdict names, read and as its exact payload bytes.

    Raises:
        AttestationError: `ATT_BYTES` where no attachment holds exactly these bytes by the verdict's signer; `ATT_TYPE`;
            `ATT_MALFORMED`.
        SignatureError: `LIMIT_SIGNATURES`.
    """
    wanted = {item.digest for item in verdict.summary.inputs[:1]}
    errors: list[GateError] = []
    for bundle in _find(attachments).others:
        if not isinstance(bundle.content, Envelope) or Digest.of(bundle.content.payload) not in wanted:
            continue
        try:
            verified, _ = verify_by_any(bundle, verdict.signers, now)
            return parse_evidence(verified.statement, types=rule.evidence_types), verified.signature.payload
        except (RefusedError, EvidenceError) as error:
            errors.append(error)
    raise furthest(errors) or AttestationError(
        "the evidence that the verdict names is not attached",
        code="ATT_BYTES",
        expected=", ".join(str(digest) for digest in wanted) or "a verdict that names its evidence",
        seen=f"{len(attachments.items)} attachments",
    )
