"""`reference`: the image is named by a digest, in a repository that the policy allows.

A tag is a property of the request, not of an image: it is refused before anything is fetched (attack D01), and no attestation
is made, because there is no subject. Allow-lists compare parsed components, never prefixes (attack D12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.model.check import Answer, Check
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.evidence import EvidenceKind, EvidenceSet, RequestFacts
    from gate.model.policy import Policy


def _asked(policy: Policy) -> bool:
    del policy  # a digest is always demanded
    return True


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset()


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    del now
    request = evidence.request
    problems = (*_digest_problems(request), *_registry_problems(request, policy))
    by_place = request.local and "@sha256:" not in request.reference
    named = "a local image, judged as the digest that it has" if by_place else "named by digest"
    return Answer(message=named + (", in an allowed repository" if policy.registries else ""), problems=problems)


def _digest_problems(request: RequestFacts) -> tuple[Problem, ...]:
    if request.digest is not None or request.local:
        return ()
    hint = f"the tag names {request.hint} now" if request.hint else ""
    wanted = f"{request.repository}@{request.hint or 'sha256:...'}"
    return (
        Problem(
            code="REF_NOT_DIGEST",
            message="a mutable tag cannot be judged" + (f"; {hint}" if hint else ""),
            expected=wanted,
            seen=request.reference,
            next_step=f"use {wanted}" if request.hint else f"find the digest: gate resolve {request.reference}",
        ),
    )


def _registry_problems(request: RequestFacts, policy: Policy) -> tuple[Problem, ...]:
    if not policy.registries:
        return ()
    if request.repository is not None and any(glob.matches(str(request.repository)) for glob in policy.registries):
        return ()
    seen = (
        str(request.repository) if request.repository is not None else "no repository name (a layout is named by --as)"
    )
    expected = ", ".join(map(str, policy.registries))
    return (Problem(code="REF_REGISTRY", message="the repository is not allowed", expected=expected, seen=seen),)


CHECK = Check(id="reference", title="Named by digest", asked=_asked, needs=_needs, judge=_judge)
