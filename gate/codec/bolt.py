"""Read a BoltDB file: names of buckets, and keys with their values.

Trivy keeps its vulnerability database in this format. The gate reads it to learn which distributions a database covers
and which advisory a canary can stand on; the scanner itself opens the file anew. The bytes are trusted to be what was
downloaded (their digest is checked elsewhere) and not trusted to be well formed: every number is checked against the
file before it is used, no page is visited twice within one walk, keys must ascend, and a walk ends at a set count of
elements. Nothing is ever written, and freelist pages are not read: they say nothing about what the file holds.

Specification: go.etcd.io/bbolt v1.4, `internal/common/{page,meta,bucket}.go`; all numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gate.errors import DatabaseError

MAGIC: Final = 0xED0CDAED
VERSION: Final = 2
BRANCH_PAGE: Final = 0x01
LEAF_PAGE: Final = 0x02
META_PAGE: Final = 0x04
BUCKET_ELEMENT: Final = 0x01

PAGE_HEADER: Final = struct.Struct("<QHHI")  # page id, flags, count of elements, pages that follow and belong to it
META: Final = struct.Struct("<IIIIQQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, end, txid, sum
BRANCH_ELEMENT: Final = struct.Struct("<IIQ")  # offset of the key from here, size of the key, page
LEAF_ELEMENT: Final = struct.Struct("<IIII")  # flags, offset of the key from here, size of the key, size of the value
BUCKET_HEADER: Final = struct.Struct("<QQ")  # root page or 0 for an inline page, sequence

MAX_KEY_BYTES: Final = 32_768  # bbolt v1.4, bucket.go: MaxKeySize
MAX_DEPTH: Final = 16  # a tree of two keys a page would need 2**16 pages to be deeper than bbolt could make it
MAX_ELEMENTS: Final = 50_000_000  # 20 times the elements of a whole Trivy database
_PAGE_SIZES: Final = frozenset(1024 << n for n in range(15))  # bbolt v1.4, db.go: sizes that it looks for

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3


def fnv1a_64(data: bytes) -> int:
    """Return the FNV-1a sum of 64 bits with which a meta page is closed (an accident check, no protection)."""
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return value


def _malformed(message: str, *, expected: str = "", seen: object = "") -> DatabaseError:
    return DatabaseError(
        f"the BoltDB file is malformed: {message}",
        code="DB_MALFORMED",
        expected=expected,
        seen=str(seen),
        next_step="fetch the database again with `gate db update` or `gate db import`",
    )


@dataclass(slots=True)
class _Budget:
    """How many elements may be visited through one `parse_bolt`, over all walks and look-ups."""

    limit: int
    spent: int = 0

    def spend(self, count: int) -> None:
        self.spent += count
        if self.spent > self.limit:
            raise _malformed("it holds more elements than any database of its kind", expected=f"at most {self.limit}")


@dataclass(frozen=True, slots=True)
class _Page:
    """One page with its overflow: `data` begins at the page's header."""

    data: memoryview
    flags: int
    count: int

    def cut(self, start: int, size: int) -> memoryview:
        """Return `size` bytes of the page from `start`; raise when they are not within it."""
        if start + size > len(self.data):
            raise _malformed(
                "an element points outside its page", expected=f"an end up to {len(self.data)}", seen=start + size
            )
        return self.data[start : start + size]


@dataclass(frozen=True, slots=True)
class _Element:
    key: bytes
    value: memoryview
    is_bucket: bool


def _page_of(data: memoryview) -> _Page:
    _, flags, count, _ = PAGE_HEADER.unpack_from(data)
    element = {BRANCH_PAGE: BRANCH_ELEMENT, LEAF_PAGE: LEAF_ELEMENT}.get(flags)
    if element is None:
        raise _malformed("a page of the tree has another type", expected="branch (1) or leaf (2)", seen=flags)
    if PAGE_HEADER.size + count * element.size > len(data):
        raise _malformed("a page counts more elements than it has room for", seen=count)
    return _Page(data, flags, count)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The file as pages; only pages below the high-water mark of the ruling meta page exist."""

    data: memoryview
    page_bytes: int
    page_count: int

    def page(self, number: int) -> _Page:
        if not 2 <= number < self.page_count:
            raise _malformed("a page number is out of range", expected=f"2 to {self.page_count - 1}", seen=number)
        start = number * self.page_bytes
        identity, _, _, overflow = PAGE_HEADER.unpack_from(self.data, start)
        if identity != number:
            raise _malformed(f"page {number} bears another number", expected=str(number), seen=identity)
        if number + overflow >= self.page_count:
            raise _malformed(f"page {number} overflows the file", seen=overflow)
        return _page_of(self.data[start : start + (overflow + 1) * self.page_bytes])


def _branch_elements(page: _Page) -> Iterator[tuple[bytes, int]]:
    for index in range(page.count):
        start = PAGE_HEADER.size + index * BRANCH_ELEMENT.size
        offset, key_bytes, child = BRANCH_ELEMENT.unpack_from(page.data, start)
        yield _key(page, start + offset, key_bytes), child


def _leaf_elements(page: _Page) -> Iterator[_Element]:
    for index in range(page.count):
        start = PAGE_HEADER.size + index * LEAF_ELEMENT.size
        flags, offset, key_bytes, value_bytes = LEAF_ELEMENT.unpack_from(page.data, start)
        if flags not in {0, BUCKET_ELEMENT}:
            raise _malformed("a leaf element has unknown flags", expected="0 or 1", seen=flags)
        key = _key(page, start + offset, key_bytes)
        yield _Element(key, page.cut(start + offset + key_bytes, value_bytes), flags == BUCKET_ELEMENT)


def _key(page: _Page, start: int, size: int) -> bytes:
    if not 0 < size <= MAX_KEY_BYTES:
        raise _malformed("a key has an impossible size", expected=f"1 to {MAX_KEY_BYTES} bytes", seen=size)
    return bytes(page.cut(start, size))


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: keys with values, and buckets in it. Made by `parse_bolt` and by `bucket`, never by hand."""

    _tree: _Tree
    _root: _Page
    _budget: _Budget = field(compare=False)

    def bucket(self, name: bytes) -> Bucket | None:
        """Return the bucket of this name, or None where there is none or the name is a plain key."""
        element = self._find(name)
        return self._open(element.value) if element and element.is_bucket else None

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None where there is none or the name is a bucket."""
        element = self._find(key)
        return bytes(element.value) if element and not element.is_bucket else None

    def bucket_names(self) -> Iterator[bytes]:
        """Yield the names of the buckets directly in this one, ascending."""
        return (element.key for element in self._elements() if element.is_bucket)

    def buckets(self) -> Iterator[tuple[bytes, Bucket]]:
        """Yield the buckets directly in this one with their names, ascending."""
        return ((element.key, self._open(element.value)) for element in self._elements() if element.is_bucket)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the plain keys directly in this bucket with their values, ascending by key."""
        return ((element.key, bytes(element.value)) for element in self._elements() if not element.is_bucket)

    def _open(self, value: memoryview) -> Bucket:
        if len(value) < BUCKET_HEADER.size:
            raise _malformed("a bucket is shorter than its header", expected="16 bytes or more", seen=len(value))
        root, _ = BUCKET_HEADER.unpack_from(value)
        if root:
            return Bucket(self._tree, self._tree.page(root), self._budget)
        inline = value[BUCKET_HEADER.size :]
        if len(inline) < PAGE_HEADER.size:
            raise _malformed("an inline bucket has no page")
        page = _page_of(inline)
        if page.flags != LEAF_PAGE:
            raise _malformed("an inline bucket is not a leaf", expected=str(LEAF_PAGE), seen=page.flags)
        return Bucket(self._tree, page, self._budget)

    def _elements(self) -> Iterator[_Element]:
        last: bytes | None = None
        for element in self._walk(self._root, 0, set()):
            if last is not None and element.key <= last:
                raise _malformed("keys do not ascend")
            last = element.key
            yield element

    def _walk(self, page: _Page, depth: int, seen: set[int]) -> Iterator[_Element]:
        self._budget.spend(page.count)
        if page.flags == LEAF_PAGE:
            yield from _leaf_elements(page)
            return
        for _, child in self._children(page, depth):
            # A page that two parents name would be walked twice, and a loop for ever.
            if child in seen:
                raise _malformed("a page is reached twice", seen=child)
            seen.add(child)
            yield from self._walk(self._tree.page(child), depth + 1, seen)

    def _find(self, wanted: bytes) -> _Element | None:
        page, depth = self._root, 0
        while page.flags == BRANCH_PAGE:
            self._budget.spend(page.count)
            candidates = [child for key, child in self._children(page, depth) if key <= wanted]
            if not candidates:
                return None
            page, depth = self._tree.page(candidates[-1]), depth + 1
        self._budget.spend(page.count)
        return next((element for element in _leaf_elements(page) if element.key == wanted), None)

    @staticmethod
    def _children(page: _Page, depth: int) -> Iterator[tuple[bytes, int]]:
        if depth >= MAX_DEPTH:
            raise _malformed("the tree is too deep", expected=f"at most {MAX_DEPTH} levels")
        if page.count == 0:
            raise _malformed("a branch page is empty")
        last: bytes | None = None
        for key, child in _branch_elements(page):
            if last is not None and key <= last:
                raise _malformed("keys of a branch page do not ascend")
            last = key
            yield key, child


@dataclass(frozen=True, slots=True, order=True)
class _Meta:
    """A valid meta page; the one with the higher transaction rules."""

    transaction: int
    page_bytes: int
    root: int
    page_count: int


def _parse_meta(data: memoryview, start: int) -> _Meta | None:
    body = start + PAGE_HEADER.size
    if body + META.size > len(data):
        return None
    magic, version, page_bytes, _, root, _, _, end, transaction, checksum = META.unpack_from(data, body)
    whole = fnv1a_64(bytes(data[body : body + META.size - 8])) == checksum
    is_meta = PAGE_HEADER.unpack_from(data, start)[1] == META_PAGE
    if not (is_meta and whole and (magic, version) == (MAGIC, VERSION) and page_bytes in _PAGE_SIZES):
        return None
    return _Meta(transaction, page_bytes, root, end)


def _ruling_meta(data: memoryview) -> _Meta:
    """Return the valid meta page with the higher transaction; the second lies where the first says, else is looked for."""
    first = _parse_meta(data, 0)
    places = [first.page_bytes] if first else sorted(_PAGE_SIZES)
    second = (meta for place in places if (meta := _parse_meta(data, place)) and meta.page_bytes == place)
    metas = [meta for meta in (first, next(second, None)) if meta]
    if not metas:
        raise _malformed("it has no valid meta page", expected="a BoltDB file of version 2")
    return max(metas)


def parse_bolt(data: bytes | memoryview, *, max_elements: int = MAX_ELEMENTS) -> Bucket:
    """Return the root bucket of a BoltDB file.

    `data` is the whole file, untrusted; a caller with a large file passes a memory map, of which only the pages that are
    asked for are read. `max_elements` bounds what is read through the result, over all its buckets together. Raises
    `DatabaseError` with code `DB_MALFORMED`, here for the meta pages and later for each page when it is reached.
    """
    view = memoryview(data).cast("B")
    meta = _ruling_meta(view)
    if meta.page_count * meta.page_bytes > len(view):
        raise _malformed("it is cut off", expected=f"{meta.page_count * meta.page_bytes} bytes", seen=len(view))
    tree = _Tree(view, meta.page_bytes, meta.page_count)
    return Bucket(tree, tree.page(meta.root), _Budget(max_elements))
