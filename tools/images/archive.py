"""Tar layers with the same bytes for the same entries: sorted, one mtime, owned by root, pax only where ustar ends.

Refuses nothing: tests write hostile layers with it (same path twice, any type flag, lying sizes, raw pax records).
Gzip bytes are the same on one zlib; the digest of the inflated tar (the diff id) is the same everywhere.
Specification: POSIX.1-2017 pax and ustar interchange formats; OCI image-spec 1.1 `layer.md`; RFC 1952.
"""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

BLOCK_BYTES = 512
_NAME_BYTES = 100
_OCTAL_SIZE_LIMIT = 8**11
_OCTAL_ID_LIMIT = 8**7


class Kind(StrEnum):
    """What a tar entry is; `WHITEOUT` and `OPAQUE` are spelled as the OCI layer format asks for."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    WHITEOUT = "whiteout"
    OPAQUE = "opaque"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    FIFO = "fifo"


_TYPE_FLAGS = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.HARDLINK: tarfile.LNKTYPE,
    Kind.WHITEOUT: tarfile.REGTYPE,
    Kind.OPAQUE: tarfile.REGTYPE,
    Kind.CHARACTER_DEVICE: tarfile.CHRTYPE,
    Kind.BLOCK_DEVICE: tarfile.BLKTYPE,
    Kind.FIFO: tarfile.FIFOTYPE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tar entry; defaults make an ordinary file or directory, every field can be made to lie.

    `name` has no leading `/`; bytes that are not UTF-8 are written as surrogate escapes. For `WHITEOUT` it names the
    path to remove, for `OPAQUE` the directory. `mode` None means 0755 for directories, else 0644. `mtime` None means
    that of the layer. `pax` are extra records in order, `xattrs` become `SCHILY.xattr.*` records. `size_bytes` and
    `type_flag` replace what the header would say.
    """

    name: str
    kind: Kind = Kind.FILE
    data: bytes = b""
    target: str = ""
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    mtime: int | None = None
    pax: tuple[tuple[str, str], ...] = ()
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    size_bytes: int | None = None
    type_flag: bytes | None = None

    @property
    def path(self) -> str:
        """Return the name as it stands in the archive: whiteouts with their prefix, directories without a slash."""
        if self.kind is Kind.OPAQUE:
            return f"{self.name.rstrip('/')}/.wh..wh..opq".lstrip("/")
        if self.kind is Kind.WHITEOUT:
            folder, _, base = self.name.rpartition("/")
            return f"{folder}/.wh.{base}" if folder else f".wh.{base}"
        return self.name


def file(name: str, data: bytes | str, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Entry:
    """Return a regular file; text is written as UTF-8."""
    return Entry(name=name, data=_raw(data), mode=mode, uid=uid, gid=gid)


def directory(name: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """Return a directory."""
    return Entry(name=name, kind=Kind.DIRECTORY, mode=mode, uid=uid, gid=gid)


def symlink(name: str, target: str) -> Entry:
    """Return a symbolic link; the target is not checked."""
    return Entry(name=name, kind=Kind.SYMLINK, target=target, mode=0o777)


def hardlink(name: str, target: str) -> Entry:
    """Return a hard link to an archive path."""
    return Entry(name=name, kind=Kind.HARDLINK, target=target)


def whiteout(name: str) -> Entry:
    """Return the whiteout that removes `name` from all lower layers."""
    return Entry(name=name, kind=Kind.WHITEOUT)


def opaque(name: str) -> Entry:
    """Return the marker that removes all lower entries of the directory `name`."""
    return Entry(name=name, kind=Kind.OPAQUE)


def tar(entries: Iterable[Entry], *, mtime: int = 0, sort: bool = True, end: bool = True) -> bytes:
    """Return the tar archive of the entries.

    `sort` orders by path, so a directory comes before what it holds; a test that needs an order of its own, or a
    hard link before its file, turns it off. `end` False leaves out the two closing zero blocks.
    """
    ordered = sorted(entries, key=lambda entry: _raw(entry.path)) if sort else list(entries)
    body = b"".join(_member(entry, mtime) for entry in ordered)
    return body + bytes(2 * BLOCK_BYTES) if end else body


def gzip(data: bytes, *, level: int = 6) -> bytes:
    """Return one gzip member without name, time or system, so that the machine leaves no mark in it."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(data) + deflate.flush()
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + body + struct.pack("<LL", zlib.crc32(data), len(data) % 2**32)


def pax_record(key: str, value: bytes) -> bytes:
    """Return `LEN key=value` with its newline, where LEN counts itself (POSIX pax, "pax Header Block")."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    size = len(rest)
    while size != len(rest) + len(str(size)):
        size = len(rest) + len(str(size))
    return str(size).encode() + rest


def _member(entry: Entry, mtime: int) -> bytes:
    size = len(entry.data) if entry.size_bytes is None else entry.size_bytes
    when = mtime if entry.mtime is None else entry.mtime
    records = b"".join(pax_record(key, value) for key, value in _pax(entry, size))
    extended = b""
    if records:
        extended = _header(f"PaxHeaders/{_short(entry.path)}", tarfile.XHDTYPE, len(records), when) + _padded(records)
    return extended + _entry_header(entry, size, when) + _padded(entry.data)


def _pax(entry: Entry, size: int) -> Iterable[tuple[str, bytes]]:
    yield from ((key, _raw(value)) for key, value in entry.pax)
    yield from ((f"SCHILY.xattr.{key}", value) for key, value in entry.xattrs)
    named = {key for key, _ in entry.pax}
    for key, text in (("path", _archive_name(entry)), ("linkpath", entry.target)):
        if key not in named and not _fits(text):
            yield key, _raw(text)
    for key, number in (("uid", entry.uid), ("gid", entry.gid)):
        if number >= _OCTAL_ID_LIMIT:
            yield key, str(number).encode()
    if size >= _OCTAL_SIZE_LIMIT:
        yield "size", str(size).encode()


def _entry_header(entry: Entry, size: int, when: int) -> bytes:
    mode = entry.mode if entry.mode is not None else (0o755 if entry.kind is Kind.DIRECTORY else 0o644)
    return _header(
        _archive_name(entry),
        entry.type_flag or _TYPE_FLAGS[entry.kind],
        size if size < _OCTAL_SIZE_LIMIT else 0,
        when,
        mode=mode,
        owner=(entry.uid % _OCTAL_ID_LIMIT, entry.gid % _OCTAL_ID_LIMIT),
        target=entry.target,
        device=entry.device,
    )


def _header(
    name: str,
    type_flag: bytes,
    size: int,
    when: int,
    *,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    target: str = "",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    fields = [_raw(_short(name)).ljust(100, b"\0")]
    fields += [b"%07o\0" % (number & 0o7777777) for number in (mode, *owner)]
    fields += [b"%011o\0" % number for number in (size, when)]
    fields += [b" " * 8, type_flag, _raw(_short(target)).ljust(100, b"\0"), b"ustar\x0000", bytes(64)]
    fields += [b"%07o\0" % number for number in device]
    block = b"".join(fields).ljust(BLOCK_BYTES, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _archive_name(entry: Entry) -> str:
    return f"{entry.path}/" if entry.kind is Kind.DIRECTORY and not entry.path.endswith("/") else entry.path


def _fits(text: str) -> bool:
    return text.isascii() and len(text) <= _NAME_BYTES


def _short(text: str) -> str:
    return _raw(text)[:_NAME_BYTES].decode("utf-8", "surrogateescape")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK_BYTES)


def _raw(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
