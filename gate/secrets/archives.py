"""Files with files inside: zip and its family, tar, Debian packages. Walked, never extracted; names are the author's words.

Zip members are read from their own headers' data as the directory lists them. Tar is read leniently, because what it holds is
searched whatever other readers make of it. Specification: APPNOTE 6.3.10; POSIX pax; deb(5).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from gate.secrets.budget import cannot_open
from gate.secrets.container import (
    CHUNK_BYTES,
    Kind,
    Opened,
    SeekableBody,
    behind_zeros,
    has_tar_checksum,
    kind_of_container,
    part_of,
    search_rest,
)
from gate.secrets.hit import Where
from gate.secrets.zip_members import LOCAL_HEADER, gaps_of, search_local_members

_END_OF_DIRECTORY: Final = b"PK\x05\x06"
_END_REACH: Final = 65_557
# The directory is read whole: an entry of 46 bytes becomes an object of some hundred.
_MAX_DIRECTORY_BYTES: Final = 24 * 1024 * 1024
_BLOCK: Final = 512
_AR_HEADER: Final = 60
_MAX_LONG_NAME: Final = 64 * 1024


def open_zip(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the members, names and comments of a zip archive, and what its directory does not list."""
    end_of_directory = _end_of_directory(body)
    if end_of_directory is None:
        _open_without_directory(body, where, opened)
        return
    try:
        with zipfile.ZipFile(body) as archive:
            if archive.comment:
                opened.member(where.encoded("zip comment"), iter([archive.comment]))
            for member in archive.infolist():
                _open_member(archive, member, where, opened)
            for start, end in gaps_of(body, archive):
                _search_gap(body, start, end, where, opened)
            search_rest(body, end_of_directory, where, opened)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError, EOFError) as error:
        raise cannot_open("the zip archive is damaged") from error


def open_script_zip(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search a zip archive behind a script that runs it; a script alone of such a name is searched as text."""
    size = body.seek(0, 2)
    body.seek(max(0, size - _END_REACH))
    if _END_OF_DIRECTORY in body.read(_END_REACH):
        open_zip(body, where, opened)


def _open_without_directory(body: SeekableBody, where: Where, opened: Opened) -> None:
    body.seek(0)
    if not body.read(4).startswith(LOCAL_HEADER):
        raise cannot_open("the zip archive has no directory")
    size = body.seek(0, 2)
    end = search_local_members(body, 0, size, where, opened)
    if not end:
        raise cannot_open("the zip archive has no directory")
    search_rest(body, end, where, opened)


def _search_gap(body: SeekableBody, start: int, end: int, where: Where, opened: Opened) -> None:
    """Search what stands between the members that a directory lists: members by their own headers, anything else as it is."""
    inside = where.member("gap")
    after = search_local_members(body, start, end, inside, opened)
    at = behind_zeros(body, after)
    if at < end:
        opened.member(inside, part_of(body, at, end - at))


def _end_of_directory(body: SeekableBody) -> int | None:
    """Return where an archive ends, its comment included; None where it has no directory."""
    size = body.seek(0, 2)
    body.seek(max(0, size - _END_REACH))
    tail = body.read(_END_REACH)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or at + 20 > len(tail):
        return None
    directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory_bytes != 0xFFFFFFFF and directory_bytes > _MAX_DIRECTORY_BYTES:
        raise cannot_open("the directory of the zip archive is too large")
    if directory_bytes == 0xFFFFFFFF and size > 64 * _MAX_DIRECTORY_BYTES:
        raise cannot_open("the directory of the zip archive is too large")
    comment_bytes = int.from_bytes(tail[at + 20 : at + 22], "little")
    return max(0, size - _END_REACH) + at + 22 + comment_bytes


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: Where, opened: Opened) -> None:
    inside = where.member(_name(member.filename))
    opened.text(inside.encoded("zip header"), member.filename.encode("utf-8", "replace") + b"\n" + member.comment)
    if member.is_dir():
        return
    if member.flag_bits & 0x1:
        opened.unopened(inside, "it is encrypted")
        return
    opened.member(inside, _zip_chunks(archive, member))


def _zip_chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise cannot_open("a member of the zip archive is damaged") from error
    except (NotImplementedError, RuntimeError) as error:
        raise cannot_open("a member of the zip archive is in a form that is not read") from error


def _name(text: str) -> str:
    return text[:1024] or "?"


def open_tar(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the members, names, links and records of a tar."""
    at, long_name = 0, ""
    while True:
        body.seek(at)
        header = body.read(_BLOCK)
        if not header.strip(b"\0"):
            # Behind the end of an archive another one may stand, which `tar -i` reads.
            at = behind_zeros(body, at) // _BLOCK * _BLOCK
            body.seek(at)
            header = body.read(_BLOCK)
            if kind_of_container(header, "") is not Kind.TAR:
                search_rest(body, at, where, opened)
                return
        if len(header) < _BLOCK or not (header[257:262] == b"ustar" or has_tar_checksum(header)):
            search_rest(body, at, where, opened)
            return
        size = _tar_size(header)
        flag = header[156:157]
        start, at = at + _BLOCK, at + _BLOCK + size + -size % _BLOCK
        opened.text(where.encoded("tar header"), header.replace(b"\0", b"\n"))
        if flag in {b"x", b"g", b"L", b"K"}:
            text = body.read(min(size, _MAX_LONG_NAME))
            opened.text(where.encoded("tar header"), text)
            long_name = _long_name(flag, text) or long_name
            continue
        if size:
            # A kind that a reader does not know can have a body, too, which it skips.
            name = long_name or _tar_name(header)
            opened.member(where.member(_name(name)), part_of(body, start, size))
        long_name = ""


def _tar_size(header: bytes) -> int:
    field = header[124:136]
    if field[0] & 0x80:
        size = int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    else:
        digits = field.strip(b" \0")
        size = int(digits, 8) if digits and not digits.strip(b"01234567") else (0 if not digits else -1)
    if size < 0:
        raise cannot_open("the tar is damaged")
    return size


def _tar_name(header: bytes) -> str:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    return (prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name).decode("utf-8", "replace")


def _long_name(flag: bytes, text: bytes) -> str:
    if flag == b"L":
        return text.rstrip(b"\0").decode("utf-8", "replace")
    for record in text.split(b"\n") if flag == b"x" else ():
        key, _, value = record.partition(b" ")[2].partition(b"=")
        if key == b"path":
            return value.decode("utf-8", "replace")
    return ""


def open_deb(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the members of a Debian package: its control and data archives."""
    size, at = body.seek(0, 2), 8
    while at + _AR_HEADER <= size:
        body.seek(at)
        header = body.read(_AR_HEADER)
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            # Behind the last member anything can stand; what is no header is searched as it is.
            search_rest(body, at, where, opened)
            return
        length = int(digits)
        name = header[:16].rstrip(b" /").decode("ascii", "replace")
        opened.member(where.member(_name(name)), part_of(body, at + _AR_HEADER, length))
        at += _AR_HEADER + length + length % 2
    search_rest(body, at, where, opened)
