"""How evidence is compressed where it is kept: one Zstandard frame with its size and a checksum (RFC 8878)."""

from __future__ import annotations

from typing import Final

# Reports of 64 MB are the largest that scanners may write; a frame that claims more was not written here.
_MAX_CONTENT_BYTES: Final = 1024 * 1024 * 1024
_LEVEL: Final = 3


def compress(content: bytes) -> bytes:
    """Return these bytes as one frame."""
    import zstandard  # noqa: PLC0415 - only what writes evidence needs it

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)


def decompress(frame: bytes) -> bytes | None:
    """Return the content of a frame, or None where it is damaged or claims too much."""
    import zstandard  # noqa: PLC0415

    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= _MAX_CONTENT_BYTES:
            return None
        return zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError:
        return None
