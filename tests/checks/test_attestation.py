"""`attestation`: every demanded attestation is there, by its own signers, of its kind and young enough."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from gate.decide import decide
from gate.model.decision import Outcome
from gate.model.digest import Digest
from gate.model.evidence import DocumentAnswer, EvidenceSet, Unavailable
from gate.model.verdict import CheckResult
from gate.pipeline.collect import documents
from tests.support.cases import Case, assert_case, cases_of, check_of, codes_of, codes_written_in, with_documents
from tests.support.evidence import good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import GATE, IMAGE, NOW, STRANGER, attached, signed

CASES = cases_of("attestation")
FROM_VERIFICATION = frozenset({"ATT_MALFORMED", "ATT_SUBJECT_MISMATCH", "ATT_TYPE_MISSING", "ID_MISMATCH"})
DEMANDED: Final = policy(
    policy_document(attestations=[{"type": "cyclonedx", "signers": [{"key": {"file": "keys/a.pub"}}], "maxAge": "30d"}])
)
SLOW: Final = Unavailable(code="LIMIT_DOCUMENT", reason="the attested document cannot be validated within its limits")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_case_is_answered_as_expected_and_its_twin_passes(case: Case) -> None:
    assert_case(case)


def test_every_code_of_the_check_has_a_case() -> None:
    assert codes_written_in("gate/checks/attestation.py") | FROM_VERIFICATION <= codes_of(CASES)


def statement(name: str = "zlib", days: int = 1) -> bytes:
    """Return a statement with an SBOM of one component, made so many days ago."""
    at = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    predicate: dict[str, Any] = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"timestamp": at},
        "components": [{"type": "library", "name": name}],
    }  # fmt: skip
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "image", "digest": {"sha256": IMAGE.hex}}],
            "predicateType": "https://cyclonedx.org/bom",
            "predicate": predicate,
        }
    ).encode()


def evidence_of(*statements: bytes) -> EvidenceSet:
    return replace(good_evidence(), attachments=attached(*(signed(item, GATE) for item in statements)))


def judged(evidence: EvidenceSet, *answers: DocumentAnswer) -> CheckResult:
    return check_of(decide(replace(evidence, documents=answers), DEMANDED, NOW), "attestation")


def test_a_document_that_could_not_be_validated_is_an_error_and_signs_nothing() -> None:
    payload = Digest.of(statement())
    slow = judged(evidence_of(statement()), DocumentAnswer(payload=payload, unavailable=SLOW))
    assert (slow.outcome, slow.codes) == (Outcome.ERROR, ("LIMIT_DOCUMENT",))
    assert judged(evidence_of(statement()), DocumentAnswer(payload=payload)).outcome is Outcome.PASS


def test_an_answer_about_another_document_is_none() -> None:
    other = judged(evidence_of(statement()), DocumentAnswer(payload=Digest.of(statement("other"))))
    assert (other.outcome, other.codes) == (Outcome.ERROR, ("INTERNAL",))


def test_a_valid_document_counts_beside_one_that_could_not_be_validated() -> None:
    answers = (
        DocumentAnswer(payload=Digest.of(statement("slow")), unavailable=SLOW),
        DocumentAnswer(payload=Digest.of(statement("quick"))),
    )
    assert judged(evidence_of(statement("slow"), statement("quick")), *answers).outcome is Outcome.PASS
    assert judged(evidence_of(statement("slow")), *answers).codes == ("LIMIT_DOCUMENT",)


def test_only_documents_on_which_the_answer_hangs_are_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by a stranger, one that is too old, one that is enough, and one after it."""
    seen: list[str] = []

    def record(document: Any, time_limit: timedelta) -> str:  # noqa: ANN401 - any JSON
        assert time_limit > timedelta()
        seen.append(document["components"][0]["name"])
        return ""

    monkeypatch.setattr(documents, "validate_cyclonedx", record)
    stranger = signed(statement("stranger"), STRANGER)
    own = (signed(statement(name, days), GATE) for name, days in (("old", 40), ("enough", 1), ("later", 1)))
    evidence = replace(good_evidence(), attachments=attached(stranger, *own))
    gathered = with_documents(evidence, DEMANDED, NOW)
    assert seen == ["enough"]
    assert judged(evidence, *gathered.documents).outcome is Outcome.PASS


def test_a_document_that_two_entries_demand_is_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []

    def record(document: object, **_: object) -> str:
        counted.append(document)
        return ""

    monkeypatch.setattr(documents, "validate_cyclonedx", record)
    entry = {"type": "cyclonedx", "signers": [{"key": {"file": "keys/a.pub"}}]}
    twice = policy(policy_document(attestations=[entry, entry | {"type": "https://cyclonedx.org/bom"}]))
    gathered = with_documents(evidence_of(statement()), twice, NOW)
    assert len(counted) == len(gathered.documents) == 1
    assert check_of(decide(gathered, twice, NOW), "attestation").outcome is Outcome.PASS
