"""`provenance`: one signed statement of a trusted builder meets every demand, on this digest."""

from __future__ import annotations

import pytest

from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in

CASES = cases_of("provenance")
# What `gate.verification` answers is tested there; these are the ways in which provenance is not what is demanded.
FROM_VERIFICATION = frozenset({"ATT_MALFORMED", "ATT_SUBJECT_MISMATCH", "ID_BUILDER", "ID_MISMATCH", "PROV_MISMATCH"})


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/provenance.py") | FROM_VERIFICATION <= codes_of(CASES)


def test_the_proven_level_and_the_signature_stand_in_the_verdict() -> None:
    case = next(case for case in CASES if case.name == "github-workflow")
    verdict = case.verdict()
    assert verdict.build_level == 3
    assert len(verdict.signatures) == 1
    refused = next(case for case in CASES if case.name == "level-too-low").verdict()
    assert refused.build_level == 0
