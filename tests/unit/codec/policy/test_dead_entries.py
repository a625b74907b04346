"""What can never match, never turn a verdict, or never ends refuses the policy when it is read; its neighbour does not."""

from __future__ import annotations

from typing import Any

import pytest

from gate.codec.policy.waivers import IMAGE_CODES
from gate.codec.purl import COMPARED_TYPES
from gate.findings.versions import _version_class
from tests.support.cases import codes_written_in
from tests.support.policies import policy, policy_document, refusal, waiver
from tests.support.policy_effects import FOLDER

RULES = [{"id": "no-ssh", "cel": "!('22/tcp' in image.config.exposedPorts)", "message": "m"}]
MATCH = {"vulnerability": "CVE-2024-0001", "package": "pkg:deb/debian/zlib1g", "versions": "< 1:1.3"}


def vulnerabilities(**changes: object) -> dict[str, Any]:
    return {"vulnerabilities": changes}


def waived(check: str = "vulnerability", match: dict[str, str] | None = None, **spec: object) -> dict[str, Any]:
    sections = spec or {"vulnerabilities": {}}
    return {**sections, "waivers": [waiver(check=check, match=match or MATCH)]}


def versions(text: str) -> dict[str, Any]:
    return waived(match={**MATCH, "versions": text})


def signed(**changes: str) -> dict[str, Any]:
    keyless = {"issuer": "https://token.example", "subject": "build@shop.example"} | changes
    return {"signature": [{"images": "**", "anyOf": [{"keyless": keyless}]}]}


DEAD = [
    (vulnerabilities(databaseMaxAge="91d"), vulnerabilities(databaseMaxAge="90d")),
    (vulnerabilities(databaseMaxAge="2161h"), vulnerabilities(databaseMaxAge="2160h")),
    (vulnerabilities(grace={"high": "366d"}), vulnerabilities(grace={"high": "365d"})),
    (vulnerabilities(failOn="high", grace={"medium": "7d"}), vulnerabilities(failOn="medium", grace={"medium": "7d"})),
    (vulnerabilities(emptyBase=["**"]), vulnerabilities(emptyBase=["registry.example/**"])),
    (vulnerabilities(emptyBase=["*/shop/**"]), vulnerabilities(emptyBase=["registry.example/shop/*"])),
    (vulnerabilities(emptyBase=["Registry.example/shop"]), vulnerabilities(emptyBase=["registry.example/shop"])),
    (vulnerabilities(emptyBase=["https://registry.example/a"]), vulnerabilities(emptyBase=["registry.example/a"])),
    (
        vulnerabilities(kev="ignore", kevData={"file": "kev.json"}),
        vulnerabilities(kev="fail", kevData={"file": "kev.json"}),
    ),
    (vulnerabilities(kevMaxAge="7d"), vulnerabilities(kevMaxAge="7d", kevData={"file": "kev.json"})),
    (
        vulnerabilities(kevMaxAge="366d", kevData={"file": "kev.json"}),
        vulnerabilities(kevMaxAge="365d", kevData={"file": "kev.json"}),
    ),
    (
        vulnerabilities(epss={"failAbove": 1, "data": {"file": "epss.csv"}}),
        vulnerabilities(epss={"failAbove": 0.99, "data": {"file": "epss.csv"}}),
    ),
    (
        vulnerabilities(epss={"failAbove": 0.5, "data": {"file": "epss.csv"}, "maxAge": "366d"}),
        vulnerabilities(epss={"failAbove": 0.5, "data": {"file": "epss.csv"}, "maxAge": "365d"}),
    ),
    (
        vulnerabilities(vex=[{"file": "vex.json", "products": ["pkg:debian/zlib1g"]}]),
        vulnerabilities(vex=[{"file": "vex.json", "products": ["pkg:deb/debian/zlib1g"]}]),
    ),
    ({"vulnerabilities": {}, "waiverMaxDuration": "366d"}, {"vulnerabilities": {}, "waiverMaxDuration": "365d"}),
    ({"vulnerabilities": {}, "attest": {"maxAge": "366d"}}, {"vulnerabilities": {}, "attest": {"maxAge": "365d"}}),
    (versions(">= 0"), versions("< 1:1.3")),
    (versions("> 1.0"), versions("> 1.0, <= 1.4")),
    (versions(">= 0, > 0.1"), versions("= 1.2.13")),
    (versions("< 9999"), versions("< 20991231")),
    (versions("<= 99999:0"), versions("<= 9.9.9")),
    (versions("> 3, < 2"), versions("> 2, < 3")),
    (versions(">= 2, < 2.0"), versions(">= 2, <= 2.0")),
    (versions("= 1.3, < 1.3"), versions("= 1.3, <= 1.3")),
    ({"image": {"ports": {"deny": []}}}, {"image": {"ports": {"deny": ["22/tcp"]}}}),
    ({"image": {"base": []}}, {"image": {"user": "any"}}),
    ({"image": {"setuid": {"allow": ["/usr/**"]}}}, {"image": {"setuid": {"allow": ["/usr/bin/*"]}}}),
    (signed(subject="*@shop.example"), signed(subject="build@shop.example")),
    (signed(issuer="https://Token.example/a"), signed(issuer="https://token.example/A")),
    (waived(match={**MATCH, "package": "pkg:debian/zlib1g"}), waived()),
    (waived(match={**MATCH, "package": "pkg:conda/zlib"}), waived(match={**MATCH, "package": "pkg:pypi/zlib"})),
    (waived("rules", {"rule": "no-shh"}, rules=RULES), waived("rules", {"rule": "no-ssh"}, rules=RULES)),
    (waived("rules", {"rule": "no-ssh"}), waived("rules", {"rule": "no-ssh"}, rules=RULES)),
    (
        waived("image-user", {"code": "IMG_PORT"}, image={}),
        waived("image-config", {"code": "IMG_PORT"}, image={}),
    ),
]


@pytest.mark.parametrize(("dead", "twin"), DEAD, ids=[str(number) for number in range(len(DEAD))])
def test_what_decides_nothing_or_never_ends_is_refused(dead: dict[str, Any], twin: dict[str, Any]) -> None:
    error = refusal(policy_document(**dead), FOLDER)
    assert error.code in {"POL_MALFORMED", "POL_WAIVER", "POL_REGEX"}
    assert error.message.startswith("policy.yaml:")
    assert policy(policy_document(**twin), FOLDER).name == "test"


def test_the_nearest_rule_is_named() -> None:
    assert refusal(policy_document(**waived("rules", {"rule": "no-shh"}, rules=RULES))).expected == "no-ssh"


def test_the_codes_of_a_check_are_those_that_it_writes() -> None:
    for check, codes in IMAGE_CODES.items():
        assert codes == codes_written_in(f"gate/checks/{check.replace('-', '_')}.py"), check


def test_the_types_that_can_be_waived_are_those_whose_versions_are_compared() -> None:
    assert all(_version_class(kind) is not None for kind in COMPARED_TYPES)
    assert _version_class("conda") is None
