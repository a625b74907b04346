"""A waiver excuses exactly one named thing of named images, until a day (attacks P08, K15, A14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from gate.decide import decide
from gate.findings.merge import merge_findings
from gate.findings.waivers import applies_to_image, excuses, is_active
from gate.model.decision import Decision
from gate.model.finding import Finding, Package, Tool, ToolFinding
from gate.model.glob import Glob
from gate.model.policy import Waiver
from gate.model.reference import Repository
from gate.model.string_map import StringMap
from gate.model.verdict import Problem, UsedWaiver, Verdict
from tests.support.cases import check_of, overridden
from tests.support.evidence import LIBC, found, good_evidence, package
from tests.support.policies import policy, policy_document, waiver
from tests.support.signing import NOW, REPOSITORY

CVE = "CVE-2024-0001"
MATCH = {"vulnerability": CVE, "package": "pkg:deb/debian/libc6", "versions": "< 2.36-10"}


def made(check: str = "vulnerability", images: str = "registry.example/shop/**", **match: str) -> Waiver:
    return Waiver(
        id="W-1",
        check=check,
        images=Glob(images),
        match=StringMap.of(match or MATCH),
        reason="not reachable",
        owner="web",
        approved_by="security",
        expires=date(2026, 3, 31),
    )


def finding(*records: ToolFinding) -> Finding:
    return merge_findings(records or (found(Tool.TRIVY, CVE, LIBC),))[0]


def problem(code: str = "VULN_FOUND", *, fingerprint: str = "", location: str = "", rule: str = "") -> Problem:
    return Problem(code=code, message="", fingerprint=fingerprint, location=location, rule=rule)


# Time


@pytest.mark.parametrize(
    ("now", "active"),
    [
        (datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 4, 1, tzinfo=UTC), False),
        (datetime(2026, 4, 1, 1, 59, tzinfo=timezone(timedelta(hours=2))), True),
        (datetime(2026, 3, 31, 22, 0, tzinfo=timezone(timedelta(hours=-2))), False),
    ],
)
def test_it_ends_at_midnight_utc_after_its_last_day(now: datetime, *, active: bool) -> None:
    assert is_active(made(), now) is active


# Images


@pytest.mark.parametrize(
    ("images", "repository", "covered"),
    [
        ("registry.example/shop/**", REPOSITORY, True),
        ("registry.example/shop/*", Repository("registry.example", "shop/deep/web"), False),
        ("registry.example/shop/**", Repository("registry.example.evil", "shop/web"), False),
        ("registry.example/shop/**", None, False),
        ("**", None, True),
    ],
)
def test_it_is_for_the_images_that_it_names(images: str, repository: Repository | None, *, covered: bool) -> None:
    assert applies_to_image(made(images=images), repository) is covered


# Vulnerabilities


def test_it_excuses_what_it_names() -> None:
    assert excuses(made(), "vulnerability", problem(), [finding()])


@pytest.mark.parametrize(
    "change",
    [
        {"vulnerability": "CVE-2024-0002"},
        {"vulnerability": "cve-2024-0001"},
        {"package": "pkg:deb/debian/libc"},
        {"package": "pkg:deb/debian/libc6-dev"},
        {"package": "pkg:rpm/debian/libc6"},
        {"package": "libc6"},
        {"versions": "< 2.36-9"},
        {"versions": ""},
        {"versions": "*"},
    ],
    ids=str,
)
def test_everything_else_it_does_not_excuse(change: dict[str, str]) -> None:
    assert not excuses(made(**{**MATCH, **change}), "vulnerability", problem(), [finding()])


def test_any_identity_of_the_finding_names_it() -> None:
    both = finding(found(Tool.TRIVY, CVE, LIBC), found(Tool.GRYPE, "GHSA-a", LIBC, aliases=frozenset({CVE})))
    assert excuses(made(**{**MATCH, "vulnerability": "GHSA-a"}), "vulnerability", problem(), [both])


def test_a_bundle_names_nothing() -> None:
    bundled = finding(found(Tool.TRIVY, CVE, LIBC, advisories=frozenset({"DSA-1-1"})))
    assert not excuses(made(**{**MATCH, "vulnerability": "DSA-1-1"}), "vulnerability", problem(), [bundled])


def test_a_check_is_excused_only_by_its_own_waivers() -> None:
    secret = made("secret", fingerprint="a" * 16)
    assert excuses(secret, "secret", problem(fingerprint="a" * 16), [])
    assert not excuses(secret, "vulnerability", problem(fingerprint="a" * 16), [finding()])
    assert not excuses(made(), "secret", problem(fingerprint="a" * 16), [finding()])


def test_without_a_finding_there_is_nothing_to_excuse() -> None:
    assert not excuses(made(), "vulnerability", problem(), [])


def test_two_installed_versions_must_both_be_named() -> None:
    newer = package("deb", "libc6", "2.99", arch="amd64")
    both = [finding(), finding(found(Tool.TRIVY, CVE, newer))]
    assert both[0].fingerprint == both[1].fingerprint
    assert not excuses(made(), "vulnerability", problem(), both)
    assert excuses(made(**{**MATCH, "versions": "< 3"}), "vulnerability", problem(), both)


def jar(group: str) -> Package:
    return package("maven", "text", "1.9", namespace=group, path="app.jar")


def test_a_guessed_group_does_not_hinder_and_a_wrong_one_does_not_help() -> None:
    guessed = finding(found(Tool.TRIVY, CVE, jar("org.apache")), found(Tool.GRYPE, CVE, jar("text")))
    match = {"vulnerability": CVE, "package": "pkg:maven/org.apache/text", "versions": "< 2"}
    assert excuses(made(**match), "vulnerability", problem(), [guessed])
    assert not excuses(made(**{**match, "package": "pkg:maven/org.evil/text"}), "vulnerability", problem(), [guessed])


# Other checks


@pytest.mark.parametrize(
    ("check", "match", "fields", "excused"),
    [
        ("secret", {"fingerprint": "a" * 16}, {"fingerprint": "b" * 16}, False),
        ("secret", {}, {"fingerprint": ""}, False),
        ("rules", {"rule": "no-ssh"}, {"rule": "no-ssh"}, True),
        ("rules", {"rule": "no-ssh"}, {"rule": "no-ssh-port"}, False),
        ("rules", {"rule": "no-ssh"}, {"rule": ""}, False),
        ("image-config", {"code": "IMG_PORT"}, {"code": "IMG_PORT", "location": "22/tcp"}, True),
        ("image-config", {"code": "IMG_PORT", "location": "22/tcp"}, {"code": "IMG_PORT", "location": "22/tcp"}, True),
        ("image-config", {"code": "IMG_PORT", "location": "22/tcp"}, {"code": "IMG_PORT", "location": "23/tcp"}, False),
        ("image-config", {"code": "IMG_PORT"}, {"code": "IMG_LABEL"}, False),
        ("reference", {"code": "REF_REGISTRY"}, {"code": "REF_REGISTRY"}, False),
        ("signature", {"code": "SIG_MISSING"}, {"code": "SIG_MISSING"}, False),
        ("coverage", {"code": "SCAN_OS_EOL"}, {"code": "SCAN_OS_EOL"}, False),
    ],
)
def test_what_a_waiver_can_name(check: str, match: dict[str, str], fields: dict[str, str], *, excused: bool) -> None:
    waived = replace(made(check), match=StringMap.of(match))
    assert excuses(waived, check, problem(**fields), []) is excused


# In a verdict


def judged(*waivers: dict[str, Any], now: datetime = NOW) -> Verdict:
    finding_ = {"id": CVE, "purl": "pkg:deb/debian/libc6@2.36-9?arch=amd64", "severity": "high"}
    overlay = {"subjects": {0: {"trivy": {"findings": [finding_]}}}}
    written = policy(policy_document(vulnerabilities={"databaseMaxAge": "90d"}, waivers=list(waivers)))
    return decide(overridden(good_evidence(), overlay), written, now)


def states(verdict: Verdict) -> list[tuple[str, str, int]]:
    def told(used: UsedWaiver) -> tuple[str, str, int]:
        return used.waiver.id, used.state, used.covers

    return [told(used) for used in verdict.waivers]


GOOD = waiver(match=MATCH, expires="2026-03-31")


def test_a_waived_problem_stays_in_the_verdict_and_refuses_nothing() -> None:
    assert judged().decision is Decision.REFUSED
    verdict = judged(GOOD)
    assert verdict.decision is Decision.PASSED
    assert states(verdict) == [("W-1", "used", 1)]
    assert [problem.waived_by for problem in check_of(verdict, "vulnerability").problems] == ["W-1"]
    assert check_of(verdict, "vulnerability").codes == ()


def test_an_expired_waiver_excuses_nothing_and_is_reported() -> None:
    verdict = judged(GOOD, now=datetime(2026, 4, 1, tzinfo=UTC))
    assert verdict.decision is Decision.REFUSED
    assert states(verdict) == [("W-1", "expired", 0)]


def test_a_waiver_for_other_images_is_elsewhere_and_an_idle_one_unused() -> None:
    elsewhere = waiver(id="W-2", match=MATCH, images="registry.example/other/**", expires="2026-03-31")
    unused = waiver(id="W-3", match={**MATCH, "vulnerability": "CVE-2024-9999"}, expires="2026-03-31")
    verdict = judged(GOOD, elsewhere, unused)
    assert states(verdict) == [("W-1", "used", 1), ("W-2", "elsewhere", 0), ("W-3", "unused", 0)]


def test_two_waivers_do_not_add_up() -> None:
    versions = waiver(id="W-2", match={**MATCH, "vulnerability": "CVE-2024-9999"}, expires="2026-03-31")
    identity = waiver(id="W-3", match={**MATCH, "versions": "< 1"}, expires="2026-03-31")
    assert judged(versions, identity).decision is Decision.REFUSED


def test_an_error_is_never_waived() -> None:
    overlay = {"subjects": {0: {"layers": {"newest_file": None}, "config": {"created": None}}}}
    with_user = {"subjects": {0: {"config": {"user": "0"}}}}
    waived = [
        waiver(id="W-1", check="image-user", match={"code": "IMG_USER_ROOT"}, expires="2026-03-31"),
        waiver(id="W-2", check="image-age", match={"code": "IMG_TOO_OLD"}, expires="2026-03-31"),
    ]
    written = policy(policy_document(image={"maxAge": "60d"}, waivers=waived))
    assert decide(overridden(good_evidence(), with_user), written, NOW).decision is Decision.PASSED
    assert decide(overridden(good_evidence(), overlay), written, NOW).decision is Decision.ERROR
