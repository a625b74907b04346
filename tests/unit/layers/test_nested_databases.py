"""Package databases below another root, and dpkg's states of packages as both scanners count them."""

from __future__ import annotations

import pytest

from gate.layers.databases import _FILES, CHISEL_MANIFEST, nested_database
from gate.layers.dpkg import parse_status
from tests.support.layers import facts_of
from tests.support.rpm_families import rpm_database
from tools.images.archive import directory, file, tar, whiteout

STANZA = "Package: zlib1g\nStatus: {}\nArchitecture: amd64\nVersion: 1:1.3\n\n"
ZLIB = ("zlib1g", "1:1.3", "amd64")


@pytest.mark.parametrize(
    ("path", "body", "kind", "place"),
    [
        ("srv/a/var/lib/dpkg/status", STANZA.format("install ok installed"), "dpkg", "srv/a/var/lib/dpkg/status"),
        ("a/var/lib/dpkg/status.d/zlib1g", STANZA.format("install ok installed"), "dpkg", "a/var/lib/dpkg/status.d"),
        ("a/lib/apk/db/installed", "P:musl\nV:1.2-r0\nA:x86_64\n\n", "apk", "a/lib/apk/db/installed"),
        ("a/usr/lib/sysimage/rpm/rpmdb.sqlite", "", "rpm", "a/usr/lib/sysimage/rpm/rpmdb.sqlite"),
        ("a/var/lib/pacman/local/b-1/desc", "%NAME%\nb\n\n%VERSION%\n1-1\n", "pacman", "a/var/lib/pacman/local"),
    ],
)
def test_a_database_of_a_nested_root_is_named_with_its_packages(path: str, body: str, kind: str, place: str) -> None:
    content = body or rpm_database("rocky")
    (found,) = facts_of(tar([file(path, content)])).nested_databases
    assert (found.kind, found.path) == (kind, place)
    assert found.packages
    assert facts_of(tar([file(path, content)])).package_databases == ()


def test_what_a_later_layer_removed_is_not_there() -> None:
    base = tar([file("a/var/lib/dpkg/status", STANZA.format("install ok installed"))])
    assert facts_of(base, tar([whiteout("a")])).nested_databases == ()
    assert facts_of(base, tar([directory("b")])).nested_databases


@pytest.mark.parametrize(
    "path", ["var/lib/dpkg/status", "proc/self/status", "a/status", "a/var/lib/dpkg/status.d/x.md5sums"]
)
def test_other_files_are_no_nested_database(path: str) -> None:
    assert facts_of(tar([file(path, STANZA.format("install ok installed"))])).nested_databases == ()


@pytest.mark.parametrize(
    "status",
    [
        "install ok installed", "hold ok installed", "install ok unpacked", "install ok half-configured",
        "install ok triggers-awaited", "install ok triggers-pending", "install reinstreq half-installed",
        # Both scanners count it: it is not wished away.
        "install ok config-files",
        # Both would leave it out by the wish alone, while its files are there.
        "deinstall ok installed", "purge ok unpacked",
    ],
)  # fmt: skip
def test_a_package_counts_in_every_state_with_files_and_wherever_scanners_count_it(status: str) -> None:
    assert parse_status(STANZA.format(status).encode()).packages == {ZLIB}


@pytest.mark.parametrize("status", ["deinstall ok config-files", "purge ok not-installed", "purge ok config-files"])
def test_a_package_that_is_gone_does_not_count(status: str) -> None:
    reading = parse_status(STANZA.format(status).encode())
    assert (reading.packages, reading.problem) == (frozenset(), "")


def test_a_package_that_dpkg_only_knows_of_has_no_version() -> None:
    text = "Package: a\nStatus: unknown ok not-installed\nArchitecture: amd64\n\n"
    assert parse_status(text.encode()).problem == ""
    assert parse_status(text.replace("not-installed", "unpacked").encode()).problem


def test_a_database_of_the_root_itself_is_not_nested_whatever_its_path_ends_with() -> None:
    for path in _FILES:
        assert nested_database(path) is None, path
        if path != CHISEL_MANIFEST:
            assert nested_database(b"srv/rootfs/" + path) is not None, path
