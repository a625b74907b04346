"""Write a BoltDB file from nested dictionaries, as bbolt itself would lay it out; reading is `gate.codec.bolt`.

A bucket that is small and holds no bucket stands inline in its parent; a larger one is a tree of leaf and branch pages.
Specification: go.etcd.io/bbolt v1.4, `internal/common/{page,meta,bucket}.go` and `bucket.go` (`maxInlineBucketSize`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from gate.codec.bolt import (
    BRANCH_ELEMENT,
    BRANCH_PAGE,
    BUCKET_ELEMENT,
    BUCKET_HEADER,
    LEAF_ELEMENT,
    LEAF_PAGE,
    MAGIC,
    META,
    META_PAGE,
    PAGE_HEADER,
    VERSION,
    fnv1a_64,
)

Tree: TypeAlias = "Mapping[bytes, bytes | Tree]"

PAGE_BYTES: Final = 4096
_INLINE_BYTES: Final = PAGE_BYTES // 4
_FREELIST_PAGE: Final = 0x10
_MIN_ELEMENTS: Final = 2  # bbolt never splits a page into fewer (MinKeysPerPage)

_Element: TypeAlias = tuple[int, bytes, bytes]  # flags, key, value


def bolt_file(root: Tree) -> bytes:
    """Return the bytes of a file whose root bucket holds `root`: values are bytes, buckets are mappings.

    Keys must not be empty. The same tree gives the same bytes, whatever the order of its keys.
    """
    pages = _Pages()
    top = pages.add_bucket(root)
    body = pages.body()
    count = 3 + len(body) // PAGE_BYTES
    metas = [_meta_page(number, top, count) for number in (0, 1)]
    freelist = PAGE_HEADER.pack(2, _FREELIST_PAGE, 0, 0).ljust(PAGE_BYTES, b"\0")
    return b"".join((*metas, freelist, body))


class _Pages:
    """Pages from number 3 on, in the order in which they are finished: children before their parents."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._next = 3

    def body(self) -> bytes:
        return b"".join(self._written)

    def add_bucket(self, tree: Tree) -> int:
        """Write the bucket with all that is in it; give its root page."""
        elements = self._elements(tree)
        level = [(part[0][1] if part else b"", self._add_leaf(part)) for part in _split(elements)]
        while len(level) > 1:
            level = [(part[0][0], self._add_branch(part)) for part in _split_branch(level)]
        return level[0][1]

    def _elements(self, tree: Tree) -> list[_Element]:
        elements: list[_Element] = []
        for key, value in sorted(tree.items()):
            if isinstance(value, bytes):
                elements.append((0, key, value))
            else:
                elements.append((BUCKET_ELEMENT, key, self._bucket_value(value)))
        return elements

    def _bucket_value(self, tree: Tree) -> bytes:
        if all(isinstance(value, bytes) for value in tree.values()):
            page = leaf_page(0, self._elements(tree))
            if len(page) <= _INLINE_BYTES:
                return BUCKET_HEADER.pack(0, 0) + page
        return BUCKET_HEADER.pack(self.add_bucket(tree), 0)

    def _add_leaf(self, elements: Sequence[_Element]) -> int:
        return self._add(leaf_page(self._next, elements))

    def _add_branch(self, children: Sequence[tuple[bytes, int]]) -> int:
        return self._add(branch_page(self._next, children))

    def _add(self, page: bytes) -> int:
        number, size = self._next, -(-len(page) // PAGE_BYTES)
        identity, flags, count, _ = PAGE_HEADER.unpack_from(page)
        whole = PAGE_HEADER.pack(identity, flags, count, size - 1) + page[PAGE_HEADER.size :]
        self._written.append(whole.ljust(size * PAGE_BYTES, b"\0"))
        self._next += size
        return number


def leaf_page(number: int, elements: Sequence[_Element]) -> bytes:
    """Return a leaf page without padding; `elements` are flags, key and value, ascending by key."""
    heads, data = [], []
    offset = LEAF_ELEMENT.size * len(elements)
    for flags, key, value in elements:
        heads.append(LEAF_ELEMENT.pack(flags, offset, len(key), len(value)))
        data.append(key + value)
        # Counted from the element's own start: the next one starts 16 bytes later.
        offset += len(key) + len(value) - LEAF_ELEMENT.size
    return PAGE_HEADER.pack(number, LEAF_PAGE, len(elements), 0) + b"".join((*heads, *data))


def branch_page(number: int, children: Sequence[tuple[bytes, int]]) -> bytes:
    """Return a branch page without padding; `children` are first key and page number, ascending."""
    heads, data = [], []
    offset = BRANCH_ELEMENT.size * len(children)
    for key, child in children:
        heads.append(BRANCH_ELEMENT.pack(offset, len(key), child))
        data.append(key)
        offset += len(key) - BRANCH_ELEMENT.size
    return PAGE_HEADER.pack(number, BRANCH_PAGE, len(children), 0) + b"".join((*heads, *data))


def _split(elements: Sequence[_Element]) -> list[list[_Element]]:
    sizes = [LEAF_ELEMENT.size + len(key) + len(value) for _, key, value in elements]
    return [list(elements[start:end]) for start, end in _cuts(sizes)]


def _split_branch(children: Sequence[tuple[bytes, int]]) -> list[list[tuple[bytes, int]]]:
    sizes = [BRANCH_ELEMENT.size + len(key) for key, _ in children]
    return [list(children[start:end]) for start, end in _cuts(sizes)]


def _cuts(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut greedily so that each part fills a page and holds at least two; an empty sequence is one empty part."""
    start, used = 0, PAGE_HEADER.size
    for index, size in enumerate(sizes):
        if used + size > PAGE_BYTES and index - start >= _MIN_ELEMENTS:
            yield start, index
            start, used = index, PAGE_HEADER.size
        used += size
    yield start, len(sizes)


def _meta_page(number: int, root: int, count: int) -> bytes:
    fields = META.pack(MAGIC, VERSION, PAGE_BYTES, 0, root, 0, 2, count, number, 0)[:-8]
    page = PAGE_HEADER.pack(number, META_PAGE, 0, 0) + fields + struct.pack("<Q", fnv1a_64(fields))
    return page.ljust(PAGE_BYTES, b"\0")
