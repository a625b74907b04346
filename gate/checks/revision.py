"""`revision`: the image says from which commit it was built.

The label `org.opencontainers.image.revision` must be a whole commit id (40 or 64 hex: SHA-1 or SHA-256 git), because a short
one or a branch name can come to mean another commit. The label is the builder's word: a signature over the digest makes it
somebody's word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.checks._per_subject import over_subjects, with_config
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.policy import RevisionRule
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet
    from gate.model.image import ImageConfig
    from gate.model.policy import Policy

LABEL: Final = "org.opencontainers.image.revision"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)


def _asked(policy: Policy) -> bool:
    return policy.image is not None and policy.image.revision is RevisionRule.REQUIRED


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.CONFIG})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    del policy, now
    return Answer(
        message="says from which commit it was built", problems=over_subjects(evidence, with_config(_problems))
    )


def _problems(config: ImageConfig, digest: Digest) -> Iterable[Problem]:
    label = config.labels.get(LABEL, "")
    if _COMMIT.fullmatch(label):
        return ()
    return (
        Problem(
            code="IMG_REVISION",
            message="the commit is not named",
            expected=f"label {LABEL} with a whole commit id",
            seen=ascii(label[:80]) if label else "no such label",
            subject=digest,
        ),
    )


CHECK = Check(id="revision", title="Maps back to a commit", asked=_asked, needs=_needs, judge=_judge)
