"""Package databases over layers: read, linked, removed, emptied (attack L03)."""

from __future__ import annotations

import sqlite3
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.layers.apk import parse_installed
from gate.layers.dpkg import parse_status
from gate.layers.pacman import parse_desc
from gate.layers.rpm import parse_bdb, parse_ndb, parse_rpmdb
from gate.model.evidence import LayerFacts, PackageDatabase
from tests.support.layers import facts_of, rpm_header
from tests.support.rpm_databases import bdb, ndb, rpmdb
from tools.images.archive import Entry, directory, file, hardlink, opaque, symlink, tar, whiteout

STATUS = """Package: zlib1g
Status: install ok installed
Priority: required
Maintainer: J\u00f6rg <j@example.org>
Architecture: amd64
Multi-Arch: same
Source: zlib (1:1.3)
Version: 1:1.3.dfsg-3
Description: compression library
 zlib is a library.
 .
 It is small.

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: plain
Architecture: all
Version: 0:2.0

"""
DEB = ("zlib1g", "1:1.3.dfsg-3", "amd64")
PLAIN = ("plain", "2.0", "all")
APK = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\nR:ld-musl.so\na:0:0:755\n\nP:busybox\nV:1.36-r2\nA:x86_64\n\n"
APK_PACKAGES = {("musl", "1.2.5-r0", "x86_64"), ("busybox", "1.36-r2", "x86_64")}
DESC = "%NAME%\nglibc\n\n%VERSION%\n2.40+r1-1\n\n%ARCH%\nx86_64\n\n%DEPENDS%\na\nb\n\n"


OPENSSL = rpm_header(
    {1000: "openssl-libs", 1001: "3.0.7", 1002: "27.el9", 1003: 1, 1022: "x86_64", 1044: "openssl.src.rpm"}
)
KEY = rpm_header({1000: "gpg-pubkey", 1001: "fd431d51", 1002: "4ae0493b"})
RPM_PACKAGES = {("openssl-libs", "1:3.0.7-27.el9", "x86_64"), ("gpg-pubkey", "fd431d51-4ae0493b", "")}


def only_database(facts: LayerFacts) -> PackageDatabase:
    (database,) = facts.package_databases
    return database


@pytest.mark.parametrize(
    ("path", "body", "kind", "packages"),
    [
        ("var/lib/dpkg/status", STATUS, "dpkg", {DEB, PLAIN}),
        ("lib/apk/db/installed", APK, "apk", APK_PACKAGES),
        ("usr/lib/apk/db/installed", APK, "apk", APK_PACKAGES),
        ("var/lib/rpm/rpmdb.sqlite", rpmdb(OPENSSL, KEY), "rpm", RPM_PACKAGES),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", rpmdb(OPENSSL, KEY, wal=True), "rpm", RPM_PACKAGES),
        ("var/lib/rpm/Packages", bdb(OPENSSL, KEY), "rpm", RPM_PACKAGES),
        ("var/lib/rpm/Packages", bdb(OPENSSL, KEY, order=">"), "rpm", RPM_PACKAGES),
        ("usr/lib/sysimage/rpm/Packages.db", ndb(OPENSSL, KEY), "rpm", RPM_PACKAGES),
        ("usr/share/rpm/rpmdb.sqlite", rpmdb(OPENSSL, KEY), "rpm", RPM_PACKAGES),
    ],
)
def test_each_database_is_read(path: str, body: str | bytes, kind: str, packages: set[tuple[str, str, str]]) -> None:
    facts = facts_of(tar([file(path, body)]))
    assert only_database(facts) == PackageDatabase(kind=kind, path=path, readable=True, packages=len(packages))
    assert facts.os_packages == packages
    assert facts.removed_databases == ()


def test_distroless_status_files_are_one_database() -> None:
    first, second = STATUS.split("\n\n", maxsplit=1)[0], STATUS.split("\n\n")[2]
    entries = [file("var/lib/dpkg/status.d/zlib1g", first), file("var/lib/dpkg/status.d/plain", second)]
    facts = facts_of(tar([*entries, file("var/lib/dpkg/status.d/zlib1g.md5sums", "no stanza")]))
    assert only_database(facts) == PackageDatabase(kind="dpkg", path="var/lib/dpkg/status.d", readable=True, packages=2)
    assert facts.os_packages == {DEB, PLAIN}


def test_pacman_folders_are_one_database() -> None:
    facts = facts_of(
        tar([file("var/lib/pacman/local/ALPM_DB_VERSION", "9"), file("var/lib/pacman/local/glibc-2.40/desc", DESC)])
    )
    assert only_database(facts).kind == "pacman"
    assert facts.os_packages == {("glibc", "2.40+r1-1", "x86_64")}


def test_the_last_layers_database_counts() -> None:
    newer = STATUS.replace("1:1.3.dfsg-3", "1:1.4")
    facts = facts_of(tar([file("var/lib/dpkg/status", STATUS)]), tar([file("var/lib/dpkg/status", newer)]))
    assert ("zlib1g", "1:1.4", "amd64") in facts.os_packages
    assert DEB not in facts.os_packages


def test_an_image_without_a_database_has_none() -> None:
    facts = facts_of(tar([file("app", b"")]))
    assert (facts.package_databases, facts.removed_databases, facts.os_packages) == ((), (), frozenset())


DATABASES = [
    ("var/lib/dpkg/status", STATUS),
    ("lib/apk/db/installed", APK),
    ("var/lib/rpm/rpmdb.sqlite", rpmdb(OPENSSL)),
]


@pytest.mark.parametrize(("path", "body"), DATABASES)
@pytest.mark.parametrize("how", ["whiteout", "folder", "opaque", "empty", "directory"])
def test_l03_a_database_that_a_later_layer_takes_away(path: str, body: str | bytes, how: str) -> None:
    folder = path.rpartition("/")[0]
    empty = rpmdb() if path.endswith("sqlite") else b""
    upper: dict[str, Entry] = {
        "whiteout": whiteout(path),
        "folder": whiteout(folder),
        "opaque": opaque(folder),
        "empty": file(path, empty),
        "directory": directory(path),
    }
    base = tar([file(path, body)])
    assert facts_of(base, tar([file("app", b"")])).removed_databases == ()
    assert facts_of(base, tar([upper[how]])).removed_databases == (path,)


def test_l03_packages_that_are_all_deinstalled() -> None:
    gone = STATUS.replace("install ok installed", "deinstall ok config-files").split("\n\n")[0]
    facts = facts_of(tar([file("var/lib/dpkg/status", STATUS)]), tar([file("var/lib/dpkg/status", gone)]))
    assert facts.removed_databases == ("var/lib/dpkg/status",)


def test_l03_a_distroless_database_that_a_later_layer_takes_away() -> None:
    base = tar([file("var/lib/dpkg/status.d/base", STATUS)])
    assert facts_of(base, tar([whiteout("var/lib/dpkg/status.d/base")])).removed_databases == ("var/lib/dpkg/status.d",)
    assert facts_of(base, tar([file("var/lib/dpkg/status.d/more", STATUS)])).removed_databases == ()


def test_l03_a_removed_database_is_not_excused_by_another_one() -> None:
    upper = tar([whiteout("var/lib/dpkg/status"), file("var/lib/dpkg/status.d/x", STATUS)])
    assert facts_of(tar([file("var/lib/dpkg/status", STATUS)]), upper).removed_databases == ("var/lib/dpkg/status",)


LINKED = [
    [file("opt/status", STATUS), symlink("var/lib/dpkg/status", "/opt/status")],
    [file("opt/dpkg/status", STATUS), symlink("var/lib/dpkg", "/opt/dpkg")],
    [file("opt/status", STATUS), hardlink("var/lib/dpkg/status", "opt/status")],
    [symlink("var/lib/dpkg/status", "/none")],
    [file("opt/one", STATUS), symlink("var/lib/dpkg/status.d/one", "/opt/one")],
    [file("opt/one", STATUS), hardlink("var/lib/dpkg/status.d/one", "opt/one")],
    [file("opt/d/one", STATUS), symlink("var/lib/dpkg/status.d", "/opt/d")],
]


@pytest.mark.parametrize("entries", LINKED)
def test_l03_a_database_behind_a_link_is_not_read_and_named(entries: list[Entry]) -> None:
    database = only_database(facts_of(tar(entries, sort=False)))
    assert (database.kind, database.readable, database.linked) == ("dpkg", False, True)
    assert "link" in database.problem


def test_the_distributions_own_links_are_no_links() -> None:
    apk = facts_of(tar([file("usr/lib/apk/db/installed", APK), symlink("lib", "usr/lib")]))
    rpm = facts_of(
        tar(
            [
                file("usr/lib/sysimage/rpm/rpmdb.sqlite", rpmdb(OPENSSL)),
                symlink("var/lib/rpm", "/usr/lib/sysimage/rpm"),
            ]
        )
    )
    for facts in (apk, rpm):
        database = only_database(facts)
        assert (database.readable, database.linked) == (True, False)
        assert facts.os_packages


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("var/lib/dpkg/status", STATUS + "no colon here\n"),
        ("lib/apk/db/installed", APK + "X\n"),
        ("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + bytes(100)),
        ("var/lib/rpm/Packages.db", b"RpmP"),
        ("var/lib/rpm/Packages", b"bdb"),
        ("var/lib/rpmmanifest/container-manifest-2", b"x"),
        ("var/lib/pacman/local/a-1/desc", "%NAME%\n"),
    ],
)
def test_a_database_that_cannot_be_read_whole_is_unread(path: str, body: str | bytes) -> None:
    database = only_database(facts_of(tar([file(path, body)])))
    assert not database.readable
    assert database.problem


def test_an_rpm_database_with_a_write_ahead_log_is_unread() -> None:
    path = "var/lib/rpm/rpmdb.sqlite"
    entries = [file(path, rpmdb(OPENSSL, wal=True)), file(path + "-wal", b"")]
    assert only_database(facts_of(tar(entries))).readable
    assert not only_database(facts_of(tar([entries[0], file(path + "-wal", b"x")]))).readable


@pytest.mark.parametrize(
    "text",
    [
        "Version: 1\n",
        "Package: a\n",
        "Package: a\nVersion: 1\nPackage: b\n",
        "Package: a\nVersion: 1\nStatus: installed\n",
        " starts with a blank\n",
        "Package: a\n \t\nVersion: 1\n",
        "Package: a b\nVersion: 1\n",
        "Package: \u00e4\nVersion: 1\n",
    ],
)
def test_a_dpkg_stanza_that_is_not_understood_makes_the_file_unread(text: str) -> None:
    assert parse_status(STATUS.encode()).problem == ""
    reading = parse_status((STATUS + text).encode())
    assert reading.problem
    assert not reading.packages


@pytest.mark.parametrize("text", ["P:a\n", "V:1\n", "P:a\nP:b\nV:1\n", "P:a b\nV:1\n", "F:lib\nR:x\n", "nothing\n"])
def test_an_apk_stanza_that_is_not_understood_makes_the_file_unread(text: str) -> None:
    assert parse_installed(APK.encode()).packages == APK_PACKAGES
    assert parse_installed((APK + text).encode()).problem


@pytest.mark.parametrize(
    "text", ["", "%NAME%\na\n%VERSION%\n", "%NAME%\na\n%NAME%\nb\n%VERSION%\n1\n", "%NAME%\na b\n%VERSION%\n1\n"]
)
def test_a_pacman_file_that_is_not_understood_is_unread(text: str) -> None:
    assert parse_desc(DESC.encode()).packages
    assert parse_desc(text.encode()).problem


def view_instead_of_table() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (blob)")
    connection.execute(
        "CREATE VIEW Packages AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x AS blob FROM c"
    )
    return connection.serialize()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        rpmdb(OPENSSL)[:4096],
        rpmdb(OPENSSL[:-1]),
        rpmdb(OPENSSL + b"x"),
        rpmdb(b""),
        rpmdb(rpm_header({1000: "a", 1001: "1"})),
        rpmdb(rpm_header({1000: "a b", 1001: "1", 1002: "1"})),
        rpmdb(bytes.fromhex("ffffffffffffffff")),
        view_instead_of_table(),
    ],
)
def test_an_rpm_database_that_is_not_understood_is_unread(body: bytes) -> None:
    assert parse_rpmdb(rpmdb(OPENSSL, KEY)).packages == RPM_PACKAGES
    reading = parse_rpmdb(body)
    assert reading.problem
    assert not reading.packages


def changed(body: bytes, place: int, value: bytes) -> bytes:
    return body[:place] + value + body[place + len(value) :]


LARGE = rpm_header({1000: "large", 1001: "1", 1002: "1", 1004: "x" * 2000})
BDB = bdb(LARGE)
BROKEN_BDB = {
    "empty": b"",
    "cut off": BDB[:-512],
    "another magic": changed(BDB, 12, b"\0"),
    "another page size": changed(BDB, 20, b"\x03\x02"),
    "encrypted": changed(BDB, 24, b"\x01"),
    "no metadata": changed(BDB, 25, b"\x09"),
    "more pages than bytes": changed(BDB, 32, b"\xff"),
    "a chain that is a circle": changed(BDB, 2 * 512 + 16, b"\x02"),
    "a chain that leaves the file": changed(BDB, 2 * 512 + 16, b"\xff\xff"),
    "a chain to another kind of page": changed(BDB, 2 * 512 + 16, b"\x01"),
    "a chain that ends early": changed(BDB, 2 * 512 + 16, bytes(4)),
}
NDB = ndb(LARGE)
BROKEN_NDB = {
    "empty": b"",
    "cut in the slots": NDB[:4000],
    "cut in the blob": NDB[:-100],
    "another magic": changed(NDB, 0, b"X"),
    "another version": changed(NDB, 4, b"\x01"),
    "no slots": changed(NDB, 12, b"\0"),
    "slots without end": changed(NDB, 12, b"\xff\xff\xff\xff"),
    "a slot that is none": changed(NDB, 32, b"X"),
    "another package's blob": changed(NDB, 36, b"\x09"),
    "a blob that is none": changed(NDB, 4096, b"X"),
}


@pytest.mark.parametrize("what", sorted(BROKEN_BDB))
def test_a_berkeley_database_that_is_not_understood_is_unread(what: str) -> None:
    assert parse_bdb(BDB).packages == {("large", "1-1", "")}
    reading = parse_bdb(BROKEN_BDB[what])
    assert reading.problem
    assert not reading.packages


@pytest.mark.parametrize("what", sorted(BROKEN_NDB))
def test_an_ndb_database_that_is_not_understood_is_unread(what: str) -> None:
    assert parse_ndb(NDB).packages == {("large", "1-1", "")}
    reading = parse_ndb(BROKEN_NDB[what])
    assert reading.problem
    assert not reading.packages


def test_ndb_entries_that_share_their_bytes_are_unread() -> None:
    overlapping = ndb(LARGE)
    for number in range(2, 5):
        overlapping = changed(overlapping, 16 * (number + 1), struct.pack("<4sIII", b"Slot", 1, 256, 1))
    assert parse_ndb(ndb(LARGE, OPENSSL)).packages
    assert parse_ndb(overlapping).problem == "its entries overlap"


@given(
    st.sampled_from([BDB, NDB, rpmdb(OPENSSL, KEY)]),
    st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 255)), max_size=5),
)
def test_a_mutated_rpm_database_is_read_or_unread(body: bytes, changes: list[tuple[int, int]]) -> None:
    for place, value in changes:
        body = changed(body, place % len(body), bytes([value]))
    for parse in (parse_bdb, parse_ndb, parse_rpmdb):
        reading = parse(body)
        assert not (reading.problem and reading.packages)


@given(st.text(max_size=200))
def test_any_text_is_a_database_that_is_read_or_unread(text: str) -> None:
    for parse in (parse_status, parse_installed, parse_desc):
        reading = parse(text.encode("utf-8", "surrogatepass"))
        assert not (reading.problem and reading.packages)
