"""A file of threats that is old is named, and is judged by no more where the policy says how old it may be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gate.findings.threat_age import old_threat_data, threat_data_notes
from gate.model.evidence import ThreatData
from gate.model.policy import EpssRule, VulnerabilityPolicy
from tests.support.signing import NOW

DAY = timedelta(days=1)


def dated(age: timedelta) -> ThreatData:
    return ThreatData(kev_date=NOW - age, epss_date=NOW - age)


@pytest.mark.parametrize(
    ("age", "old"), [(7 * DAY, False), (7 * DAY + DAY / 24, True), (-DAY, False), (-2 * DAY, True)]
)
def test_the_policys_word_counts(age: timedelta, old: bool) -> None:  # noqa: FBT001
    wanted = VulnerabilityPolicy(kev_max_age=7 * DAY, epss=EpssRule(fail_above=0.5, max_age=7 * DAY))
    problems = list(old_threat_data(dated(age), wanted, NOW))
    assert [problem.code for problem in problems] == ["VULN_DATA_OLD"] * (2 * old)


def test_without_a_word_nothing_refuses() -> None:
    wanted = VulnerabilityPolicy(epss=EpssRule(fail_above=0.5))
    assert list(old_threat_data(dated(5000 * DAY), wanted, NOW)) == []


@pytest.mark.parametrize(("age", "named"), [(30 * DAY, 0), (31 * DAY, 2), (5000 * DAY, 2), (-2 * DAY, 2)])
def test_an_old_file_is_named(age: timedelta, named: int) -> None:
    assert len(list(threat_data_notes(dated(age), NOW))) == named


def test_a_file_that_is_not_there_has_no_age() -> None:
    assert list(threat_data_notes(ThreatData(), NOW)) == []
