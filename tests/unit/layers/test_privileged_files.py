"""Files and folders of the merged view that give rights, and those that a distribution makes so."""

from __future__ import annotations

import pytest

from tests.support.layers import facts_of
from tools.images.archive import Entry, directory, file, tar


def test_setuid_on_a_directory_gives_nothing() -> None:
    assert facts_of(tar([directory("a", mode=0o4755)])).privileged_files == ()
    (found,) = facts_of(tar([directory("a", mode=0o2755)])).privileged_files
    assert found.is_directory


@pytest.mark.parametrize(
    ("path", "gid"),
    [
        ("var/mail", 8),
        ("var/spool/mail", 8),
        ("var/local", 50),
        ("usr/local/lib/python3.13/dist-packages", 50),
        ("var/log/journal", 998),
    ],
)
def test_folders_that_a_distribution_makes_for_a_group_give_nothing(path: str, gid: int) -> None:
    assert facts_of(tar([directory(path, mode=0o2775, gid=gid)])).privileged_files == ()
    # Of another group, of root's, open to all, or anywhere else they do.
    others = [
        directory(path, mode=0o2775, gid=0),
        directory(path, mode=0o2777, gid=gid),
        directory(f"srv/{path}", mode=0o2775, gid=gid),
    ]
    for entry in others if path == "var/log/journal" else [*others, directory(path, mode=0o2775, gid=gid + 1)]:
        assert [one.path for one in facts_of(tar([entry])).privileged_files] == [entry.name]
    # A program in them is a program.
    assert len(facts_of(tar([file(f"{path}/tool", b"", mode=0o2755, gid=gid)])).privileged_files) == 1


def test_files_that_give_rights_in_the_merged_view() -> None:
    capable = Entry(name="bin/ping", mode=0o755, xattrs=(("security.capability", b"\x01\0\0\2"),))
    base = tar(
        [
            file("bin/su", b"", mode=0o4755),
            file("bin/wall", b"", mode=0o2755),
            capable,
            directory("var/mail", mode=0o2775),
        ]
    )
    assert [(one.path, one.mode, one.capabilities) for one in facts_of(base).privileged_files] == [
        ("bin/ping", 0o755, True),
        ("bin/su", 0o4755, False),
        ("bin/wall", 0o2755, False),
        ("var/mail", 0o2775, False),
    ]
    assert [one.path for one in facts_of(base, tar([file("bin/su", b"", mode=0o755)])).privileged_files] == [
        "bin/ping",
        "bin/wall",
        "var/mail",
    ]
