"""One compressed file as a stream: gzip, zstd, xz, bzip2, with any number of members. Specification: RFC 1952, 8878; xz 1.1."""

from __future__ import annotations

import bz2
import io
import lzma
import re
from collections.abc import Callable, Iterator
from typing import Final

import lz4.frame
import zstandard
from isal import igzip_lib

from gate.errors import ImageError
from gate.secrets.budget import cannot_open
from gate.secrets.container import CHUNK_BYTES, HEAD_BYTES, Kind, Opened, Opener, SeekableBody
from gate.secrets.hit import Where

_PIECE: Final = 256 * 1024
# Larger ones need a gibibyte to open, and no tool writes them unasked.
_MAX_WINDOW: Final = 128 * 1024 * 1024
_XZ_MEMORY: Final = 192 * 1024 * 1024
_ENDING = re.compile(r"\.(?:gz|gzip|xz|lzma|lz4|bz2|bzip2|zst|zstd|Z)$", re.IGNORECASE)
_TAR_ENDING = re.compile(r"\.(?:tgz|tbz2?|txz|tzst)$", re.IGNORECASE)


def compressed_opener(kind: Kind) -> Opener:
    """Give the opener of one compression."""
    streams: dict[Kind, Callable[[SeekableBody], Iterator[bytes]]] = {
        Kind.GZIP: _gunzip, Kind.ZSTD: _unzstd, Kind.XZ: _unxz, Kind.BZIP2: _bunzip2,
        Kind.LZMA: _unlzma,
        Kind.LZ4: _unlz4,
    }  # fmt: skip
    stream = streams[kind]

    def open_it(body: SeekableBody, where: Where, opened: Opened) -> None:
        if kind is Kind.GZIP:
            opened.text(where.encoded("gzip header"), _gzip_words(body))
        body.seek(0)
        opened.member(where.member(_inner_name(where, kind)), stream(body))

    return open_it


def _inner_name(where: Where, kind: Kind) -> str:
    name = where.innermost.rpartition("/")[2]
    inner = _TAR_ENDING.sub(".tar", _ENDING.sub("", name))
    return inner if inner != name and inner else kind.value


def _gzip_words(body: SeekableBody) -> bytes:
    """Give the header's file name and comment, each ended by NUL (attack X09)."""
    head = body.read(HEAD_BYTES)
    return head[10:] if len(head) > 10 and head[3] & 0b11100 else b""


def is_whole_gzip(data: bytes) -> bool:
    """Say whether a short text is a gzip stream to its end."""
    try:
        return all(True for _ in _gunzip(io.BytesIO(data)))
    except ImageError:
        return False


def _gunzip(body: SeekableBody) -> Iterator[bytes]:
    member: igzip_lib.IgzipDecompressor | None = None
    while piece := body.read(_PIECE):
        rest = piece
        while rest or (member is not None and not member.needs_input):
            if member is None:
                if not rest.startswith((b"\x1f", b"\0")):
                    raise cannot_open("bytes stand after the gzip stream")
                if rest.startswith(b"\0"):
                    return
                member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            try:
                chunk = member.decompress(rest, CHUNK_BYTES)
            except igzip_lib.IsalError as error:  # type: ignore[misc] # the stubs call the class an instance
                raise cannot_open("the gzip stream is damaged") from error
            if chunk:
                yield chunk
            rest, member = (member.unused_data, None) if member.eof else (b"", member)
    if member is not None:
        raise cannot_open("the gzip stream ends early")


def _unzstd(body: SeekableBody) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(body, read_across_frames=True)  # type: ignore[arg-type]
    try:
        while chunk := reader.read(CHUNK_BYTES):
            yield chunk
    except zstandard.ZstdError as error:
        raise cannot_open("the zstd stream is damaged") from error


def _unxz(body: SeekableBody) -> Iterator[bytes]:
    return _standard(body, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY), "xz")


def _unlzma(body: SeekableBody) -> Iterator[bytes]:
    return _standard(body, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY), "lzma")


def _unlz4(body: SeekableBody) -> Iterator[bytes]:
    return _standard(body, lz4.frame.LZ4FrameDecompressor, "lz4")


def _bunzip2(body: SeekableBody) -> Iterator[bytes]:
    return _standard(body, bz2.BZ2Decompressor, "bzip2")


def _standard(
    body: SeekableBody, begin: Callable[[], lzma.LZMADecompressor | bz2.BZ2Decompressor], name: str
) -> Iterator[bytes]:
    stream, started = begin(), False
    while True:
        piece = body.read(_PIECE) if stream.needs_input or stream.eof else b""
        if stream.eof:
            # lz4 says None for nothing.
            piece = ((stream.unused_data or b"") + piece).lstrip(b"\0")
            if not piece:
                return
            stream, started = begin(), False
        if not piece and stream.needs_input:
            if started:
                raise cannot_open(f"the {name} stream ends early")
            return
        try:
            chunk = stream.decompress(piece, CHUNK_BYTES)
        except (lzma.LZMAError, OSError, EOFError, RuntimeError) as error:
            raise cannot_open(f"the {name} stream is damaged") from error
        started = True
        if chunk:
            yield chunk
