"""Text constants of compiled Python, which outlive the source that was deleted: found by their marks, without running anything.

In clear they are found anyway, unless the byte before a text, which is its length, passes for its first letter: those of 48 to
122 bytes are searched again, each on a line of its own. Specification: CPython `Python/marshal.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.secrets.container import Opened, SeekableBody
from gate.secrets.hit import Where

# A short text is `z` or `Z`, with the high bit where it is referred to again, then one byte of length.
_SHORT = re.compile(rb"[zZ\xfa\xda]([0-9A-Z_a-z])")
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]*")
_MAX_BYTES: Final = 32 * 1024 * 1024


def open_pyc(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the texts of one `.pyc` file."""
    body.seek(0)
    data = body.read(_MAX_BYTES)
    opened.text(where.encoded("constants"), b"\n".join(_texts(data)))


def _texts(data: bytes) -> Iterator[bytes]:
    for found in _SHORT.finditer(data):
        size = found[1][0]
        text = data[found.end() : found.end() + size]
        if len(text) == size and _TEXT.fullmatch(text):
            yield text
