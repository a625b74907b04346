"""Warnings: what a policy only warns of is judged, recorded and named, and refuses nothing; what is no answer is no warning."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gate.checks import CHECKS
from gate.codec.evidence_statement import render_evidence
from gate.codec.policy.document import require_policy_dates
from gate.codec.policy.warnings import WARNED_CHECKS
from gate.decide import decide
from gate.errors import PolicyError
from gate.model.asked import NEVER_WARNED, asked_checks
from gate.model.decision import Decision, Outcome
from gate.model.evidence import EvidenceSet, RuleResult, Unavailable
from gate.model.verdict import JudgedFinding, JudgedSecret, Verdict
from gate.pipeline.issue.reuse import same_grounds
from gate.report.content import ImageReport, Report
from gate.report.formats import Format, render
from gate.report.lines import Style
from tests.support.cases import check_of, overridden
from tests.support.evidence import FULL_SPEC, good_evidence, index_evidence
from tests.support.policies import policy, policy_document, refusal
from tests.support.policy_effects import DATA
from tests.support.policy_pair import IMAGE_ANY, one, secret
from tests.support.signing import NOW
from tests.support.verdicts import REFERENCE, Checked

ROOT_USER: dict[str, Any] = {"subjects": {0: {"config": {"user": "root"}}}}
USER: dict[str, Any] = {"vulnerabilities": {}, "image": {"user": "non-root"}}


def judged(evidence: EvidenceSet, now: datetime = NOW, **spec: object) -> Verdict:
    return decide(evidence, policy(policy_document(**spec)), now)


def rooted() -> EvidenceSet:
    return overridden(good_evidence(), ROOT_USER, DATA)


def test_a_warned_failure_refuses_nothing_and_stays_a_failure() -> None:
    refused, warned = judged(rooted(), **USER), judged(rooted(), **USER, warn=["image-user"])
    assert refused.decision is Decision.REFUSED
    assert warned.decision is Decision.PASSED
    assert warned.policy.warn == ("image-user",)
    found = check_of(warned, "image-user")
    assert (found.outcome, found.warned, found.codes) == (Outcome.FAIL, True, ("IMG_USER_ROOT",))
    assert all(problem.warned for problem in found.problems)
    assert not same_grounds(refused, warned)


def test_a_warning_does_not_lift_another_refusal() -> None:
    evidence = overridden(rooted(), one("trivy"), DATA)
    verdict = judged(evidence, **USER, warn=["image-user"])
    assert verdict.decision is Decision.REFUSED
    assert check_of(verdict, "vulnerability").outcome is Outcome.FAIL


@pytest.mark.parametrize(("check", "changes"), [("vulnerability", one("trivy")), ("secret", secret())])
def test_what_a_warned_check_found_counts_no_more_and_says_so(check: str, changes: dict[str, Any]) -> None:
    spec: dict[str, Any] = {"vulnerabilities": {}, "secrets": {}, "image": {"user": "non-root"}}
    evidence = overridden(good_evidence(), changes, DATA)
    assert judged(evidence, **spec).decision is Decision.REFUSED
    verdict = judged(evidence, **spec, warn=[check])
    assert verdict.decision is Decision.PASSED
    found: tuple[JudgedFinding | JudgedSecret, ...] = (*verdict.findings, *verdict.secrets)
    assert not any(item.counts for item in found)
    assert ["a warning" in item.explanation for item in found if item.warned] == [True]


def test_an_error_beside_a_warned_failure_decides() -> None:
    """One platform runs as root, of the other nobody knows: the warning does not answer for both."""
    evidence = overridden(index_evidence(), ROOT_USER, DATA)
    subjects = list(evidence.subjects)
    subjects[1] = replace(subjects[1], config=Unavailable(code="REG_UNREACHABLE", reason="it is gone"))
    verdict = judged(replace(evidence, subjects=tuple(subjects)), **USER, warn=["image-user"])
    found = check_of(verdict, "image-user")
    assert (found.outcome, found.warned, verdict.decision) == (Outcome.ERROR, False, Decision.ERROR)
    assert "gone" in found.message


RULES: list[dict[str, Any]] = [
    {"id": "one", "cel": "1 == 2", "message": "m"},
    {"id": "two", "cel": "1 == 2", "message": "m"},
]


def broken(now: datetime = NOW, **changes: object) -> Verdict:
    """Return the verdict over an image that breaks both rules, of which the first has these settings."""
    results = tuple(RuleResult(id=rule["id"], value=False) for rule in RULES[:1])
    evidence = good_evidence()
    subjects = tuple(replace(subject, rules=results) for subject in evidence.subjects)
    return judged(replace(evidence, subjects=subjects), now, vulnerabilities={}, rules=[{**RULES[0], **changes}])


def test_a_rule_of_the_level_warn_refuses_nothing() -> None:
    assert broken().decision is Decision.REFUSED
    assert broken(level="fail").decision is Decision.REFUSED
    verdict = broken(level="warn")
    assert (verdict.decision, check_of(verdict, "rules").warned) == (Decision.PASSED, True)


def test_a_rule_refuses_from_its_day_on_and_an_earlier_verdict_is_no_ground() -> None:
    before = broken(datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), **{"from": "2026-04-01"})
    after = broken(datetime(2026, 4, 1, tzinfo=UTC), **{"from": "2026-04-01"})
    assert "2026-04-01" in check_of(before, "rules").message
    assert check_of(before, "rules").warned
    assert not check_of(after, "rules").warned
    assert not same_grounds(before, replace(after, decision=before.decision))


def test_one_broken_rule_that_refuses_decides_over_one_that_warns() -> None:
    evidence = good_evidence()
    results = tuple(RuleResult(id=rule["id"], value=False) for rule in RULES)
    subjects = tuple(replace(subject, rules=results) for subject in evidence.subjects)
    rules = [{**RULES[0], "level": "warn"}, RULES[1]]
    verdict = judged(replace(evidence, subjects=subjects), vulnerabilities={}, rules=rules)
    found = check_of(verdict, "rules")
    assert (verdict.decision, found.warned) == (Decision.REFUSED, False)
    assert [problem.warned for problem in found.problems] == [True, False]
    assert found.message.startswith("two")


@pytest.mark.parametrize("check", sorted(NEVER_WARNED))
def test_what_everything_rests_on_is_never_a_warning(check: str) -> None:
    assert refusal(policy_document(**{**FULL_SPEC, "warn": [check]})).code == "POL_MALFORMED"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({**USER, "warn": ["image-usr"]}, "POL_MALFORMED"),
        ({**USER, "warn": ["image-user", "image-user"]}, "POL_MALFORMED"),
        ({**USER, "warn": []}, "POL_MALFORMED"),
        ({**USER, "warn": "image-user"}, "POL_MALFORMED"),
        ({**USER, "warn": ["secret"]}, "POL_MALFORMED"),
        ({**USER, "warn": ["malware"]}, "POL_MALFORMED"),
        ({"vulnerabilities": {}, "warn": ["vulnerability"]}, "POL_EMPTY"),
        ({**IMAGE_ANY, "warn": ["image-config"]}, "POL_EMPTY"),
        ({"rules": [{**RULES[0], "level": "warn"}]}, "POL_EMPTY"),
        ({"rules": RULES, "warn": ["rules"]}, "POL_EMPTY"),
        ({"vulnerabilities": {}, "rules": [{**RULES[0], "level": "ignore"}]}, "POL_MALFORMED"),
        ({"vulnerabilities": {}, "rules": [{**RULES[0], "level": "warn", "from": "2026-04-01"}]}, "POL_MALFORMED"),
        ({"vulnerabilities": {}, "rules": [{**RULES[0], "from": "soon"}]}, "POL_MALFORMED"),
    ],
)
def test_what_can_warn_of_nothing_or_leaves_nothing_that_refuses_is_refused(spec: dict[str, Any], code: str) -> None:
    assert refusal(policy_document(**spec)).code == code


def test_a_policy_whose_only_rules_are_still_to_begin_waits_for_the_first() -> None:
    later = [{**RULES[0], "from": "2026-05-01"}, {**RULES[1], "from": "2026-04-01"}]
    waiting = policy(policy_document(rules=later))
    require_policy_dates(waiting, datetime(2026, 4, 1, tzinfo=UTC))
    with pytest.raises(PolicyError, match="2026-04-01") as refused:
        require_policy_dates(waiting, NOW)
    assert refused.value.code == "POL_EMPTY"


def test_the_words_for_checks_are_those_of_the_checks() -> None:
    assert {*WARNED_CHECKS} | NEVER_WARNED == {check.id for check in CHECKS} - {"malware"}


@pytest.mark.parametrize("left_out", [None, *FULL_SPEC])
def test_what_the_policy_asks_for_is_what_the_checks_say(left_out: str | None) -> None:
    spec = {key: value for key, value in FULL_SPEC.items() if key != left_out}
    loaded = policy(policy_document(**spec))
    always = {"coverage", "reference"}
    assert asked_checks(loaded) - always == {check.id for check in CHECKS if check.asked(loaded)} - always


@pytest.mark.parametrize("name", Format)
def test_every_format_names_what_is_only_warned_of(name: Format) -> None:
    verdict = judged(rooted(), **USER, warn=["image-user"])
    image = ImageReport(reference=REFERENCE, checked=Checked(verdict=verdict))
    text = render(Report(images=(image,), exit_code=0, now=NOW), name, Style())
    assert "image-user" in text
    assert "runs as root" in text


def test_the_signed_evidence_names_the_list_and_the_failure() -> None:
    verdict = judged(rooted(), **USER, warn=["image-user"])
    made = json.loads(render_evidence(verdict, (), started_on=NOW, finished_on=NOW))["predicate"]
    assert made["policy"]["warn"] == ["image-user"]
    assert [check["id"] for check in made["checks"] if check["warned"]] == ["image-user"]
