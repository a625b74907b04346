"""Merkle proofs, held against the direct construction of trees (RFC 9162) and the vectors of the format reference."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.verification.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    proves_consistency,
    proves_inclusion,
    root_of,
    tree_of,
)
from tests.support.virtual_log import consistency_path, inclusion_path, tree_root

MOST = 33
LEAVES = [str(number).encode() for number in range(MOST)]
ROOTS = [tree_root(LEAVES[:size]) for size in range(MOST + 1)]


def included(index: int, size: int, proof: list[bytes], root: bytes | None = None, leaf: bytes | None = None) -> bool:
    hashed = leaf_hash(LEAVES[index] if leaf is None else leaf)
    return proves_inclusion(leaf=hashed, index=index, size=size, proof=proof, root=root or ROOTS[size])


def consistent(old: int, new: int, proof: list[bytes], old_root: bytes | None = None) -> bool:
    return proves_consistency(
        old_size=old, old_root=old_root or ROOTS[old], new_size=new, new_root=ROOTS[new], proof=proof
    )


def test_the_vectors_of_the_reference() -> None:
    assert ROOTS[7].hex() == "a3e23b32ccb6bf96d092d165d8aa546e09829de8f03b0e8957581d1e16b92bdf"
    assert ROOTS[3].hex() == "725d5230db68f557470dc35f1d8865813acd7ebb07ad152774141decbae71327"
    assert [item.hex()[:8] for item in inclusion_path(4, LEAVES[:7])] == ["53304f5e", "3bf9c81c", "9f4a3fc2"]
    proof = [item.hex()[:8] for item in consistency_path(3, LEAVES[:7])]
    assert proof == ["fa61e3de", "906c5d24", "cb00989d", "973f0839"]
    assert node_hash(leaf_hash(b"0"), leaf_hash(b"1")) == ROOTS[2]


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_inclusion_holds_for_each_leaf_and_for_no_altered_proof(size: int) -> None:
    for index in range(size):
        proof = inclusion_path(index, LEAVES[:size])
        assert included(index, size, proof)
        assert not included(index, size, proof, leaf=b"foreign")
        assert not included(index, size, proof, root=bytes(32))
        assert not included(index, size, [*proof, bytes(32)])
        assert not proof or not included(index, size, proof[:-1])
        assert not proof or not included(index, size, [bytes(32), *proof[1:]])


@pytest.mark.parametrize("new", range(1, MOST + 1))
def test_consistency_holds_for_each_beginning_and_for_no_altered_proof(new: int) -> None:
    for old in range(1, new):
        proof = consistency_path(old, LEAVES[:new])
        assert consistent(old, new, proof)
        assert not consistent(old, new, proof, old_root=bytes(32))
        assert not consistent(old, new, [*proof, bytes(32)])
        assert not consistent(old, new, proof[:-1])
        assert not consistent(old, new, [bytes(32), *proof[1:]])
    assert consistent(new, new, [])
    assert not consistent(new, new, [bytes(32)])
    assert consistent(0, new, [])
    assert not consistent(0, new, [bytes(32)])


@given(index=st.integers(-2, 40), size=st.integers(-2, 40), proof=st.lists(st.binary(max_size=33), max_size=8))
def test_no_made_up_proof_holds(index: int, size: int, proof: list[bytes]) -> None:
    made = proves_inclusion(leaf=leaf_hash(b"made up"), index=index, size=size, proof=proof, root=ROOTS[7])
    grown = proves_consistency(old_size=index, old_root=bytes(32), new_size=size, new_root=ROOTS[7], proof=proof)
    assert not made
    assert not grown


def test_the_tree_is_that_of_the_definition_and_its_proofs_hold_for_all_sizes_to_65() -> None:
    """RFC 9162, section 2.1.1, by direct recursion; and every other leaf, size and root is refused."""

    def defined(items: list[bytes]) -> bytes:
        if not items:
            return hashlib.sha256(b"").digest()
        if len(items) == 1:
            return items[0]
        split = 1
        while split * 2 < len(items):
            split *= 2
        return node_hash(defined(items[:split]), defined(items[split:]))

    leaves = [leaf_hash(bytes([number])) for number in range(65)]
    for size in range(66):
        items = leaves[:size]
        root = defined(items)
        assert tree_of(items).root == root_of(items) == root
        assert tree_of(items).is_whole
        for index in range(size):
            proof = inclusion_proof(items, index)
            assert proves_inclusion(leaf=items[index], index=index, size=size, proof=proof, root=root)
            assert (
                not proves_inclusion(leaf=leaves[index - 1], index=index, size=size, proof=proof, root=root)
                or size == 1
            )
        for old in range(size + 1):
            proof = consistency_proof(items, old)
            holds = partial(
                proves_consistency, old_size=old, old_root=defined(leaves[:old]), new_size=size, proof=proof
            )
            assert holds(new_root=root)
            assert not holds(new_root=b"\0" * 32) or old == 0
