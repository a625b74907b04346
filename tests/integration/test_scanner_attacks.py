"""What an image, its place and a mirror try on both real scanners (attacks L12, V07, V08, V12)."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gate.model.evidence import Canary, Distribution, ScanReport, Unavailable
from gate.model.finding import ToolFinding
from tests.support.layers import rpm_header
from tests.support.scan_bench import Bench, grype_store, trivy_store
from tests.support.scanners import debian_files, language_files, secret_files, write_image
from tools.advisories import BuiltDatabases
from tools.images.archive import file

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

SCANNERS = pytest.mark.parametrize("name", ["trivy", "grype"])


NO_ADVISORIES: Final = "DELETE FROM affected_package_handles;"
# Grype looks only at rows of the channel that it is asked for, and an image of Debian asks for none.
OTHER_CHANNEL: Final = "UPDATE operating_systems SET channel = 'eus';"


def test_v07_a_database_without_entries_gives_no_canary(bench: Bench, built: BuiltDatabases, tmp_path: Path) -> None:
    empty = {
        "trivy": trivy_store(bench, tmp_path, {b"vulnerability": {b"x": b"{}"}}),
        "grype": grype_store(bench, built, tmp_path, NO_ADVISORIES),
    }
    for name, databases in empty.items():
        report = bench.scan(name, databases=databases)
        # Exit code 0, a whole report, a young database: all that is missing is what the canary is for.
        assert (report.findings, report.covered) == ((), False)
        assert isinstance(report.canary, Unavailable)
        assert report.canary.code == "SCAN_CANARY"


def test_v07_advisories_that_grype_never_asks_for_lose_the_canary(
    bench: Bench, built: BuiltDatabases, tmp_path: Path
) -> None:
    report = bench.scan("grype", databases=grype_store(bench, built, tmp_path, OTHER_CHANNEL))
    assert report.covered is True
    assert {finding.package.key.type for finding in report.findings} == {"pypi", "npm", "maven"}
    assert isinstance(report.canary, Canary)
    # Three languages are found, the distribution's canary is not.
    assert (len(report.canary.expected), len(report.canary.found)) == (4, 3)


ROCKY: Final = Distribution(id="rocky", version_id="9.4")
ROCKY_ADVISORY: Final = (
    b'{"Entries": [{"FixedVersion": "1:3.0.7-27.el9", "Arches": ["x86_64"], "VendorIDs": ["RLSA-2024:1"]}]}'
)


def rpm_database(vendors: dict[str, str]) -> bytes:
    """Return an RPM database of these packages, each with its vendor."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        for name, vendor in vendors.items():
            source = f"{name}-3.0.1-1.el9.src.rpm"
            tags = {1000: name, 1001: "3.0.1", 1002: "1.el9", 1011: vendor, 1022: "x86_64", 1044: source}
            database.execute("INSERT INTO Packages(blob) VALUES (?)", (rpm_header(tags),))
        database.commit()
        content = database.serialize()
    database.close()
    return content


@pytest.mark.parametrize("vendor", ["Rocky Enterprise Software Foundation", "Docker"])
def test_l12_a_vendor_that_trivy_does_not_know_is_told_where_there_are_advisories(
    bench: Bench, vendor: str, tmp_path: Path
) -> None:
    databases = trivy_store(
        bench,
        tmp_path,
        {b"vulnerability": {b"CVE-2020-0002": b"{}"}, b"rocky 9": {b"openssl": {b"CVE-2020-0002": ROCKY_ADVISORY}}},
    )
    entries = [
        file("etc/os-release", 'ID=rocky\nVERSION_ID="9.4"\n'),
        file("etc/redhat-release", "Rocky Linux release 9.4 (Blue Onyx)\n"),
        file("var/lib/rpm/rpmdb.sqlite", rpm_database({"openssl": vendor, "docker-ce": "Docker"})),
    ]
    target = write_image(tmp_path / "image", entries, distribution=ROCKY)
    report = bench.scan("trivy", target=target, databases=databases)
    assert len(report.os_packages) == 2
    known = vendor != "Docker"
    assert {finding.id for finding in report.findings} == ({"CVE-2020-0002"} if known else set())
    assert {name for name, _, _ in report.passed_over} == (set() if known else {"openssl"})


HOSTILE: Final = {
    ".trivyignore": "CVE-2024-6119\nCVE-2019-10906\nCVE-2019-10744\nCVE-2021-44228\n",
    ".trivyignore.yaml": "vulnerabilities: [{id: CVE-2024-6119}, {id: CVE-2019-10906}]\nsecrets: [{id: private-key}]\n",
    "trivy.yaml": "severity: [LOW]\nscan: {skip-dirs: ['/**'], sbom-sources: [oci, rekor]}\n",
    "trivy-secret.yaml": "disable-rules: [private-key]\n",
    ".grype.yaml": "ignore: [{vulnerability: CVE-2024-6119}]\nonly-fixed: true\nexclude: ['**']\n",
    ".grype/config.yaml": "ignore: [{package: {name: '.*'}}]\n",
    ".syft.yaml": "exclude: ['**']\n",
    ".vex/all.openvex.json": '{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "a", "version": 1,'
    ' "timestamp": "2026-01-01T00:00:00Z", "statements": [{"vulnerability": {"name": "CVE-2024-6119"},'
    ' "products": [{"@id": "pkg:deb/debian/openssl"}], "status": "not_affected",'
    ' "justification": "component_not_present"}]}',
}


def told(report: ScanReport) -> tuple[set[tuple[str, str]], list[str], object]:
    """Return what a report says of an image, without the layer and the path that an added file changes."""

    def short(finding: ToolFinding) -> tuple[str, str]:
        return (finding.id, finding.package.name)

    return set(map(short, report.findings)), [secret.rule for secret in report.secrets], report.os_packages


@SCANNERS
@pytest.mark.parametrize("folder", ["", "app/", "root/", "etc/"])
def test_v08_settings_and_vex_inside_the_image_change_nothing(
    bench: Bench, name: str, folder: str, tmp_path: Path
) -> None:
    entries = [*debian_files(), *language_files(), *secret_files()]
    entries += [file(folder + path, content) for path, content in HOSTILE.items()]
    report = bench.scan(name, target=write_image(tmp_path / "image", entries))
    assert told(report) == told(bench.scan(name))
    assert report.suppressed == ()


@SCANNERS
@pytest.mark.parametrize(
    "called", ["--config=x", "-o json=y", "a b", "line\nbreak", "x@sha256:y", "dir:x", "$(touch x)", "..."]
)
def test_v12_a_layout_may_be_called_anything(bench: Bench, name: str, called: str, tmp_path: Path) -> None:
    moved = tmp_path / called
    moved.symlink_to(bench.target.layout, target_is_directory=True)
    report = bench.scan(name, target=replace(bench.target, layout=moved))
    assert told(report) == told(bench.scan(name))
    assert {path.name for path in tmp_path.iterdir()} == {called}
