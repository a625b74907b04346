"""The advisories hold what tests and canaries rely on, and the built databases say so in both forms."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gate.codec.bolt import Bucket, parse_bolt
from tools.advisories import DEMONSTRATION, BuiltDatabases, Ecosystem, Scanner, build_databases
from tools.advisories.catalog import CANARY_ID, load_advisories
from tools.advisories.cvss import base_score
from tools.advisories.expected import PlantedPackage, expected_findings
from tools.advisories.go_binary import go_binary
from tools.advisories.model import CODENAMES, FixState, VersionRange
from tools.advisories.records import Record, records
from tools.advisories.versions import is_affected, sort_versions

BUILT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRIVY_PREFIXES = {Ecosystem.PYPI: "pip", Ecosystem.NPM: "npm", Ecosystem.MAVEN: "maven", Ecosystem.GO: "go"}
GRYPE_ECOSYSTEMS = ("apk", "deb", "go-module", "java-archive", "npm", "python")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltDatabases:
    return build_databases(tmp_path_factory.mktemp("advisories"), BUILT)


@pytest.fixture(scope="module")
def trivy(built: BuiltDatabases) -> Bucket:
    return parse_bolt((built.out / "trivy" / "db" / "trivy.db").read_bytes())


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _json(bucket: Bucket | None, key: str) -> dict[str, object]:
    raw = bucket.get(key.encode()) if bucket else None
    assert raw is not None, key
    document: dict[str, object] = json.loads(raw)
    return document


def _named(scanner: Scanner, name: str) -> list[Record]:
    return [record for record in records(scanner, load_advisories()) if record.id == name]


def test_the_same_time_gives_the_same_bytes_and_another_time_others(built: BuiltDatabases, tmp_path: Path) -> None:
    same = build_databases(tmp_path / "same", BUILT.astimezone(timezone(timedelta(hours=9))))
    later = build_databases(tmp_path / "later", BUILT + timedelta(seconds=1))
    assert _files(same.out) == _files(built.out)
    changed = {name for name, digest in _files(later.out).items() if digest != _files(built.out).get(name)}
    assert {"trivy/db/metadata.json", "grype/vulnerability.db"} <= changed
    assert not {"trivy/db/trivy.db", "trivy/java-db/trivy-java.db"} & changed


def test_a_build_replaces_what_stood_there(built: BuiltDatabases, tmp_path: Path) -> None:
    build_databases(tmp_path, BUILT + timedelta(days=1))
    build_databases(tmp_path, BUILT)
    assert _files(tmp_path) == _files(built.out)


def test_one_scanner_alone_is_built(tmp_path: Path) -> None:
    only_trivy = build_databases(tmp_path / "trivy", BUILT, scanners=frozenset({Scanner.TRIVY}))
    only_grype = build_databases(tmp_path / "grype", BUILT, scanners=frozenset({Scanner.GRYPE}))
    assert (only_trivy.grype_database, only_grype.trivy_cache) == (None, None)
    assert {path.name for path in only_trivy.out.iterdir()} == {"DEMONSTRATION", "artifacts", "trivy"}
    assert {path.name for path in only_grype.out.iterdir()} == {"DEMONSTRATION", "artifacts", "grype"}


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        build_databases(tmp_path, datetime(2026, 1, 1))  # noqa: DTZ001


def test_trivys_database_says_that_it_is_a_demonstration(trivy: Bucket) -> None:
    assert DEMONSTRATION.encode() in set(trivy.bucket_names())
    assert _json(trivy.bucket(b"data-source"), DEMONSTRATION)["ID"] == DEMONSTRATION


def test_the_java_and_grype_databases_say_that_they_are_a_demonstration(built: BuiltDatabases) -> None:
    with closing(sqlite3.connect(built.out / "trivy" / "java-db" / "trivy-java.db")) as java:
        assert java.execute("SELECT group_id FROM artifacts").fetchall() == [(DEMONSTRATION,)]
    with closing(sqlite3.connect(built.out / "grype" / "vulnerability.db")) as grype:
        assert (DEMONSTRATION,) in grype.execute("SELECT id FROM providers").fetchall()


@pytest.mark.parametrize(("ecosystem", "release"), CODENAMES)
def test_trivy_covers_each_release_with_a_fix(trivy: Bucket, ecosystem: Ecosystem, release: str) -> None:
    bucket = trivy.bucket(f"{ecosystem} {release}".encode())
    assert bucket
    real = [
        json.loads(raw)
        for _, package in bucket.buckets()
        for name, raw in package.items()
        if name != CANARY_ID.encode()
    ]
    assert any("FixedVersion" in advisory for advisory in real)


@pytest.mark.parametrize("ecosystem", TRIVY_PREFIXES)
def test_trivy_covers_each_language_with_a_fix(trivy: Bucket, ecosystem: Ecosystem) -> None:
    prefix = f"{TRIVY_PREFIXES[ecosystem]}::".encode()
    real = [
        bucket
        for name, bucket in trivy.buckets()
        if name.startswith(prefix) and not name.endswith(DEMONSTRATION.encode())
    ]
    advisories = [json.loads(raw) for bucket in real for _, package in bucket.buckets() for _, raw in package.items()]
    assert any("PatchedVersions" in advisory for advisory in advisories)


def test_grype_covers_each_release_and_each_language_with_a_fix(built: BuiltDatabases) -> None:
    fixed = "WHERE json_extract(b.value, '$.ranges[0].fix.state') = 'fixed'"
    joined = "FROM affected_package_handles a JOIN blobs b ON b.id = a.blob_id JOIN packages p ON p.id = a.package_id"
    with closing(sqlite3.connect(built.out / "grype" / "vulnerability.db")) as grype:
        releases = grype.execute(
            f"SELECT DISTINCT o.name, o.codename, o.major_version, o.minor_version {joined} "
            f"JOIN operating_systems o ON o.id = a.operating_system_id {fixed}"
        ).fetchall()
        ecosystems = grype.execute(f"SELECT DISTINCT p.ecosystem {joined} {fixed} ORDER BY 1").fetchall()
    assert len(releases) == len(CODENAMES)
    assert ("ubuntu", "jammy", "22", "4") in releases
    assert ("debian", "bookworm", "12", "") in releases
    assert tuple(name for (name,) in ecosystems) == GRYPE_ECOSYSTEMS


def test_every_detail_record_of_trivy_is_there_for_every_advisory(trivy: Bucket) -> None:
    details = trivy.bucket(b"vulnerability")
    assert details
    known = dict(details.items())
    assert all(record.id.encode() in known for record in records(Scanner.TRIVY, load_advisories()))


def test_the_artifacts_are_what_the_registries_serve(built: BuiltDatabases) -> None:
    assert built.trivy_artifact
    assert built.trivy_java_artifact
    for artifact, kind, tag in ((built.trivy_artifact, "db", "2"), (built.trivy_java_artifact, "javadb", "1")):
        entry = json.loads((artifact / "index.json").read_text())["manifests"][0]
        assert entry["annotations"]["org.opencontainers.image.ref.name"] == tag
        manifest = json.loads((artifact / "blobs" / entry["digest"].replace(":", "/")).read_text())
        assert manifest["config"]["mediaType"] == "application/vnd.aquasec.trivy.config.v1+json"
        (layer,) = manifest["layers"]
        assert layer["mediaType"] == f"application/vnd.aquasec.trivy.{kind}.layer.v1.tar+gzip"


def test_the_grype_list_names_its_archive_by_digest(built: BuiltDatabases) -> None:
    assert built.grype_mirror
    assert built.grype_database
    latest = json.loads((built.grype_mirror / "v6" / "latest.json").read_text())
    archive = built.grype_mirror / "v6" / latest["path"]
    assert latest["checksum"] == "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    assert latest["built"] == "2026-01-02T03:04:05Z"
    with tarfile.open(archive) as packed:
        content = packed.extractfile("vulnerability.db")
        assert content
        assert content.read() == built.grype_database.read_bytes()


def test_one_ghsa_over_two_cves_is_one_record_for_grype_and_two_for_trivy() -> None:
    both = {"CVE-2021-32674", "CVE-2021-32633"}
    (zope,) = (record for record in _named(Scanner.GRYPE, "GHSA-5pr9-v234-jw36") if record.affected.package == "zope")
    assert both <= set(zope.aliases)
    assert all(_named(Scanner.TRIVY, cve) for cve in both)


@pytest.mark.parametrize(
    ("ecosystem", "state"),
    [
        *((ecosystem, FixState.FIXED) for ecosystem in Ecosystem),
        *((ecosystem, FixState.NOT_FIXED) for ecosystem in Ecosystem if ecosystem is not Ecosystem.ALPINE),
        (Ecosystem.DEBIAN, FixState.WONT_FIX),
    ],
)
def test_each_ecosystem_has_an_advisory_of_each_state_that_its_sources_know(
    ecosystem: Ecosystem, state: FixState
) -> None:
    affected = [part for advisory in load_advisories() if advisory.id != CANARY_ID for part in advisory.affected]
    assert any((part.ecosystem, part.state) == (ecosystem, state) for part in affected)


def test_an_advisory_of_one_database_is_expected_of_its_scanner_alone() -> None:
    package = PlantedPackage(
        ecosystem=Ecosystem.DEBIAN, release="12", name="libgnutls30", version="3.7.9-2+deb12u1", source="gnutls28"
    )
    assert [(found.scanner, found.id) for found in expected_findings([package])] == [(Scanner.TRIVY, "CVE-2024-0553")]


def test_a_repaired_package_has_no_expected_findings() -> None:
    package = PlantedPackage(ecosystem=Ecosystem.NPM, name="lodash", version="4.17.21")
    assert expected_findings([package]) == ()


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        # Three examples of first.org/cvss/v3.1/examples, and a defect without impact.
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
        ("CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
    ],
)
def test_the_base_score_is_the_specifications(vector: str, score: float) -> None:
    assert base_score(vector) == score


@pytest.mark.parametrize(
    "vector", ["CVSS:2.0/AV:N", "CVSS:3.1/AV:N/AC:L", "CVSS:4.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"]
)
def test_another_vector_is_refused(vector: str) -> None:
    with pytest.raises(ValueError, match="not a CVSS 3 base vector"):
        base_score(vector)


@pytest.mark.parametrize(
    ("ecosystem", "ascending"),
    [
        # deb-version(7) and Debian policy 5.6.12; apk-tools test/version.data; semver.org section 11; Maven's POM
        # reference, "Version Order Specification".
        (Ecosystem.DEBIAN, ("1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-1.1", "1.0-2", "1.0a-1", "1.0+b-1", "1:0.9-1")),
        (Ecosystem.UBUNTU, ("2.35-0ubuntu3", "2.35-0ubuntu3.1", "2.35-0ubuntu3.10", "2.35-1")),
        (Ecosystem.ALPINE, ("1.2.2_pre2-r0", "1.2.2-r0", "1.2.2-r1", "1.2.2a-r0", "1.2.4_git20230717-r5", "1.2.5-r0")),
        (Ecosystem.PYPI, ("5.2b1", "5.2", "5.10")),
        (Ecosystem.NPM, ("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-rc.1", "1.0.0", "1.10.0")),
        (Ecosystem.GO, ("0.0.0-20150717181359-44718f8a89b0", "0.17.0", "v0.23.0")),
        (Ecosystem.MAVEN, ("2.0-beta9", "2.0-rc1", "2.0", "2.0.1", "2.12.6", "2.12.6.1", "2.13.0")),
    ],
)
def test_versions_ascend_as_their_specification_says(ecosystem: Ecosystem, ascending: tuple[str, ...]) -> None:
    assert sort_versions(ecosystem, reversed(ascending)) == ascending


def test_equal_maven_versions_are_equal() -> None:
    ranges = (VersionRange(introduced="5.2.20.RELEASE", last_affected="5.2.20"),)
    assert is_affected(Ecosystem.MAVEN, "5.2.20.0", ranges)
    assert not is_affected(Ecosystem.MAVEN, "5.2.21", ranges)


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [(Ecosystem.DEBIAN, "1_0"), (Ecosystem.ALPINE, "x"), (Ecosystem.NPM, "1.0"), (Ecosystem.MAVEN, "1.0-jre")],
)
def test_a_version_of_another_form_is_refused(ecosystem: Ecosystem, version: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        is_affected(ecosystem, version, (VersionRange(fixed="1.0.0"),))


def test_a_go_binary_holds_its_modules_on_a_boundary_of_sixteen_bytes() -> None:
    content = go_binary({"golang.org/x/net": "v0.17.0"})
    assert content.index(b"\xff Go buildinf:") % 16 == 0
    assert b"dep\tgolang.org/x/net\tv0.17.0" in content
