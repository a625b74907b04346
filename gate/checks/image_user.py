"""`image-user`: the image does not run as root.

CIS Docker 4.1; rules and the overflow of CVE-2024-40635 (attack D13): `checks` reference, section 6.1. A name is looked up in
the image's own passwd file; a number is what Kubernetes' `runAsNonRoot` can check, so a number is what is recommended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind, LayerFacts, Unavailable
from gate.model.policy import UserRule
from gate.model.problems import problem_of
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, SubjectEvidence
    from gate.model.policy import Policy

_MAX_ID = 2**31 - 1  # runtimes read a larger user or group as another one, 0 among them (CVE-2024-40635)
# What a runtime takes for a number before it looks at names (Go's Atoi): `-0` is root, whatever a passwd file says.
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def _asked(policy: Policy) -> bool:
    return policy.image is not None and policy.image.user is UserRule.NON_ROOT


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.CONFIG, EvidenceKind.LAYERS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    del policy, now
    return Answer(message="runs as a user that is not root", problems=over_subjects(evidence, _problems))


def _problems(subject: SubjectEvidence) -> Iterable[Problem]:
    digest = subject.subject.digest
    if subject.config is None or isinstance(subject.config, Unavailable):
        return (problem_of(subject.config, "the configuration", digest),)
    user, _, group = subject.config.user.partition(":")
    if _NUMBER.fullmatch(group) and _wraps(group):
        return (_problem("IMG_CONFIG", "a group over 2^31-1 can wrap around to root's", subject.config.user, digest),)
    if _NUMBER.fullmatch(user):
        return _number_problems(user, digest)
    return _name_problems(user, subject.layers, digest)


def _number_problems(user: str, digest: Digest) -> tuple[Problem, ...]:
    if _wraps(user):
        return (_problem("IMG_CONFIG", "a number over 2^31-1 can wrap around to root", user, digest),)
    if int(user) < 0:
        return (_problem("IMG_USER_UNKNOWN", "no user has a negative number", user, digest),)
    return (_problem("IMG_USER_ROOT", "the image runs as root", user, digest),) if int(user) == 0 else ()


def _wraps(number: str) -> bool:
    # A number of any length is compared as text first, so that a million digits cost nothing.
    return len(number) > 11 or int(number) > _MAX_ID


def _name_problems(user: str, layers: LayerFacts | Unavailable | None, digest: Digest) -> tuple[Problem, ...]:
    if user in {"", "root"}:
        return (_problem("IMG_USER_ROOT", "the image runs as root", user or "no USER", digest),)
    if layers is None or isinstance(layers, Unavailable):
        return (problem_of(layers, "the image's passwd file", digest),)
    number = dict(layers.users).get(user)
    if number is None:
        return (_problem("IMG_USER_UNKNOWN", "the user is not in the image's passwd file", user, digest),)
    return (
        (_problem("IMG_USER_ROOT", "the user is root under another name", f"{user} = {number}", digest),)
        if number == 0
        else ()
    )


def _problem(code: str, message: str, seen: str, digest: Digest) -> Problem:
    return Problem(
        code=code,
        message=message,
        expected="a user with a number from 1 to 2147483647",
        seen=ascii(seen[:80]),
        subject=digest,
    )


CHECK = Check(id="image-user", title="Does not run as root", asked=_asked, needs=_needs, judge=_judge)
