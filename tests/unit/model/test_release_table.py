"""The table of releases against what Debian publishes about Debian and Ubuntu (package `distro-info-data`), and by itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest

from gate.model.releases import REVIEWED, Life, end_of_life, find_release

_DATA: Final = Path("/usr/share/distro-info")
# The table takes the earliest of several sources; they differ by days, and for Ubuntu by two months at most.
_DIFFERENCE: Final = timedelta(days=75)
_OLDEST: Final = date(2014, 4, 1)


def published(distribution: str) -> Iterator[tuple[str, str, date]]:
    """Yield version, code name and end of free support of each release that was out when the table was reviewed."""
    with (_DATA / f"{distribution}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            released, end = row.get("release"), row.get("eol-lts") or row.get("eol")
            if row["version"] and released and end and _OLDEST <= date.fromisoformat(released) <= REVIEWED:
                yield row["version"].removesuffix(" LTS"), row["series"], date.fromisoformat(end)


@pytest.mark.skipif(not _DATA.is_dir(), reason="distro-info-data is not installed")
@pytest.mark.parametrize("distribution", ["debian", "ubuntu"])
def test_every_release_that_debian_knows_is_there_and_ends_no_later(distribution: str) -> None:
    rows = list(published(distribution))
    assert len(rows) > 5
    for version, codename, end in rows:
        release = find_release(distribution, version)
        if release is None and end < REVIEWED - timedelta(days=3 * 365):
            continue  # dead for years: unknown, and refused as well
        assert release is not None, version
        assert release.codename == codename
        assert release.support_ends is not None
        assert end - _DIFFERENCE <= release.support_ends <= end, version


def test_a_release_without_an_announced_end_is_supported() -> None:
    assert end_of_life("photon", "5.0") is Life.UNANNOUNCED
    assert end_of_life("azurelinux", "3.0.20240727") is Life.UNANNOUNCED
    assert end_of_life("azurelinux", "4.0") is Life.UNKNOWN


def test_a_service_pack_is_no_part_of_another() -> None:
    assert end_of_life("sles", "15.7") == date(2031, 7, 31)
    assert end_of_life("sles", "15") == date(2019, 12, 31)
    assert end_of_life("sles", "15.8") is Life.UNKNOWN


@pytest.mark.parametrize(
    "release",
    ["alpine 3.24", "ubuntu 26.04", "fedora 44", "centos 10", "opensuse-leap 16.0", "sles 16.0", "ol 10", "rocky 10",
     "almalinux 10", "rhel 10.1", "amzn 2023"],
)  # fmt: skip
def test_releases_of_today_are_alive(release: str) -> None:
    end = end_of_life(*release.split())
    assert isinstance(end, date)
    assert end > REVIEWED
