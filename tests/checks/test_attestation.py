"""`attestation`: every demanded attestation is there, by its own signers, of its kind and young enough."""

from __future__ import annotations

import pytest

from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in

CASES = cases_of("attestation")
FROM_VERIFICATION = frozenset({"ATT_MALFORMED", "ATT_SUBJECT_MISMATCH", "ATT_TYPE_MISSING", "ID_MISMATCH"})


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/attestation.py") | FROM_VERIFICATION <= codes_of(CASES)
