"""Sizes that are a smell, and what must never be in a tracked file."""

from __future__ import annotations

import platform
import re

import pytest

from tests.support.sources import ROOT, python_files, relative, tracked_files

MOST_LINES = 400
# path → why it is longer. An entry that is no longer needed fails, too.
LONGER: dict[str, str] = {}
# Places of one machine. Written in two pieces, for this file is tracked, too.
MACHINE_PATHS = re.compile("/" + r"work/(?:main|shared|\.)")


def test_no_file_is_longer_than_it_may_be_without_a_reason() -> None:
    long = {
        relative(path)
        for path in python_files("gate", "tests", "tools", "bench")
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    }
    assert long == set(LONGER)


def test_no_tracked_file_names_a_place_of_one_machine() -> None:
    host = platform.node().encode()
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        text = content.decode(errors="replace")
        # A short host name ("ci", "web") is a word like any other.
        if MACHINE_PATHS.search(text) or (len(host) > 7 and host != b"localhost" and host in content):
            found.append(relative(path))
    assert found == []


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_c04_a_lock_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==(.*(?:\n .*)*)", text, re.MULTILINE)
    assert len(pinned) > 20
    assert [package for package, rest in pinned if "--hash=sha256:" not in rest] == []
    assert "://" not in text
    assert "--index-url" not in text


def test_the_two_locks_agree() -> None:
    def versions(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    runtime, dev = versions("runtime"), versions("dev")
    assert runtime.items() <= dev.items()


def test_no_work_is_left_for_later_in_a_comment() -> None:
    words = re.compile(r"#.*\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    left = [
        relative(path)
        for path in python_files("gate", "tests", "tools")
        if words.search(path.read_text(encoding="utf-8"))
    ]
    assert left == []
