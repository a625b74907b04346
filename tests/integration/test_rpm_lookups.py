"""A word in the header of an rpm package that makes a scanner ask for other advisories, on both real scanners (T35)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from tests.support.layers import rpm_header
from tests.support.rpm_databases import rpmdb
from tests.support.rpm_families import FAMILIES, RpmFamily
from tests.support.scan_bench import Bench, grype_store, trivy_store
from tests.support.scanners import write_image
from tools.advisories import BuiltDatabases
from tools.advisories.bolt import Tree
from tools.images.archive import Entry, file

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

ROCKY: Final = next(one for one in FAMILIES if one.id == "rocky")
ORACLE: Final = next(one for one in FAMILIES if one.id == "ol")
# What a published database has: an entry for each build, with its architectures.
BUILDS: Final = ["aarch64", "ppc64le", "s390x", "x86_64"]


def advisory(fixed: str, architectures: list[str]) -> bytes:
    return json.dumps({"Entries": [{"FixedVersion": fixed, "Arches": architectures}]}).encode()


TRIVY: Final[Tree] = {
    b"vulnerability": {b"CVE-2020-0002": b"{}"},
    b"rocky 9": {
        b"openssl": {b"CVE-2020-0002": advisory("9-1.el9", BUILDS)},
        b"tzdata": {b"CVE-2020-0002": advisory("9-1.el9", ["noarch"])},
        b"nodejs:18::nodejs": {b"CVE-2020-0002": advisory("99-1.module+el9", BUILDS)},
    },
    b"Oracle Linux 9": {
        b"openssl": {b"CVE-2020-0002": advisory("9-1.el9", BUILDS)},
        b"glibc": {b"CVE-2020-0002": advisory("9-1.ksplice1.el9", BUILDS)},
    },
}
HONEST, MODULE = "1.el9", "1.module+el9.3.0+1+abc"
# Name, version, release, architecture, module label → whether Trivy's advisory is found, and whether it is looked up at all.
TRIVY_CASES: Final = (
    (ROCKY, ("openssl", "3", HONEST, "x86_64", ""), True, True),
    (ROCKY, ("openssl", "3", HONEST, "noarch", ""), False, False),
    (ROCKY, ("openssl", "3", HONEST, "i686", ""), False, False),
    (ROCKY, ("tzdata", "3", HONEST, "noarch", ""), True, True),
    (ROCKY, ("nodejs", "18", MODULE, "x86_64", "nodejs:18:9:abc"), True, True),
    (ROCKY, ("nodejs", "18", MODULE, "x86_64", "nodejs:99:9:abc"), False, False),
    (ROCKY, ("nodejs", "18", MODULE, "x86_64", ""), False, False),
    (ROCKY, ("nodejs-docs", "18", MODULE, "noarch", "nodejs:18:9:abc"), False, True),
    (ROCKY, ("npm", "18", MODULE, "x86_64", "other:1:9:abc"), False, True),
    (ORACLE, ("openssl", "3", HONEST, "x86_64", ""), True, True),
    (ORACLE, ("openssl", "3", "1.el9_fips", "x86_64", ""), False, False),
    (ORACLE, ("glibc", "3", "1.ksplice1.el9", "x86_64", ""), True, True),
    (ORACLE, ("glibc", "3", HONEST, "x86_64", ""), False, False),
    (ORACLE, ("openssl", "3", HONEST, "noarch", ""), False, False),
)


def entries_of(family: RpmFamily, package: tuple[str, str, str, str, str]) -> list[Entry]:
    name, version, release, architecture, label = package
    vendor = {"rocky": "Rocky Enterprise Software Foundation", "ol": "Oracle America"}[family.id]
    tags: dict[int, str | list[str] | list[int]] = {
        1000: name, 1001: version, 1002: release, 1011: vendor, 1022: architecture, 1044: f"{name}.src.rpm",
    }  # fmt: skip
    if label:
        tags[5096] = label
    return [*family.release_files(), file("var/lib/rpm/rpmdb.sqlite", rpmdb(rpm_header(tags)))]


@pytest.mark.parametrize(("family", "package", "is_found", "is_asked"), TRIVY_CASES)
def test_z04_trivy_is_known_to_ask_nothing_where_a_header_leads_it_past_every_advisory(
    bench: Bench,
    family: RpmFamily,
    package: tuple[str, str, str, str, str],
    *,
    is_found: bool,
    is_asked: bool,
    tmp_path: Path,
) -> None:
    target = write_image(tmp_path / "image", entries_of(family, package), distribution=family.distribution)
    report = bench.scan("trivy", target=target, databases=trivy_store(bench, tmp_path, TRIVY))
    assert bool(report.findings) is is_found
    assert {name for name, _, _ in report.passed_over} == (set() if is_asked else {package[0]})


GRYPE: Final = """
INSERT INTO operating_systems(id, name, release_id, major_version, minor_version, label_version, codename, channel)
  VALUES (900000, 'rockylinux', 'rocky', '9', '', '', '', '');
INSERT INTO packages(id, ecosystem, name) VALUES (900000, 'rpm', 'openssl'), (901000, 'rpm', 'nodejs'), (902000, 'rpm', 'curl');
INSERT INTO blobs(id, value) VALUES (990000, '{"id": "CVE-2020-0002", "severities": []}'),
  (990010, '{"qualifiers": {"rpm_modularity": ""}, "ranges": [{"version": {"type": "rpm", "constraint": "< 99"}}]}'),
  (990020, '{"qualifiers": {"rpm_modularity": "nodejs:18"}, "ranges": [{"version": {"type": "rpm", "constraint": "< 99"}}]}'),
  (990030, '{"ranges": [{"version": {"type": "rpm", "constraint": "< 99"}}]}');
INSERT INTO vulnerability_handles(id, name, status, provider_id, blob_id)
  SELECT 900000, 'CVE-2020-0002', 'active', id, 990000 FROM providers LIMIT 1;
INSERT INTO affected_package_handles(vulnerability_id, operating_system_id, package_id, blob_id)
  VALUES (900000, 900000, 900000, 990010), (900000, 900000, 901000, 990020), (900000, 900000, 902000, 990030);
"""
GRYPE_CASES: Final = (
    (("openssl", "3", HONEST, "x86_64", ""), True, True),
    (("nodejs", "18", MODULE, "x86_64", "nodejs:18:9:abc"), True, True),
    (("nodejs", "18", MODULE, "x86_64", "nodejs:99:9:abc"), False, False),
    # As long as a label begins with the record's module, Grype takes them for one.
    (("nodejs", "18", MODULE, "x86_64", "nodejs:180:9:abc"), True, True),
    (("openssl", "3", MODULE, "x86_64", "nodejs:18:9:abc"), False, False),
    (("curl", "3", MODULE, "x86_64", "nodejs:18:9:abc"), True, True),
)


@pytest.mark.parametrize(("package", "is_found", "is_asked"), GRYPE_CASES)
def test_z04_grype_is_known_to_ask_nothing_where_a_label_names_another_module(
    bench: Bench,
    built: BuiltDatabases,
    package: tuple[str, str, str, str, str],
    *,
    is_found: bool,
    is_asked: bool,
    tmp_path: Path,
) -> None:
    target = write_image(tmp_path / "image", entries_of(ROCKY, package), distribution=ROCKY.distribution)
    report = bench.scan("grype", target=target, databases=grype_store(bench, built, tmp_path, GRYPE))
    assert bool(report.findings) is is_found
    assert {name for name, _, _ in report.passed_over} == (set() if is_asked else {package[0]})
