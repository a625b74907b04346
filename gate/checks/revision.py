"""`revision`: the image says from which commit it was built.

The label `org.opencontainers.image.revision` must be a whole commit id (40 or 64 hex: SHA-1 or SHA-256 git), because a short
one or a branch name can come to mean another commit. The label is the builder's word: a signature over the digest makes it
somebody's word. With `provenance` the policy demands that signed provenance, which meets its section of the same name, says the
same commit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.checks._attached import attachments_of, refusal
from gate.checks._per_subject import over_subjects, with_config
from gate.errors import GateError
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.policy import RevisionRule
from gate.model.problems import problem_of
from gate.model.verdict import Problem
from gate.verification.provenance import require_provenance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet
    from gate.model.image_config import ImageConfig
    from gate.model.policy import Policy

LABEL: Final = "org.opencontainers.image.revision"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)


def _asked(policy: Policy) -> bool:
    return policy.image is not None and policy.image.revision is not RevisionRule.ANY


def _is_compared(policy: Policy) -> bool:
    return policy.image is not None and policy.image.revision is RevisionRule.PROVENANCE


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    compared = frozenset({EvidenceKind.ATTACHMENTS}) if _is_compared(policy) else frozenset[EvidenceKind]()
    return frozenset({EvidenceKind.CONFIG}) | compared


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    if not _is_compared(policy):
        problems = over_subjects(evidence, with_config(_problems))
        return Answer(message="says from which commit it was built", problems=problems)
    commit = _proven_commit(evidence, policy, now)
    if isinstance(commit, Problem):
        return Answer(message="", problems=(commit,))

    def ask(config: ImageConfig, digest: Digest) -> Iterable[Problem]:
        return (*_problems(config, digest), *_differences(config, digest, commit))

    return Answer(
        message=f"was built from the commit that its provenance names, {commit[:12]}",
        problems=over_subjects(evidence, with_config(ask)),
    )


def _proven_commit(evidence: EvidenceSet, policy: Policy, now: datetime) -> str | Problem:
    """Return the commit that provenance names which meets the policy, or why there is none."""
    attachments = attachments_of(evidence)
    if isinstance(attachments, Problem):
        return attachments
    if policy.provenance is None:
        return problem_of(None, "what the policy demands of provenance")
    try:
        commit = require_provenance(attachments, policy.provenance, now).source.commit
    except GateError as error:
        return refusal(error)
    return commit or Problem(
        code="PROV_MISMATCH", message="the provenance names no commit", expected="a source with its commit", seen="none"
    )


def _differences(config: ImageConfig, digest: Digest, commit: str) -> Iterable[Problem]:
    label = config.labels.get(LABEL, "")
    if _COMMIT.fullmatch(label) and label != commit:
        yield Problem(
            code="IMG_REVISION",
            message="the label names another commit than the provenance",
            expected=commit,
            seen=label,
            subject=digest,
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
