"""Both real scanners load the demonstration databases and find exactly what the advisories say."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import json
import shutil
import sqlite3
import subprocess
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Tools
from tests.support.registries import run_olareg
from tools.advisories import DEMONSTRATION, BuiltDatabases, Ecosystem, Scanner, build_databases
from tools.advisories.catalog import CANARY_ID, CANARY_OS_PACKAGE, CANARY_PACKAGES
from tools.advisories.expected import ExpectedFinding, PlantedPackage, expected_findings
from tools.advisories.go_binary import go_binary
from tools.advisories.model import CODENAMES
from tools.images.archive import Entry, file
from tools.images.layout import ImageConfig, image, layer, write_layout

pytestmark = pytest.mark.real_tools

BUILT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

DEBIAN_12 = (
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name="zlib1g", version="1:1.2.13.dfsg-1", source="zlib"),
    PlantedPackage(
        ecosystem=Ecosystem.DEBIAN, release="12", name="libssl3", version="3.0.11-1~deb12u2", source="openssl"
    ),
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name="openssl", version="3.0.15-1~deb12u1"),
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name="libc6", version="2.36-9+deb12u4", source="glibc"),
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name="libc-bin", version="2.36-9+deb12u2", source="glibc"),
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name="coreutils", version="9.1-1"),
    PlantedPackage(
        ecosystem=Ecosystem.DEBIAN, release="12", name="bash", version="5.2.15-2+b7", source_version="5.2.15-2"
    ),
    PlantedPackage(
        ecosystem=Ecosystem.DEBIAN, release="12", name="libgnutls30", version="3.7.9-2+deb12u1", source="gnutls28"
    ),
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name="adduser", version="3.134"),
    PlantedPackage(ecosystem=Ecosystem.DEBIAN, release="12", name=CANARY_OS_PACKAGE, version="0.9"),
)
UBUNTU_22_04 = (
    PlantedPackage(
        ecosystem=Ecosystem.UBUNTU, release="22.04", name="libc6", version="2.35-0ubuntu3.1", source="glibc"
    ),
    PlantedPackage(ecosystem=Ecosystem.UBUNTU, release="22.04", name="coreutils", version="8.32-4.1ubuntu1.2"),
    PlantedPackage(
        ecosystem=Ecosystem.UBUNTU, release="22.04", name="libexpat1", version="2.4.7-1ubuntu0.4", source="expat"
    ),
)
ALPINE_3_20 = (
    PlantedPackage(ecosystem=Ecosystem.ALPINE, release="3.20", name="libcrypto3", version="3.3.1-r3", source="openssl"),
    PlantedPackage(ecosystem=Ecosystem.ALPINE, release="3.20", name="musl", version="1.2.5-r0"),
    PlantedPackage(ecosystem=Ecosystem.ALPINE, release="3.20", name="zlib", version="1.3.1-r1"),
    PlantedPackage(ecosystem=Ecosystem.ALPINE, release="3.20", name=CANARY_OS_PACKAGE, version="0.9.0-r0"),
)
LANGUAGES = (
    *(
        PlantedPackage(ecosystem=Ecosystem.PYPI, name=name, version=version)
        for name, version in (
            ("pyyaml", "5.3"),
            ("requests", "2.30.0"),
            ("urllib3", "1.26.16"),
            ("jinja2", "2.10"),
            ("accesscontrol", "4.2"),
            ("distributed", "2021.9.0"),
            ("py", "1.11.0"),
            ("zope", "4.5"),
            ("adyen", "2.3.0"),
            ("flask", "2.3.1"),
        )
    ),
    *(
        PlantedPackage(ecosystem=Ecosystem.NPM, name=name, version=version)
        for name, version in (("lodash", "4.17.15"), ("minimist", "1.2.0"), ("semver", "6.3.1"), ("ip", "2.0.1"))
    ),
    *(
        PlantedPackage(ecosystem=Ecosystem.MAVEN, name=name, version=version)
        for name, version in (
            ("org.apache.logging.log4j:log4j-core", "2.14.1"),
            ("org.apache.logging.log4j:log4j-api", "2.14.1"),
            ("org.apache.commons:commons-text", "1.9"),
            ("org.springframework:spring-beans", "5.3.17"),
            ("org.yaml:snakeyaml", "1.33"),
            ("log4j:log4j", "1.2.17"),
        )
    ),
    *(PlantedPackage(ecosystem=ecosystem, name=name, version="0.9.0") for ecosystem, name in CANARY_PACKAGES.items()),
    *(
        PlantedPackage(ecosystem=Ecosystem.GO, name=name, version=version)
        for name, version in (
            ("golang.org/x/net", "0.17.0"),
            ("golang.org/x/crypto", "0.16.0"),
            ("golang.org/x/text", "0.14.0"),
            ("github.com/dgrijalva/jwt-go", "3.2.0"),
        )
    ),
)


@pytest.fixture(scope="module")
def databases(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> BuiltDatabases:
    return build_databases(tmp_path_factory.mktemp("advisories"), BUILT, tools.grype)


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(DEBIAN_12, id="debian-12"),
        pytest.param(UBUNTU_22_04, id="ubuntu-22.04"),
        pytest.param(ALPINE_3_20, id="alpine-3.20"),
        pytest.param(DEBIAN_12 + LANGUAGES, id="debian-12-with-languages"),
    ],
)
def test_both_scanners_find_exactly_what_the_advisories_say(
    planted: tuple[PlantedPackage, ...], databases: BuiltDatabases, tools: Tools, tmp_path: Path
) -> None:
    layout = _layout(tmp_path / "layout", planted)
    found = [*_trivy(tools.trivy, databases, layout, tmp_path), *_grype(tools.grype, databases, layout, tmp_path)]
    assert sorted(found) == list(expected_findings(planted))


def test_every_release_has_a_canary_that_both_scanners_find(
    databases: BuiltDatabases, tools: Tools, tmp_path: Path
) -> None:
    for number, (ecosystem, release) in enumerate(CODENAMES):
        version = "0.9.0-r0" if ecosystem is Ecosystem.ALPINE else "0.9"
        planted = (PlantedPackage(ecosystem=ecosystem, release=release, name=CANARY_OS_PACKAGE, version=version),)
        folder = tmp_path / str(number)
        layout = _layout(folder, planted)
        found = [*_trivy(tools.trivy, databases, layout, folder), *_grype(tools.grype, databases, layout, folder)]
        assert [finding.id for finding in found] == [CANARY_ID, CANARY_ID], (ecosystem, release)


def test_grype_carries_exploitation_and_prediction_of_a_cve(
    databases: BuiltDatabases, tools: Tools, tmp_path: Path
) -> None:
    planted = [package for package in LANGUAGES if package.name == "org.apache.logging.log4j:log4j-core"]
    report = _grype_report(tools.grype, databases, _layout(tmp_path / "layout", (*DEBIAN_12[-1:], *planted)), tmp_path)
    log4shell = next(
        match["vulnerability"] for match in report["matches"] if match["vulnerability"]["id"] == "GHSA-jfh8-c2jp-5v3q"
    )
    assert [(entry["cve"], entry["dateAdded"]) for entry in log4shell["knownExploited"]] == [
        ("CVE-2021-44228", "2021-12-10")
    ]
    assert [(entry["cve"], entry["epss"]) for entry in log4shell["epss"]] == [("CVE-2021-44228", 0.9436)]
    assert log4shell["fix"]["available"][0]["date"].startswith("2021-12-10")


def test_trivy_downloads_both_artifacts_by_digest_from_a_registry(
    databases: BuiltDatabases, tools: Tools, tmp_path: Path
) -> None:
    assert databases.trivy_artifact
    assert databases.trivy_java_artifact
    storage = tmp_path / "registry" / "storage"
    shutil.copytree(databases.trivy_artifact, storage / "trivy-db")
    shutil.copytree(databases.trivy_java_artifact, storage / "trivy-java-db")
    with run_olareg(tools.olareg, tmp_path / "registry", read_only=True) as registry:
        for name, what in (("trivy-db", "db"), ("trivy-java-db", "java-db")):
            digest = json.loads((storage / name / "index.json").read_text())["manifests"][0]["digest"]
            repository = f"{registry.host}/{name}@{digest}"
            flags = [
                f"--download-{what}-only",
                f"--{what}-repository",
                repository,
                "--cache-dir",
                str(tmp_path / "cache"),
            ]
            _run([str(tools.trivy), "image", *flags, "--no-progress"], tmp_path)
    for file_name in ("db/trivy.db", "java-db/trivy-java.db"):
        assert (tmp_path / "cache" / file_name).read_bytes() == (databases.out / "trivy" / file_name).read_bytes()


def test_grype_updates_from_the_mirror(databases: BuiltDatabases, tools: Tools, tmp_path: Path) -> None:
    with _served(databases.out / "artifacts" / "grype") as address:
        _run(
            [str(tools.grype), "db", "update"],
            tmp_path,
            GRYPE_DB_CACHE_DIR=str(tmp_path / "cache"),
            GRYPE_DB_UPDATE_URL=address,
            GRYPE_DB_VALIDATE_AGE="false",
            GRYPE_CHECK_FOR_APP_UPDATE="false",
        )
    with closing(sqlite3.connect(tmp_path / "cache" / "6" / "vulnerability.db")) as database:
        assert database.execute("SELECT build_timestamp FROM db_metadata").fetchall() == [
            ("2026-01-02 03:04:05+00:00",)
        ]
        assert (DEMONSTRATION,) in database.execute("SELECT id FROM providers").fetchall()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing: the output belongs to pytest."""


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _layout(folder: Path, planted: Iterable[PlantedPackage]) -> Path:
    packages = tuple(planted)
    entries = [*_distribution_files(packages), *(entry for package in packages for entry in _language_files(package))]
    return write_layout(folder, image([layer(entries)], ImageConfig(created=BUILT)))


def _distribution_files(packages: tuple[PlantedPackage, ...]) -> list[Entry]:
    owned = [package for package in packages if package.ecosystem.is_distribution]
    ecosystem, release = owned[0].ecosystem, owned[0].release
    codename = CODENAMES[ecosystem, release]
    version_id = f"{release}.1" if ecosystem is Ecosystem.ALPINE else release
    lines = [f"ID={ecosystem}", f'VERSION_ID="{version_id}"']
    lines += [f"VERSION_CODENAME={codename}"] if codename else []
    lines += ["ID_LIKE=debian"] if ecosystem is Ecosystem.UBUNTU else []
    files = [file("etc/os-release", "\n".join(lines) + "\n")]
    if ecosystem is Ecosystem.ALPINE:
        return [
            *files,
            file("etc/alpine-release", f"{version_id}\n"),
            file("lib/apk/db/installed", "".join(_apk_stanza(package) for package in owned)),
        ]
    if ecosystem is Ecosystem.UBUNTU:
        text = f"DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE={release}\nDISTRIB_CODENAME={codename}\n"
        files.append(file("etc/lsb-release", text))
    marker = "bookworm/sid" if ecosystem is Ecosystem.UBUNTU else f"{release}.0"
    status = file("var/lib/dpkg/status", "\n".join(_dpkg_stanza(package) for package in owned))
    return [*files, file("etc/debian_version", f"{marker}\n"), status]


def _dpkg_stanza(package: PlantedPackage) -> str:
    source = package.source or package.name
    named = f"Source: {source} ({package.source_version})\n" if package.source_version else f"Source: {source}\n"
    return (
        f"Package: {package.name}\nStatus: install ok installed\nArchitecture: amd64\n{named}"
        f"Version: {package.version}\nMaintainer: nobody <nobody@example.invalid>\nDescription: planted\n"
    )


def _apk_stanza(package: PlantedPackage) -> str:
    origin = package.source or package.name
    return f"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:{package.name}\nV:{package.version}\nA:x86_64\no:{origin}\n\n"


def _language_files(package: PlantedPackage) -> list[Entry]:
    match package.ecosystem:
        case Ecosystem.PYPI:
            folder = f"usr/lib/python3/dist-packages/{package.name}-{package.version}.dist-info"
            text = f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n"
            return [file(f"{folder}/METADATA", text)]
        case Ecosystem.NPM:
            text = json.dumps({"name": package.name, "version": package.version})
            return [file(f"app/node_modules/{package.name}/package.json", text)]
        case Ecosystem.MAVEN:
            group, _, artifact = package.name.partition(":")
            return [file(f"app/{artifact}-{package.version}.jar", _jar(group, artifact, package.version))]
        case Ecosystem.GO:
            content = go_binary({package.name: f"v{package.version}"})
            return [file(f"app/{package.name.replace('/', '-')}", content, mode=0o755)]
        case _:
            return []


def _jar(group: str, artifact: str, version: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as jar:
        jar.writestr(_member("META-INF/MANIFEST.MF"), "Manifest-Version: 1.0\n")
        properties = f"groupId={group}\nartifactId={artifact}\nversion={version}\n"
        jar.writestr(_member(f"META-INF/maven/{group}/{artifact}/pom.properties"), properties)
    return content.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def _run(command: list[str], folder: Path, **settings: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), **settings}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _trivy(trivy: Path, databases: BuiltDatabases, layout: Path, folder: Path) -> list[ExpectedFinding]:
    output = folder / "trivy.json"
    flags = "--skip-db-update --skip-java-db-update --skip-version-check --disable-telemetry --offline-scan"
    _run(
        [
            *(str(trivy), "image", "--input", str(layout), "--cache-dir", str(databases.trivy_cache)),
            *("--cache-backend", "memory", "--scanners", "vuln", "--format", "json", "--output", str(output)),
            *flags.split(),
        ],
        folder,
    )
    report = json.loads(output.read_text())
    return [_trivy_finding(found) for result in report["Results"] for found in result.get("Vulnerabilities", ())]


def _ecosystem(purl: str) -> Ecosystem:
    kind, namespace = purl.removeprefix("pkg:").split("/")[:2]
    return Ecosystem({"deb": namespace, "apk": namespace, "golang": "go"}.get(kind, kind))


def _trivy_finding(found: dict[str, Any]) -> ExpectedFinding:
    fixed = found.get("FixedVersion", "")
    return ExpectedFinding(
        scanner=Scanner.TRIVY,
        ecosystem=_ecosystem(found["PkgIdentifier"]["PURL"]),
        package=found["PkgName"],
        version=found["InstalledVersion"].removeprefix("v"),
        id=found["VulnerabilityID"],
        aliases=tuple(sorted(found.get("VendorIDs", ()))),
        severity=found["Severity"],
        state=found["Status"],
        fixed_versions=tuple(fixed.split(", ")) if fixed else (),
    )


def _grype_report(grype: Path, databases: BuiltDatabases, layout: Path, folder: Path) -> dict[str, Any]:
    output = folder / "grype.json"
    _run(
        [str(grype), f"oci-dir:{layout}", "-o", f"json={output}"],
        folder,
        GRYPE_DB_CACHE_DIR=str(databases.grype_cache),
        GRYPE_DB_AUTO_UPDATE="false",
        GRYPE_CHECK_FOR_APP_UPDATE="false",
        GRYPE_DB_VALIDATE_AGE="false",
    )
    report: dict[str, Any] = json.loads(output.read_text())
    return report


def _grype(grype: Path, databases: BuiltDatabases, layout: Path, folder: Path) -> list[ExpectedFinding]:
    return [_grype_finding(match) for match in _grype_report(grype, databases, layout, folder)["matches"]]


def _grype_finding(match: dict[str, Any]) -> ExpectedFinding:
    vulnerability, artifact = match["vulnerability"], match["artifact"]
    return ExpectedFinding(
        scanner=Scanner.GRYPE,
        ecosystem=_ecosystem(artifact["purl"]),
        package=artifact["name"],
        version=artifact["version"].removeprefix("v"),
        id=vulnerability["id"],
        aliases=tuple(sorted({related["id"] for related in match["relatedVulnerabilities"]} - {vulnerability["id"]})),
        severity=vulnerability["severity"],
        state=vulnerability["fix"]["state"],
        fixed_versions=tuple(vulnerability["fix"]["versions"]),
    )
