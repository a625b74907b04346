"""The names and numbers of an image's own `etc/passwd`, as a container runtime takes them.

A runtime takes the first line of a name, trims it, and counts a number that it cannot read as 0 (moby/sys/user, which runc
and containerd use). So the first line of a name decides, and a name whose number is not plain is left out: unknown, refused.
Specification: passwd(5); checks reference, section 6.1.
"""

from __future__ import annotations

import re
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.merged_view import MergedView

MAX_PASSWD_BYTES: Final = 1024 * 1024
# The largest number that runtimes take; over it, containerd once fell back to root (CVE-2024-40635).
MAX_UID: Final = (1 << 31) - 1

_PATH: Final = b"etc/passwd"
# Other blanks than ASCII's are trimmed by some runtimes and kept by others: a name with such makes the file unusable.
_NAME = re.compile(r"[!-~]+", re.ASCII)
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


class PasswdReader:
    """Take `etc/passwd` of every layer, and give what the finished view shows."""

    def __init__(self) -> None:
        self._last: tuple[int, bytes | None] = (-1, None)

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of `etc/passwd`."""
        if entry.path != _PATH:
            return None

        def deliver(body: bytes | None) -> None:
            self._last = (layer, body)

        return Capture(MAX_PASSWD_BYTES, deliver)

    def conclude(self, view: MergedView) -> tuple[tuple[str, int], ...]:
        """Return names and numbers, sorted; empty where the file is absent, a link, or too large to be one."""
        node = view.find(_PATH)
        layer, body = self._last
        if node is None or node.kind is not EntryKind.FILE or node.is_hardlink or node.layer != layer or body is None:
            return ()
        return parse_passwd(body)


def parse_passwd(body: bytes) -> tuple[tuple[str, int], ...]:
    """Return the names of an untrusted passwd file that stand for one plain number, sorted."""
    seen: set[str] = set()
    users: list[tuple[str, int]] = []
    for line in body.decode("utf-8", "backslashreplace").split("\n"):
        fields = line.strip(" \t\r\v\f").split(":")
        name = fields[0]
        if not _NAME.fullmatch(name):
            if name or len(fields) > 1:
                return ()
            continue
        if name in seen:
            continue
        seen.add(name)
        number = fields[2] if len(fields) == 7 else ""
        if _NUMBER.fullmatch(number) and int(number) <= MAX_UID:
            users.append((name, int(number)))
    return tuple(sorted(users))
