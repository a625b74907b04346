"""Both real scanners see in the demo's images what was planted, recognise the same system, and list the same packages."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Tools
from tools.advisories import BuiltDatabases, build_databases
from tools.images.catalog import BuiltImage, build_images

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

CREATED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
# Name → the system as (Trivy's family, its version, Grype's name, its version), and some ids that both must see: a
# CVE by Trivy, an alias of it by Grype. Empty: nothing at all may be found.
SCANNED = {
    "clean": (("debian", "12.15", "debian", "12"), {}),
    "alpine-clean": (("alpine", "3.22.5", "alpine", "3.22.5"), {}),
    "end-of-life": (("debian", "11.11", "debian", "11"), {}),
    "unknown-os": (("none", "", "", ""), {}),
    "vulnerable-python": (
        ("debian", "12.15", "debian", "12"),
        {"CVE-2019-10906": "GHSA-462w-v97r-4m45", "CVE-2023-30861": "GHSA-m2qf-hxjv-5gpq"},
    ),
    "vulnerable-npm": (
        ("debian", "12.15", "debian", "12"),
        {"CVE-2019-10744": "GHSA-jf85-cpcp-j695", "CVE-2021-44906": "GHSA-xvch-5gv4-984h"},
    ),
    "vulnerable-maven": (("debian", "12.15", "debian", "12"), {"CVE-2022-42889": "GHSA-599f-7c49-w659"}),
    "vulnerable-debian": (
        ("debian", "12.15", "debian", "12"),
        {"CVE-2023-4911": "CVE-2023-4911", "CVE-2024-6119": "CVE-2024-6119"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """What both scanners say of one image."""

    trivy: dict[str, Any]
    grype: dict[str, Any]
    components: list[dict[str, Any]]

    def results(self, key: str) -> list[dict[str, Any]]:
        return [found for result in self.trivy.get("Results", ()) for found in result.get(key, ())]


@pytest.fixture(scope="module")
def databases(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> BuiltDatabases:
    return build_databases(tmp_path_factory.mktemp("advisories"), CREATED, tools.grype)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuiltImage]:
    return build_images(tmp_path_factory.mktemp("images"), CREATED, tmp_path_factory.mktemp("parts"))


def scan(tools: Tools, databases: BuiltDatabases, layout: Path, folder: Path) -> Reports:
    flags = "--skip-db-update --skip-java-db-update --skip-version-check --disable-telemetry --offline-scan"
    trivy = [str(tools.trivy), "image", "--input", str(layout), "--cache-dir", str(databases.trivy_cache)]
    trivy += ["--cache-backend", "memory", "--scanners", "vuln,secret", "--list-all-pkgs", *flags.split()]
    run([*trivy, "--format", "json", "--output", "trivy.json"], folder)
    grype = [str(tools.grype), f"oci-dir:{layout}", "-o", "json=grype.json", "-o", "cyclonedx-json=grype.cdx.json"]
    run(grype, folder, GRYPE_DB_CACHE_DIR=str(databases.grype_cache), GRYPE_DB_VALIDATE_AGE="false")
    listed = json.loads((folder / "grype.cdx.json").read_text()).get("components", [])
    return Reports(
        trivy=json.loads((folder / "trivy.json").read_text()),
        grype=json.loads((folder / "grype.json").read_text()),
        components=[item for item in listed if item.get("purl")],
    )


def run(command: list[str], folder: Path, **environment: str) -> None:
    settings = {"GRYPE_DB_AUTO_UPDATE": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false", **environment}
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env={**os.environ, **settings})


def names(listed: Iterable[str]) -> list[str]:
    # Trivy gives Maven packages as `group:artifact`, Grype the artifact alone; the case of wheels differs too.
    return sorted(name.rpartition(":")[2].lower() for name in listed)


@pytest.mark.parametrize("name", sorted(SCANNED))
def test_scanners_see_what_was_planted(
    name: str, built: dict[str, BuiltImage], databases: BuiltDatabases, tools: Tools, tmp_path: Path
) -> None:
    reports = scan(tools, databases, built[name].layout, tmp_path)
    system, planted = SCANNED[name]
    seen = reports.trivy["Metadata"]["OS"], reports.grype["distro"]
    assert (seen[0]["Family"], seen[0]["Name"], seen[1]["name"], seen[1]["version"]) == system
    packages = names(item["Name"] for item in reports.results("Packages"))
    assert packages == names(item["name"] for item in reports.components)
    assert bool(packages) is (name != "unknown-os")
    cves = {found["VulnerabilityID"] for found in reports.results("Vulnerabilities")}
    ids = {match["vulnerability"]["id"] for match in reports.grype["matches"]}
    assert set(planted) <= cves
    assert set(planted.values()) <= ids
    assert bool(cves) is bool(ids) is bool(planted)
    assert reports.results("Secrets") == []


@pytest.mark.parametrize("name", ["secret-deleted", "secret-env", "secret-history"])
def test_trivy_recognises_the_made_up_secrets(
    name: str, built: dict[str, BuiltImage], databases: BuiltDatabases, tools: Tools, tmp_path: Path
) -> None:
    reports = scan(tools, databases, built[name].layout, tmp_path)
    assert "github-pat" in {found["RuleID"] for found in reports.results("Secrets")}
    assert reports.results("Vulnerabilities") == []
