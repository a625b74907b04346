"""`base-image`: the image is built on one of the policy's bases.

Annotations that name a base are claims, and history is the author's to write. What can be proven is that the base's layers
are the image's first layers: their diff ids are a prefix of the image's (`checks` reference, section 6.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects, with_config
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet
    from gate.model.image_config import ImageConfig
    from gate.model.policy import Policy


def _asked(policy: Policy) -> bool:
    return policy.image is not None and bool(policy.image.base)


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.CONFIG})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    del now
    bases = policy.image.base if policy.image is not None else ()

    def ask(config: ImageConfig, digest: Digest) -> Iterable[Problem]:
        if any(config.diff_ids[: len(base.diff_ids)] == base.diff_ids for base in bases):
            return ()
        seen = f"first layer {config.diff_ids[0].short}" if config.diff_ids else "no layers"
        expected = ", ".join(base.name for base in bases)
        return (
            Problem(
                code="IMG_BASE", message="the base is not an allowed one", expected=expected, seen=seen, subject=digest
            ),
        )

    return Answer(message="built on an allowed base", problems=over_subjects(evidence, with_config(ask)))


CHECK = Check(id="base-image", title="Built on an allowed base", asked=_asked, needs=_needs, judge=_judge)
