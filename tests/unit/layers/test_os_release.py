"""The distribution by hand, and what contradicts it (attacks L01, L02)."""

from __future__ import annotations

from datetime import date

import pytest

from gate.layers.os_release import parse_os_release
from gate.model.evidence import Distribution
from gate.model.releases import RELEASES, ROLLING, Life, end_of_life, find_release
from tests.support.layers import facts_of
from tools.images.archive import Entry, file, hardlink, symlink, tar, whiteout

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
ALPINE = "ID=alpine\nVERSION_ID=3.20.1\n"
ROCKY = 'ID="rocky"\nVERSION_ID="9.4"\n'
ORACLE = 'ID="ol"\nVERSION_ID="9.4"\n'
AMAZON = 'ID="amzn"\nVERSION_ID="2023"\n'


def distribution(os_release: str | None, *entries: Entry) -> Distribution | None:
    own = [] if os_release is None else [file("etc/os-release", os_release)]
    return facts_of(tar([*own, *entries], sort=False)).distribution


def conflicts(os_release: str | None, *entries: Entry) -> tuple[str, ...]:
    found = distribution(os_release, *entries)
    assert found is not None
    return found.conflicts


AGREEING = [
    (DEBIAN, "debian_version", "12.7\n"),
    (DEBIAN, "debian_version", "bookworm/sid\n"),
    (UBUNTU, "debian_version", "trixie/sid\n"),
    (
        UBUNTU,
        "lsb-release",
        'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\nDISTRIB_DESCRIPTION="Ubuntu"\n',
    ),
    (ALPINE, "alpine-release", "3.20.1\n"),
    (ROCKY, "redhat-release", "Rocky Linux release 9.4 (Blue Onyx)\n"),
    (ROCKY, "rocky-release", "Rocky Linux release 9.4 (Blue Onyx)\n"),
    (ORACLE, "redhat-release", "Red Hat Enterprise Linux release 9.4 (Plow)\n"),
    (ORACLE, "oracle-release", "Oracle Linux Server release 9.4\n"),
    (AMAZON, "system-release", "Amazon Linux release 2023.6.20241010 (Amazon Linux)\n"),
    ('ID="centos"\nVERSION_ID="7"\n', "centos-release", "CentOS Linux release 7.9.2009 (Core)\n"),
    ('ID="centos"\nVERSION_ID="9"\n', "redhat-release", "CentOS Stream release 9\n"),
    ('ID="almalinux"\nVERSION_ID="9.4"\n', "almalinux-release", "AlmaLinux release 9.4 (Seafoam Ocelot)\n"),
    ('ID="rhel"\nVERSION_ID="8.10"\n', "redhat-release", "Red Hat Enterprise Linux release 8.10 (Ootpa)\n"),
]


@pytest.mark.parametrize(("os_release", "name", "text"), AGREEING)
def test_release_files_that_agree(os_release: str, name: str, text: str) -> None:
    assert conflicts(os_release, file(f"etc/{name}", text)) == ()


CONTRADICTING = [
    (DEBIAN, "debian_version", "11.2\n"),
    (DEBIAN, "debian_version", "sid\n"),
    (ALPINE, "debian_version", "12.7\n"),
    (DEBIAN, "alpine-release", "3.20.1\n"),
    (ALPINE, "alpine-release", "3.19.0\n"),
    (DEBIAN, "lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n"),
    (UBUNTU, "lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\n"),
    (DEBIAN, "redhat-release", "Rocky Linux release 9.4 (Blue Onyx)\n"),
    (ROCKY, "redhat-release", "Red Hat Enterprise Linux release 9.4 (Plow)\n"),
    (ROCKY, "redhat-release", "Rocky Linux release 8.9 (Green Obsidian)\n"),
    (ORACLE, "oracle-release", "Red Hat Enterprise Linux release 9.4 (Plow)\n"),
    (ROCKY, "system-release", "something else\n"),
    (UBUNTU, "debian_version", "12.7\n"),
]


@pytest.mark.parametrize(("os_release", "name", "text"), CONTRADICTING)
def test_l01_a_release_file_of_another_family_or_release(os_release: str, name: str, text: str) -> None:
    (conflict,) = conflicts(os_release, file(f"etc/{name}", text))
    assert conflict.startswith(f"etc/{name} says ")


def test_all_fields_are_read() -> None:
    assert distribution(DEBIAN) == Distribution(
        id="debian", version_id="12", codename="bookworm", pretty_name="Debian GNU/Linux 12 (bookworm)"
    )


def test_an_image_without_release_files_has_no_distribution() -> None:
    assert distribution(None) is None


def test_l01_release_files_without_os_release() -> None:
    assert conflicts(None, file("etc/debian_version", "12.7\n")) == ("there is no os-release",)


def test_l01_an_os_release_that_a_later_layer_removes() -> None:
    base = tar([file("etc/os-release", DEBIAN), file("etc/debian_version", "12.7")])
    found = facts_of(base, tar([whiteout("etc/os-release")])).distribution
    assert found is not None
    assert found.conflicts == ("there is no os-release",)


def test_the_vendors_os_release_is_read_through_the_usual_link() -> None:
    found = distribution(None, file("usr/lib/os-release", DEBIAN), symlink("etc/os-release", "../usr/lib/os-release"))
    assert found is not None
    assert (found.id, found.conflicts) == ("debian", ())


def test_l01_two_os_releases_that_differ() -> None:
    assert conflicts(DEBIAN, file("usr/lib/os-release", DEBIAN)) == ()
    assert conflicts(DEBIAN, file("usr/lib/os-release", DEBIAN.replace("VERSION_CODENAME=bookworm\n", ""))) == ()
    assert conflicts(DEBIAN, file("usr/lib/os-release", DEBIAN.replace("=bookworm", "=trixie")))
    assert conflicts(DEBIAN, file("usr/lib/os-release", ALPINE)) == ("etc/os-release and usr/lib/os-release differ",)


@pytest.mark.parametrize(
    "entries",
    [
        (file("opt/os", DEBIAN), symlink("etc/os-release", "/opt/os")),
        (file("opt/os", DEBIAN), hardlink("etc/os-release", "opt/os")),
        (symlink("etc/os-release", "/none"),),
        (symlink("etc/os-release", "os-release"),),
    ],
)
def test_l01_an_os_release_behind_an_unusual_link(entries: tuple[Entry, ...]) -> None:
    found = conflicts(None, *entries)
    assert found[-1] == "there is no os-release"
    assert "link" in found[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ID=debian\nID=alpine\n", "assigns ID twice"),
        ("VERSION_ID=12\n", "has no ID"),
        ("ID=debian\nthis is no assignment\n", "no assignment"),
        ("ID=debian extra\n", "no assignment"),
        ("ID=$(id)\n", "no assignment"),
        ('ID="deb ian"\n', "not plain ASCII"),
        ("ID=d\u0435bian\n", "not plain ASCII"),
        (DEBIAN.replace("bookworm\n", "trixie\n"), "VERSION_CODENAME is 'trixie'"),
        (ROCKY + "VERSION_CODENAME=blue\n", "VERSION_CODENAME is 'blue'"),
    ],
)
def test_l01_an_os_release_that_readers_take_differently(text: str, says: str) -> None:
    assert any(says in conflict for conflict in conflicts(text))


def test_the_first_assignment_counts_and_quotes_are_taken_off() -> None:
    wrong: list[str] = []
    values = parse_os_release(b'# c\n\nA="x \\"y\\""\nB=\'z $\'\nC=\nD=1 \nA=2\n', wrong)
    assert values == {"A": 'x "y"', "B": "z $", "C": "", "D": "1"}
    assert wrong == ["os-release assigns A twice"]


def test_l02_a_release_that_nobody_knows_is_never_alive() -> None:
    assert end_of_life("debian", "12") == date(2028, 6, 10)
    assert end_of_life("alpine", "3.10.9") == date(2021, 5, 1)
    for name, version in (
        ("debian", "99"),
        ("debian", ""),
        ("foo", "1"),
        ("alpine", "3"),
        ("ubuntu", "24"),
        ("rhel", ""),
    ):
        assert end_of_life(name, version) is Life.UNKNOWN


def test_distributions_without_releases_roll() -> None:
    assert all(end_of_life(name, "20230201") is Life.ROLLING for name in ROLLING)


def test_minor_releases_belong_to_their_major() -> None:
    release = find_release("rocky", "9.4")
    assert release is not None
    assert release.version == "9"
    assert find_release("alpine", "3.2") is None


def test_every_row_is_there_once_with_a_source() -> None:
    assert len({(row.id, row.version) for row in RELEASES}) == len(RELEASES)
    assert all(row.source for row in RELEASES)
