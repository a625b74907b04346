"""Checkpoints: a signed head of the tree over all rows, appended as a row, so that nothing before it can be altered unseen.

    row = append_checkpoint(record, open_checkpoint_key(path), now)

Each goes on from the peaks that the last one holds, and hashes only the rows since. Refuses to go on from a checkpoint whose
signed root is not that of its peaks, over a gap in the numbers, and over a row whose hash is not that of its bytes. A smaller
tree than the last one is never signed.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from gate.codec.audit_note import note_key_of, parse_note_key, render_checkpoint, sign_note, verify_note
from gate.errors import SignatureError, StorageError
from gate.store import row_kinds
from gate.store.backend import pages
from gate.store.rows import altered, read_row
from gate.verification.merkle import Tree, leaf_hash

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gate.store.record import Record
    from gate.store.rows import Entry, Row

_ORIGIN: Final = "gate.example"


def append_checkpoint(record: Record, key: Ed25519PrivateKey, now: datetime) -> Row | None:
    """Append a checkpoint over every row so far; None where there is nothing since the last one.

    Raises:
        StorageError: `STORE_CORRUPT`, what is there is not what was appended; `STORE_UNAVAILABLE`.
    """

    def make(first: int) -> tuple[Entry, ...]:
        last = last_checkpoint(record)
        if first == 1 or (last is not None and last.number == first - 1):
            return ()
        origin = read_tree(last)[1] if last is not None else f"{_ORIGIN}/{secrets.token_hex(8)}"
        tree = grown_to(record, read_tree(last)[0] if last is not None else Tree(), first - 1)
        note = sign_note(render_checkpoint(origin, tree.size, tree.root), origin, key)
        verifier = str(note_key_of(origin, key))
        peaks = [peak.hex() for peak in tree.peaks]
        return (
            row_kinds.checkpoint(at=now, size=tree.size, root=tree.root.hex(), peaks=peaks, note=note, key=verifier),
        )

    rows = record.append_made(make)
    return rows[0] if rows else None


def last_checkpoint(record: Record) -> Row | None:
    """Return the newest checkpoint's row."""
    found = record.backend.select("kind = ?", ("checkpoint",), "number DESC", 1)
    return read_row(found[0]) if found else None


def read_tree(row: Row) -> tuple[Tree, str]:
    """Return the tree that a checkpoint's row is the head of, and its origin, held against what was signed.

    Raises:
        StorageError: `STORE_CORRUPT`, the row does not say what its note says, or the note's signature is wrong.
    """
    view = row.view()
    try:
        signed = verify_note(view.text("note"), [parse_note_key(view.text("key"))])
        tree = Tree(view.integer("size"), tuple(bytes.fromhex(peak) for peak in view.texts("peaks")))
    except (SignatureError, ValueError) as error:
        raise altered(row.number) from error
    root = tree.root if tree.is_whole else b""
    if (signed.size, signed.root, signed.root.hex()) != (tree.size, root, view.text("root")) or tree.size >= row.number:
        raise altered(row.number)
    return tree, signed.origin


def grown_to(record: Record, tree: Tree, size: int) -> Tree:
    """Return the tree with the rows that follow it, up to `size`; raises StorageError `STORE_CORRUPT`."""
    for columns in pages(record.backend, "number > ? AND number <= ?", (tree.size, size)):
        number, *_, leaf, content = columns
        if number != tree.size + 1:
            raise StorageError(
                "a row of the record is missing",
                code="STORE_CORRUPT",
                expected=f"row {tree.size + 1}",
                seen=f"row {number}",
            )
        hashed = leaf_hash(content) if isinstance(content, bytes) else b""
        if hashed.hex() != leaf:
            raise altered(number)
        tree = tree.grown(hashed)
    if tree.size != size:
        raise StorageError(
            "rows of the record are missing", code="STORE_CORRUPT", expected=f"{size} rows", seen=f"{tree.size}"
        )
    return tree
