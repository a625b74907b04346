"""Three readers name one distribution, each in its own words."""

from __future__ import annotations

import pytest

from gate.findings.distributions import agrees, is_known
from gate.model.evidence import Distribution, ScannedDistribution
from gate.model.finding import Tool
from gate.model.releases import RELEASES, Life, end_of_life


def scanned(name: str, version: str) -> ScannedDistribution:
    return ScannedDistribution(name=name, version=version)


@pytest.mark.parametrize(
    ("id_", "version", "trivy", "grype"),
    [
        ("debian", "12", ("debian", "12.15"), ("debian", "12")),
        ("ubuntu", "24.04", ("ubuntu", "24.04"), ("ubuntu", "24.04")),
        ("alpine", "3.22.1", ("alpine", "3.22.1"), ("alpine", "3.22")),
        ("wolfi", "20230201", ("wolfi", "20230201"), ("wolfi", "")),
        ("rhel", "9.4", ("redhat", "9.4"), ("redhat", "9")),
        ("rocky", "9.4", ("rocky", "9.4"), ("rockylinux", "9.4")),
        ("almalinux", "9.4", ("alma", "9.4"), ("almalinux", "9.4")),
        ("ol", "9.4", ("oracle", "9.4"), ("oraclelinux", "9.4")),
        ("amzn", "2023", ("amazon", "2023"), ("amazonlinux", "2023")),
        ("sles", "15.7", ("sles", "15.7"), ("sles", "15.7")),
        ("photon", "5.0", ("photon", "5.0"), ("photon", "5.0")),
        ("azurelinux", "3.0", ("azurelinux", "3.0"), ("azurelinux", "3.0")),
        ("amzn", "2023", ("amazon", "2023.6.20250107 (Amazon Linux)"), ("amazonlinux", "2023")),
        ("opensuse-leap", "15.6", ("opensuse-leap", "15.6"), ("opensuseleap", "15.6")),
    ],
)
def test_the_names_of_both_scanners_agree(
    id_: str, version: str, trivy: tuple[str, str], grype: tuple[str, str]
) -> None:
    found = Distribution(id=id_, version_id=version)
    assert is_known(found)
    assert agrees(found, scanned(*trivy), Tool.TRIVY)
    assert agrees(found, scanned(*grype), Tool.GRYPE)


@pytest.mark.parametrize(
    ("id_", "version", "seen"),
    [
        ("debian", "12", scanned("ubuntu", "12")),
        ("debian", "12", scanned("debian", "11")),
        ("debian", "12", scanned("debian", "")),
        ("debian", "12", None),
        ("ubuntu", "24.04", scanned("ubuntu", "24.10")),
        ("alpine", "3.22", scanned("alpine", "3.21")),
        ("alpine", "3.2", scanned("alpine", "3.20")),
        ("foo", "1", scanned("foo", "1")),
        ("rocky", "9", scanned("rockylinux", "9")),
    ],
)
def test_what_trivy_sees_differs(id_: str, version: str, seen: ScannedDistribution | None) -> None:
    assert not agrees(Distribution(id=id_, version_id=version), seen, Tool.TRIVY)


@pytest.mark.parametrize("id_", ["arch", "opensuse-tumbleweed", "scratch", ""])
def test_what_a_scanner_cannot_judge_is_not_known(id_: str) -> None:
    assert not is_known(Distribution(id=id_, version_id="1"))


def test_every_release_with_an_end_can_be_named_by_both_scanners() -> None:
    assert all(is_known(Distribution(id=release.id, version_id=release.version)) for release in RELEASES)


@pytest.mark.parametrize(("id_", "version"), [("debian", "99"), ("debian", ""), ("alpine", "3"), ("fedora", "20")])
def test_an_unknown_release_is_unknown_and_never_alive(id_: str, version: str) -> None:
    assert end_of_life(id_, version) is Life.UNKNOWN
