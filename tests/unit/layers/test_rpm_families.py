"""Databases that rpm itself wrote, and the list of packages that stands for one in Azure Linux's distroless form."""

from __future__ import annotations

import pytest

from tests.support.layers import facts_of
from tests.support.rpm_families import FIXTURES, rpm_database
from tools.images.archive import file, tar


@pytest.mark.parametrize("vendor", sorted(path.name.split(".")[0] for path in FIXTURES.glob("*.sqlite.gz")))
def test_databases_that_rpm_wrote_are_read_with_their_keys(vendor: str) -> None:
    facts = facts_of(tar([file("var/lib/rpm/rpmdb.sqlite", rpm_database(vendor))]))
    assert [database.readable for database in facts.package_databases] == [True]
    assert {(name, arch) for name, _, arch in facts.os_packages} == {
        ("bash", "x86_64"),
        ("openssl-libs", "x86_64"),
        ("tzdata", "noarch"),
        ("gpg-pubkey", ""),
    }


MANIFEST = "bash\t5.1-1.azl3\t1\t1\tMicrosoft Corporation\t{}\t10\tx86_64\t{}\tbash-5.1-1.azl3.src.rpm\n"


@pytest.mark.parametrize(
    ("there", "number", "version"),
    [
        ("(none)", "0", "5.1-1.azl3"),
        ("0", "0", "5.1-1.azl3"),
        ("2", "2", "2:5.1-1.azl3"),
        ("(none)", "2", ""),
        ("2", "0", ""),
    ],
)
def test_the_epoch_of_a_manifest_stands_in_two_fields(there: str, number: str, version: str) -> None:
    facts = facts_of(tar([file("var/lib/rpmmanifest/container-manifest-2", MANIFEST.format(there, number))]))
    assert [database.readable for database in facts.package_databases] == [bool(version)]
    assert facts.os_packages == ({("bash", version, "x86_64")} if version else frozenset())


@pytest.mark.parametrize(
    "line",
    [
        MANIFEST.format("(none)", "0").replace("\t10\t", "\t"),
        MANIFEST.format("(none)", "0").replace("5.1-1", "5.1"),
        MANIFEST.format("(none)", "0").replace("5.1-1", "5-1-1"),
        MANIFEST.format("(none)", "x"),
        MANIFEST.format("(none)", "0").replace("Microsoft", "M" * 70_000),
    ],
)
def test_a_manifest_that_a_scanner_reads_in_part_is_unread(line: str) -> None:
    (database,) = facts_of(tar([file("var/lib/rpmmanifest/container-manifest-2", line)])).package_databases
    assert not database.readable
