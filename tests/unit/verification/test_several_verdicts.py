"""What several verdicts on one digest say together, and the evidence that one of them names."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from gate.codec.statement import render_statement
from gate.codec.vsa import resource_uri
from gate.errors import GateError
from gate.model.attachment import FAILED_VERDICT, Attachment
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.model.statement import NamedSubject
from gate.verification.demand import judge_verdicts
from gate.verification.failed_verdict import FailedVerdict, first_objection
from gate.verification.verdict import VerdictDemand, VerifiedVerdict, admit_verdict
from tests.support.signing import (
    FAIL_KEY,
    FAILED,
    IMAGE,
    NOW,
    OTHER,
    STRANGER,
    attached,
    bundle_attachment,
    demand,
    demand_verdict,
    rule,
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


def times(failed: tuple[int, int | None], passed: tuple[int, int | None]) -> str:
    """Return the code for a FAILED and a PASSED verdict, each with the signer's own and a trusted minute after NOW."""
    base = accepted(verdict())
    own, stamped = passed
    at = NOW + timedelta(minutes=own if stamped is None else stamped)
    judged = dataclasses.replace(base.summary, time_verified=NOW + timedelta(minutes=own))
    made = dataclasses.replace(base, summary=judged, at=at, trusted=stamped is not None)
    own, stamped = failed
    taking_back = FailedVerdict(
        summary=dataclasses.replace(base.summary, result=FAILED, time_verified=NOW + timedelta(minutes=own)),
        signers=base.signers,
        at=None if stamped is None else NOW + timedelta(minutes=stamped),
        place=OTHER,
    )
    objection = first_objection(made, [taking_back], rule())
    return "" if objection is None else objection.code


@pytest.mark.parametrize(
    ("failed_times", "passed_times", "code"),
    [
        ((10, 10), (0, 0), "ATT_NEWER_FAIL"),
        ((0, 0), (10, 10), ""),
        # A PASSED one that was stamped again after a FAILED one is not newer than it.
        ((10, 10), (0, 14), "ATT_NEWER_FAIL"),
        ((10, None), (0, 14), "ATT_NEWER_FAIL"),
        # A FAILED one that was stamped again long after it was signed is as old as its signer says.
        ((0, 600), (60, 60), ""),
        ((0, 600), (60, None), ""),
        # Inside the tolerance of clocks either time may say that it is newer.
        ((0, 14), (10, 10), "ATT_NEWER_FAIL"),
        # One has a trusted time and the other has not: the signers' own decide, and not where they are near.
        ((10, 10), (0, None), "ATT_NEWER_FAIL"),
        ((0, 0), (10, None), "ATT_CONFLICT"),
        ((0, None), (10, 10), "ATT_CONFLICT"),
        ((0, 0), (16, None), ""),
        ((0, None), (16, 16), ""),
    ],
)
def test_y02_a_fresh_timestamp_makes_no_verdict_newer(
    failed_times: tuple[int, int | None], passed_times: tuple[int, int | None], code: str
) -> None:
    assert times(failed_times, passed_times) == code


def test_a_trusted_time_that_is_far_from_the_signers_word_contradicts_it() -> None:
    found = accepted(verdict())
    near = dataclasses.replace(found, trusted=True, at=found.at + timedelta(minutes=15))
    admit_verdict(near, demand(require_timestamp=True), NOW)
    with pytest.raises(GateError) as refused:
        admit_verdict(dataclasses.replace(near, at=near.at + SECOND), demand(), NOW)
    assert refused.value.code == "POL_TIME"


def test_every_candidate_that_was_set_aside_is_named() -> None:
    old, foreign, junk = failed(-SECOND), verdict(signer=STRANGER), bundle_attachment(b"{")
    judged = judge_verdicts(attached(old, foreign, junk, verdict()), demand(), NOW)
    assert judged.standing is not None
    assert {item.place: item.code for item in judged.set_aside} == {
        Digest.of(old.content): "ATT_VERDICT_FAIL",
        Digest.of(foreign.content): "ID_MISMATCH",
        Digest.of(junk.content): "SIG_MALFORMED",
    }
    refused = judge_verdicts(attached(failed(SECOND), verdict()), demand(), NOW)
    assert [item.code for item in refused.set_aside] == ["ATT_VERDICT_FAIL", "ATT_NEWER_FAIL"]
