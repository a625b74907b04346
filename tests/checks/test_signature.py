"""`signature`: all conditions of every entry that fits are met, each entry by one signature over this digest."""

from __future__ import annotations

import pytest

from gate.checks.signature import CHECK
from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in
from tests.support.evidence import FULL_SPEC, good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import GATE, NOW

CASES = cases_of("signature")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


# What `gate.verification` answers is tested there; these are the ways in which an image is not signed as demanded.
FROM_VERIFICATION = frozenset(
    {
        "SIG_ANNOTATION",
        "SIG_BUNDLE_VERSION",
        "SIG_EXPIRED",
        "SIG_INVALID",
        "SIG_MISSING",
        "SIG_NO_SINGLE_MATCH",
        "SIG_SUBJECT_MISMATCH",
    }
)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/signature.py") | FROM_VERIFICATION <= codes_of(CASES)


def test_an_accepted_signature_stands_in_the_answer_with_its_key() -> None:
    answer = CHECK.judge(good_evidence(), policy(policy_document(**FULL_SPEC)), NOW)
    assert [signature.key_id for signature in answer.signatures] == [GATE.public_key.key_id]
    assert answer.counts == (("accepted", 1),)
