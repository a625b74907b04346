"""`signature`: the digest is signed by whom the policy names.

NIST SP 800-190, 4.1.5; CIS Docker 4.5. Every entry of the policy whose `images` fit must be satisfied (attack P03), all its
conditions by one and the same signature (attack S22). The signature must be on the digest that was asked for: one on an index
covers its children, because the index names them by digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._per_subject import image_fault
from gate.errors import GateError
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind, Unobtained
from gate.model.unobtained import problem_of
from gate.model.verdict import AcceptedSignature, Problem
from gate.verification.match import match_signatures

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.attachment import Attachments
    from gate.model.evidence import EvidenceSet, RequestFacts
    from gate.model.policy import Policy, SignatureRule
    from gate.verification.signature import VerifiedSignature


def _asked(policy: Policy) -> bool:
    return policy.signature is not None


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.ATTACHMENTS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    attachments = evidence.attachments
    fault = image_fault(evidence)
    if fault is not None:
        return Answer(message="", problems=(fault,))
    if attachments is None or isinstance(attachments, Unobtained):
        return Answer(message="", problems=(problem_of(attachments, "what is attached to the digest"),))
    if attachments.digest != evidence.request.digest:
        return Answer(message="", problems=(problem_of(None, "what is attached to this very digest"),))
    rules = tuple(rule for rule in policy.signature or () if _applies(rule, evidence.request))
    if not rules:
        return Answer(message="", problems=(_no_rule(evidence.request, policy.signature or ()),))
    results = [_match(attachments, rule, now) for rule in rules]
    accepted = tuple(dict.fromkeys(found for signatures, _ in results for found in signatures))
    problems = tuple(problem for _, problem in results if problem is not None)
    return Answer(
        message=_message(accepted), problems=problems, signatures=accepted, counts=(("accepted", len(accepted)),)
    )


def _applies(rule: SignatureRule, request: RequestFacts) -> bool:
    """Say whether an entry is about this image; an image without a name is only covered by an entry for all."""
    return (
        rule.images.matches(str(request.repository)) if request.repository is not None else rule.images.pattern == "**"
    )


def _no_rule(request: RequestFacts, rules: tuple[SignatureRule, ...]) -> Problem:
    seen = (
        str(request.repository) if request.repository is not None else "no repository name (a layout is named by --as)"
    )
    expected = ", ".join(str(rule.images) for rule in rules)
    return Problem(
        code="SIG_NO_RULE", message="no entry of the policy says who must sign this image", expected=expected, seen=seen
    )


def _match(
    attachments: Attachments, rule: SignatureRule, now: datetime
) -> tuple[tuple[AcceptedSignature, ...], Problem | None]:
    try:
        matched = match_signatures(attachments, rule, now)
    except GateError as error:
        problem = Problem(
            code=error.code,
            message=error.message,
            expected=error.expected or _signers(rule),
            seen=error.seen,
            next_step=error.next_step,
        )
        return (), problem
    return tuple(map(_accepted, matched)), None


def _accepted(signature: VerifiedSignature) -> AcceptedSignature:
    identity = signature.identity
    return AcceptedSignature(
        key_id=signature.key.key_id,
        format=signature.format.value,
        attachment=signature.digest,
        identity=identity.subject if identity is not None else "",
        issuer=identity.issuer if identity is not None else "",
    )


def _signers(rule: SignatureRule) -> str:
    words = "one of" if rule.any_of else "each of"
    return f"a signature by {words} " + ", ".join(map(str, rule.any_of or rule.all_of))


def _message(accepted: tuple[AcceptedSignature, ...]) -> str:
    return "signed by " + ", ".join(sorted({signature.signer for signature in accepted}))


CHECK = Check(id="signature", title="Signed by a trusted signer", asked=_asked, needs=_needs, judge=_judge)
