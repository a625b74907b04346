"""Text constants of compiled Python, which outlive the source that was deleted: found by their marks, without running anything.

In clear they are found anyway, unless the byte before a text (its length) or after it (the next mark) passes for a letter of
it: here each stands on a line of its own. Specification: CPython `Python/marshal.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.secrets.container import Opened, SeekableBody
from gate.secrets.hit import Where

# A short text is `z` or `Z`, with the high bit where it is referred to again, one byte of length, and its letters. Secrets with
# a form of their own are not shorter.
_SHORT = re.compile(rb"[zZ\xfa\xda]([\x10-\xff])([\x20-\x7e]{16,255})")
_MAX_BYTES: Final = 32 * 1024 * 1024


def open_pyc(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the texts of one `.pyc` file."""
    body.seek(0)
    data = body.read(_MAX_BYTES)
    opened.text(where.encoded("constants"), b"\n".join(_texts(data)))


def _texts(data: bytes) -> Iterator[bytes]:
    at = 0
    while found := _SHORT.search(data, at):
        size = found[1][0]
        if len(found[2]) >= size:
            yield found[2][:size]
        at = found.start() + 1 if len(found[2]) < size else found.start(2) + size
