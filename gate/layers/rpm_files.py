"""The package headers in rpm's two file formats of its own time: Berkeley DB hash (RHEL to 8, Amazon 2) and ndb (SUSE).

Both are walked once over bytes in memory; every offset is checked, and a chain of pages ends where all pages are used up.
Specification: Berkeley DB 5.3 `dbinc/db_page.h`; rpm 4.17 `lib/backend/ndb/rpmpkg.c`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_BDB_MAGIC: Final = 0x00061561
_BDB_METADATA, _BDB_HASH_UNSORTED, _BDB_HASH, _BDB_OVERFLOW, _BDB_OFF_PAGE = 8, 2, 13, 7, 3
_BDB_PAGE_HEADER_BYTES: Final = 26
_BDB_PAGE_BYTES: Final = frozenset(1 << power for power in range(9, 17))

_NDB_MAGIC, _NDB_SLOT_MAGIC, _NDB_BLOB_MAGIC = b"RpmP", b"Slot", b"BlbS"
_NDB_SLOT_BYTES, _NDB_SLOTS_A_PAGE = 16, 256


def bdb_blobs(body: bytes) -> Iterator[bytes]:
    """Yield the package headers of a `Packages` hash database (untrusted).

    Raises:
        ValueError, struct.error: the bytes are not such a database, or are cut off.
    """
    order = next((order for order in "<>" if struct.unpack_from(f"{order}I", body, 12)[0] == _BDB_MAGIC), "")
    if not order or body[25] != _BDB_METADATA:
        raise ValueError
    page_bytes, encryption = struct.unpack_from(f"{order}IB", body, 20)
    (last_page,) = struct.unpack_from(f"{order}I", body, 32)
    if page_bytes not in _BDB_PAGE_BYTES or encryption or len(body) < (last_page + 1) * page_bytes:
        raise ValueError
    database = _Bdb(body, order, page_bytes, last_page + 1)
    for number in range(last_page + 1):
        yield from database.blobs_at(number)


class _Bdb:
    def __init__(self, body: bytes, order: str, page_bytes: int, pages: int) -> None:
        self._body = body
        self._order = order
        self._page_bytes = page_bytes
        self._pages = pages
        # Each overflow page belongs to one value: more steps than pages are a circle.
        self._steps_left = pages

    def blobs_at(self, number: int) -> Iterator[bytes]:
        """Yield the values of a hash page that stand on pages of their own, as every package header does."""
        page = self._page(number)
        if page[25] not in {_BDB_HASH_UNSORTED, _BDB_HASH}:
            return
        (entries,) = struct.unpack_from(f"{self._order}H", page, 20)
        offsets = struct.unpack_from(f"{self._order}{entries}H", page, _BDB_PAGE_HEADER_BYTES)
        for offset in offsets[1::2]:
            if page[offset : offset + 1] == bytes([_BDB_OFF_PAGE]):
                first, size = struct.unpack_from(f"{self._order}II", page, offset + 4)
                yield self._chain(first, size)

    def _chain(self, number: int, size: int) -> bytes:
        parts = []
        while number:
            self._steps_left -= 1
            page = self._page(number)
            if self._steps_left < 0 or page[25] != _BDB_OVERFLOW:
                raise ValueError
            (number,) = struct.unpack_from(f"{self._order}I", page, 16)
            (used,) = struct.unpack_from(f"{self._order}H", page, 22)
            parts.append(page[_BDB_PAGE_HEADER_BYTES : None if number else _BDB_PAGE_HEADER_BYTES + used])
        value = b"".join(parts)
        if len(value) != size:
            raise ValueError
        return value

    def _page(self, number: int) -> bytes:
        if number >= self._pages:
            raise ValueError
        return self._body[number * self._page_bytes : (number + 1) * self._page_bytes]


def ndb_blobs(body: bytes) -> Iterator[bytes]:
    """Yield the package headers of a `Packages.db` (untrusted).

    Raises:
        ValueError, struct.error: the bytes are not such a database, or are cut off.
    """
    magic, version, _, slot_pages = struct.unpack_from("<4sIII", body)
    if magic != _NDB_MAGIC or version != 0 or slot_pages == 0:
        raise ValueError
    # The first two slots are the header itself.
    for number in range(2, slot_pages * _NDB_SLOTS_A_PAGE):
        slot_magic, index, offset, _ = struct.unpack_from("<4sIII", body, number * _NDB_SLOT_BYTES)
        if slot_magic != _NDB_SLOT_MAGIC:
            raise ValueError
        if index:
            yield _ndb_blob(body, index, offset * _NDB_SLOT_BYTES)


def _ndb_blob(body: bytes, index: int, start: int) -> bytes:
    magic, blob_index, _, size = struct.unpack_from("<4sIII", body, start)
    blob = body[start + _NDB_SLOT_BYTES : start + _NDB_SLOT_BYTES + size]
    if magic != _NDB_BLOB_MAGIC or blob_index != index or len(blob) != size:
        raise ValueError
    return blob
