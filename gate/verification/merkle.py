"""Merkle trees: the root of a growing one, and proofs that a leaf is in it or that one tree is the beginning of another.

Functions over hashes alone; a proof that does not hold gives False, and the caller has the words.

    tree = Tree()
    for row in rows:
        tree = tree.grown(leaf_hash(row))          # keeps the roots of the whole subtrees alone: memory stays flat
    tree.size, tree.root

Specification: RFC 9162, sections 2.1.1 to 2.1.4; formats reference, section 14.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree by its size and its peaks: the roots of the whole subtrees that it is made of, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def grown(self, leaf: bytes) -> Tree:
        """Return the tree with one more leaf, given by its hash."""
        peaks, size, found = list(self.peaks), self.size, leaf
        while size & 1:
            found = node_hash(peaks.pop(), found)
            size >>= 1
        return Tree(self.size + 1, (*peaks, found))

    @property
    def root(self) -> bytes:
        """Return the root; that of the empty tree is the hash of nothing."""
        if not self.peaks:
            return EMPTY_ROOT
        *others, found = self.peaks
        for peak in reversed(others):
            found = node_hash(peak, found)
        return found

    @property
    def is_whole(self) -> bool:
        """Return whether there are as many peaks as a tree of this size has, each a hash."""
        return len(self.peaks) == self.size.bit_count() and all(len(peak) == 32 for peak in self.peaks)


def tree_of(leaves: Sequence[bytes]) -> Tree:
    """Return the tree over these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree = tree.grown(leaf)
    return tree


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over these leaf hashes, level by level; what `Tree` comes to, for many leaves at once."""
    level = list(leaves)
    while len(level) > 1:
        joined = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = [*joined, level[-1]] if len(level) & 1 else joined
    return level[0] if level else EMPTY_ROOT


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the proof that the leaf at this index is in the tree over these leaf hashes (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError("no such leaf")
    level, proof = list(leaves), list[bytes]()
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        joined = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = [*joined, level[-1]] if len(level) & 1 else joined
        index >>= 1
    return tuple(proof)


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that the first `old_size` leaves are the beginning of these (RFC 9162, 2.1.4.1)."""
    if not 0 <= old_size <= len(leaves):
        raise ValueError("no such tree")
    if old_size in {0, len(leaves)}:
        return ()
    return tuple(_subproof(leaves, old_size, whole=True))


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if size <= split:
        return [*_subproof(leaves[:split], size, whole=whole), root_of(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, whole=False), root_of(leaves[:split])]


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
        return not proof and old_root == EMPTY_ROOT
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
