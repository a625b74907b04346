"""Which lines of which files a unified diff adds or changes: what `git diff` prints, untrusted.

Specification: POSIX `diff -u` and git's "extended header lines"; quoted names have C escapes (`core.quotePath`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.errors import UsageError

_HUNK: Final = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPE: Final = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NOWHERE: Final = "/dev/null"


def changed_lines(data: bytes) -> dict[str, set[int]]:
    """Return each file's name, as the diff has it without git's prefix `b/`, with the lines that are new or other in it.

    Raises:
        UsageError: it is no unified diff.
    """
    changed: dict[str, set[int]] = {}
    lines = iter(data.decode("utf-8", "surrogateescape").split("\n"))
    current: set[int] | None = None
    seen = not data.strip()
    for line in lines:
        if line.startswith("+++ "):
            current, seen = changed.setdefault(_name(line[4:]), set()), True
        elif line.startswith(
            ("rename to ", "Binary files ", "GIT binary patch", "diff --git ", "deleted file", "new file")
        ):
            seen = True
        elif (hunk := _HUNK.match(line)) is not None:
            if current is None:
                raise _no_diff("a hunk without a file")
            _read_hunk(lines, hunk, current)
    if not seen:
        raise _no_diff("neither a file nor a hunk")
    changed.pop(_NOWHERE, None)
    return changed


def _read_hunk(lines: Iterator[str], hunk: re.Match[str], current: set[int]) -> None:
    old, new, at = (int(hunk[1] or 1), int(hunk[3] or 1), int(hunk[2]))
    while old > 0 or new > 0:
        line = next(lines, None)
        if line is None:
            raise _no_diff("a hunk that ends too early")
        if line.startswith("+"):
            current.add(at)
            at, new = at + 1, new - 1
        elif line.startswith("-"):
            old -= 1
        elif not line.startswith("\\"):
            at, old, new = at + 1, old - 1, new - 1


def _name(text: str) -> str:
    name = text.rstrip("\r").split("\t")[0]
    if name.startswith('"') and name.endswith('"'):
        # Git writes bytes as octal escapes, one by one.
        escaped = _ESCAPE.sub(_unescaped, name[1:-1])
        if escaped.isascii() or all(ord(character) < 256 for character in escaped):
            name = escaped.encode("latin-1").decode("utf-8", "surrogateescape")
    return name if name == _NOWHERE else name.removeprefix("b/")


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    return chr(int(escaped, 8) & 0xFF) if len(escaped) == 3 else _LETTERS.get(escaped, escaped)


def _no_diff(seen: str) -> UsageError:
    return UsageError("this is no unified diff", expected="what `git diff` prints", seen=seen)
