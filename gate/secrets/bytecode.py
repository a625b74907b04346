"""Text constants of compiled Python, which outlive the source that was deleted: found by their marks, without running anything.

In clear they are found anyway; here each stands on a line of its own, so that the byte before a text, which is its length, does
not pass for its first letter. Specification: CPython `Python/marshal.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.secrets.container import Opened, SeekableBody
from gate.secrets.hit import Where

# Short texts have one byte of length (z, Z), others four (a, A, u, s); the high bit marks a value that is referred to.
_SHORT = re.compile(rb"[zZ\xfa\xda]([\x06-\xff])")
_LONG = re.compile(rb"[aAus\xe1\xc1\xf5\xf3]([\x06-\xff][\0-\xff]{2}\0)", re.DOTALL)
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]*")
_MAX_BYTES: Final = 32 * 1024 * 1024
_MAX_TEXT: Final = 1024 * 1024


def open_pyc(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the texts of one `.pyc` file."""
    body.seek(0)
    data = body.read(_MAX_BYTES)
    opened.text(where.encoded("constants"), b"\n".join(_texts(data)))


def _texts(data: bytes) -> Iterator[bytes]:
    # Texts do not overlap; a mark within one that was read is a letter of it.
    for pattern, order in ((_SHORT, 1), (_LONG, 4)):
        at = 0
        while found := pattern.search(data, at):
            size = int.from_bytes(found[1], "little")
            text = data[found.end() : found.end() + size]
            is_text = order == 1 or size <= _MAX_TEXT
            if is_text and len(text) == size and _TEXT.fullmatch(text):
                yield text
                at = found.end() + size
            else:
                at = found.start() + 1
