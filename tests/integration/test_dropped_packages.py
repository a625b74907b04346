"""What an image's own words take out of the scanners' reports, on both real scanners (attacks L12, V10).

Each case plants a vulnerable package and the words that hide it, and demands that the finding is there, or that the package
is named as one that nobody looked up. Each has a twin without the words.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gate.model.evidence import Distribution, ScanReport
from gate.scanners.scanning import ScanTarget
from tests.support.layers import facts_of
from tests.support.package_kinds import KINDS, Installed
from tests.support.rpm_families import FAMILIES
from tests.support.scan_bench import Bench
from tests.support.scanners import DPKG, debian_files, language_files, log4j, write_image
from tools.images.archive import Entry, file, hardlink, tar

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

SCANNERS: Final = pytest.mark.parametrize("name", ["trivy", "grype"])
JAR: Final = "app/log4j-core-2.14.1.jar"
LODASH: Final = "app/node_modules/lodash/package.json"
WHEEL: Final = "usr/lib/python3/dist-packages/Jinja2-2.10.dist-info/METADATA"
SUM: Final = "d41d8cd98f00b204e9800998ecf8427e"


def target_of(folder: Path, entries: list[Entry]) -> ScanTarget:
    """Write an image and give it as the gate itself would: with its own reading of the layers."""
    facts = facts_of(tar(entries))
    target = write_image(folder, entries)
    return replace(target, unversioned=facts.unversioned, claims=facts.claims)


def image(version: str, claimed: tuple[str, ...]) -> list[Entry]:
    """Return a small Debian in which `coreutils` of a version claims files of languages."""
    status = DPKG.replace("Version: 9.1-1", f"Version: {version}")
    sums = "".join(f"{SUM}  {path}\n" for path in claimed)
    others = [entry for entry in debian_files() if entry.name != "var/lib/dpkg/status"]
    return [
        *others,
        file("var/lib/dpkg/status", status),
        file("var/lib/dpkg/info/coreutils.md5sums", sums),
        *language_files(),
    ]


def seen(report: ScanReport) -> set[tuple[str, str]]:
    return {(finding.package.key.type, finding.package.key.name) for finding in report.findings}


LANGUAGES: Final = {("maven", "log4j-core"), ("npm", "lodash"), ("pypi", "jinja2")}


@SCANNERS
@pytest.mark.parametrize(
    ("version", "claimed"), [("2", (JAR, WHEEL)), ("4", (LODASH,)), ("9.1-1", (JAR, LODASH, WHEEL))]
)
def test_z01_what_a_distributions_package_claims_is_found_all_the_same(
    bench: Bench, name: str, version: str, claimed: tuple[str, ...], tmp_path: Path
) -> None:
    target = target_of(tmp_path / "image", image(version, claimed))
    assert {path for path, _ in target.claims} == set(claimed)
    assert seen(bench.scan(name, target=target)) >= LANGUAGES
    # What the gate undoes: without its reading of the lists, Grype's own report is silent about what is claimed.
    if name == "grype" and version != "9.1-1":
        assert not seen(bench.scan(name, target=replace(target, claims=frozenset()))) >= LANGUAGES


def owned(kind: str) -> tuple[list[Entry], Distribution]:
    """Return a system of another kind in which a package claims the files of languages, each with a version that hides one."""
    if kind == "conffiles":
        stanza = "".join(f" /{path} {SUM}\n" for path in (JAR, WHEEL))
        status = DPKG.replace("Version: 9.1-1\n", f"Version: 2\nConffiles:\n{stanza}")
        others = [entry for entry in debian_files() if entry.name != "var/lib/dpkg/status"]
        return [*others, file("var/lib/dpkg/status", status)], Distribution(
            id="debian", version_id="12", codename="bookworm"
        )
    owner = Installed("owner", "2.14.1-r0" if kind == "apk" else "2.14.1-1.el9", (JAR, WHEEL))
    if kind == "apk":
        release = 'ID=alpine\nID_LIKE=debian\nVERSION_ID=3.22.0\nNAME="Alpine"\n'
        files = [file("etc/os-release", release), file("etc/alpine-release", "3.22.0\n")]
        return [*files, *KINDS["apk"]((owner,), ())], Distribution(id="alpine", version_id="3.22.0")
    rocky = next(one for one in FAMILIES if one.id == "rocky")
    release = 'ID=rocky\nID_LIKE="rhel centos fedora"\nVERSION_ID=9.4\nNAME="Rocky"\n'
    files = [entry for entry in rocky.release_files() if entry.name != "etc/os-release"]
    return [file("etc/os-release", release), *files, *KINDS[kind]((owner,), ())], rocky.distribution


@SCANNERS
@pytest.mark.parametrize("kind", ["conffiles", "apk", "rpm-sqlite", "rpm-bdb", "rpm-ndb"])
def test_z01_what_a_package_of_another_kind_of_database_claims_is_found_too(
    bench: Bench, name: str, kind: str, tmp_path: Path
) -> None:
    entries, distribution = owned(kind)
    entries = [*entries, *language_files()]
    facts = facts_of(tar(entries))
    assert {path for path, _ in facts.claims} == {JAR, WHEEL}
    target = replace(write_image(tmp_path / "image", entries, distribution=distribution), claims=facts.claims)
    report = bench.scan(name, target=target)
    assert seen(report) >= LANGUAGES
    assert report.os_packages == facts.os_packages
    if name == "grype":
        # Grype alone hides one: the beginning of its version is that of its owner's, or the other way round.
        assert not seen(bench.scan(name, target=replace(target, claims=frozenset()))) >= LANGUAGES


@SCANNERS
@pytest.mark.parametrize(
    ("entry", "package"),
    [
        (file("srv/PyJWT.dist-info/METADATA", "Metadata-Version: 2.1\nName: Jinja2\nVersion: unknown\n\n"), "jinja2"),
        (file("srv/x.dist-info/METADATA", "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10.unknown\n\n"), "jinja2"),
        (file("srv/Jinja2-2.10.dist-info/METADATA", "Metadata-Version: 2.1\nName: Jinja2\n\n"), "jinja2"),
        (file("srv/node_modules/lodash/package.json", '{"name": "lodash", "version": "unknown"}'), "lodash"),
        (file("srv/node_modules/lodash/package.json", '{"name": "lodash"}'), "lodash"),
    ],
)
def test_z02_a_package_without_a_version_of_its_ecosystem_is_named_where_there_are_advisories(
    bench: Bench, name: str, entry: Entry, package: str, tmp_path: Path
) -> None:
    report = bench.scan(name, target=target_of(tmp_path / "image", [*debian_files(), entry]))
    assert {key.name for key in report.unjudged} == {package}
    unknown = file("srv/node_modules/nobody-knows-this/package.json", json.dumps({"name": "nobody-knows-this"}))
    honest = [*debian_files(), *language_files(), unknown]
    assert bench.scan(name, target=target_of(tmp_path / "honest", honest)).unjudged == frozenset()


def test_z03_a_hard_linked_package_is_in_the_gates_own_list_when_a_scanner_leaves_it_out(
    bench: Bench, tmp_path: Path
) -> None:
    entries = [*debian_files(), file("store/abcdef", log4j()), hardlink("app/log4j-core.jar", "store/abcdef")]
    own = {key.name for key in facts_of(tar(entries, sort=False)).language_packages}
    assert own == {"log4j-core"}
    target = write_image(tmp_path / "image", entries)
    listed = {
        name: {package.key.name for package in bench.scan(name, target=target).packages} & own
        for name in ("trivy", "grype")
    }
    assert listed == {"trivy": set(), "grype": {"log4j-core"}}
