"""One tar header block, read strictly.

Go's `archive/tar` (both scanners, containerd) and Python's `tarfile` forgive different things; each difference is a place
where a file can be seen by one reader and not by the other (attack L07). What they would read differently is refused.
Specification: POSIX.1-2017 ustar, GNU tar's `tar.h`; the rules are those of the checks reference, section 7.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gate.errors import ImageError
from gate.layers.faults import malformed, shown

BLOCK_BYTES: Final = 512
ZERO_BLOCK: Final = bytes(BLOCK_BYTES)

_USTAR: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \x00"
_BLANK_CHECKSUM: Final = 8 * ord(" ")
_MAX_NUMBER: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TarHeader:
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


def parse_header(block: bytes, position: int) -> TarHeader:
    """Parse 512 untrusted bytes that are not all zero.

    Raises:
        ImageError: `IMG_LAYER_MALFORMED`.
    """
    _check_sum(block, position)
    magic = block[257:265]
    name = _text(block, 0, 100)
    if magic == _USTAR:
        prefix = _text(block, 345, 500)
        name = prefix + b"/" + name if prefix else name
        if block[508:512] == b"tar\0":
            # The star format has a shorter prefix, which Go knows and Python does not.
            raise malformed("a tar header is in the star format", at=position, expected="ustar or GNU")
    elif magic == _GNU:
        _check_gnu_fields(block, position)
    else:
        raise malformed("a tar header has no known magic", at=position, expected="ustar or GNU", seen=shown(magic))
    return TarHeader(
        position=position,
        name=name,
        flag=block[156:157],
        mode=_number(block, 100, 108, "mode", position),
        uid=_number(block, 108, 116, "uid", position),
        gid=_number(block, 116, 124, "gid", position),
        size=_size(block, position),
        mtime=_number(block, 136, 148, "mtime", position, signed=True),
        link=_text(block, 157, 257),
    )


def _check_sum(block: bytes, position: int) -> None:
    stored = _number(block, 148, 156, "checksum", position)
    seen = sum(block) - sum(block[148:156]) + _BLANK_CHECKSUM
    if stored != seen:
        raise malformed("a tar header's checksum is wrong", at=position, expected=str(seen), seen=str(stored))


def _check_gnu_fields(block: bytes, position: int) -> None:
    # Where atime or ctime is no number, Go takes the field for a name prefix; offset and sparse fields move the body.
    for start, what in ((345, "atime"), (357, "ctime")):
        _number(block, start, start + 12, what, position, signed=True)
    if any(block[369:500]):
        raise malformed("a GNU tar header uses sparse or volume fields", at=position, expected="zeros there")


def _text(block: bytes, start: int, end: int) -> bytes:
    return block[start:end].split(b"\0", 1)[0]


def _size(block: bytes, position: int) -> int:
    if not block[124:136].strip(b" \0"):
        raise malformed("a tar header has no size", at=position, expected="an octal number")
    return _number(block, 124, 136, "size", position)


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
