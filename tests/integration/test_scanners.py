"""Both real scanners, as the gate starts them: what they find, and what cannot mislead them (attacks V04 to V14)."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate.admin.databases import import_databases
from gate.clock import Deadline
from gate.errors import ScannerError, StorageError
from gate.model.digest import Digest
from gate.model.evidence import Canary, Distribution, Isolation, RawReport, ScanReport
from gate.scanners.database_store import (
    DatabaseSet,
    load_databases,
)
from gate.scanners.grype import collect_grype
from gate.scanners.scanning import ScanSettings, ScanTarget
from gate.scanners.tool_pins import PinnedTool
from gate.scanners.trivy import collect_trivy
from tests.support.scan_bench import BUILT, Bench, trivy_store
from tests.support.scanners import (
    BOOKWORM,
    DPKG,
    KEY_FILE,
    debian_files,
    write_image,
)
from tools.advisories import BuiltDatabases
from tools.advisories.bolt import Tree
from tools.images.archive import file

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

Collect = Callable[[ScanTarget, PinnedTool, DatabaseSet, ScanSettings, Deadline], ScanReport]


SCANNERS = pytest.mark.parametrize("name", ["trivy", "grype"])


@SCANNERS
def test_a_scan_finds_proves_and_names_itself(bench: Bench, name: str) -> None:
    report = bench.scan(name)
    named = {alias for finding in report.findings for alias in (finding.id, *finding.aliases)}
    assert {"CVE-2024-6119", "CVE-2019-10906", "CVE-2021-44228", "CVE-2019-10744"} <= named
    assert report.covered is True
    assert isinstance(report.canary, Canary)
    assert report.canary.expected
    assert report.canary.found == report.canary.expected
    assert report.target_diff_ids == bench.target.diff_ids
    assert report.database.demonstration is True
    assert report.database.built_at == BUILT
    assert len(report.os_packages) == 3


def test_both_see_the_same_packages(bench: Bench) -> None:
    trivy, grype = bench.scan("trivy"), bench.scan("grype")
    assert trivy.os_packages == grype.os_packages
    assert {package.key for package in trivy.packages} == {package.key for package in grype.packages}
    assert trivy.isolation in set(Isolation)


def test_the_raw_reports_are_kept_by_digest_and_without_secrets(bench: Bench) -> None:
    kept: dict[str, bytes] = {}

    def keep(report: RawReport, content: bytes) -> None:
        assert report.digest == Digest.of(content)
        kept[report.name] = content

    settings = replace(bench.settings, keep_raw=keep)
    trivy, grype = bench.scan("trivy", settings=settings), bench.scan("grype", settings=settings)
    assert set(kept) == {"trivy.json", "grype.json", "grype.cdx.json"}
    assert [secret.rule for secret in trivy.secrets] == ["private-key"]
    assert grype.package_report is not None
    for content in kept.values():
        assert b"in-env" not in content
        assert not any(line.encode() in content for line in KEY_FILE.splitlines()[1:])


@SCANNERS
def test_V08_V09_hostile_files_and_variables_change_nothing(  # noqa: N802  named after the attacks
    bench: Bench, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.scan(name)
    (tmp_path / ".config/grype").mkdir(parents=True)
    (tmp_path / ".grype").mkdir()
    (tmp_path / "trivy.yaml").write_text("severity: [LOW]\nscan: {skip-files: [var/lib/dpkg/status]}\n")
    (tmp_path / ".trivyignore").write_text("CVE-2024-6119\nCVE-2019-10906\n")
    (tmp_path / "trivy-secret.yaml").write_text("disable-rules: [private-key]\n")
    ignore = "ignore: [{vulnerability: CVE-2024-6119}]\nonly-fixed: true\nexclude: ['**']\n"
    for path in (".grype.yaml", ".grype/config.yaml", ".config/grype/config.yaml"):
        (tmp_path / path).write_text(ignore)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    hostile = {
        "TRIVY_SEVERITY": "LOW",
        "TRIVY_IGNORE_UNFIXED": "true",
        "TRIVY_SKIP_FILES": "var/lib/dpkg/status",
        "TRIVY_DISTRO": "alpine/3.20",
        "TRIVY_CONFIG": str(tmp_path / "trivy.yaml"),
        "GRYPE_ONLY_FIXED": "true",
        "GRYPE_EXCLUDE": "**",
        "GRYPE_DISTRO": "alpine:3.20",
        "GRYPE_CONFIG": str(tmp_path / ".grype.yaml"),
        "GODEBUG": "netdns=go",
    }
    for variable, value in hostile.items():
        monkeypatch.setenv(variable, value)
    after = bench.scan(name)
    assert set(after.findings) == set(before.findings)
    assert (after.secrets, after.os_packages) == (before.secrets, before.os_packages)


def test_V10_our_own_settings_have_their_effect(bench: Bench, tmp_path: Path) -> None:  # noqa: N802
    # An unknown key in a configuration file is ignored without a word, so each of ours is tested by what it does: the
    # key stands where one of Trivy's own allow rules would let it pass.
    entries = [*debian_files(), file("usr/share/doc/x/examples/tests/key.pem", KEY_FILE)]
    target = write_image(tmp_path / "image", entries)
    assert [secret.rule for secret in bench.scan("trivy", target=target).secrets] == ["private-key"]


THIRD_PARTY = "Maintainer: Docker <support@docker.com>"
DOCKER = f"""\
Package: docker-ce
Status: install ok installed
{THIRD_PARTY}
Architecture: amd64
Version: 5:27.3.1-1~debian.12~bookworm

"""


def test_l12_a_package_that_trivy_takes_for_a_third_partys_is_named_where_its_silence_means_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    honest = bench.scan("trivy")
    assert honest.passed_over == frozenset()
    edited = DPKG.replace("Maintainer: nobody <nobody@example.org>", THIRD_PARTY, 1) + DOCKER
    release, version, _ = debian_files()
    target = write_image(tmp_path / "image", [release, version, file("var/lib/dpkg/status", edited)])
    trivy, grype = bench.scan("trivy", target=target), bench.scan("grype", target=target)
    # One edited line, and Trivy says nothing of openssl; Grype does not look at that line.
    assert "CVE-2024-6119" in {finding.id for finding in honest.findings}
    assert "CVE-2024-6119" not in {finding.id for finding in trivy.findings}
    assert "CVE-2024-6119" in {finding.id for finding in grype.findings}
    # The real third party's package has no advisories in this release: that nobody looked takes nothing away.
    assert trivy.passed_over == {("libssl3", "3.0.11-1~deb12u2", "amd64")}
    assert grype.passed_over == frozenset()
    assert trivy.os_packages == grype.os_packages


@SCANNERS
def test_V04_a_report_about_another_image_is_refused(bench: Bench, name: str) -> None:  # noqa: N802
    other = Digest.of(b"another")
    for target in (
        replace(bench.target, manifest=other, config=other),
        replace(bench.target, diff_ids=(other,)),
        replace(bench.target, diff_ids=(*bench.target.diff_ids, other)),
    ):
        with pytest.raises(ScannerError) as raised:
            bench.scan(name, target=target)
        assert raised.value.code == "SCAN_TARGET_MISMATCH"


@SCANNERS
def test_V14_a_binary_that_is_not_pinned_is_not_started(bench: Bench, name: str, tmp_path: Path) -> None:  # noqa: N802
    mark = tmp_path / "started"
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o700)
    tool = replace(bench.trivy if name == "trivy" else bench.grype, path=program)
    with pytest.raises(ScannerError) as raised:
        bench.scan(name, **{name: tool})
    assert raised.value.code == "SCAN_BINARY"
    assert not mark.exists()


@SCANNERS
def test_no_time_is_a_timeout(bench: Bench, name: str) -> None:
    collect, tool = (collect_trivy, bench.trivy) if name == "trivy" else (collect_grype, bench.grype)
    with pytest.raises(ScannerError) as raised:
        collect(bench.target, tool, bench.databases, bench.settings, Deadline.after(timedelta(0)))
    assert raised.value.code == "SCAN_TIMEOUT"


@SCANNERS
def test_half_an_image_is_an_error(bench: Bench, name: str, tmp_path: Path) -> None:
    target = write_image(tmp_path / "image", debian_files())
    for blob in (target.layout / "blobs/sha256").iterdir():
        blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    with pytest.raises(ScannerError) as raised:
        bench.scan(name, target=target)
    assert raised.value.code == "SCAN_FAILED"


@SCANNERS
@pytest.mark.parametrize(
    ("distribution", "covered"),
    [
        (BOOKWORM, True),
        (Distribution(id="debian", version_id="99"), False),
        (Distribution(id="alpine", version_id="3.22.1"), True),
        (Distribution(id="alpine", version_id="3.99.0"), False),
        (Distribution(id="ubuntu", version_id="22.04", codename="jammy"), True),
        (Distribution(id="ubuntu", version_id="22.04", codename="noble"), None),
        (Distribution(id="unheard-of", version_id="1"), False),
        (None, None),
    ],
)
def test_the_canary_is_found_for_every_release_that_is_covered(
    bench: Bench,
    name: str,
    distribution: Distribution | None,
    covered: bool | None,  # noqa: FBT001
) -> None:
    # Only what is asked about the release changes: the canary is an image of its own.
    report = bench.scan(name, target=replace(bench.target, distribution=distribution))
    if distribution is not None and distribution.codename == "noble":
        # Grype asks for the codename too, Trivy does not know it.
        covered = name == "trivy"
    assert report.covered is covered
    assert isinstance(report.canary, Canary)
    assert report.canary.found == report.canary.expected
    # Python, npm, Maven, and the release where it is covered.
    assert len(report.canary.expected) == (4 if covered else 3)


def test_v07_an_advisory_that_trivy_drops_without_a_word_loses_the_canary(bench: Bench, tmp_path: Path) -> None:
    # A fixed version that does not parse: Trivy drops the advisory, exit code 0, nothing on standard error.
    broken: Tree = {
        b"vulnerability": {b"CVE-2020-0001": b"{}"},
        b"debian 12": {b"openssl": {b"CVE-2020-0001": b'{"FixedVersion": "1.2_(broken)"}'}},
    }
    report = bench.scan("trivy", databases=trivy_store(bench, tmp_path, broken))
    assert report.covered is True
    assert report.canary == Canary(expected=frozenset({"CVE-2020-0001"}), found=frozenset())
    assert report.findings == ()


def test_a_lost_canary_is_not_kept_and_is_found_again(bench: Bench, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    settings = replace(bench.settings, cache=cache)
    first = bench.scan("trivy", settings=settings)
    kept = [path for path in cache.iterdir() if path.name.startswith("canary-")]
    assert len(kept) == 1
    for content in (b"", b"{}", b'{"at": "2099-01-01T00:00:00Z", "found": []}'):
        kept[0].write_bytes(content)
        assert bench.scan("trivy", settings=settings).canary == first.canary


ROCKY = Distribution(id="rocky", version_id="9.4")


def test_trivy_finds_a_canary_in_an_rpm_database_of_ours(bench: Bench, tmp_path: Path) -> None:
    entries = b'{"Entries": [{"FixedVersion": "1:3.0.7-27.el9", "Arches": ["x86_64"], "VendorIDs": ["RLSA-2024:1"]}]}'
    content: Tree = {
        b"vulnerability": {b"CVE-2020-0002": b"{}"},
        b"rocky 9": {b"openssl": {b"CVE-2020-0002": entries}},
    }
    databases = trivy_store(bench, tmp_path, content)
    report = bench.scan("trivy", databases=databases, target=replace(bench.target, distribution=ROCKY))
    assert report.covered is True
    assert report.canary == Canary(expected=frozenset({"CVE-2020-0002"}), found=frozenset({"CVE-2020-0002"}))


def test_grype_finds_a_canary_in_an_rpm_database_of_ours(bench: Bench, built: BuiltDatabases, tmp_path: Path) -> None:
    assert built.grype_cache is not None
    source = tmp_path / "vulnerability.db"
    source.write_bytes((built.grype_cache / "6/vulnerability.db").read_bytes())  # with every table, as Grype made it
    with sqlite3.connect(source) as database:
        add_rocky(database)
    database.close()
    added = import_databases(
        tmp_path / "store", source, digest=None, grype=bench.grype, deadline=Deadline.after(timedelta(minutes=1))
    )
    report = bench.scan(
        "grype", databases=load_databases(tmp_path / "store"), target=replace(bench.target, distribution=ROCKY)
    )
    assert report.database == added[0].identity
    assert report.covered is True
    assert isinstance(report.canary, Canary)
    assert "RHSA-2020:0002" in report.canary.expected
    assert report.canary.found == report.canary.expected


def add_rocky(database: sqlite3.Connection) -> None:
    """Add RHEL 9 with one advisory, and the row by which Grype takes Rocky for it (checks reference, 4.5)."""
    record = json.dumps({"id": "RHSA-2020:0002", "severities": []})
    affected = json.dumps(
        {"ranges": [{"version": {"type": "rpm", "constraint": "< 1:3.0.7-27.el9"}, "fix": {"state": "fixed"}}]}
    )
    provider = database.execute("SELECT id FROM providers LIMIT 1").fetchone()[0]
    system = database.execute(
        "INSERT INTO operating_systems(name, release_id, major_version, minor_version, label_version, codename, channel)"
        " VALUES ('redhat', 'rhel', '9', '', '', '', '')"
    ).lastrowid
    blobs = [database.execute("INSERT INTO blobs(value) VALUES (?)", (text,)).lastrowid for text in (record, affected)]
    handle = database.execute(
        "INSERT INTO vulnerability_handles(name, status, provider_id, blob_id) VALUES ('RHSA-2020:0002', 'active', ?, ?)",
        (provider, blobs[0]),
    ).lastrowid
    package = database.execute("INSERT INTO packages(ecosystem, name) VALUES ('rpm', 'openssl')").lastrowid
    database.execute(
        "INSERT INTO affected_package_handles(vulnerability_id, operating_system_id, package_id, blob_id)"
        " VALUES (?, ?, ?, ?)",
        (handle, system, package, blobs[1]),
    )
    database.execute(
        "INSERT INTO operating_system_specifier_overrides(alias, replacement) VALUES ('rockylinux', 'rhel')"
    )


@SCANNERS
def test_a_disk_that_refuses_is_an_error_of_its_own(bench: Bench, name: str, tmp_path: Path) -> None:
    settings = replace(bench.settings, scratch=tmp_path / "absent", cache=None)
    with pytest.raises(StorageError) as raised:
        bench.scan(name, settings=settings)
    assert raised.value.code == "CACHE_UNAVAILABLE"


@SCANNERS
def test_v15_two_scans_at_once_on_one_store_do_not_disturb_each_other(bench: Bench, name: str) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: bench.scan(name), range(2))
    assert set(first.findings) == set(second.findings)


def test_nothing_is_written_into_the_store(bench: Bench) -> None:
    def state() -> list[tuple[str, int, int]]:
        paths = sorted(bench.store.rglob("*"))
        return [(str(path), path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in paths]

    before = state()
    bench.scan("trivy")
    bench.scan("grype")
    assert state() == before
    assert not any(os.access(path, os.W_OK) and path.stat().st_mode & 0o022 for path in bench.store.rglob("*"))
