from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.bolt import (
    BRANCH_PAGE,
    LEAF_PAGE,
    MAX_DEPTH,
    META,
    META_PAGE,
    PAGE_HEADER,
    Bucket,
    fnv1a_64,
    parse_bolt,
)
from gate.errors import DatabaseError, GateError
from tools.advisories.bolt import PAGE_BYTES, Tree, bolt_file, branch_page, leaf_page

KEYS = st.binary(min_size=1, max_size=40)
TREES = st.recursive(
    st.dictionaries(KEYS, st.binary(max_size=600), max_size=12),
    lambda inner: st.dictionaries(KEYS, st.one_of(st.binary(max_size=2000), inner), max_size=12),
    max_leaves=40,
)
# Enough keys for three levels of pages.
DEEP: Tree = {b"bucket": {b"%06d" % number: bytes(20) for number in range(40_000)}}
FLAT: Tree = {b"a": b"1", b"b": {b"c": b"2"}}


def _contents(bucket: Bucket) -> dict[bytes, object]:
    return dict(bucket.items()) | {name: _contents(inner) for name, inner in bucket.buckets()}


def _file(*pages: bytes, root: int = 3) -> bytes:
    """Return a file of these pages from number 3 on, with true meta pages."""
    count = 3 + len(pages)
    fields = META.pack(0xED0CDAED, 2, PAGE_BYTES, 0, root, 0, 2, count, 1, 0)[:-8]
    meta = PAGE_HEADER.pack(1, META_PAGE, 0, 0) + fields + struct.pack("<Q", fnv1a_64(fields))
    return b"".join(page.ljust(PAGE_BYTES, b"\0") for page in (meta, meta, b"", *pages))


def _patched(data: bytes, offset: int, replacement: bytes) -> bytes:
    return data[:offset] + replacement + data[offset + len(replacement) :]


def _refused(data: bytes, read: Callable[[Bucket], object] = _contents) -> str:
    with pytest.raises(DatabaseError) as refusal:
        read(parse_bolt(data))
    assert refusal.value.code == "DB_MALFORMED"
    return refusal.value.message


@given(TREES)
def test_what_was_written_is_read(tree: Tree) -> None:
    assert _contents(parse_bolt(bolt_file(tree))) == tree


@given(TREES)
def test_the_order_of_keys_does_not_change_the_file(tree: Tree) -> None:
    assert bolt_file(dict(reversed(list(tree.items())))) == bolt_file(tree)


@given(TREES, KEYS)
def test_look_up_agrees_with_the_walk(tree: Tree, absent: bytes) -> None:
    root = parse_bolt(bolt_file(tree))
    for key in {*tree, absent}:
        value = tree.get(key)
        assert root.get(key) == (value if isinstance(value, bytes) else None)
        bucket = root.bucket(key)
        assert (bucket is None) == (not isinstance(value, Mapping))
        assert bucket is None or _contents(bucket) == value


def test_branch_pages_are_walked_and_searched() -> None:
    data = bolt_file(DEEP)
    pages = [data[start : start + PAGE_BYTES] for start in range(3 * PAGE_BYTES, len(data), PAGE_BYTES)]
    assert sum(PAGE_HEADER.unpack_from(page)[1] == BRANCH_PAGE for page in pages) > 1
    bucket = parse_bolt(memoryview(data)).bucket(b"bucket")
    assert bucket
    assert [key for key, _ in bucket.items()] == [b"%06d" % number for number in range(40_000)]
    assert (bucket.get(b"000000"), bucket.get(b"039999")) == (bytes(20), bytes(20))
    assert (bucket.get(b"!"), bucket.get(b"0200005"), bucket.get(b"z")) == (None, None, None)


def test_a_value_larger_than_a_page_is_read() -> None:
    tree: Tree = {b"large": bytes(range(256)) * 100, b"next": b"x"}
    assert _contents(parse_bolt(bolt_file(tree))) == tree


def test_names_of_buckets_ascend_and_leave_out_keys() -> None:
    tree: Tree = {b"debian 12": {}, b"alpine 3.22": {b"x": {}}, b"plain": b""}
    assert list(parse_bolt(bolt_file(tree)).bucket_names()) == [b"alpine 3.22", b"debian 12"]


def test_the_meta_page_with_the_higher_transaction_rules_and_a_broken_one_is_passed_over() -> None:
    data = bolt_file(FLAT)
    broken_first = _patched(data, PAGE_HEADER.size, b"\0")
    broken_second = _patched(data, PAGE_BYTES + PAGE_HEADER.size, b"\0")
    assert _contents(parse_bolt(broken_first)) == _contents(parse_bolt(broken_second)) == FLAT
    old, new = leaf_page(3, [(0, b"old", b"")]), leaf_page(4, [(0, b"new", b"")])
    newer = _file(old, new, root=4)
    older = META.pack(0xED0CDAED, 2, PAGE_BYTES, 0, 3, 0, 2, 5, 0, 0)[:-8]
    both = _patched(newer, PAGE_HEADER.size, older + struct.pack("<Q", fnv1a_64(older)))
    assert _contents(parse_bolt(both)) == {b"new": b""}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"SQLite format 3\0" + bytes(8192), id="another format"),
        pytest.param(bolt_file(FLAT)[:60], id="cut in the first meta page"),
        pytest.param(bolt_file(FLAT)[:-1], id="cut by a byte"),
        pytest.param(bolt_file(DEEP)[: 50 * PAGE_BYTES], id="cut in half"),
        pytest.param(bytes(len(bolt_file(FLAT))), id="zeros"),
        pytest.param(_patched(bolt_file(FLAT), 3 * PAGE_BYTES, bytes(PAGE_BYTES)), id="root page of zeros"),
        pytest.param(_file(b"", root=1), id="root is a meta page"),
        pytest.param(_file(leaf_page(3, []), root=9), id="root out of range"),
        pytest.param(_file(leaf_page(4, [])), id="page bears another number"),
        pytest.param(_file(PAGE_HEADER.pack(3, LEAF_PAGE, 0, 7)), id="page overflows the file"),
        pytest.param(_file(PAGE_HEADER.pack(3, LEAF_PAGE, 65_535, 0)), id="more elements than room"),
        pytest.param(_file(PAGE_HEADER.pack(3, LEAF_PAGE | BRANCH_PAGE, 0, 0)), id="page of two types"),
        pytest.param(_file(leaf_page(3, [(0, b"b", b""), (0, b"a", b"")])), id="keys descend"),
        pytest.param(_file(leaf_page(3, [(0, b"a", b""), (0, b"a", b"")])), id="key twice"),
        pytest.param(_file(leaf_page(3, [(0, b"", b"")])), id="empty key"),
        pytest.param(_file(leaf_page(3, [(2, b"a", b"")])), id="unknown flag"),
        pytest.param(_file(leaf_page(3, [(1, b"a", b"short")])), id="bucket without a header"),
        pytest.param(_file(leaf_page(3, [(1, b"a", bytes(20))])), id="inline bucket without a page"),
        pytest.param(_file(leaf_page(3, [(1, b"a", bytes(16) + branch_page(0, []))])), id="inline bucket of branches"),
        pytest.param(_file(branch_page(3, [])), id="empty branch"),
        pytest.param(_file(branch_page(3, [(b"a", 3)])), id="branch names itself"),
        pytest.param(
            _file(branch_page(3, [(b"a", 4), (b"b", 4)]), leaf_page(4, [(0, b"a", b"")])), id="page reached twice"
        ),
        pytest.param(
            _file(branch_page(3, [(b"b", 4), (b"a", 5)]), leaf_page(4, []), leaf_page(5, [])), id="branch descends"
        ),
        pytest.param(
            _file(
                branch_page(3, [(b"a", 4), (b"b", 5)]), leaf_page(4, [(0, b"c", b"")]), leaf_page(5, [(0, b"b", b"")])
            ),
            id="leaves overlap",
        ),
    ],
)
def test_a_malformed_file_is_refused(data: bytes) -> None:
    assert _refused(data)


def test_a_value_outside_its_page_is_refused() -> None:
    page = bytearray(leaf_page(3, [(0, b"key", b"value")]))
    struct.pack_into("<I", page, PAGE_HEADER.size + 12, PAGE_BYTES)
    assert "outside its page" in _refused(_file(bytes(page)))
    assert _contents(parse_bolt(_file(leaf_page(3, [(0, b"key", b"value")])))) == {b"key": b"value"}


def test_a_chain_of_branches_is_cut_at_the_depth_limit() -> None:
    def chain(levels: int) -> bytes:
        branches = [branch_page(3 + level, [(b"a", 4 + level)]) for level in range(levels)]
        return _file(*branches, leaf_page(3 + levels, [(0, b"a", b"x")]))

    assert _contents(parse_bolt(chain(MAX_DEPTH))) == {b"a": b"x"}
    assert parse_bolt(chain(MAX_DEPTH)).get(b"a") == b"x"
    assert "too deep" in _refused(chain(MAX_DEPTH + 1))
    assert "too deep" in _refused(chain(MAX_DEPTH + 1), lambda root: root.get(b"a"))


def test_a_loop_is_cut_in_a_look_up_too() -> None:
    assert "too deep" in _refused(_file(branch_page(3, [(b"a", 3)])), lambda root: root.get(b"b"))


def test_a_bucket_that_holds_itself_ends_at_the_element_limit() -> None:
    data = _file(leaf_page(3, [(1, b"again", struct.pack("<QQ", 3, 0))]))

    def descend(bucket: Bucket) -> None:
        for _, inner in bucket.buckets():
            descend(inner)

    with pytest.raises(DatabaseError) as refusal:
        descend(parse_bolt(data, max_elements=50))
    assert refusal.value.code == "DB_MALFORMED"
    assert "more elements" in refusal.value.message


def test_the_element_limit_counts_over_all_buckets() -> None:
    data = bolt_file({b"a": {b"1": b"", b"2": b""}, b"b": {b"1": b""}})
    # Five elements, each visited as key and as bucket.
    assert len(_contents(parse_bolt(data, max_elements=10))) == 2
    with pytest.raises(DatabaseError) as refusal:
        _contents(parse_bolt(data, max_elements=9))
    assert refusal.value.code == "DB_MALFORMED"


@given(st.integers(0, 5 * PAGE_BYTES - 1), st.binary(min_size=1, max_size=8))
def test_any_change_is_read_or_refused_and_nothing_else(offset: int, replacement: bytes) -> None:
    data = bolt_file({b"a": {b"%d" % number: bytes(90) for number in range(60)}, b"b": b"1"})
    try:
        _contents(parse_bolt(_patched(data, min(offset, len(data) - 8), replacement), max_elements=1000))
    except GateError as error:
        assert error.code == "DB_MALFORMED"  # noqa: PT017
