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
from gate.secrets.container import CHUNK_BYTES, Opened, SeekableBody, behind_zeros, part_of
from gate.secrets.hit import Where

_END_OF_DIRECTORY: Final = b"PK\x05\x06"
_END_REACH: Final = 65_557
# The directory is read whole: an entry of 46 bytes becomes an object of some hundred.
_MAX_DIRECTORY_BYTES: Final = 24 * 1024 * 1024
_BLOCK: Final = 512
_AR_HEADER: Final = 60
_MAX_LONG_NAME: Final = 64 * 1024


def open_zip(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search the members, names and comments of a zip archive."""
    _check_directory(body)
    try:
        with zipfile.ZipFile(body) as archive:
            opened.text(where.encoded("zip comment"), archive.comment)
            for member in archive.infolist():
                _open_member(archive, member, where, opened)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError, EOFError) as error:
        raise cannot_open("the zip archive is damaged") from error


def open_script_zip(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search a zip archive behind a script that runs it; a script alone of such a name is searched as text."""
    size = body.seek(0, 2)
    body.seek(max(0, size - _END_REACH))
    if _END_OF_DIRECTORY in body.read(_END_REACH):
        open_zip(body, where, opened)


def _check_directory(body: SeekableBody) -> None:
    size = body.seek(0, 2)
    body.seek(max(0, size - _END_REACH))
    tail = body.read(_END_REACH)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or at + 20 > len(tail):
        raise cannot_open("the zip archive has no directory")
    directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory_bytes != 0xFFFFFFFF and directory_bytes > _MAX_DIRECTORY_BYTES:
        raise cannot_open("the directory of the zip archive is too large")
    if directory_bytes == 0xFFFFFFFF and size > 64 * _MAX_DIRECTORY_BYTES:
        raise cannot_open("the directory of the zip archive is too large")


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
            if header[257:262] != b"ustar":
                return
        if len(header) < _BLOCK:
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
        if flag in {b"0", b"\0", b"7"}:
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
            raise cannot_open("the Debian package is damaged")
        length = int(digits)
        name = header[:16].rstrip(b" /").decode("ascii", "replace")
        opened.member(where.member(_name(name)), part_of(body, at + _AR_HEADER, length))
        at += _AR_HEADER + length + length % 2
