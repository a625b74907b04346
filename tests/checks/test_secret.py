"""`secret`: a secret counts in every place, hidden or not, until the policy names it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gate.checks.secret import CHECK, merge_secrets
from gate.model.check import Answer
from gate.model.digest import Digest
from gate.model.evidence import SecretEvidence
from gate.model.finding import Confidence, SecretFinding, SecretGrade, SecretPlace, Tool
from gate.model.policy import SecretsFailOn, SecretsPolicy
from gate.model.severity import Severity
from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in
from tests.support.evidence import good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW

CASES = cases_of("secret")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/secret.py") <= codes_of(CASES)


def secret(tool: Tool, location: str, place: SecretPlace = SecretPlace.ENV, **more: Any) -> SecretFinding:  # noqa: ANN401
    return SecretFinding(
        rule="aws", title="AWS key", place=place, location=location, fingerprint=f"{tool}-{location}", tool=tool, **more
    )


def test_one_secret_that_both_see_is_one_finding() -> None:
    own, other = secret(Tool.GATE, "KEY"), secret(Tool.TRIVY, "KEY", line=40)
    assert merge_secrets([own], [other]) == (own,)


@pytest.mark.parametrize(
    "other",
    [
        secret(Tool.TRIVY, "OTHER"),
        secret(Tool.TRIVY, "KEY", SecretPlace.LABEL),
        secret(Tool.TRIVY, "KEY", SecretPlace.FILE, line=1),
    ],
    ids=["variable", "place", "file"],
)
def test_what_trivy_sees_elsewhere_is_not_lost(other: SecretFinding) -> None:
    own = secret(Tool.GATE, "KEY")
    assert set(merge_secrets([own], [other])) == {own, other}


def test_a_file_in_another_layer_or_line_is_another_place() -> None:
    lower, upper = Digest.of(b"lower"), Digest.of(b"upper")
    own = secret(Tool.GATE, "a", SecretPlace.FILE, layer=lower, line=1)
    others = [
        secret(Tool.TRIVY, "a", SecretPlace.FILE, layer=upper, line=1),
        secret(Tool.TRIVY, "a", SecretPlace.FILE, layer=lower, line=2),
    ]
    assert len(merge_secrets([own], others)) == 3
    assert merge_secrets([own], others) == merge_secrets([own], others[::-1])


def test_secrets_that_differ_in_one_field_alone_have_an_order() -> None:
    twins = [
        secret(Tool.GATE, "a"),
        secret(Tool.GATE, "a", hidden=True),
        secret(Tool.GATE, "a", severity=Severity.LOW),
        secret(Tool.GATE, "a", line=3),
    ]
    assert merge_secrets(twins, []) == merge_secrets(twins[::-1], [])


def judge(found: tuple[SecretFinding, ...], fail_on: SecretsFailOn) -> Answer:
    evidence = good_evidence()
    (subject,) = evidence.subjects
    searched = replace(subject, secrets=SecretEvidence(findings=found))
    wanted = replace(policy(policy_document(secrets={})), secrets=SecretsPolicy(fail_on=fail_on))
    return CHECK.judge(replace(evidence, subjects=(searched,)), wanted, NOW)


def refuses(secret: SecretFinding, fail_on: SecretsFailOn) -> bool:
    answer = judge((secret,), fail_on)
    (judged,) = answer.secrets
    assert judged.counts is bool([problem for problem in answer.problems if problem.code.startswith("SECRET_")])
    assert judged.counts is fail_on.refuses(secret)
    return judged.counts


@pytest.mark.parametrize("package", ["", "dpkg nginx"])
def test_a_grade_refuses_from_the_one_on_that_the_policy_names_for_its_origin(package: str) -> None:
    for confidence in Confidence:
        found = secret(Tool.GATE, "srv/a", SecretPlace.FILE, confidence=confidence, package=package)
        for least in (*SecretGrade, None):
            other = None if least is not None else SecretGrade.POSSIBLE
            own, packaged = (other, least) if package else (least, other)
            expected = least is not None and found.grade.rank >= least.rank
            assert refuses(found, SecretsFailOn(own=own, packaged=packaged)) is expected


def test_the_default_refuses_what_is_likely_in_own_files_and_what_is_certain_in_any() -> None:
    refused = {
        (grade, package)
        for confidence, grade in [
            (Confidence.LOW, "possible"),
            (Confidence.HIGH, "likely"),
            (Confidence.CERTAIN, "certain"),
        ]
        for package in ("", "apk curl")
        if refuses(
            secret(Tool.GATE, "srv/a", SecretPlace.FILE, confidence=confidence, package=package), SecretsFailOn()
        )
    }
    assert refused == {("likely", ""), ("certain", ""), ("certain", "apk curl")}


def test_hidden_ones_count_unless_only_live_ones_are_asked_for() -> None:
    hidden = secret(Tool.GATE, "srv/a", SecretPlace.FILE, confidence=Confidence.HIGH, hidden=True)
    assert refuses(hidden, SecretsFailOn())
    assert not refuses(hidden, SecretsFailOn(live_only=True))


def test_what_only_the_origin_excuses_is_counted() -> None:
    found = [
        secret(Tool.GATE, f"srv/{number}", SecretPlace.FILE, confidence=confidence, package=package)
        for number, (confidence, package) in enumerate(
            [
                (Confidence.HIGH, "dpkg a"),
                (Confidence.LOW, "dpkg a"),
                (Confidence.CERTAIN, "dpkg a"),
                (Confidence.LOW, ""),
            ]
        )
    ]
    answer = judge(tuple(found), SecretsFailOn())
    assert dict(answer.counts) == {"found": 4, "excusedByOrigin": 1}
