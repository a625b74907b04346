"""Trivy's report: what is read of a recorded one, and what is refused of an altered one (attacks V01 to V05, V10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gate.codec.trivy import parse_trivy_report
from gate.errors import ScannerError
from gate.model.finding import FixState, SecretPlace, ToolFinding
from gate.model.severity import Severity

RECORDED = Path(__file__).resolve().parents[3] / "fixtures/scanners/trivy.json"

Json: TypeAlias = dict[str, Any]


def altered(change: Callable[[Json], object]) -> bytes:
    document = json.loads(RECORDED.read_bytes())
    change(document)
    return json.dumps(document).encode()


def result(document: Json, kind: str) -> Json:
    found: Json = next(found for found in document["Results"] if found.get("Type", found["Class"]) == kind)
    return found


def finding(content: bytes, name: str) -> ToolFinding:
    return next(found for found in parse_trivy_report(content).findings if found.id == name)


def refusal(content: bytes) -> str:
    with pytest.raises(ScannerError) as raised:
        parse_trivy_report(content)
    return raised.value.code


def test_a_recorded_report_is_read_whole() -> None:
    report = parse_trivy_report(RECORDED.read_bytes())
    assert report.distribution is not None
    assert (report.distribution.name, report.distribution.version) == ("debian", "12.5")
    assert report.distribution.end_of_life is False
    assert report.os_packages == {
        ("libssl3", "3.0.11-1~deb12u2", "amd64"),
        ("coreutils", "9.1-1", "amd64"),
        ("zlib1g", "1:1.2.13.dfsg-1", "amd64"),
    }
    assert {str(package.key) for package in report.packages if not package.key.arch} == {
        "pkg:pypi/jinja2@2.10",
        "pkg:npm/lodash@4.17.11",
        "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
    }
    assert len(report.target_diff_ids) == 1
    assert report.suppressed == ()


def test_a_finding_has_every_field_in_the_gates_words() -> None:
    found = finding(RECORDED.read_bytes(), "CVE-2024-6119")
    assert found.package.source_name == "openssl"
    assert (found.severity, found.severity_text) == (Severity.HIGH, "HIGH")
    assert (found.fix_state, found.fixed_versions) == (FixState.FIXED, ("3.0.14-1~deb12u2",))
    assert found.published is not None
    assert found.published.tzinfo is not None


def test_aliases_are_identities_and_bundles_are_none() -> None:
    found = finding(RECORDED.read_bytes(), "CVE-2019-10906")
    assert found.aliases == {"GHSA-462w-v97r-4m45", "PYSEC-2019-217"}
    assert found.package.key.path == "usr/lib/python3/dist-packages/Jinja2-2.10.dist-info/METADATA"

    def vendor(document: Json) -> None:
        result(document, "python-pkg")["Vulnerabilities"][1]["VendorIDs"] = ["DSA-5343-1", "GHSA-462w-v97r-4m45"]

    split = finding(altered(vendor), "CVE-2019-10906")
    assert split.aliases == {"GHSA-462w-v97r-4m45"}
    assert split.advisories == {"DSA-5343-1"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("fixed", FixState.FIXED),
        ("affected", FixState.NOT_FIXED),
        ("under_investigation", FixState.NOT_FIXED),
        ("fix_deferred", FixState.NOT_FIXED),
        ("will_not_fix", FixState.WONT_FIX),
        ("end_of_life", FixState.WONT_FIX),
        ("unknown", FixState.UNKNOWN),
        ("a new word", FixState.UNKNOWN),
    ],
)
def test_every_status_has_a_fix_state(status: str, state: FixState) -> None:
    def change(document: Json) -> None:
        result(document, "debian")["Vulnerabilities"][0]["Status"] = status

    assert finding(altered(change), "CVE-2016-2781").fix_state is state


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("CRITICAL", Severity.CRITICAL),
        ("high", Severity.HIGH),
        ("important", Severity.HIGH),
        ("moderate", Severity.MEDIUM),
        ("LOW", Severity.LOW),
        ("unimportant", Severity.NEGLIGIBLE),
        ("UNKNOWN", Severity.UNKNOWN),
        ("SEVERE", Severity.UNKNOWN),
        ("", Severity.UNKNOWN),
        (None, Severity.UNKNOWN),
    ],
)
def test_V05_a_severity_that_is_not_known_is_a_level_of_its_own(word: str | None, severity: Severity) -> None:  # noqa: N802
    def change(document: Json) -> None:
        result(document, "debian")["Vulnerabilities"][0]["Severity"] = word

    found = finding(altered(change), "CVE-2016-2781")
    assert (found.severity, found.severity_text) == (severity, word or "")


def test_V05_a_severity_that_is_no_text_is_refused() -> None:  # noqa: N802
    def change(document: Json) -> None:
        result(document, "debian")["Vulnerabilities"][0]["Severity"] = 3

    assert refusal(altered(change)) == "SCAN_FAILED"


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xef\xbb\xbf" + RECORDED.read_bytes(),
        half(RECORDED.read_bytes()),
        RECORDED.read_bytes() * 2,
        b"warning\n" + RECORDED.read_bytes(),
        b'{"SchemaVersion": 2, "SchemaVersion": 2}',
    ],
    ids=["empty", "object", "list", "null", "mark", "half", "twice", "warning", "key twice"],
)
def test_V02_a_report_that_is_not_one_whole_document_is_refused(content: bytes) -> None:  # noqa: N802
    assert refusal(content) == "SCAN_FAILED"


@pytest.mark.parametrize("version", [1, 3, "2", None])
def test_another_schema_is_refused(version: object) -> None:
    assert refusal(altered(lambda document: document.update(SchemaVersion=version))) == "SCAN_FAILED"


def test_a_report_about_no_image_is_refused() -> None:
    assert refusal(altered(lambda document: document.update(ArtifactType="filesystem"))) == "SCAN_FAILED"


@pytest.mark.parametrize("value", [None, "absent"])
def test_V03_a_distribution_without_results_is_refused(value: object) -> None:  # noqa: N802
    def change(document: Json) -> None:
        document["Results"] = None
        if value == "absent":
            del document["Results"]

    assert refusal(altered(change)) == "SCAN_FAILED"


def test_V03_an_image_without_distribution_and_results_is_read_as_empty() -> None:  # noqa: N802
    def change(document: Json) -> None:
        del document["Results"]
        document["Metadata"]["OS"] = {"Family": "none"}

    report = parse_trivy_report(altered(change))
    assert (report.distribution, report.packages, report.findings) == (None, (), ())


def test_V03_results_without_the_distributions_class_leave_no_packages_of_it() -> None:  # noqa: N802
    def change(document: Json) -> None:
        document["Results"] = [found for found in document["Results"] if found["Class"] != "os-pkgs"]

    assert parse_trivy_report(altered(change)).os_packages == frozenset()


@pytest.mark.parametrize("word", ["official", "third-party", "", None])
def test_l12_a_third_partys_package_is_told_apart(word: str | None) -> None:
    def change(document: Json) -> None:
        result(document, "debian")["Packages"][0]["Repository"] = {"Class": word} if word is not None else None

    told = [package.name for package in parse_trivy_report(altered(change)).third_party]
    assert told == (["coreutils"] if word == "third-party" else [])


def test_V10_what_was_suppressed_is_listed() -> None:  # noqa: N802
    def change(document: Json) -> None:
        hidden = {"Type": "vulnerability", "Status": "ignored", "Finding": {"VulnerabilityID": "CVE-2020-0001"}}
        result(document, "debian")["ExperimentalModifiedFindings"] = [hidden]

    assert parse_trivy_report(altered(change)).suppressed == ("CVE-2020-0001",)


@pytest.mark.parametrize("digest", ["", "sha256:00", "md5:" + "0" * 64, None])
def test_a_target_without_a_digest_is_refused(digest: object) -> None:
    assert refusal(altered(lambda document: document["Metadata"].update(ImageID=digest))) == "SCAN_FAILED"


def test_the_end_of_life_is_passed_on() -> None:
    report = parse_trivy_report(altered(lambda document: document["Metadata"]["OS"].update(EOSL=True)))
    assert report.distribution is not None
    assert report.distribution.end_of_life is True


def test_a_secret_is_found_and_nothing_of_it_is_kept() -> None:
    beside = "the password in the line beside it"

    def change(document: Json) -> None:
        secret = result(document, "secret")["Secrets"][0]
        secret["Match"] = beside
        secret["Code"]["Lines"].append({"Number": 9, "Content": beside, "Highlighted": beside})
        document["Metadata"]["ImageConfig"]["config"]["Env"] = [f"TOKEN={beside}"]

    content = altered(change)
    report = parse_trivy_report(content)
    assert beside in content.decode()
    assert beside not in repr(report)
    assert beside not in report.redacted.decode()
    (secret,) = report.secrets
    assert (secret.rule, secret.place, secret.location) == ("private-key", SecretPlace.FILE, "app/deploy.pem")
    assert secret.layer is not None


def test_the_redacted_report_can_be_read_again_without_its_secrets() -> None:
    report = parse_trivy_report(RECORDED.read_bytes())
    again = parse_trivy_report(report.redacted)
    assert again.findings == report.findings
    assert [secret.rule for secret in again.secrets] == ["private-key"]


def test_a_secret_in_the_configuration_is_named_by_its_variable() -> None:
    def change(document: Json) -> None:
        secret = result(document, "secret")["Secrets"][0]
        document["Results"].append(
            {
                "Target": "../layout",
                "Class": "secret",
                "Secrets": [{**secret, "Layer": {}, "Match": '  "GITHUB_TOKEN=****"', "StartLine": 25}],
            }
        )

    place = parse_trivy_report(altered(change)).secrets[1]
    assert (place.place, place.location, place.layer) == (SecretPlace.ENV, "GITHUB_TOKEN", None)


def test_a_package_without_purl_has_a_key_of_its_name() -> None:
    def change(document: Json) -> None:
        del result(document, "python-pkg")["Packages"][0]["Identifier"]

    keys = {str(package.key) for package in parse_trivy_report(altered(change)).packages}
    assert "pkg:pypi/jinja2@2.10" in keys


def test_fixed_versions_are_taken_apart() -> None:
    def change(document: Json) -> None:
        result(document, "debian")["Vulnerabilities"][1]["FixedVersion"] = "1.2.6, 0.2.4"

    assert finding(altered(change), "CVE-2024-6119").fixed_versions == ("1.2.6", "0.2.4")
