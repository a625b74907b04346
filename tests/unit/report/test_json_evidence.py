"""What a verdict rests on, in the JSON report: the proven build level and the job that scanned, where there are any."""

from __future__ import annotations

from dataclasses import replace

from gate.decide import decide
from gate.model.digest import Digest
from gate.model.evidence import EvidenceOrigin
from gate.report.json_evidence import evidence_of
from tests.support.evidence import FULL_SPEC, good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW


def test_build_level_and_the_scanning_job_are_shown_where_there_are_any() -> None:
    verdict = decide(good_evidence(), policy(policy_document(**FULL_SPEC)), NOW)
    assert not {"buildLevel", "gatheredBy"} & evidence_of(verdict).keys()
    file = Digest.of(b"the file")
    elsewhere = replace(verdict, build_level=3, origin=EvidenceOrigin(file=file, gathered_at=NOW, gate="1.0.0"))
    shown = evidence_of(elsewhere)
    assert shown["buildLevel"] == 3
    assert shown["gatheredBy"] == {"file": str(file), "gatheredAt": "2026-03-01T12:00:00Z", "gate": "1.0.0"}
