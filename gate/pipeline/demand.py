"""What a deploy stage demands of an image, judged over attachments that somebody else has fetched; pure.

`gate verify`, a webhook and a node's verifier share it: which rule is about a repository, which children of an index are
judged, and whether what is attached to a digest meets the rule. The answer is a value, not an exception, so that a server can
count, log and render it; no clock, no network and no file is touched here.

In this order::

    rule = requirement_for(requirement, repository)          # refused before anything is fetched
    children = children_to_judge(index, requirement.platforms)   # None: the digest itself
    admission = judge_attachments(attachments, repository, rule, now)

Specification: DESIGN, sections 5 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gate.codec.platforms import same_platform
from gate.errors import EvidenceError, GateError, ImageError, ReferenceRefusedError, RefusedError, UsageError
from gate.model.glob import Glob
from gate.model.requirement import ImageRequirement
from gate.verification.demand import SetAside, judge_verdicts
from gate.verification.match import match_signatures
from gate.verification.verdict import VerdictDemand

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gate.model.attachment import Attachments
    from gate.model.digest import Digest
    from gate.model.image import Descriptor, ImageIndex, Platform
    from gate.model.policy_signers import SignatureRule
    from gate.model.reference import Repository
    from gate.model.requirement import Requirement, VerdictRule
    from gate.verification.signature import VerifiedSignature
    from gate.verification.verdict import VerifiedVerdict

EVERY_IMAGE = Glob("**")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A deploy stage's answer about one digest: admitted where `refusal` is None.

    `verdict` or `signatures` are what lets it in; `set_aside` names every candidate that does not, whatever the answer is.
    """

    digest: Digest
    repository: Repository
    refusal: GateError | None = field(default=None, compare=False)
    verdict: VerifiedVerdict | None = None
    signatures: tuple[VerifiedSignature, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    @property
    def admitted(self) -> bool:
        """Say whether the image may be let in."""
        return self.refusal is None

    @property
    def code(self) -> str:
        """Return the reason code, "" where the image is admitted."""
        return self.refusal.code if self.refusal is not None else ""

    @property
    def expected(self) -> str:
        """Return what was expected, "" where the image is admitted."""
        return self.refusal.expected if self.refusal is not None else ""

    @property
    def seen(self) -> str:
        """Return what was there instead, "" where the image is admitted."""
        return self.refusal.seen if self.refusal is not None else ""

    @property
    def next_step(self) -> str:
        """Return what this refusal advises; "" where its code says it all."""
        return self.refusal.next_step if self.refusal is not None else ""


def requirement_for(requirement: Requirement, repository: Repository) -> ImageRequirement:
    """Return the first entry that is about a repository.

    Raises:
        ReferenceRefusedError: `REF_REGISTRY` where none is.
    """
    for entry in requirement.images:
        if entry.match.matches(str(repository)):
            return entry
    expected = ", ".join(str(entry.match) for entry in requirement.images)
    raise ReferenceRefusedError(
        "no entry of the requirement is about this image", code="REF_REGISTRY", expected=expected, seen=str(repository)
    )


def children_to_judge(index: ImageIndex, platforms: tuple[Platform, ...]) -> tuple[Descriptor, ...]:
    """Return the children that nodes of these platforms could run; one that names no platform could run on any.

    Raises:
        ImageError: `IMG_PLATFORM_UNSCANNED` where there is none.
    """
    chosen = tuple(
        child
        for child in index.manifests
        if child.platform is None or any(same_platform(platform, child.platform) for platform in platforms)
    )
    if not chosen:
        offered = sorted({str(child.platform) for child in index.manifests if child.platform is not None})
        raise ImageError(
            "the index has no image for the platforms of the requirement",
            code="IMG_PLATFORM_UNSCANNED",
            expected=" or ".join(map(str, platforms)),
            seen=", ".join(offered[:8]) or "no images",
        )
    return chosen


def judge_attachments(
    attachments: Attachments,
    repository: Repository,
    rule: ImageRequirement,
    now: datetime,
    *,
    expect_time: Callable[[], None] | None = None,
) -> Admission:
    """Judge what is attached to a digest by one entry of a requirement.

    `expect_time` is called before each candidate and raises `EvidenceError` when the caller has no time left.
    """
    try:
        if rule.verdict is not None:
            return _by_verdict(attachments, repository, rule.verdict, now, expect_time)
        if rule.signature is not None:
            return _by_signature(attachments, repository, rule.signature, now, expect_time)
    except (RefusedError, EvidenceError) as error:
        return Admission(digest=attachments.digest, repository=repository, refusal=error)
    nothing = UsageError(
        "the requirement demands nothing of this image", expected="verdict or signature", seen=str(repository)
    )
    return Admission(digest=attachments.digest, repository=repository, refusal=nothing)


def _by_verdict(
    attachments: Attachments,
    repository: Repository,
    rule: VerdictRule,
    now: datetime,
    expect_time: Callable[[], None] | None,
) -> Admission:
    demand = VerdictDemand(asked=attachments.digest, repository=repository, rule=rule)
    judged = judge_verdicts(attachments, demand, now, expect_time=expect_time)
    return Admission(
        digest=attachments.digest,
        repository=repository,
        refusal=judged.refusal,
        verdict=judged.standing,
        set_aside=judged.set_aside,
    )


def _by_signature(
    attachments: Attachments,
    repository: Repository,
    rule: SignatureRule,
    now: datetime,
    expect_time: Callable[[], None] | None,
) -> Admission:
    matched = match_signatures(attachments, rule, now, expect_time=expect_time)
    return Admission(digest=attachments.digest, repository=repository, signatures=matched)
