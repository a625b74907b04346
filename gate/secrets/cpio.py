"""Archives of cpio: initial file systems, and what an rpm package holds. Walked, never extracted.

An initial file system is several archives in one file, each of which may be compressed: behind the end of the first one stands
the next. Specification: Linux `Documentation/driver-api/early-userspace/buffer-format.rst` (newc, crc); POSIX.1-1988 (odc).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gate.secrets.budget import cannot_open
from gate.secrets.container import Opened, SeekableBody, behind_zeros, part_of
from gate.secrets.hit import Where

_NEWC_BYTES: Final = 110
_ODC_BYTES: Final = 76
_NEWC: Final = frozenset({b"070701", b"070702"})
_ODC: Final = b"070707"
_END: Final = b"TRAILER!!!"
_MAX_NAME: Final = 64 * 1024
# In the archive digits stand right at a name or link. All are searched together: a scan for each would cost more than the rest.
_WORDS_BYTES: Final = 256 * 1024
_HEADER: Final = "cpio header"
_TYPE, _FILE, _SYMLINK = 0o170000, 0o100000, 0o120000


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry: where its content begins, and where the next entry does."""

    name: bytes
    mode: int
    start: int
    size: int
    following: int


def open_cpio(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the members, names and links of each archive in a file."""
    end = body.seek(0, 2)
    at, words = 0, bytearray()
    while at < end:
        for member in _members(body, at, end):
            at = member.following
            words += _words(body, member) + b"\n"
            if len(words) > _WORDS_BYTES:
                opened.text(where.encoded(_HEADER), bytes(words))
                words.clear()
            if member.mode & _TYPE == _FILE and member.size:
                name = member.name.decode("utf-8", "replace")[:1024] or "?"
                opened.member(where.member(name), part_of(body, member.start, member.size))
        at = behind_zeros(body, at)
        if at < end and not _is_archive(body, at):
            opened.member(where.member("rest"), part_of(body, at, end - at))
            at = end
    opened.text(where.encoded(_HEADER), bytes(words))


def _is_archive(body: SeekableBody, at: int) -> bool:
    body.seek(at)
    return body.read(len(_ODC)) in {*_NEWC, _ODC}


def _words(body: SeekableBody, member: _Member) -> bytes:
    """Return the name of an entry, and what a symbolic link leads to."""
    if member.mode & _TYPE != _SYMLINK:
        return member.name
    body.seek(member.start)
    return member.name + b"\n" + body.read(min(member.size, _MAX_NAME))


def _members(body: SeekableBody, base: int, end: int) -> Iterator[_Member]:
    """Yield the entries of one archive, the one that ends it included."""
    at = base
    while True:
        member = _member(body, at, base)
        if member.following > end:
            raise cannot_open("the cpio archive ends within a member")
        yield member
        if member.name == _END:
            return
        at = member.following


def _member(body: SeekableBody, at: int, base: int) -> _Member:
    """Read an entry; it is padded to four bytes counted from the beginning of its own archive, where its form pads."""
    body.seek(at)
    header = body.read(_NEWC_BYTES)
    if header[:6] in _NEWC and len(header) == _NEWC_BYTES:
        numbers = [_number(header[start : start + 8], 16) for start in range(6, _NEWC_BYTES, 8)]
        mode, size, name_size, pad, used = numbers[1], numbers[6], numbers[11], 4, _NEWC_BYTES
    elif header[:6] == _ODC and len(header) >= _ODC_BYTES:
        mode, size, name_size = (_number(header[start:stop], 8) for start, stop in ((18, 24), (65, 76), (59, 65)))
        pad, used = 1, _ODC_BYTES
    else:
        raise cannot_open("the cpio archive is damaged")
    if not 0 < name_size <= _MAX_NAME:
        raise cannot_open("the cpio archive is damaged")
    body.seek(at + used)
    name = body.read(name_size).rstrip(b"\0")
    start = at + used + name_size
    start += -(start - base) % pad
    following = start + size
    return _Member(name, mode, start, size, following + -(following - base) % pad)


def _number(digits: bytes, base: int) -> int:
    # Python takes blanks, signs and `_` for parts of a number, too.
    try:
        number = int(digits, base) if digits.isalnum() else -1
    except ValueError:
        number = -1
    if number < 0:
        raise cannot_open("the cpio archive is damaged")
    return number
