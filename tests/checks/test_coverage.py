"""`coverage`: nothing is read into silence: each proof that a look took place is demanded."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import Any, Final

import pytest

from gate.checks.coverage import CHECK
from gate.model.decision import Outcome
from gate.model.verdict import CheckResult
from tests.support.cases import Case, assert_case, cases_of, codes_of, codes_written_in, overridden
from tests.support.evidence import good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW

CASES = cases_of("coverage")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in(
        "gate/checks/coverage.py", "gate/findings/completeness.py", "gate/findings/scan_completeness.py"
    ) - {"SCAN_SBOM_EMBEDDED"} <= codes_of(CASES)


# What no setting lifts, because it is no property of an honest image: the look itself failed, or an image was left out.
NOT_THE_IMAGES: Final = {
    "SCAN_CANARY": "the scanner does not find what its own database holds",
    "SCAN_DB_STALE": "`gate db update`; `vulnerabilities.databaseMaxAge` up to a bound",
    "SCAN_BINARY": "the scanner is not there",
    "SCAN_FAILED": "the scanner did not run",
    "SCAN_TIMEOUT": "the scanner did not end",
    "SCAN_TARGET_MISMATCH": "the scanner read another image",
    "POL_SUPPRESSED": "the scanner was told to leave findings out",
    "INTERNAL": "a defect of the gate",
    "IMG_PLATFORM_UNSCANNED": "`platforms` and `--platform` say what is judged",
    "REG_UNREACHABLE": "the registry did not answer",
    "REG_NOT_FOUND": "the registry does not have it",
    "IMG_LAYER_MALFORMED": "another check's refusal, which is repeated here",
}
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "SCAN_OS_EOL": {"endOfLife": "ignore"},
}
_PLACE: Final = re.compile(r"`path: (/[^`]+)`")


def lifted(result: CheckResult, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the policy after following the next step of each problem."""
    changed = copy.deepcopy(spec)
    for problem in result.problems:
        changed.setdefault("vulnerabilities", {}).update(SETTINGS.get(problem.code, {}))
        found = _PLACE.search(problem.next_step)
        accept = changed.setdefault("coverage", {}).setdefault("accept", [])
        if found is not None and found[1] not in {entry["path"] for entry in accept}:
            accept.append({"path": found[1], "reason": "known", "owner": "us", "expires": "2026-12-31"})
    return changed


@pytest.mark.parametrize("case", [case for case in CASES if case.expected.codes], ids=lambda case: case.name)
def test_each_refusal_that_a_place_of_the_image_causes_is_lifted_by_the_next_step_that_it_prints(case: Case) -> None:
    spec, result = case.content["policy"], case.judge()
    for _ in range(4):
        if result.outcome is Outcome.PASS:
            break
        spec = lifted(result, spec)
        result = replace(case, content={**case.content, "policy": spec}).judge()
    assert set(result.codes) <= NOT_THE_IMAGES.keys(), (
        result.codes,
        [problem.next_step for problem in result.problems],
    )


def test_every_code_has_its_operators_half_or_a_reason_why_not() -> None:
    lifts = {code for case in CASES for code in case.expected.codes} - NOT_THE_IMAGES.keys()
    assert {"IMG_PKGDB_EDITED", "IMG_PKGDB_REMOVED", "SCAN_INCOMPLETE", "SCAN_OS_UNKNOWN", "SCAN_REDIRECTED"} <= lifts
    assert not SETTINGS.keys() & NOT_THE_IMAGES.keys()


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
