"""One tar header block, read strictly.

Go's `archive/tar` (both scanners, containerd) and Python's `tarfile` forgive different things; each difference is a place
where a file can be seen by one reader and not by the other (attack L07). What they would read differently is refused.
Specification: POSIX.1-2017 ustar, GNU tar's `tar.h`; the rules are those of the checks reference, section 7.2.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from zlib import adler32

from gate.errors import ImageError
from gate.layers.faults import malformed, shown

BLOCK_BYTES: Final = 512
ZERO_BLOCK: Final = bytes(BLOCK_BYTES)

_USTAR: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \x00"
# Version 7 has no magic and nothing after the link: with anything there, Python's reader sees a prefix and Go does not.
_NOTHING_AFTER_LINK: Final = bytes(BLOCK_BYTES - 257)
# How Go, GNU tar and Python write the numbers; any other spelling takes the slow way.
_USUAL_NUMBERS: Final = re.compile(rb"([0-7]{7})\0([0-7]{7})\0([0-7]{7})\0([0-7]{11})\0([0-7]{11})\0([0-7]{6})\0 ")
_DEVICE_FLAGS: Final = frozenset({b"3", b"4"})
_BLANK_CHECKSUM: Final = 8 * ord(" ")
_MAX_NUMBER: Final = (1 << 63) - 1


class TarHeader(NamedTuple):
    """The fields of one block; `flag` is the type flag, `position` the block's first byte in the tar."""

    position: int
    name: bytes
    flag: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    device: tuple[int, int] = (0, 0)


def parse_header(block: bytes, position: int) -> TarHeader:
    """Parse 512 untrusted bytes that are not all zero.

    Raises:
        ImageError: `IMG_LAYER_MALFORMED`.
    """
    mode, uid, gid, size, mtime, checksum = _numbers(block, position)
    # The low half of Adler-32 is one more than the sum of up to 256 bytes (65,280 is under its modulus): fifty times
    # faster than adding bytes in Python.
    seen = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    seen += _BLANK_CHECKSUM - sum(block[148:156])
    if checksum != seen:
        # Go fails, and also sums signed bytes; Python's reader can be told to read on at the next block.
        raise malformed("a tar header's checksum is wrong", at=position, expected=str(seen), seen=str(checksum))
    name = _prefix(block, position) + _text(block, 0, 100)
    flag, device = block[156:157], (0, 0)
    if flag in _DEVICE_FLAGS:
        device = (_number(block, 329, 337, "major", position), _number(block, 337, 345, "minor", position))
    return TarHeader(position, name, flag, mode, uid, gid, size, mtime, _text(block, 157, 257), device)


def _prefix(block: bytes, position: int) -> bytes:
    magic = block[257:265]
    if magic == _USTAR:
        if block[508:512] == b"tar\0":
            # The star format has a shorter prefix, which Go knows and Python does not.
            raise malformed("a tar header is in the star format", at=position, expected="ustar or GNU")
        prefix = _text(block, 345, 500)
        return prefix + b"/" if prefix else b""
    if block[257:] == _NOTHING_AFTER_LINK:
        return b""
    if magic != _GNU:
        # Go takes it for version 7 and drops the prefix, Python's reader joins it to the name.
        raise malformed(
            "a tar header has no known magic", at=position, expected="ustar, GNU or version 7", seen=shown(magic)
        )
    _check_gnu_fields(block, position)
    return b""


def _numbers(block: bytes, position: int) -> tuple[int, int, int, int, int, int]:
    usual = _USUAL_NUMBERS.fullmatch(block, 100, 156)
    if usual:
        mode, uid, gid, size, mtime, checksum = usual.groups()
        return int(mode, 8), int(uid, 8), int(gid, 8), int(size, 8), int(mtime, 8), int(checksum, 8)
    if not block[124:136].strip(b" \0"):
        # Go reads 0, GNU tar refuses: the next header stands elsewhere.
        raise malformed("a tar header has no size", at=position, expected="an octal number")
    return (
        _number(block, 100, 108, "mode", position),
        _number(block, 108, 116, "uid", position),
        _number(block, 116, 124, "gid", position),
        _number(block, 124, 136, "size", position),
        _number(block, 136, 148, "mtime", position, signed=True),
        _number(block, 148, 156, "checksum", position),
    )


def _check_gnu_fields(block: bytes, position: int) -> None:
    # Where atime or ctime is no number, Go takes the field for a name prefix; offset and sparse fields move the body.
    if not any(block[345:500]):
        return
    for start, what in ((345, "atime"), (357, "ctime")):
        _number(block, start, start + 12, what, position, signed=True)
    if any(block[369:500]):
        raise malformed("a GNU tar header uses sparse or volume fields", at=position, expected="zeros there")


def _text(block: bytes, start: int, end: int) -> bytes:
    return block[start:end].split(b"\0", 1)[0] if block[start] else b""


def _number(block: bytes, start: int, end: int, what: str, position: int, *, signed: bool = False) -> int:
    field = block[start:end]
    if field[0] & 0x80:
        return _base_256(field, what, position, signed=signed)
    digits = field.strip(b" \0")
    if not digits:
        return 0
    try:
        if not digits.isdigit():
            raise _no_number(what, field, position)
        return int(digits, 8)
    except ValueError as error:
        raise _no_number(what, field, position) from error


def _base_256(field: bytes, what: str, position: int, *, signed: bool) -> int:
    value = int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
    if field[0] == 0x80 and value <= _MAX_NUMBER:
        return value
    if field[0] == 0xFF and signed and -_MAX_NUMBER <= value < 0:
        return value
    raise _no_number(what, field, position)


def _no_number(what: str, field: bytes, position: int) -> ImageError:
    expected = "octal digits or a base-256 number that is not negative"
    return malformed(f"a tar header's {what} is no number", at=position, expected=expected, seen=shown(field))
