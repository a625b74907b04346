"""Proofs that a row is in the sealed record: each stands alone, with the row and the checkpoint in it.

Specification: C2SP tlog-proof; RFC 9162, section 2.1.3.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gate.codec.audit_note import TreeProof, parse_proof, verify_note
from gate.errors import SignatureError, StorageError, UsageError
from gate.model.reasons import REASONS
from gate.store.backend import pages
from gate.store.checkpoints import last_checkpoint, read_tree
from gate.store.rows import altered
from gate.verification.merkle import inclusion_proof, leaf_hash, proves_inclusion, root_of

if TYPE_CHECKING:
    from gate.codec.audit_note import NoteKey
    from gate.store.record import Record, Row

NO_CHECKPOINT = "STORE_NO_CHECKPOINT"


def prove_row(record: Record, row: Row) -> TreeProof:
    """Return the proof that a row is in the tree of the newest checkpoint.

    Raises:
        UsageError: `STORE_NO_CHECKPOINT`, none is over the row yet; StorageError: `STORE_CORRUPT`, the rows are not those that
            were sealed.
    """
    sealed = last_checkpoint(record)
    tree = read_tree(sealed)[0] if sealed is not None else None
    if sealed is None or tree is None or tree.size < row.number:
        raise UsageError(
            "no checkpoint is over this row yet",
            code=NO_CHECKPOINT,
            expected=f"one over at least {row.number} rows",
            seen=f"one over {tree.size}" if tree is not None else "none",
            next_step=REASONS[NO_CHECKPOINT].next_step,
        )
    hashes: list[bytes] = []
    for number, *_, content in pages(record.backend, "number <= ?", (tree.size,)):
        if not isinstance(content, bytes) or number != len(hashes) + 1:
            raise altered(number)
        hashes.append(leaf_hash(content))
    if root_of(hashes) != tree.root:
        raise StorageError(
            "the rows are not those of the checkpoint",
            code="STORE_CORRUPT",
            expected=tree.root.hex(),
            seen=root_of(hashes).hex(),
            next_step="`gate audit verify` names the row.",
        )
    hashed = inclusion_proof(hashes, row.number - 1)
    return TreeProof(index=row.number - 1, hashes=hashed, note=sealed.view().text("note"), leaf=row.content)


def read_proof(text: str, keys: tuple[NoteKey, ...]) -> dict[str, Any]:
    """Return what the row of a proof says, whose proof holds under one of these keys.

    Raises:
        SignatureError: `SIG_INCLUSION`, the proof is malformed, or is one for another row or tree; `SIG_INVALID`.
    """
    proof = parse_proof(text)
    checkpoint = verify_note(proof.note, keys)
    holds = proves_inclusion(
        leaf=leaf_hash(proof.leaf), index=proof.index, size=checkpoint.size, proof=proof.hashes, root=checkpoint.root
    )
    if not proof.leaf or not holds:
        raise SignatureError(
            "the proof is not one for this row in this tree",
            code="SIG_INCLUSION",
            expected=f"a row of {checkpoint.origin} at index {proof.index}",
            seen="another row, index or tree",
        )
    said = json.loads(proof.leaf)
    return said if isinstance(said, dict) else {}
