"""Rules are bounded, and a waiver excuses one named thing (attacks P08, P09, A14)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.policies import (
    policy,
    policy_document,
    refusal,
    waiver,
)

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "cel", ["", "(" * 17 + "true" + ")" * 17, "(true", "true)", "'abc", "x" * 2049, ")(", "['a'", "{"]
)
def test_p09_a_rule_beyond_the_limits_is_refusal(cel: str) -> None:
    text = f"({cel}" if cel == "'abc" else cel
    error = refusal(policy_document(rules=[{"id": "r", "cel": text, "message": "m"}]))
    assert error.code == "POL_MALFORMED"


@pytest.mark.parametrize(
    "cel",
    [
        "true",
        "(" * 16 + "true" + ")" * 16,
        "image.config.user == ')'",
        'image.config.user == "]" || image.config.author == "\\""',
        "[1].all(x, x > 0)",
    ],
)
def test_p09_twin_a_rule_within_the_limits_is_taken_as_it_is(cel: str) -> None:
    assert policy(policy_document(rules=[{"id": "r", "cel": cel, "message": "m"}])).rules[0].cel == cel


def test_an_id_is_given_once() -> None:
    rule = {"id": "r", "cel": "true", "message": "m"}
    assert refusal(policy_document(rules=[rule, rule])).code == "POL_MALFORMED"
    assert refusal(policy_document(vulnerabilities={}, waivers=[waiver(), waiver()])).code == "POL_MALFORMED"


# Waivers


@pytest.mark.parametrize("field", ["id", "check", "images", "match", "reason", "owner", "approvedBy", "expires"])
def test_p08_a_waiver_without_a_field_is_refusal(field: str) -> None:
    error = refusal(policy_document(vulnerabilities={}, waivers=[waiver(**{field: None})]))
    assert error.code == "POL_WAIVER"
    assert f"'{field}'" in error.message


MATCH: dict[str, str] = {"vulnerability": "CVE-2024-0001", "package": "pkg:deb/debian/zlib1g", "versions": "< 1:1.3"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"images": "**"}, "POL_WAIVER", id="P08-every-image"),
        pytest.param({"images": "*.example/shop/**"}, "POL_WAIVER", id="P08-every-host"),
        pytest.param({"check": "signature"}, "POL_WAIVER", id="P08-signature"),
        pytest.param({"check": "reference"}, "POL_WAIVER", id="P08-reference"),
        pytest.param({"check": "coverage"}, "POL_WAIVER", id="P08-completeness"),
        pytest.param({"check": "base-image"}, "POL_WAIVER", id="P08-base"),
        pytest.param({"check": "*"}, "POL_WAIVER", id="P08-every-check"),
        pytest.param({"match": {}}, "POL_WAIVER", id="P08-empty-match"),
        pytest.param({"match": MATCH | {"vulnerability": "*"}}, "POL_WAIVER", id="P08-every-vulnerability"),
        pytest.param({"match": MATCH | {"vulnerability": "CVE-2024-*"}}, "POL_WAIVER", id="P08-wildcard-in-id"),
        pytest.param({"match": MATCH | {"vulnerability": "cve-2024-0001"}}, "POL_WAIVER", id="P08-lower-case-id"),
        pytest.param({"match": MATCH | {"package": "*"}}, "POL_WAIVER", id="P08-every-package"),
        pytest.param({"match": MATCH | {"package": "pkg:deb/debian/*"}}, "POL_WAIVER", id="P08-wildcard-package"),
        pytest.param({"match": MATCH | {"package": "zlib1g"}}, "POL_MALFORMED", id="P08-no-purl"),
        pytest.param(
            {"match": MATCH | {"package": "pkg:deb/debian/zlib1g@1"}}, "POL_MALFORMED", id="P08-purl-with-version"
        ),
        pytest.param({"match": MATCH | {"package": "pkg:pypi/Foo_Bar"}}, "POL_MALFORMED", id="P08-purl-not-canonical"),
        pytest.param({"match": MATCH | {"versions": "*"}}, "POL_WAIVER", id="P08-every-version"),
        pytest.param({"match": MATCH | {"versions": "1.3"}}, "POL_WAIVER", id="P08-version-without-comparison"),
        pytest.param(
            {"match": {k: v for k, v in MATCH.items() if k != "versions"}}, "POL_WAIVER", id="P08-no-versions"
        ),
        pytest.param({"match": MATCH | {"fingerprint": "ab" * 8}}, "POL_UNKNOWN_KEY", id="P08-key-of-another-check"),
        pytest.param({"check": "secret", "match": {"fingerprint": "*"}}, "POL_WAIVER", id="P08-every-secret"),
        pytest.param({"check": "image-user", "match": {"code": "IMG_*"}}, "POL_WAIVER", id="P08-every-code"),
        pytest.param({"check": "image-age", "match": {"code": "IMG_AGE_UNKNOWN"}}, "POL_WAIVER", id="P08-an-error"),
        pytest.param(
            {"check": "image-config", "match": {"code": "SIG_MISSING"}}, "POL_WAIVER", id="P08-code-of-another"
        ),
        pytest.param({"check": "rules", "match": {"rule": "*"}}, "POL_MALFORMED", id="P08-every-rule"),
        pytest.param({"reason": ""}, "POL_MALFORMED", id="P08-no-reason"),
        pytest.param({"owner": " "}, "POL_MALFORMED", id="P08-no-owner"),
        pytest.param({"expires": "2026-13-45"}, "POL_MALFORMED", id="A14-impossible-day"),
        pytest.param({"expires": "never"}, "POL_MALFORMED", id="A14-never"),
        pytest.param({"expires": ""}, "POL_MALFORMED", id="A14-empty"),
        pytest.param({"until": "2027-01-31"}, "POL_UNKNOWN_KEY", id="P08-unknown-field"),
    ],
)
def test_p08_a_waiver_that_is_too_wide_or_malformed_is_refusal(change: dict[str, object], code: str) -> None:
    error = refusal(policy_document(vulnerabilities={}, waivers=[waiver(**change)]))
    assert error.code == code
    assert "spec.waivers[0]" in error.message


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"images": "registry.example/shop/web"},
        {
            "match": MATCH
            | {"vulnerability": "GHSA-aaaa-bbbb-cccc", "package": "pkg:npm/%40scope/name", "versions": ">= 1, < 2"}
        },
        {"check": "secret", "match": {"fingerprint": "ab" * 8}},
        {"check": "image-config", "match": {"code": "IMG_PORT", "location": "22/tcp"}},
        {"check": "image-user", "match": {"code": "IMG_USER_ROOT"}},
        {"check": "rules", "match": {"rule": "no-shell"}},
    ],
)
def test_p08_twin_a_narrow_waiver_is_taken(change: dict[str, object]) -> None:
    rules = [{"id": "no-shell", "cel": "!('/bin/sh' in image.config.cmd)", "message": "m"}]
    (read,) = policy(policy_document(vulnerabilities={}, rules=rules, waivers=[waiver(**change)])).waivers
    assert read.approved_by == "security"
    assert dict(read.match) == change.get("match", MATCH)
