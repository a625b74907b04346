"""`secret`: a secret counts in every place, hidden or not, until the policy names it."""

from __future__ import annotations

from typing import Any

import pytest

from gate.checks.secret import merge_secrets
from gate.model.digest import Digest
from gate.model.finding import SecretFinding, SecretPlace, Tool
from gate.model.severity import Severity
from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in

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
