"""`gate policy explain` says of every check what a failure does, as `decide` takes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gate.admin.policy_words import explain_policy
from gate.checks import CHECKS
from gate.decide import decide
from gate.model.decision import Outcome
from tests.support.evidence import FULL_SPEC, good_evidence
from tests.support.policies import policy, policy_document, waiver
from tests.support.signing import NOW

SPECS: list[dict[str, Any]] = [
    {"vulnerabilities": {}},
    FULL_SPEC,
    {**FULL_SPEC, "warn": ["image-user", "secret"]},
    {"vulnerabilities": {}, "image": {"user": "any"}, "secrets": {"failOn": {"own": "none"}}},
    {"vulnerabilities": {}, "rules": [{"id": "r", "cel": "image.size > 0", "message": "m", "level": "warn"}]},
]


@pytest.mark.parametrize("spec", SPECS, ids=["one", "full", "warned", "some", "warned-rule"])
def test_every_check_is_told_and_what_is_not_asked_is_disabled(spec: dict[str, Any]) -> None:
    loaded = policy(policy_document(**spec))
    rows = {check: (effect, demand) for check, effect, demand in explain_policy(loaded, NOW)}
    assert list(rows) == [check.id for check in CHECKS]
    assert all(demand for _, demand in rows.values())
    outcomes = {check.id: check.outcome for check in decide(good_evidence(), loaded, NOW).checks}
    asked = {check for check, (effect, _) in rows.items() if effect != "not asked"}
    assert asked == {check for check, outcome in outcomes.items() if outcome is not Outcome.DISABLED}
    assert {check for check, (effect, _) in rows.items() if effect == "warns"} == {
        *spec.get("warn", ()), *(["rules"] if spec.get("rules", [{}])[0].get("level") == "warn" else []),
    }  # fmt: skip


def test_a_rule_warns_until_its_day_and_a_waiver_is_told() -> None:
    rules = [{"id": "small", "cel": "image.size < 9", "message": "too large", "from": "2026-04-01"}]
    loaded = policy(policy_document(vulnerabilities={}, rules=rules, waivers=[waiver()]))
    rows = {check: (effect, demand) for check, effect, demand in explain_policy(loaded, NOW)}
    assert rows["rules"] == ("warns", "small: too large (refuses from 2026-04-01)")
    assert "registry.example/shop/**" in rows["waiver W-1"][1]
    later = {check: effect for check, effect, _ in explain_policy(loaded, datetime(2026, 4, 1, tzinfo=UTC))}
    assert later["rules"] == "refuses"
