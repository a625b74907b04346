"""`signature`: the digest is signed by whom the policy names.

NIST SP 800-190, 4.1.5; CIS Docker 4.5. Every entry of the policy whose `images` fit must be satisfied (attack P03), all its
conditions by one and the same signature (attack S22). The signature must be on the digest that was asked for: one on an index
covers its children, because the index names them by digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._attached import accepted, attachments_of, refusal
from gate.errors import GateError
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.policy_signers import trusts_of
from gate.model.verdict import Problem
from gate.verification.match import match_signatures

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.attachment import Attachments
    from gate.model.evidence import EvidenceSet, RequestFacts
    from gate.model.policy import Policy
    from gate.model.policy_signers import SignatureRule
    from gate.model.verdict import AcceptedSignature


def _asked(policy: Policy) -> bool:
    return policy.signature is not None


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.ATTACHMENTS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    attachments = attachments_of(evidence)
    if isinstance(attachments, Problem):
        return Answer(message="", problems=(attachments,))
    rules = tuple(rule for rule in policy.signature or () if _applies(rule, evidence.request))
    if not rules:
        return Answer(message="", problems=(_no_rule(evidence.request, policy.signature or ()),))
    results = [_match(attachments, rule, now) for rule in rules]
    signatures = tuple(dict.fromkeys(signature for found, _ in results for signature in found))
    problems = tuple(problem for _, problem in results if problem is not None)
    return Answer(
        message=_message(signatures),
        problems=problems,
        signatures=signatures,
        trusts=trusts_of(signer for rule in rules for signer in (*rule.any_of, *rule.all_of)),
        counts=(("accepted", len(signatures)),),
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
        return (), refusal(error, expected=_signers(rule))
    return tuple(map(accepted, matched)), None


def _signers(rule: SignatureRule) -> str:
    words = "one of" if rule.any_of else "each of"
    return f"a signature by {words} " + ", ".join(map(str, rule.any_of or rule.all_of))


def _message(signatures: tuple[AcceptedSignature, ...]) -> str:
    return "signed by " + ", ".join(sorted({signature.signer for signature in signatures}))


CHECK = Check(id="signature", title="Signed by a trusted signer", asked=_asked, needs=_needs, judge=_judge)
