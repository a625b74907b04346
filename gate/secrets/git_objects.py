"""Git's own storage: loose objects and packs, each object inflated and searched; deltas hold what they insert in clear.

A secret that was committed and removed again is still here. Specification: git's `gitformat-pack`, `gitformat-loose`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from gate.secrets.budget import cannot_open
from gate.secrets.container import CHUNK_BYTES, Opened, SeekableBody, search_rest
from gate.secrets.hit import Where

_PIECE: Final = 64 * 1024
_TRAILER_BYTES: Final = 20
_OFS_DELTA: Final = 6
_REF_DELTA: Final = 7
_TYPES: Final = {1: "commit", 2: "tree", 3: "blob", 4: "tag", _OFS_DELTA: "delta", _REF_DELTA: "delta"}
# Trees hold names and digests only, which the names of the files below them repeat.
_TREE: Final = 2


def open_git_object(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search one loose object."""
    inflated = _Inflated(body, 0)
    opened.member(where.encoded("git object"), inflated.chunks())
    if inflated.end >= 0:
        search_rest(body, inflated.end, where, opened)


def open_zlib(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search a zlib stream that stood in an encoding."""
    inflated = _Inflated(body, 0)
    opened.member(where.member("zlib"), inflated.chunks())
    if inflated.end >= 0:
        search_rest(body, inflated.end, where, opened)


def open_git_pack(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search each object of a pack."""
    body.seek(8)
    count, at = int.from_bytes(body.read(4), "big"), 12
    for number in range(count):
        kind, start = _object_header(body, at)
        inflated = _Inflated(body, start)
        if kind == _TREE:
            for _ in inflated.chunks():
                pass
        else:
            opened.member(where.encoded(f"{_TYPES[kind]} {number}"), inflated.chunks())
        if inflated.end < 0:
            raise cannot_open("an object of the git pack was not read to its end")
        at = inflated.end
    search_rest(body, at + _TRAILER_BYTES, where, opened)


def _object_header(body: SeekableBody, at: int) -> tuple[int, int]:
    """Return type and start of the compressed data of the object at a place."""
    body.seek(at)
    head = body.read(64)
    used = _varint(head, 0)
    kind = head[0] >> 4 & 7 if head else 0
    if kind == _OFS_DELTA:
        used = _varint(head, used)
    elif kind == _REF_DELTA:
        used += _TRAILER_BYTES
    if kind not in _TYPES:
        raise cannot_open("the git pack is damaged")
    return kind, at + used


def _varint(head: bytes, at: int) -> int:
    """Return where a number of seven bits a byte ends."""
    while at < len(head):
        if head[at] < 0x80:
            return at + 1
        at += 1
    raise cannot_open("the git pack is damaged")


class _Inflated:
    """One zlib stream at a place of the body; `end` is where it ended, -1 before."""

    def __init__(self, body: SeekableBody, start: int) -> None:
        self._body = body
        self._at = start
        self.end = -1

    def chunks(self) -> Iterator[bytes]:
        """Yield what comes out."""
        stream, rest = zlib.decompressobj(), b""
        while not stream.eof:
            if not rest:
                self._body.seek(self._at)
                rest = self._body.read(_PIECE)
                self._at += len(rest)
                if not rest:
                    raise cannot_open("a git object ends early")
            try:
                chunk = stream.decompress(rest, CHUNK_BYTES)
            except zlib.error as error:
                raise cannot_open("a git object is damaged") from error
            rest = stream.unconsumed_tail
            if chunk:
                yield chunk
        self.end = self._at - len(stream.unused_data)
