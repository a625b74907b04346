"""Zstandard frames, taken apart at their block borders and inflated by the reference library.

The library's own streams end silently where a frame is cut off, and give as much as a bomb wants from one call. A block
gives at most 128 KiB; so the borders bound the output, and show whether each frame is whole. Refuses dictionaries, reserved
fields, anything that is no frame, and windows over 128 MiB. Skippable frames (zstd:chunked keeps its table there) are passed.
Specification: RFC 8878.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zstandard

from gate.layers.faults import malformed, shown

FRAME_MAGIC: Final = b"\x28\xb5\x2f\xfd"
# The largest window that the zstd program itself accepts without being asked (ZSTD_WINDOWLOG_LIMIT_DEFAULT, 27).
MAX_WINDOW_BYTES: Final = 1 << 27
_BLOCK_BYTES: Final = 128 * 1024
_BLOCKS_AT_ONCE: Final = 8
_RLE, _RESERVED = 1, 3
_CONTENT_SIZE_BYTES: Final = (0, 2, 4, 8)
_DICTIONARY_FLAGS, _CHECKSUM_FLAG, _SINGLE_SEGMENT_FLAG = 0x03, 0x04, 0x20


def is_skippable(magic: bytes) -> bool:
    """Say whether these four bytes begin a skippable frame."""
    return len(magic) == 4 and magic[0] & 0xF0 == 0x50 and magic[1:] == b"\x2a\x4d\x18"


def unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what the frames hold, at most 1 MiB at a time.

    Raises:
        ImageError: `IMG_LAYER_MALFORMED`.
    """
    source = _Source(pieces)
    while source.more():
        magic = source.read(4)
        if magic == FRAME_MAGIC:
            yield from _frame(source)
        elif is_skippable(magic):
            source.skip(int.from_bytes(source.read(4), "little"))
        else:
            raise malformed("the blob is no zstd frame", at=source.taken, expected="a frame's magic", seen=shown(magic))


def _frame(source: _Source) -> Iterator[bytes]:
    header, has_checksum = _header(source)
    frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    parts = [FRAME_MAGIC, header]
    is_last = False
    while not is_last:
        is_last = _take_blocks(source, parts)
        if is_last and has_checksum:
            parts.append(source.read(4))
        yield _decompress(frame, b"".join(parts), source.taken)
        parts.clear()
    if not frame.eof:
        raise malformed("the blob's zstd frame does not end", at=source.taken, expected="the end after its last block")


def _header(source: _Source) -> tuple[bytes, bool]:
    descriptor = source.read(1)
    flags = descriptor[0]
    if flags & _DICTIONARY_FLAGS:
        raise malformed("the blob's zstd frame needs a dictionary", at=source.taken, expected="no dictionary")
    single = bool(flags & _SINGLE_SEGMENT_FLAG)
    content_size_bytes = _CONTENT_SIZE_BYTES[flags >> 6] or int(single)
    return descriptor + source.read(content_size_bytes + int(not single)), bool(flags & _CHECKSUM_FLAG)


def _take_blocks(source: _Source, parts: list[bytes]) -> bool:
    return any(_take_block(source, parts) for _ in range(_BLOCKS_AT_ONCE))


def _take_block(source: _Source, parts: list[bytes]) -> bool:
    header = source.read(3)
    number = int.from_bytes(header, "little")
    last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
    if kind == _RESERVED or size > _BLOCK_BYTES:
        raise malformed("the blob's zstd block is malformed", at=source.taken, expected="a block of at most 128 KiB")
    parts.append(header)
    parts.append(source.read(1 if kind == _RLE else size))
    return last


def _decompress(frame: zstandard.ZstdDecompressionObj, data: bytes, taken: int) -> bytes:
    try:
        return frame.decompress(data)
    except zstandard.ZstdError as error:
        expected = "a sound frame with a window of at most 128 MiB"
        raise malformed("the blob's zstd frame is broken", at=taken, expected=expected, seen=str(error)[:80]) from error


class _Source:
    """Exact numbers of bytes from pieces of any size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._position = 0
        self.taken = 0

    def more(self) -> bool:
        """Say whether a byte is left, and have it ready."""
        while self._position == len(self._piece):
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._piece, self._position = piece, 0
        return True

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, or refuse the blob as cut off."""
        parts = []
        while size:
            if not self.more():
                raise malformed("the blob's zstd stream ends early", at=self.taken, expected=f"{size} bytes more")
            part = self._piece[self._position : self._position + size]
            self._position += len(part)
            self.taken += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes without keeping them."""
        while size:
            size -= len(self.read(min(size, _BLOCK_BYTES)))
