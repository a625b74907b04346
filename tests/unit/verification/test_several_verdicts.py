"""What several verdicts on one digest say together, and the evidence that one of them names."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from gate.codec.statement import render_statement
from gate.codec.vsa import evidence_input, resource_uri
from gate.errors import GateError
from gate.model.attachment import FAILED_VERDICT, Attachment
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE
from gate.model.statement import NamedSubject
from gate.verification import demand as demand_module
from gate.verification.demand import demand_verdict, find_evidence, standing_verdict
from gate.verification.verdict import VerdictDemand, VerifiedVerdict, admit_verdict
from tests.support.signing import (
    FAIL_KEY,
    FAILED,
    GATE,
    IMAGE,
    NOW,
    OTHER,
    POLICY,
    STRANGER,
    attached,
    bundle_attachment,
    demand,
    rule,
    signed,
    summary,
    verdict,
)

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def accepted(*items: Attachment, asked: VerdictDemand | None = None) -> VerifiedVerdict:
    return demand_verdict(attached(*items), asked or demand(), NOW)


def refusal(*items: Attachment, asked: VerdictDemand | None = None) -> str:
    with pytest.raises(GateError) as refused:
        demand_verdict(attached(*items), asked or demand(), NOW)
    return refused.value.code


def statement_of(kind: str, digest: Digest = IMAGE) -> bytes:
    return render_statement((NamedSubject(name="x", digest=digest),), kind, {})


def failed(at_offset: timedelta, changes: dict[str, Any] | None = None) -> Attachment:
    return verdict(summary(FAILED, at=NOW - HOUR + at_offset, **(changes or {})))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("offset", [timedelta(), SECOND, timedelta(minutes=30)])
def test_a15_a_newer_failed_verdict_takes_a_passed_one_back(offset: timedelta, *, reverse: bool) -> None:
    items = [verdict(), failed(offset)]
    assert refusal(*(items[::-1] if reverse else items)) == "ATT_NEWER_FAIL"
    older = [verdict(), failed(-SECOND)]
    assert accepted(*(older[::-1] if reverse else older)).passed


def test_a15_a_later_passed_verdict_counts_again() -> None:
    items = (verdict(), failed(SECOND), verdict(summary(at=NOW - HOUR + 2 * SECOND)))
    assert accepted(*items).at == NOW - HOUR + 2 * SECOND


def test_a15_withholding_the_failed_verdict_helps_only_until_the_age_is_reached() -> None:
    asked = demand(max_age=HOUR - SECOND)
    assert refusal(verdict(), asked=asked) == "ATT_EXPIRED"


def test_a15_a_failed_verdict_counts_under_both_layer_types_and_by_both_keys() -> None:
    hidden = dataclasses.replace(failed(SECOND), media_type=FAILED_VERDICT)
    by_fail_key = verdict(summary(FAILED, at=NOW), FAIL_KEY)
    for taking_back in (hidden, by_fail_key, dataclasses.replace(by_fail_key, media_type=FAILED_VERDICT)):
        assert refusal(verdict(), taking_back) == "ATT_NEWER_FAIL"


@pytest.mark.parametrize(
    "changes",
    [
        {"policy_digest": Digest.of(b"another policy")},
        {"verifier_id": "https://gate.example/verifier/other"},
        {"subjects": (OTHER,)},
        {"environments": ("staging",)},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a15_a_failed_verdict_of_another_scope_takes_nothing_back(changes: dict[str, Any]) -> None:
    assert accepted(verdict(), failed(SECOND, changes)).passed


def test_a15_a_failed_verdict_of_another_repository_is_about_the_same_image() -> None:
    elsewhere = failed(SECOND, {"resource_uri": resource_uri(Repository("registry.example", "dev/web"), IMAGE)})
    assert refusal(verdict(), elsewhere) == "ATT_NEWER_FAIL"


def test_a15_a_failed_verdict_by_a_stranger_is_nothing() -> None:
    assert accepted(verdict(), verdict(summary(FAILED, at=NOW), STRANGER)).passed


def test_a15_a_failed_verdict_from_the_future_still_takes_back() -> None:
    assert refusal(verdict(), failed(timedelta(days=1))) == "ATT_NEWER_FAIL"


def evidence(signer_result: str = "PASSED", kind: str = DEFAULT_EVIDENCE_TYPE) -> bytes:
    predicate = {
        "schemaVersion": "1.0",
        "verdict": signer_result,
        "evaluatedAt": "2026-03-01T11:00:00Z",
        "policy": {"name": "test", "uri": "gate-policy:test", "digest": str(POLICY)},
        "environments": [],
        "checks": [{"id": "reference", "outcome": "pass"}],
        "tools": [],
        "reports": [],
    }
    statement = json.loads(statement_of(kind))
    return json.dumps(statement | {"predicate": predicate}).encode()


def test_the_evidence_that_a_verdict_names_is_found_by_its_bytes() -> None:
    payload = evidence()
    named = verdict(summary(inputs=(evidence_input(payload),)))
    found = accepted(named)
    read, content = find_evidence(attached(named, signed(payload)), found, rule(), NOW)
    assert (content, read.outcomes, read.policy_digest) == (payload, (("reference", "pass"),), POLICY)
    forged = signed(payload, STRANGER)
    assert find_evidence(attached(forged, named, signed(payload)), found, rule(), NOW)[1] == payload


@pytest.mark.parametrize("spaced", [False, True])
def test_s26_other_evidence_is_not_the_one_that_is_named(*, spaced: bool) -> None:
    named = verdict(summary(inputs=(evidence_input(evidence()),)))
    others = [signed(evidence().replace(b": ", b":  "))] if spaced else []
    with pytest.raises(GateError) as refused:
        find_evidence(attached(named, *others), accepted(named), rule(), NOW)
    assert refused.value.code == "ATT_BYTES"


def test_a_verdict_that_names_no_evidence_has_none() -> None:
    with pytest.raises(GateError) as refused:
        find_evidence(attached(verdict(), signed(evidence())), accepted(verdict()), rule(), NOW)
    assert refused.value.code == "ATT_BYTES"


@pytest.mark.parametrize(
    ("payload", "signer", "code"),
    [
        (evidence(), STRANGER, "ID_MISMATCH"),
        (evidence(kind="https://other.example/evidence"), GATE, "ATT_TYPE"),
        (evidence(signer_result="passed"), GATE, "ATT_MALFORMED"),
        (evidence().replace(b'"1.0"', b'"2.0"'), GATE, "ATT_MALFORMED"),
    ],
    ids=["stranger", "type", "result", "version"],
)
def test_named_evidence_must_be_by_the_same_key_and_of_an_accepted_form(
    payload: bytes, signer: object, code: str
) -> None:
    named = verdict(summary(inputs=(evidence_input(payload),)))
    by = STRANGER if signer is STRANGER else GATE
    with pytest.raises(GateError) as refused:
        find_evidence(attached(named, signed(payload, by)), accepted(named), rule(), NOW)
    assert refused.value.code == code


def standing(*items: Attachment, environments: frozenset[str] = frozenset()) -> VerifiedVerdict | None:
    return standing_verdict(attached(*items), demand=demand(max_age=2 * HOUR), environments=environments, now=NOW)


def test_the_newest_own_verdict_stands_whatever_it_says() -> None:
    found = standing(verdict(), failed(SECOND), verdict(signer=STRANGER))
    assert found is not None
    assert not found.passed
    again = standing(verdict(), failed(-SECOND))
    assert again is not None
    assert again.passed


def test_at_the_same_second_the_failed_verdict_stands() -> None:
    for order in ((verdict(), failed(timedelta())), (failed(timedelta()), verdict())):
        found = standing(*order)
        assert found is not None
        assert not found.passed


@pytest.mark.parametrize(
    "item",
    [
        verdict(summary(at=NOW - 2 * HOUR - SECOND)),
        verdict(summary(at=NOW + HOUR)),
        verdict(summary(subjects=(OTHER,))),
        verdict(summary(policy_digest=OTHER)),
        verdict(summary(environments=("staging",))),
        verdict(summary(repository=Repository("registry.example", "dev/web"))),
        verdict(signer=STRANGER),
        bundle_attachment(b"{"),
    ],
    ids=["old", "future", "subject", "policy", "environment", "repository", "stranger", "junk"],
)
def test_a_verdict_of_another_scope_does_not_stand(item: Attachment) -> None:
    assert standing(item) is None
    assert standing() is None


def test_environments_must_be_exactly_the_same() -> None:
    item = verdict(summary(environments=("staging", "production")))
    assert standing(item, environments=frozenset({"staging", "production"})) is not None
    assert standing(item, environments=frozenset({"staging"})) is None


def test_a_conflict_of_times_that_cannot_be_compared_refuses() -> None:
    """A trusted time against a signer's word, closer than clocks may be apart: made from values, as no root exists yet."""
    passed, taken = accepted(verdict()), accepted(verdict(summary(at=NOW - HOUR + timedelta(minutes=10))))
    trusted = dataclasses.replace(taken, trusted=True, summary=dataclasses.replace(taken.summary, result=FAILED))
    with pytest.raises(GateError) as refused:
        demand_module._standing([passed], [passed, trusted], demand())
    assert refused.value.code == "ATT_CONFLICT"
    later = dataclasses.replace(
        trusted, summary=dataclasses.replace(trusted.summary, time_verified=NOW - HOUR + timedelta(minutes=16))
    )
    with pytest.raises(GateError) as newer:
        demand_module._standing([passed], [passed, later], demand())
    assert newer.value.code == "ATT_NEWER_FAIL"
    earlier = dataclasses.replace(
        trusted, summary=dataclasses.replace(trusted.summary, time_verified=NOW - HOUR - timedelta(minutes=16))
    )
    assert demand_module._standing([passed], [passed, earlier], demand()) == passed


def test_a_trusted_time_that_is_far_from_the_signers_word_contradicts_it() -> None:
    """Made from values: no trusted root exists yet that could vouch for a time."""
    found = accepted(verdict())
    near = dataclasses.replace(found, trusted=True, at=found.at + timedelta(minutes=15))
    admit_verdict(near, demand(require_timestamp=True), NOW)
    with pytest.raises(GateError) as refused:
        admit_verdict(dataclasses.replace(near, at=near.at + SECOND), demand(), NOW)
    assert refused.value.code == "POL_TIME"
