"""One compressed file as a stream: gzip, zstd, xz, bzip2, lz4, lzma, with any number of members, and what readers skip.

Extra fields, skippable frames, and bytes behind the last member are searched as files of their own: a program may read them.
Specification: RFC 1952, 8878; xz 1.1; lz4 `doc/lz4_Frame_format.md`.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import lz4.frame
import zstandard
from isal import igzip_lib

from gate.errors import ImageError
from gate.secrets.budget import cannot_open
from gate.secrets.container import (
    CHUNK_BYTES,
    HEAD_BYTES,
    Kind,
    Opened,
    Opener,
    Part,
    SeekableBody,
    behind_zeros,
    part_of,
    search_rest,
)
from gate.secrets.hit import Where

_PIECE: Final = 256 * 1024
# Larger ones need a gibibyte to open, and no tool writes them unasked.
_MAX_WINDOW: Final = 128 * 1024 * 1024
_XZ_MEMORY: Final = 192 * 1024 * 1024
_ENDING = re.compile(r"\.(?:gz|gzip|xz|lzma|lz4|bz2|bzip2|zst|zstd|Z)$", re.IGNORECASE)
_TAR_ENDING = re.compile(r"\.(?:tgz|tbz2?|txz|tzst)$", re.IGNORECASE)
_FILE_NAME = re.compile(rb"[\w.@+-]{1,200}")
_FRAME_HEAD: Final = 8
_EXTRA_FIELD: Final = 0b100
# Block formats of genomes write six bytes into each of their members.
_MIN_EXTRA: Final = 16
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_RLE_BLOCK, _RESERVED_BLOCK = 1, 3
_ERRORS: Final = (igzip_lib.IsalError, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Format:
    """How the members of a compression begin and are opened; `mark` empty: there is one member only."""

    name: str
    mark: bytes
    begin: Callable[[], Any]


_FORMATS: Final = {
    Kind.GZIP: _Format("gzip", b"\x1f\x8b", lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)),
    Kind.XZ: _Format("xz", b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY)),
    Kind.BZIP2: _Format("bzip2", b"BZh", bz2.BZ2Decompressor),
    Kind.LZ4: _Format("lz4", b"\x04\x22\x4d\x18", lz4.frame.LZ4FrameDecompressor),
    Kind.LZMA: _Format("lzma", b"", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY)),
}


def compressed_opener(kind: Kind) -> Opener:
    """Return the opener of one compression."""

    def open_it(body: SeekableBody, where: Where, opened: Opened) -> None:
        members = _ZstdFrames(body) if kind is Kind.ZSTD else _Members(body, _FORMATS[kind])
        name = _stored_name(body) if kind is Kind.GZIP else ""
        opened.member(where.member(name or _inner_name(where, kind)), members.chunks())
        for start, end in members.skipped:
            opened.member(where.member("skipped"), part_of(body, start, end - start))
        if members.is_whole:
            search_rest(body, members.end, where, opened)

    return open_it


def open_skippable(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search a frame that zstd and lz4 leave out, and what stands behind it."""
    end = _behind_skippable(body, 0)
    size = body.seek(0, 2)
    if end is None or end > size:
        # Four bytes by chance: nothing says that this is a frame.
        return
    opened.member(where.member("skipped"), part_of(body, _FRAME_HEAD, end - _FRAME_HEAD))
    search_rest(body, end, where, opened)


def _inner_name(where: Where, kind: Kind) -> str:
    name = where.innermost.rpartition("/")[2]
    inner = _TAR_ENDING.sub(".tar", _ENDING.sub("", name))
    return inner if inner != name and inner else kind.value


def _stored_name(body: SeekableBody) -> str:
    """Return the file name in the header of gzip, which says more than that of the archive; empty where there is none."""
    body.seek(0)
    head = body.read(HEAD_BYTES)
    if len(head) < 12 or not head[3] & 0b1000 or head[3] & _EXTRA_FIELD:
        return ""
    name, end, _ = head[10:].partition(b"\0")
    return name.decode("latin-1") if end and _FILE_NAME.fullmatch(name) else ""


def is_whole_gzip(data: bytes) -> bool:
    """Say whether a short text is a gzip stream to its end."""
    members = _Members(io.BytesIO(data), _FORMATS[Kind.GZIP])
    try:
        return all(True for _ in members.chunks()) and members.end == len(data)
    except ImageError:
        return False


def first_bytes(body: SeekableBody, kind: Kind, count: int) -> int | None:
    """Return how many bytes come out of a stream, up to `count`; None where it is none, or damaged before."""
    members = _ZstdFrames(body) if kind is Kind.ZSTD else _Members(body, _FORMATS[kind])
    size = 0
    try:
        for chunk in members.chunks():
            size += len(chunk)
            if size >= count:
                break
    except ImageError:
        return None
    return size


class _Members:
    """The members of one file; where `is_whole`, `end` is where the last one ends; `skipped` is what stands between."""

    def __init__(self, body: SeekableBody, form: _Format) -> None:
        self._body = body
        self._form = form
        self.end = 0
        self.is_whole = False
        self.skipped: list[tuple[int, int]] = []

    def chunks(self) -> Iterator[bytes]:
        """Yield what comes out of all members."""
        while True:
            self._note_extra_field()
            yield from self._member()
            at = behind_zeros(self._body, self.end)
            while self._form.name == "lz4" and (after := _behind_skippable(self._body, at)) is not None:
                self.skipped.append((at + _FRAME_HEAD, after))
                self.end = at = after
            self._body.seek(at)
            mark = self._form.mark
            if not mark or self._body.read(len(mark)) != mark:
                self.is_whole = True
                return
            self.end = at

    def _member(self) -> Iterator[bytes]:
        stream, at = self._form.begin(), self.end
        while not stream.eof:
            piece = b""
            if stream.needs_input:
                self._body.seek(at)
                piece = self._body.read(_PIECE)
                at += len(piece)
                if not piece:
                    raise cannot_open(f"the {self._form.name} stream ends early")
            try:
                chunk = stream.decompress(piece, CHUNK_BYTES)
            except _ERRORS as error:  # type: ignore[misc] # the stubs call one of the classes an instance
                raise cannot_open(f"the {self._form.name} stream is damaged") from error
            if chunk:
                yield chunk
        # lz4 says None for nothing.
        self.end = at - len(stream.unused_data or b"")

    def _note_extra_field(self) -> None:
        if self._form.name != "gzip":
            return
        self._body.seek(self.end)
        head = self._body.read(12)
        size = int.from_bytes(head[10:12], "little") if len(head) == 12 and head[3] & _EXTRA_FIELD else 0
        if size >= _MIN_EXTRA:
            self.skipped.append((self.end + 12, min(self.end + 12 + size, self._body.seek(0, 2))))


class _ZstdFrames:
    """The frames of one file: where they end is read from the headers of their blocks."""

    def __init__(self, body: SeekableBody) -> None:
        self._body = body
        self.end = 0
        self.is_whole = False
        self.skipped: list[tuple[int, int]] = []
        self._walk()

    def chunks(self) -> Iterator[bytes]:
        """Yield what comes out of all frames."""
        if not self.end:
            raise cannot_open("the zstd stream is damaged")
        part = Part(self._body, 0, self.end)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        reader = decompressor.stream_reader(part, read_across_frames=True)  # type: ignore[arg-type]
        try:
            while chunk := reader.read(CHUNK_BYTES):
                yield chunk
        except zstandard.ZstdError as error:
            raise cannot_open("the zstd stream is damaged") from error
        self.is_whole = True

    def _walk(self) -> None:
        size = self._body.seek(0, 2)
        while True:
            after = _behind_skippable(self._body, self.end)
            if after is not None and after <= size:
                self.skipped.append((self.end + _FRAME_HEAD, after))
            else:
                after = self._behind_frame(self.end, size)
            if after is None:
                return
            self.end = after

    def _behind_frame(self, at: int, size: int) -> int | None:
        self._body.seek(at)
        head = self._body.read(18)
        if not head.startswith(_ZSTD) or len(head) < 6:
            return None
        flags = head[4]
        is_single, dictionary = bool(flags & 0x20), (0, 1, 2, 4)[flags & 3]
        content = (1 if is_single else 0, 2, 4, 8)[flags >> 6]
        at += 5 + (not is_single) + dictionary + content
        while True:
            self._body.seek(at)
            block = int.from_bytes(self._body.read(3), "little")
            kind, length = block >> 1 & 3, block >> 3
            at += 3 + (1 if kind == _RLE_BLOCK else length)
            if at > size or kind == _RESERVED_BLOCK:
                # It ends early, or is damaged: what opens it says so.
                return size
            if block & 1:
                return min(size, at + (4 if flags & 4 else 0))


def _behind_skippable(body: SeekableBody, at: int) -> int | None:
    body.seek(at)
    head = body.read(_FRAME_HEAD)
    is_one = len(head) == _FRAME_HEAD and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"
    return at + _FRAME_HEAD + int.from_bytes(head[4:], "little") if is_one else None
