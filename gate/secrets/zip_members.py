"""Members of a zip archive by their own headers: those that its directory does not list, and archives without one.

Readers that stream (`bsdtar`, Java's `ZipInputStream`) see them, readers of the directory do not. Specification: APPNOTE 6.3.10,
sections 4.3.7 to 4.3.9.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gate.errors import ImageError
from gate.secrets.budget import cannot_open
from gate.secrets.container import CHUNK_BYTES, Opened, SeekableBody, part_of
from gate.secrets.hit import Where

LOCAL_HEADER: Final = b"PK\x03\x04"
_DESCRIPTOR: Final = b"PK\x07\x08"
_LOCAL_BYTES: Final = 30
_PIECE: Final = 64 * 1024
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
_ENCRYPTED, _STREAMED = 0x1, 0x8
_UNKNOWN: Final = 0xFFFFFFFF
_ZIP64_FIELD: Final = 1
# What a descriptor and the alignment of a member take; nothing fits in that is worth a name.
_MIN_GAP: Final = 25


@dataclass(frozen=True, slots=True)
class _Local:
    """A local header: where its data begins, and how long that is (-1: it is known when it is read)."""

    name: str
    method: int
    flags: int
    start: int
    size: int


def search_local_members(body: SeekableBody, start: int, end: int, where: Where, opened: Opened) -> int:
    """Search the members whose headers follow each other from a place; return where the last one ends."""
    at = start
    while (member := _local(body, at, end)) is not None:
        inside = where.member(member.name[:1024] or "?")
        if member.flags & _ENCRYPTED:
            opened.unopened(inside, "it is encrypted")
            return end if member.size < 0 else member.start + member.size
        data = _Data(body, member, end)
        opened.member(inside, data.chunks())
        if data.end < 0:
            return member.start
        at = _behind_descriptor(body, data.end, end) if member.flags & _STREAMED else data.end
    return at


def gaps_of(body: SeekableBody, archive: zipfile.ZipFile) -> Iterator[tuple[int, int]]:
    """Yield the parts of an archive that its directory does not speak of: before, between and behind the listed members."""
    over = 0
    used = sorted((member.header_offset, member.compress_size, member.flag_bits) for member in archive.infolist())
    for offset, size, flags in used:
        if offset - over >= _MIN_GAP:
            yield over, offset
        start = _data_start(body, offset)
        end = start + size
        over = max(over, _behind_descriptor(body, end, end + _MIN_GAP) if flags & _STREAMED else end)
    directory = archive.start_dir
    if directory - over >= _MIN_GAP:
        yield over, directory


def _data_start(body: SeekableBody, offset: int) -> int:
    body.seek(offset + 26)
    lengths = body.read(4)
    name, extra = struct.unpack("<HH", lengths) if len(lengths) == 4 else (0, 0)
    return offset + _LOCAL_BYTES + int(name) + int(extra)


def _local(body: SeekableBody, at: int, end: int) -> _Local | None:
    body.seek(at)
    head = body.read(_LOCAL_BYTES)
    if not head.startswith(LOCAL_HEADER) or len(head) < _LOCAL_BYTES or at + _LOCAL_BYTES > end:
        return None
    _, flags, method, _, _, _, size, _, name_size, extra_size = struct.unpack("<HHHHHIIIHH", head[4:])
    name, extra = body.read(name_size), body.read(extra_size)
    if size == _UNKNOWN:
        size = _zip64_size(extra)
    is_open_ended = bool(flags & _STREAMED and not size)
    start = at + _LOCAL_BYTES + name_size + extra_size
    return _Local(name.decode("utf-8", "replace"), method, flags, start, -1 if is_open_ended else size)


def _zip64_size(extra: bytes) -> int:
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack("<HH", extra[at : at + 4])
        if tag == _ZIP64_FIELD and size >= 16:
            return int.from_bytes(extra[at + 12 : at + 20], "little")
        at += 4 + size
    return 0


def _behind_descriptor(body: SeekableBody, at: int, end: int) -> int:
    """Return where the next header begins behind a descriptor of 12, 16, 20 or 24 bytes."""
    body.seek(at)
    head = body.read(28)
    for size in (16, 24, 12, 20):
        if head[size : size + 2] == b"PK":
            return at + size
    return min(end, at + 16) if head.startswith(_DESCRIPTOR) else at


class _Data:
    """The data of one member; `end` is where it ends, -1 where it did not."""

    def __init__(self, body: SeekableBody, member: _Local, limit: int) -> None:
        self._body = body
        self._member = member
        self._limit = limit
        self.end = -1

    def chunks(self) -> Iterator[bytes]:
        """Yield what comes out."""
        member = self._member
        if member.method == _STORED and member.size >= 0:
            yield from part_of(self._body, member.start, min(member.size, self._limit - member.start))
            self.end = member.start + member.size
            return
        stream = _decompressor(member.method)
        if stream is None:
            if member.size >= 0:
                self.end = member.start + member.size
            raise cannot_open("a member of the zip archive is in a form that is not read")
        try:
            yield from self._stream(stream)
        except ImageError:
            if member.size > 0:
                self.end = member.start + member.size
            raise

    def _stream(self, stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - two libraries' streams
        at, rest = self._member.start, b""
        while not stream.eof:
            if not rest:
                self._body.seek(at)
                rest = self._body.read(min(_PIECE, self._limit - at)) if at < self._limit else b""
                at += len(rest)
                if not rest:
                    raise cannot_open("a member of the zip archive ends early")
            try:
                chunk = stream.decompress(rest, CHUNK_BYTES)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
                raise cannot_open("a member of the zip archive is damaged") from error
            rest = getattr(stream, "unconsumed_tail", b"")
            if chunk:
                yield chunk
        self.end = at - len(stream.unused_data)


def _decompressor(method: int) -> Any:  # noqa: ANN401
    if method == _DEFLATED:
        return zlib.decompressobj(-15)
    return bz2.BZ2Decompressor() if method == _BZIP2 else None
