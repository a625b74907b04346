"""Proofs in Merkle trees: that a leaf is in a tree, and that one tree is the beginning of another.

Functions over hashes alone; a proof that does not hold gives False, and the caller has the words.

Specification: RFC 9162, sections 2.1.1, 2.1.3.2 and 2.1.4.2; formats reference, section 14.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def proves_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the leaf's hash is at this index of the tree of this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or any(len(item) != 32 for item in proof):
        return False
    node, last, found = index, size - 1, leaf
    for item in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(item, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, item)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether the older tree is the beginning of the newer one (RFC 9162, 2.1.4.2); both roots are known."""
    if not 0 <= old_size <= new_size or any(len(item) != 32 for item in proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == hashlib.sha256(b"").digest()
    if not proof:
        return False
    # A whole subtree is its own proof: where the older size is a power of two, its root is the first node.
    path = (old_root, *proof) if old_size & (old_size - 1) == 0 else tuple(proof)
    return _joins(path, old_size - 1, new_size - 1) == (old_root, new_root)


def _joins(path: Sequence[bytes], node: int, last: int) -> tuple[bytes, bytes] | None:
    """Return the two roots that the path leads to, or None where it is too long or too short."""
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for item in path[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            older, newer = node_hash(item, older), node_hash(item, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, item)
        node, last = node >> 1, last >> 1
    return (older, newer) if last == 0 else None
