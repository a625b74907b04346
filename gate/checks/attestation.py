"""`attestation`: every attestation that the policy demands is there, by whom it names, and not too old.

Signed SBOMs (CycloneDX, SPDX), vulnerability reports, VEX, test results, and any predicate type by its exact URI. That another
valid attestation is attached is no success (attack A01). A document is read as far as it must be believed: it is of its kind and
not empty; of a test result, that it says PASSED; a CycloneDX document is valid under the schema of its version, which was asked
before, in a child that can be killed (`gate.sandbox.cyclonedx`). It takes nothing away from what the gate finds itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.checks._attached import accepted, attachments_of, refusal
from gate.codec.attested_document import read_attested
from gate.codec.strict_json import printable
from gate.codec.times import format_duration, format_time
from gate.errors import AttestationError, EvidenceError, GateError, InternalError
from gate.model.check import Answer, Check
from gate.model.digest import Digest
from gate.model.evidence import EvidenceKind
from gate.model.policy_signers import trusts_of
from gate.model.predicate import AttestationKind
from gate.model.verdict import AcceptedSignature, Problem
from gate.verification.attestations import require_attestation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gate.codec.attested_document import AttestedDocument
    from gate.model.attachment import Attachments
    from gate.model.evidence import DocumentAnswer, EvidenceSet
    from gate.model.policy import AttestationRule, Policy
    from gate.verification.signature import VerifiedStatement

# How far clocks of different machines may be apart (formats 10.2).
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_TEST_PASSED: Final = "PASSED"


def _asked(policy: Policy) -> bool:
    return bool(policy.attestations)


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.ATTACHMENTS, EvidenceKind.DOCUMENTS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    attachments = attachments_of(evidence)
    if isinstance(attachments, Problem):
        return Answer(message="", problems=(attachments,))
    answers = [_demand(attachments, rule, now, evidence.documents) for rule in policy.attestations]
    found = tuple(answer for answer in answers if isinstance(answer, AcceptedSignature))
    return Answer(
        message="attested: " + ", ".join(rule.type for rule in policy.attestations),
        problems=tuple(answer for answer in answers if isinstance(answer, Problem)),
        signatures=tuple(dict.fromkeys(found)),
        trusts=trusts_of(signer for rule in policy.attestations for signer in rule.signers),
        counts=(("accepted", len(found)),),
    )


def _demand(
    attachments: Attachments, rule: AttestationRule, now: datetime, documents: tuple[DocumentAnswer, ...]
) -> AcceptedSignature | Problem:
    known = {document.payload: document for document in documents}
    try:
        return require_document(
            attachments, rule, now, lambda verified: known.get(Digest.of(verified.signature.payload))
        )
    except GateError as error:
        return refusal(error, _wanted(rule))


def require_document(
    attachments: Attachments,
    rule: AttestationRule,
    now: datetime,
    validated: Callable[[VerifiedStatement], DocumentAnswer | None],
) -> AcceptedSignature:
    """Return the first attestation that meets an entry of the policy.

    `validated` is asked about a CycloneDX document only when all else holds, so that whoever gathers evidence validates exactly
    those documents on which the answer hangs.

    Raises:
        GateError: the reason of the candidate that came furthest.
    """

    def judge(verified: VerifiedStatement) -> AcceptedSignature:
        document = read_attested(verified.statement)
        _expect_success(document)
        if rule.max_age is not None:
            _expect_age(_time_of(verified, document), rule.max_age, now)
        if document.kind is AttestationKind.CYCLONEDX:
            _expect_valid(validated(verified))
        return accepted(verified.signature)

    return require_attestation(attachments, rule.signers, now, accepts=rule.accepts, wanted=_wanted(rule), judge=judge)


def _wanted(rule: AttestationRule) -> str:
    return f"{rule.type} by " + " or ".join(str(signer) for signer in rule.signers)


def _expect_valid(document: DocumentAnswer | None) -> None:
    if document is None:
        raise InternalError("an attested document was to be validated, and nobody did")
    if document.unavailable is not None:
        why = document.unavailable
        raise EvidenceError(why.reason, code=why.code, expected=why.expected, seen=why.seen, next_step=why.next_step)
    if document.violation:
        raise AttestationError(
            "the document breaks the schema of its format",
            code="ATT_MALFORMED",
            expected="valid CycloneDX",
            seen=printable(document.violation, 300),
        )


def _expect_success(document: AttestedDocument) -> None:
    """Demand of a test result what it is there for; of other kinds nothing is a result."""
    if document.kind is AttestationKind.TEST_RESULT and document.result != _TEST_PASSED:
        raise AttestationError(
            "the attested test did not pass",
            code="ATT_VERDICT_FAIL",
            expected=_TEST_PASSED,
            seen=printable(document.result),
        )


def _time_of(verified: VerifiedStatement, document: AttestedDocument) -> datetime:
    """Return the earliest trusted time, else the author's own word; the gate knows no third."""
    time = min(verified.signature.times, default=document.created)
    if time is None:
        raise AttestationError(
            "nothing says how old the attestation is",
            code="ATT_EXPIRED",
            expected="a trusted time, or a time in the document",
            seen="neither",
        )
    return time


def _expect_age(time: datetime, max_age: timedelta, now: datetime) -> None:
    if time > now + _CLOCK_TOLERANCE:
        raise EvidenceError(
            "the attestation's time contradicts the clock",
            code="POL_TIME",
            expected=f"not after {format_time(now)}",
            seen=format_time(time),
        )
    if now - time > max_age:
        raise AttestationError(
            "the attestation is too old",
            code="ATT_EXPIRED",
            expected=f"at most {format_duration(max_age)} old",
            seen=f"{format_duration(now - time)} old, of {format_time(time)}",
        )


CHECK = Check(id="attestation", title="Carries the demanded attestations", asked=_asked, needs=_needs, judge=_judge)
