"""`coverage`: nothing is read into silence: each proof that a look took place is demanded."""

from __future__ import annotations

import pytest

from gate.checks.coverage import CHECK
from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in, overridden
from tests.support.evidence import good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW

CASES = cases_of("coverage")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/coverage.py", "gate/findings/completeness.py") - {
        "SCAN_SBOM_EMBEDDED"
    } <= codes_of(CASES)


def test_an_embedded_sbom_and_demonstration_data_are_noted() -> None:
    overlay = {
        "subjects": {
            0: {"layers": {"embedded_sboms": ["opt/bom.json"]}, "trivy": {"database": {"demonstration": True}}}
        }
    }
    answer = CHECK.judge(overridden(good_evidence(), overlay), policy(policy_document()), NOW)
    assert answer.problems == ()
    assert any(note.startswith("SCAN_SBOM_EMBEDDED") and "opt/bom.json" in note for note in answer.notes)
    assert any("demonstration data" in note for note in answer.notes)
    assert CHECK.judge(good_evidence(), policy(policy_document()), NOW).notes == ()
