"""`rules`: the policy's own rules, CEL expressions over documented evidence, are all true.

The expressions were evaluated before, in a child that can be killed (`gate.sandbox.rules`); here the results are read. An
error or a value that is no boolean is `error`, never a pass (attack P04), and a rule without a result was not evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects
from gate.checks._rule_variables import evidence_of_rules
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind, Unavailable
from gate.model.policy import FailOrWarn
from gate.model.problems import missing, problem_of
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, RuleResult, SubjectEvidence
    from gate.model.policy import Policy, Rule


def _asked(policy: Policy) -> bool:
    return bool(policy.rules)


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    return evidence_of_rules(policy) | {EvidenceKind.RULES}


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    def ask(subject: SubjectEvidence) -> Iterable[Problem]:
        digest = subject.subject.digest
        # A rule over findings that nobody looked for would hold for every image.
        unseen = tuple(_missing(subject, evidence, evidence_of_rules(policy)))
        if unseen:
            return unseen
        if subject.rules is None or isinstance(subject.rules, Unavailable):
            return (problem_of(subject.rules, "the evaluation of the rules", digest),)
        results = {result.id: result for result in subject.rules}
        answers = (_problem(rule, results.get(rule.id), digest, now) for rule in policy.rules)
        return tuple(problem for problem in answers if problem is not None)

    return Answer(message=f"all {len(policy.rules)} rules hold", problems=over_subjects(evidence, ask))


def _missing(subject: SubjectEvidence, evidence: EvidenceSet, kinds: frozenset[EvidenceKind]) -> Iterator[Problem]:
    pieces = {
        EvidenceKind.CONFIG: (subject.config, "the configuration"),
        EvidenceKind.LAYERS: (subject.layers, "the reading of the layers"),
        EvidenceKind.TRIVY: (subject.trivy, "the report of trivy"),
        EvidenceKind.GRYPE: (subject.grype, "the report of grype"),
        EvidenceKind.ATTACHMENTS: (evidence.attachments, "what is attached to the digest"),
    }
    for kind in sorted(kinds):
        problem = missing(*pieces[kind], subject.subject.digest)
        if problem is not None:
            yield problem


def _problem(rule: Rule, result: RuleResult | None, digest: Digest, now: datetime) -> Problem | None:
    if result is not None and result.value is True:
        return None
    if result is not None and result.value is False:
        return Problem(
            code="RULE_VIOLATED",
            message=f"{rule.id}: {rule.message}{_begins(rule, now)}",
            expected=rule.cel,
            seen="false",
            subject=digest,
            rule=rule.id,
            warned=not rule.refuses(now),
        )
    seen = result.error if result is not None else "it was not evaluated"
    return Problem(
        code="POL_EVAL", message=f"{rule.id} has no answer", expected="true or false", seen=seen, subject=digest
    )


def _begins(rule: Rule, now: datetime) -> str:
    """Say from which day on a broken rule refuses, where that day is still to come."""
    waits = rule.level is FailOrWarn.FAIL and not rule.refuses(now)
    return f" (a warning; it refuses from {rule.begins})" if waits else ""


CHECK = Check(id="rules", title="The policy's own rules", asked=_asked, needs=_needs, judge=_judge)
