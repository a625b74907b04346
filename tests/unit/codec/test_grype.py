"""Grype's two documents: what is read of recorded ones, and what is refused of altered ones (attacks V02 to V05, V10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gate.codec.grype import GrypeReport, parse_grype_report
from gate.codec.trivy import parse_trivy_report
from gate.errors import ScannerError
from gate.model.finding import FixState, ToolFinding
from gate.model.severity import Severity

FOLDER = Path(__file__).resolve().parents[3] / "fixtures/scanners"
REPORT = (FOLDER / "grype.json").read_bytes()
BILL = (FOLDER / "grype.cdx.json").read_bytes()

Json: TypeAlias = dict[str, Any]


def altered(change: Callable[[Json], object], content: bytes = REPORT) -> bytes:
    document = json.loads(content)
    change(document)
    return json.dumps(document).encode()


def match(document: Json, name: str) -> Json:
    found: Json = next(found for found in document["matches"] if found["vulnerability"]["id"] == name)
    return found


def finding(report: GrypeReport, name: str) -> ToolFinding:
    return next(found for found in report.findings if found.id == name)


def refusal(report: bytes, bill: bytes = BILL) -> str:
    with pytest.raises(ScannerError) as raised:
        parse_grype_report(report, bill)
    return raised.value.code


def test_recorded_documents_are_read_whole() -> None:
    report = parse_grype_report(REPORT, BILL)
    assert report.distribution is not None
    assert (report.distribution.name, report.distribution.version) == ("debian", "12")
    assert report.distribution.end_of_life is None
    assert len(report.findings) == 12
    assert report.suppressed == ()
    assert report.database_built == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_both_scanners_have_the_same_keys_for_the_same_packages() -> None:
    grype, trivy = parse_grype_report(REPORT, BILL), parse_trivy_report((FOLDER / "trivy.json").read_bytes())
    assert grype.os_packages == trivy.os_packages
    assert {package.key for package in grype.packages} == {package.key for package in trivy.packages}


def test_a_finding_has_every_field_in_the_gates_words() -> None:
    found = finding(parse_grype_report(REPORT, BILL), "GHSA-jfh8-c2jp-5v3q")
    assert found.aliases == {"CVE-2021-44228"}
    assert (found.severity, found.severity_text) == (Severity.CRITICAL, "Critical")
    assert found.severity_source == "github:language:java"
    assert (found.fix_state, found.fixed_versions) == (FixState.FIXED, ("2.3.1", "2.12.2", "2.15.0"))
    assert found.fix_available == datetime(2021, 12, 10, tzinfo=UTC)
    assert found.kev == {"CVE-2021-44228"}
    assert [(share.cve, share.score, share.percentile) for share in found.epss] == [("CVE-2021-44228", 0.9436, 0.9996)]
    assert found.guessed is False


def test_the_source_package_is_the_upstream() -> None:
    assert finding(parse_grype_report(REPORT, BILL), "CVE-2024-6119").package.source_name == "openssl"


def test_a_bundle_is_no_alias() -> None:
    def change(document: Json) -> None:
        match(document, "GHSA-462w-v97r-4m45")["vulnerability"]["advisories"] = [{"id": "RHSA-2019:1022", "link": ""}]
        match(document, "GHSA-462w-v97r-4m45")["relatedVulnerabilities"].append({"id": "USN-4011-1"})

    found = finding(parse_grype_report(altered(change), BILL), "GHSA-462w-v97r-4m45")
    assert found.aliases == {"CVE-2019-10906"}
    assert found.advisories == {"RHSA-2019:1022", "USN-4011-1"}


def test_V05_an_unknown_severity_is_looked_for_in_the_related_records() -> None:  # noqa: N802
    def change(document: Json) -> None:
        found = match(document, "GHSA-462w-v97r-4m45")
        found["relatedVulnerabilities"] = [
            {"id": "CVE-2019-10906", "severity": "High", "namespace": "nvd:cpe"},
            {"id": "CVE-2019-10906", "severity": "Medium", "namespace": "other"},
        ]

    found = finding(parse_grype_report(altered(change), BILL), "GHSA-462w-v97r-4m45")
    assert (found.severity, found.severity_source) == (Severity.HIGH, "nvd:cpe")


def test_V05_a_known_severity_is_not_replaced_by_a_related_one() -> None:  # noqa: N802
    def change(document: Json) -> None:
        match(document, "CVE-2016-2781")["relatedVulnerabilities"][0].update(severity="Critical")

    assert finding(parse_grype_report(altered(change), BILL), "CVE-2016-2781").severity is Severity.LOW


@pytest.mark.parametrize("word", ["Severe", "", None])
def test_V05_a_word_that_is_not_known_is_unknown(word: str | None) -> None:  # noqa: N802
    def change(document: Json) -> None:
        match(document, "GHSA-462w-v97r-4m45")["vulnerability"]["severity"] = word

    found = finding(parse_grype_report(altered(change), BILL), "GHSA-462w-v97r-4m45")
    assert (found.severity, found.severity_text) == (Severity.UNKNOWN, word or "")


@pytest.mark.parametrize("share", [-0.1, 1.5, "0.5", None, True])
def test_an_impossible_share_is_refused(share: object) -> None:
    def change(document: Json) -> None:
        match(document, "GHSA-jfh8-c2jp-5v3q")["vulnerability"]["epss"][0]["epss"] = share

    assert refusal(altered(change)) == "SCAN_FAILED"


def test_not_a_number_is_refused() -> None:
    assert refusal(REPORT.replace(b"0.9436", b"NaN")) == "SCAN_FAILED"
    assert refusal(REPORT.replace(b"0.9436", b"1e999")) == "SCAN_FAILED"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("fixed", FixState.FIXED),
        ("not-fixed", FixState.NOT_FIXED),
        ("wont-fix", FixState.WONT_FIX),
        ("unknown", FixState.UNKNOWN),
        ("", FixState.UNKNOWN),
        ("new word", FixState.UNKNOWN),
    ],
)
def test_every_state_has_a_fix_state(state: str, expected: FixState) -> None:
    def change(document: Json) -> None:
        match(document, "CVE-2016-2781")["vulnerability"]["fix"]["state"] = state

    assert finding(parse_grype_report(altered(change), BILL), "CVE-2016-2781").fix_state is expected


def test_a_match_by_vendor_and_product_is_marked_as_a_guess() -> None:
    def change(document: Json) -> None:
        for detail in match(document, "CVE-2016-2781")["matchDetails"]:
            detail["type"] = "cpe-match"

    assert finding(parse_grype_report(altered(change), BILL), "CVE-2016-2781").guessed is True


def test_a_package_without_purl_has_a_key_of_its_name() -> None:
    def change(document: Json) -> None:
        match(document, "GHSA-462w-v97r-4m45")["artifact"]["purl"] = ""

    found = finding(parse_grype_report(altered(change), BILL), "GHSA-462w-v97r-4m45")
    assert str(found.package.key) == "pkg:pypi/jinja2@2.10"
    assert found.package.key.path.endswith("METADATA")


def test_V10_what_was_ignored_is_listed() -> None:  # noqa: N802
    def change(document: Json) -> None:
        document["ignoredMatches"] = [document["matches"].pop(0)]

    assert parse_grype_report(altered(change), BILL).suppressed == ("GHSA-jfh8-c2jp-5v3q",)


def test_the_end_of_life_is_passed_on() -> None:
    def change(document: Json) -> None:
        document["alertsByPackage"] = [{"package": {}, "alerts": [{"type": "distro-eol"}]}]

    report = parse_grype_report(altered(change), BILL)
    assert report.distribution is not None
    assert report.distribution.end_of_life is True


def test_V03_no_distribution_is_none() -> None:  # noqa: N802
    def change(document: Json) -> None:
        document["distro"] = {"name": "", "version": ""}

    assert parse_grype_report(altered(change), BILL).distribution is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xef\xbb\xbf" + REPORT, REPORT[: len(REPORT) // 2], REPORT * 2, b"x" + REPORT],
    ids=["empty", "object", "list", "null", "mark", "half", "twice", "warning"],
)
def test_V02_a_report_that_is_not_one_whole_document_is_refused(content: bytes) -> None:  # noqa: N802
    assert refusal(content) == "SCAN_FAILED"


@pytest.mark.parametrize("content", [b"", b"{}", b"null", BILL[: len(BILL) // 2], REPORT])
def test_V02_a_package_list_that_is_not_whole_is_refused(content: bytes) -> None:  # noqa: N802
    assert refusal(REPORT, content) == "SCAN_FAILED"


def test_V03_a_report_without_matches_is_refused_and_one_with_none_is_read() -> None:  # noqa: N802
    assert refusal(altered(lambda document: document.pop("matches"))) == "SCAN_FAILED"
    assert parse_grype_report(altered(lambda document: document.update(matches=[])), BILL).findings == ()


def test_V04_a_package_list_of_another_image_is_refused() -> None:  # noqa: N802
    def change(document: Json) -> None:
        document["metadata"]["component"]["version"] = "sha256:" + "0" * 64

    assert refusal(REPORT, altered(change, BILL)) == "SCAN_TARGET_MISMATCH"


def test_V06_a_report_of_a_database_that_is_not_valid_is_refused() -> None:  # noqa: N802
    def change(document: Json) -> None:
        document["descriptor"]["db"]["status"]["valid"] = False

    assert refusal(altered(change)) == "SCAN_FAILED"


def test_the_configuration_is_not_kept() -> None:
    report = parse_grype_report(REPORT, BILL)
    target = json.loads(report.redacted)["source"]["target"]
    assert (target["config"], target["manifest"]) == ("", "")
    assert parse_grype_report(report.redacted, BILL).findings == report.findings
