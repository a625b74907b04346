"""A database that a later layer edited alone is told from packages that were removed or upgraded."""

from __future__ import annotations

import pytest

from gate.model.layer_facts import DroppedEntry
from tests.support.layers import facts_of
from tools.images.archive import Entry, file, tar, whiteout

LIBRARY = "usr/lib/libssl.so.3"
LIST = "/.\n/usr\n/usr/lib\n/usr/lib/libssl.so.3\n/usr/share/doc/libssl3/copyright\n/etc/ssl.cnf\n"


def status(*packages: tuple[str, str]) -> Entry:
    text = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in packages
    )
    return file("var/lib/dpkg/status", text)


BASH = ("bash", "5.2-1")
BASE = tar(
    [
        status(BASH, ("libssl3", "3.0.11-1")),
        file("var/lib/dpkg/info/libssl3:amd64.list", LIST),
        file(LIBRARY, "old"),
        file("etc/ssl.cnf", "x"),
        file("usr/share/doc/libssl3/copyright", "x"),
    ]
)


@pytest.mark.parametrize(
    ("upper", "now"),
    [
        ([status(BASH)], ""),
        ([status(BASH), whiteout("var/lib/dpkg/info/libssl3:amd64.list")], ""),
        ([status(BASH, ("libssl3", "3.0.18-1"))], "3.0.18-1"),
    ],
)
def test_an_entry_that_goes_without_its_files_is_named(upper: list[Entry], now: str) -> None:
    facts = facts_of(BASE, tar(upper))
    assert facts.dropped_entries == (DroppedEntry(name="libssl3", version="3.0.11-1", now=now, path=LIBRARY),)


OTHER = file("var/lib/dpkg/info/libssl3t64:amd64.list", LIST)


@pytest.mark.parametrize(
    "upper",
    [
        [file("srv/x", "x")],
        [status(BASH), whiteout(LIBRARY)],
        [status(BASH, ("libssl3", "3.0.18-1")), file(LIBRARY, "new")],
        # The library went over to another package, as in Debian's move to 64-bit times.
        [status(BASH, ("libssl3t64", "3.0.18-1")), OTHER],
        [status(BASH, ("libssl3", "3.0.11-1"), ("curl", "8"))],
    ],
)
def test_an_honest_removal_upgrade_or_move_is_not(upper: list[Entry]) -> None:
    assert facts_of(BASE, tar(upper)).dropped_entries == ()
