"""The records of a pax extended header, read strictly.

Specification: POSIX.1-2017 "pax Header Block". Refuses wrong lengths, repeated keys, empty or NUL-holding paths, sparse
files and global headers that say more than a comment: each is read differently by readers in use (attack L07).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gate.layers.faults import malformed, shown

MAX_PAX_BYTES: Final = 1024 * 1024
CAPABILITY_KEY: Final = b"SCHILY.xattr.security.capability"

_LENGTH = re.compile(rb"[1-9]\d{0,6} ")
_WHOLE = re.compile(rb"\d{1,18}")
_TIME = re.compile(rb"(-?\d{1,15})(\.\d*)?")
_PATH_KEYS: Final = (b"path", b"linkpath")


def parse_pax(body: bytes, position: int) -> dict[bytes, bytes]:
    """Return the records of an `x` header in order; key → raw value, each key once.

    Raises:
        ImageError: `IMG_LAYER_MALFORMED`.
    """
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(body):
        start, key, value = _record(body, start, position)
        if key in records:
            raise malformed("a pax header names a key twice", at=position, expected="each key once", seen=shown(key))
        records[key] = value
    _refuse_unsafe(records, position)
    return records


def parse_global_pax(body: bytes, position: int) -> dict[bytes, bytes]:
    """Return the records of a `g` header, which may hold a comment and nothing that changes entries."""
    records = parse_pax(body, position)
    for key in records:
        if key != b"comment":
            raise malformed("a global pax header changes entries", at=position, expected="comment", seen=shown(key))
    return records


def pax_number(records: Mapping[bytes, bytes], key: bytes, default: int, position: int) -> int:
    """Return a number of the records that is not negative, or the default where there is none."""
    value = records.get(key)
    if value is None:
        return default
    if not _WHOLE.fullmatch(value):
        raise malformed(f"the pax {key.decode()} is no number", at=position, expected="digits", seen=shown(value))
    return int(value)


def pax_time(records: Mapping[bytes, bytes], default: int, position: int) -> int:
    """Return the `mtime` in whole seconds since 1970."""
    value = records.get(b"mtime")
    if value is None:
        return default
    found = _TIME.fullmatch(value)
    if not found:
        raise malformed("the pax mtime is no time", at=position, expected="seconds", seen=shown(value))
    return int(found[1])


def _record(body: bytes, start: int, position: int) -> tuple[int, bytes, bytes]:
    found = _LENGTH.match(body, start)
    end = start + int(found[0]) if found else 0
    if not found or end > len(body) or end <= found.end() or body[end - 1 : end] != b"\n":
        seen = shown(body[start : start + 24])
        raise malformed(
            "a pax record has a wrong length", at=position, expected="LEN key=value and a newline", seen=seen
        )
    key, equals, value = body[found.end() : end - 1].partition(b"=")
    if not equals or not key or b"\0" in key:
        raise malformed("a pax record has no key", at=position, expected="key=value", seen=shown(key))
    return end, key, value


def _refuse_unsafe(records: Mapping[bytes, bytes], position: int) -> None:
    for key in _PATH_KEYS:
        value = records.get(key)
        if value is not None and (not value or b"\0" in value):
            raise malformed(f"the pax {key.decode()} is empty or holds NUL", at=position, expected="a name")
    for key in records:
        if key.startswith(b"GNU.sparse."):
            raise malformed("a pax header makes a sparse file", at=position, expected="whole files", seen=shown(key))
