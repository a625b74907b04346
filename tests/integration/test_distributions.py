"""What both real scanners make of an image of each rpm family: the same distribution and packages as the gate reads."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gate.errors import GateError
from gate.findings.distributions import agrees
from gate.model.evidence import Canary
from gate.model.finding import Tool
from tests.support.layers import facts_of
from tests.support.rpm_families import AZURE, FAMILIES, FIXTURES, RpmFamily, azure_manifest
from tests.support.scan_bench import Bench, trivy_store
from tests.support.scanners import write_image
from tools.advisories.bolt import Tree
from tools.images.archive import Entry, file, tar

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

_TOOLS: Final = {"trivy": Tool.TRIVY, "grype": Tool.GRYPE}
# Without a single repository's number Trivy judges no Red Hat image; 10 stands in no list of its own.
_SETS: Final = [f"rhel-{major}-for-x86_64-{name}-rpms" for major in (9, 10) for name in ("baseos", "appstream")]
_ADVISORY: Final = (
    b'{"Entries": [{"FixedVersion": "1:3.2.2-1.el10", "Cves": [{"ID": "CVE-2020-0001", "Severity": 3}],'
    b' "Arches": ["x86_64"], "Affected": [7]}]}'
)
_OTHER: Final = _ADVISORY.replace(b"CVE-2020-0001", b"CVE-2020-0009").replace(b"[7]", b"[8]")
RED_HAT: Final[Tree] = {
    b"vulnerability": {b"CVE-2020-0001": b"{}"},
    b"Red Hat CPE": {b"repository": {name.encode(): b"[7]" for name in _SETS}, b"cpe": {b"7": b'"cpe:/o:redhat"'}},
    b"Red Hat": {
        # Of another product: an advisory that must not be taken for the canary.
        b"aardvark": {b"RHSA-2020:0009": _OTHER},
        b"openssl": {b"RHSA-2020:0001": _ADVISORY},
    },
}


def assert_same(bench: Bench, family: RpmFamily, entries: list[Entry], tmp_path: Path) -> None:
    facts = facts_of(tar(entries))
    assert facts.distribution is not None
    assert facts.distribution.conflicts == ()
    databases = bench.databases
    if family.id == "rhel":
        databases = replace(databases, trivy=trivy_store(bench, tmp_path, RED_HAT).trivy)
    target = write_image(tmp_path / "image", entries, distribution=family.distribution)
    for name in family.judged_by:
        report = bench.scan(name, target=target, databases=databases)
        assert agrees(facts.distribution, report.distribution, _TOOLS[name]), (name, report.distribution)
        assert report.os_packages == facts.os_packages, name
    assert len(facts.os_packages) == 4


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.id}-{family.version}")
def test_three_readers_see_one_system(bench: Bench, family: RpmFamily, tmp_path: Path) -> None:
    assert_same(bench, family, family.entries(), tmp_path)


def test_the_list_of_azure_linuxs_distroless_form_is_a_database(bench: Bench, tmp_path: Path) -> None:
    entries = [*AZURE.release_files(), file("var/lib/rpmmanifest/container-manifest-2", azure_manifest())]
    assert_same(bench, AZURE, entries, tmp_path)


@pytest.mark.parametrize("family", [one for one in FAMILIES if len(one.judged_by) == 1], ids=lambda family: family.id)
def test_what_trivy_names_and_does_not_judge_is_no_silence(bench: Bench, family: RpmFamily, tmp_path: Path) -> None:
    target = write_image(tmp_path / "image", family.entries(), distribution=family.distribution)
    with pytest.raises(GateError) as caught:
        bench.scan("trivy", target=target)
    assert caught.value.code == "SCAN_FAILED"


@pytest.mark.parametrize("name", ["trivy", "grype"])
def test_a_wheel_that_an_rpm_owns_is_listed_by_each_scanner_alone(bench: Bench, name: str, tmp_path: Path) -> None:
    family = next(one for one in FAMILIES if one.id == "rocky")
    metadata = "Metadata-Version: 2.1\nName: six\nVersion: 1.15.0\n\n"
    entries = [
        *family.release_files(),
        file("var/lib/rpm/rpmdb.sqlite", gzip.decompress((FIXTURES / "wheel.rpmdb.gz").read_bytes())),
        file("usr/lib/python3.9/site-packages/six-1.15.0.dist-info/METADATA", metadata),
    ]
    facts = facts_of(tar(entries))
    assert [key.name for key in facts.language_packages] == ["six"]
    report = bench.scan(name, target=write_image(tmp_path / "image", entries, distribution=family.distribution))
    assert {package.key.name for package in report.packages} == {"six", "python3-six"}
    assert report.os_packages == facts.os_packages


@pytest.mark.parametrize("version", ["9.4", "10.0"])
def test_a_canary_of_red_hat_names_the_repositories_of_its_release(bench: Bench, version: str, tmp_path: Path) -> None:
    family = next(one for one in FAMILIES if (one.id, one.version) == ("rhel", version))
    target = write_image(tmp_path / "image", family.entries(), distribution=family.distribution)
    report = bench.scan("trivy", target=target, databases=trivy_store(bench, tmp_path, RED_HAT))
    assert isinstance(report.canary, Canary)
    assert "RHSA-2020:0001" in report.canary.expected
    assert report.canary.expected == report.canary.found
