"""A package database of any kind that a later layer edited alone is told from packages that were removed or upgraded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from tests.support.layers import facts_of, rpm_header
from tests.support.package_kinds import KINDS, Installed, Write
from tests.support.rpm_databases import rpmdb
from tools.images.archive import Entry, file, symlink, tar, whiteout

LIBRARY: Final = "usr/lib/libssl.so.3"
DOC, CONFIG = "usr/share/doc/libssl/copyright", "etc/ssl.cnf"
BASH: Final = Installed("bash", "5.2-1", ("usr/bin/bash",))
OLD: Final = Installed("libssl", "3.0.11-1", (LIBRARY, "usr/share/x.txt", DOC, CONFIG))
NEW: Final = Installed("libssl", "3.0.18-1", OLD.files)
FILES: Final = [file(path, "old") for path in (*BASH.files, *OLD.files)]
ALL: Final = pytest.mark.parametrize("write", KINDS.values(), ids=KINDS.keys())


def dropped(write: Write, upper: Sequence[Entry], *more: Sequence[Entry]) -> list[tuple[str, str, str, str]]:
    base = [*write((BASH, OLD), ()), *FILES]
    facts = facts_of(*(tar(layer) for layer in (base, upper, *more)))
    return [(one.name, one.version, one.now, one.path) for one in facts.dropped_entries]


@ALL
def test_z06_an_entry_that_goes_without_its_files_is_named(write: Write) -> None:
    assert dropped(write, write((BASH,), (OLD,))) == [("libssl", "3.0.11-1", "", LIBRARY)]


@ALL
def test_z06_an_entry_that_becomes_another_version_while_the_files_stay_is_named(write: Write) -> None:
    upper = write((BASH, NEW), (OLD,) if write is KINDS["pacman"] else ())
    expected = "" if write is KINDS["pacman"] else "3.0.18-1"
    assert dropped(write, upper) == [("libssl", "3.0.11-1", expected, LIBRARY)]
    # One file that is written again does not speak for the library.
    assert dropped(write, [*upper, file("usr/share/x.txt", "new")]) == [("libssl", "3.0.11-1", expected, LIBRARY)]


@ALL
def test_z06_an_entry_that_names_another_origin_while_the_files_stay_is_named(write: Write) -> None:
    other = Installed("libssl", "3.0.11-1", OLD.files, source="other")
    ((name, version, now, path),) = dropped(write, write((BASH, other), ()))
    assert (name, version, path) == ("libssl", "3.0.11-1", LIBRARY)
    assert now.startswith("3.0.11-1, no longer of `one")
    # The same version in another build.
    built = [file(place, "new") for place in OLD.files]
    assert dropped(write, [*write((BASH, other), ()), *built]) == []


def headers(vendor: str = "Rocky", module: str = "") -> list[Entry]:
    more: dict[int, str | list[str] | list[int]] = {5096: module} if module else {}
    tags: dict[int, str | list[str] | list[int]] = {
        1000: "libssl",
        1001: "3",
        1002: "1",
        1011: vendor,
        1022: "x86_64",
        1044: "x.src.rpm",
        **more,
    }
    paths: dict[int, str | list[str] | list[int]] = {1116: [0], 1117: ["libssl.so.3"], 1118: ["/usr/lib/"]}
    return [file("var/lib/rpm/rpmdb.sqlite", rpmdb(rpm_header({**tags, **paths})))]


@pytest.mark.parametrize("upper", [headers(vendor="Other"), headers(module="nodejs:18:1:2")])
def test_vendor_and_module_of_an_rpm_package_are_part_of_its_origin(upper: list[Entry]) -> None:
    base = tar([*headers(), file(LIBRARY, "x")])
    assert facts_of(base, tar(headers())).dropped_entries == ()
    assert [one.name for one in facts_of(base, tar(upper)).dropped_entries] == ["libssl"]


@ALL
def test_z06_a_line_in_another_packages_list_does_not_take_the_files_over(write: Write) -> None:
    claiming = Installed("bash", "5.2-1", (*BASH.files, LIBRARY))
    assert [one[0] for one in dropped(write, write((claiming,), (OLD,)))] == ["libssl"]


@ALL
def test_an_entry_that_a_still_later_layer_puts_back_is_not_named(write: Write) -> None:
    assert dropped(write, write((BASH,), (OLD,)), write((BASH, OLD), ())) == []


GONE: Final = [whiteout(path) for path in (LIBRARY, "usr/share/x.txt")]


@ALL
def test_an_honest_removal_is_not(write: Write) -> None:
    assert dropped(write, [*write((BASH,), (OLD,)), *GONE]) == []


@ALL
def test_an_honest_upgrade_is_not_even_where_a_file_that_did_not_change_is_left_out_of_the_layer(write: Write) -> None:
    upper = write((BASH, NEW), (OLD,) if write is KINDS["pacman"] else ())
    again = [file(LIBRARY, "new")] if write is not KINDS["pacman"] else [file(path, "new") for path in OLD.files]
    assert dropped(write, [*upper, *again]) == []


@ALL
def test_a_file_that_went_over_to_another_package_is_that_packages(write: Write) -> None:
    # As in Debian's move to 64-bit times: the new package brings the file, and the old one's entry goes.
    moved = Installed("libssl-t64", "3.0.18-1", (LIBRARY, "usr/share/x.txt"))
    layer = [*write((BASH, moved), (OLD,)), file(LIBRARY, "new"), file("usr/share/x.txt", "new")]
    assert dropped(write, layer) == []
    # And where it went over first, and the entry goes in a layer of its own.
    first = [*write((BASH, OLD, moved), ()), file(LIBRARY, "new"), file("usr/share/x.txt", "new")]
    assert dropped(write, first, write((BASH, moved), (OLD,))) == []


@ALL
def test_an_added_package_and_an_untouched_database_are_not(write: Write) -> None:
    assert dropped(write, [file("srv/x", "x")]) == []
    assert dropped(write, write((BASH, OLD, Installed("curl", "8-1", ())), ())) == []


@ALL
def test_a_package_of_links_and_papers_alone_leaves_nothing(write: Write) -> None:
    papers = Installed("papers", "1-1", (DOC, "usr/lib/libx.so"))
    base = [*write((BASH, papers), ()), *FILES, symlink("usr/lib/libx.so", "libssl.so.3")]
    assert facts_of(tar(base), tar(write((BASH,), (papers,)))).dropped_entries == ()


def test_a_package_of_dpkg_of_which_no_list_is_known_is_named_by_its_database() -> None:
    base = [entry for entry in KINDS["dpkg"]((BASH, OLD), ()) if not entry.name.endswith("libssl.list")]
    (one,) = facts_of(tar([*base, *FILES]), tar(KINDS["dpkg"]((BASH,), ()))).dropped_entries
    assert (one.path, one.database) == ("var/lib/dpkg/status", "var/lib/dpkg/status")


def test_an_edited_architecture_hides_no_edited_version() -> None:
    upper = KINDS["dpkg"]((BASH, NEW), ())
    text = next(entry for entry in upper if entry.name == "var/lib/dpkg/status")
    old, new = (f"Architecture: {one}\nSource: one\nVersion: 3".encode() for one in ("amd64", "all"))
    changed = file(text.name, bytes(text.data).replace(old, new))
    (found,) = dropped(KINDS["dpkg"], [changed])
    assert found == ("libssl", "3.0.11-1", "3.0.18-1", LIBRARY)


def test_files_below_a_folder_that_is_a_link_are_found() -> None:
    merged = Installed("libssl", "3.0.11-1", ("lib/libssl.so.3",))
    base = [*KINDS["dpkg"]((BASH, merged), ()), symlink("lib", "usr/lib"), *FILES]
    assert [one.path for one in facts_of(tar(base), tar(KINDS["dpkg"]((BASH,), ()))).dropped_entries] == [
        "lib/libssl.so.3"
    ]
