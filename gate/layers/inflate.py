"""Uncompressed bytes from a layer blob, in pieces of bounded size.

Gzip with any number of members (pigz, eStargz), zstd with any number of frames (zstd:chunked), plain tar, and a blob of no
bytes, which every reader takes for an empty layer. Refuses bytes of another kind than the media type says, bytes after the
last member, streams that end early, and windows over 128 MiB.
How much comes out of how little is counted by `Meter`, which is asked between pieces, so that a bomb ends at its limit.
Specification: RFC 1952, RFC 8878; media types: formats reference, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from isal import igzip_lib

from gate.layers.faults import malformed, shown, unscannable
from gate.layers.zstd_frames import FRAME_MAGIC, is_skippable, unzstd

# Compressed bytes are taken in equal pieces, so that a ratio does not depend on how the network cut them; large enough that
# the thread which inflates seldom waits for the interpreter.
PIECE_BYTES: Final = 512 * 1024
# Most bytes that are given at once; the rest of the pass never holds more of a layer than this, beside captured bodies.
CHUNK_BYTES: Final = 1024 * 1024

_GZIP_MAGIC: Final = b"\x1f\x8b\x08"


class Coding(StrEnum):
    """How the tar of a layer is compressed."""

    PLAIN = "tar"
    GZIP = "gzip"
    ZSTD = "zstd"


LAYER_TYPES: Final[Mapping[str, Coding]] = MappingProxyType(
    {
        "application/vnd.oci.image.layer.v1.tar": Coding.PLAIN,
        "application/vnd.oci.image.layer.v1.tar+gzip": Coding.GZIP,
        "application/vnd.oci.image.layer.v1.tar+zstd": Coding.ZSTD,
        "application/vnd.docker.image.rootfs.diff.tar": Coding.PLAIN,
        "application/vnd.docker.image.rootfs.diff.tar.gzip": Coding.GZIP,
        # In no specification, and written by BuildKit and containerd.
        "application/vnd.docker.image.rootfs.diff.tar.zstd": Coding.ZSTD,
    }
)


class Meter(Protocol):
    """What is told of each piece; raises where a limit is passed."""

    def took(self, compressed_bytes: int) -> None:
        """Note a piece of the blob that is about to be inflated; all before it has been."""

    def gave(self, uncompressed_bytes: int) -> None:
        """Note bytes that came out."""


def coding_of(media_type: str) -> Coding:
    """Return the coding of a layer's media type.

    Raises:
        ImageError: `IMG_LAYER_UNSCANNABLE` for every other type: foreign, encrypted, unknown (attack D10).
    """
    coding = LAYER_TYPES.get(media_type)
    if coding is None:
        expected = "an OCI or Docker layer type: tar, gzip or zstd"
        raise unscannable(
            "a layer has a media type that cannot be read", expected=expected, seen=repr(media_type[:120])
        )
    return coding


def inflate(blob: Iterable[bytes], coding: Coding, meter: Meter) -> Iterator[bytes]:
    """Yield the uncompressed tar of an untrusted blob, at most `CHUNK_BYTES` at a time.

    Raises:
        ImageError: `IMG_LAYER_MALFORMED`, or what the meter raises.
    """
    pieces = _metered(_cut(blob), coding, meter)
    for chunk in _opened(pieces, coding):
        meter.gave(len(chunk))
        yield chunk


def _opened(pieces: Iterator[bytes], coding: Coding) -> Iterator[bytes]:
    match coding:
        case Coding.PLAIN:
            return pieces
        case Coding.GZIP:
            return _gunzip(pieces)
        case Coding.ZSTD:
            return unzstd(pieces)


def _cut(blob: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in blob:
        data = rest + chunk
        whole = len(data) - len(data) % PIECE_BYTES
        for start in range(0, whole, PIECE_BYTES):
            yield data[start : start + PIECE_BYTES]
        rest = data[whole:]
    if rest:
        yield rest


def _metered(pieces: Iterator[bytes], coding: Coding, meter: Meter) -> Iterator[bytes]:
    first = True
    for piece in pieces:
        if first:
            _refuse_other_magic(piece, coding)
            first = False
        meter.took(len(piece))
        yield piece


def _refuse_other_magic(piece: bytes, coding: Coding) -> None:
    if is_skippable(piece[:4]):
        # containerd and Podman know the frame's magic and read on; go-containerregistry, by which both scanners read images,
        # knows only that of a data frame, and takes the blob for a plain tar.
        raise unscannable(
            "a zstd layer begins with a skippable frame, so that no scanner reads it",
            expected="a data frame first",
            seen=shown(piece[:4]),
            next_step="Compress the layer again with zstd or gzip; `pzstd` writes such frames before each block of data.",
        )
    if piece.startswith(_GZIP_MAGIC):
        found = Coding.GZIP
    elif piece.startswith(FRAME_MAGIC):
        found = Coding.ZSTD
    else:
        found = Coding.PLAIN
    if found is not coding:
        # Docker and go-containerregistry look at the bytes; containerd takes a type without compression at its word.
        expected = f"{coding}, as the media type says"
        raise malformed("the layer blob is of another kind", at=0, expected=expected, seen=shown(piece[:8]))


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    member: igzip_lib.IgzipDecompressor | None = None
    taken = 0
    for piece in pieces:
        taken += len(piece)
        rest = piece
        while rest or (member is not None and not member.needs_input):
            member = member or igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            try:
                chunk = member.decompress(rest, CHUNK_BYTES)
            except igzip_lib.IsalError as error:  # type: ignore[misc] # the stubs call the class an instance
                expected = "gzip members with a right checksum, and nothing after them"
                raise malformed(
                    "the blob's gzip stream is broken", at=taken, expected=expected, seen=str(error)
                ) from error
            if chunk:
                yield chunk
            rest, member = (member.unused_data, None) if member.eof else (b"", member)
    if member is not None:
        raise malformed("the blob's gzip stream ends early", at=taken, expected="the member's end and checksum")
