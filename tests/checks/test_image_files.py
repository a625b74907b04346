"""`image-files`: every file of the merged view that gives rights is on the list."""

from __future__ import annotations

import pytest

from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in

CASES = cases_of("image-files")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/image_files.py") <= codes_of(CASES)


def test_the_next_step_fits_a_device() -> None:
    steps = {
        case.name: problem.next_step
        for case in CASES
        for problem in case.judge().problems
        if case.name in {"block-device-not-listed", "setuid-not-listed"}
    }
    assert "Remove the device" in steps["block-device-not-listed"]
    assert "device" not in steps["setuid-not-listed"]
