"""Verify the record offline: nothing altered, removed, inserted, reordered or cut, each fault with its row.

Three things hold the rows: each has the hash of its own bytes, and its columns say what the bytes say; each names the hash of the
row before it; and each checkpoint signs the root of the tree over all before it. Whoever alters a row and every later one must
also sign new checkpoints; whoever has the key, too, is found by an auditor who kept an older checkpoint. Rows after the last
checkpoint are held by their chain alone.

    result = verify_rows(pages(record.backend), Demands(keys=keys, checkpoint=kept))
    result = verify_rows(export_columns(lines), Demands(...))
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gate.codec.audit_note import NoteKey, parse_note_key, verify_note
from gate.codec.strict_json import printable
from gate.errors import GateError, StorageError
from gate.store.checkpoints import read_tree
from gate.store.rows import Row, read_row
from gate.verification.merkle import Tree, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gate.codec.signed_note import Checkpoint
    from gate.store.rows import Columns

_MOST_DAMAGE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What an auditor demands.

    Checkpoints signed by one of `keys` (none: by those that the record itself names), growth from an older `checkpoint` (a signed
    note), and whatever `of_row` finds wrong with a row. `expect_time` raises when the time is over.
    """

    keys: tuple[NoteKey, ...] = ()
    checkpoint: str = ""
    of_row: Callable[[Row], str] | None = None
    expect_time: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One fault, and the row that it is in: 0 for the record as a whole."""

    row: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found: how many rows, the tree over them, the last checkpoint's size, the keys that signed, and every damage."""

    tree: Tree
    checkpoints: int
    sealed: int
    keys: tuple[str, ...]
    damage: tuple[Damage, ...]

    @property
    def sound(self) -> bool:
        """Return whether nothing is damaged."""
        return not self.damage


@dataclass(slots=True)
class _Walk:
    """The rows so far: the tree over them, the last one's hash, and what was found.

    After a gap nothing is known of the tree; then rows are held by their own bytes and by the chain from there on.
    """

    demands: Demands
    kept: Checkpoint | None
    tree: Tree = field(default_factory=Tree)
    number: int = 0
    previous: str | None = ""
    whole: bool = True
    checkpoints: int = 0
    sealed: int = 0
    keys: dict[str, None] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)

    def found(self, row: int, what: str) -> None:
        if len(self.damage) < _MOST_DAMAGE:
            self.damage.append(Damage(row=row, what=what))

    def take(self, columns: Columns) -> None:
        number, content = columns[0], columns[-1]
        expected = self.number + 1
        if isinstance(number, int) and number > expected:
            self.found(expected, f"is missing: the next row is {number}")
            expected, self.previous, self.whole = number, None, False
        elif number != expected:
            self.found(expected, f"stands out of order: its number is {printable(str(number), 30)}")
        hashed = leaf_hash(content if isinstance(content, bytes) else b"")
        row = self._read(columns, expected)
        if row is not None:
            self._chained(row, expected)
            self._checkpoint(row, expected)
        self.tree, self.previous, self.number = self.tree.grown(hashed), hashed.hex(), expected
        if self.kept is not None and self.whole and self.tree.size == self.kept.size:
            self._compared(self.kept)

    def _compared(self, kept: Checkpoint) -> None:
        if self.tree.root != kept.root:
            self.found(0, f"the first {kept.size} rows are not those of the checkpoint that was kept")

    def _read(self, columns: Columns, expected: int) -> Row | None:
        try:
            return read_row(columns)
        except StorageError as error:
            self.found(expected, f"is not what was appended ({error.code}: {error.message})")
        return None

    def _chained(self, row: Row, expected: int) -> None:
        if row.number != expected and not row.legacy:
            self.found(expected, f"its bytes are those of row {row.number}")
        view = row.view()
        if not row.legacy and self.previous is not None and view.optional_text("previous") != self.previous:
            self.found(max(1, expected - 1), f"is not the row that row {expected} was appended after")
        if self.demands.of_row is not None and (wrong := self.demands.of_row(row)):
            self.found(expected, wrong)

    def _checkpoint(self, row: Row, expected: int) -> None:
        if row.kind != "checkpoint":
            return
        try:
            tree, _ = read_tree(row)
            key = parse_note_key(row.view().text("key"))
            if self.demands.keys:
                verify_note(row.view().text("note"), self.demands.keys)
        except GateError as error:
            self.found(expected, f"its checkpoint cannot be accepted ({error.code}: {error.message})")
            return
        if self.whole and tree != self.tree:
            self.found(
                expected, f"its checkpoint is over other rows than these, from {self.sealed + 1} to {self.number}"
            )
            return
        self.keys[str(key)] = None
        self.checkpoints, self.sealed = self.checkpoints + 1, tree.size


def verify_rows(rows: Iterable[Columns], demands: Demands) -> Verified:
    """Read every row, oldest first, and return what was found; memory stays flat.

    Raises:
        SignatureError: the checkpoint that was kept is not one, or no accepted key signed it. StorageError: the rows cannot be
            read at all, or the time is over.
    """
    walk = _Walk(demands=demands, kept=_kept(demands))
    for columns in rows:
        if demands.expect_time is not None:
            demands.expect_time()
        walk.take(columns)
    if walk.kept is not None and walk.number < walk.kept.size:
        walk.found(0, f"was cut: {walk.number} rows, and the checkpoint that was kept is over {walk.kept.size}")
    return Verified(
        tree=walk.tree,
        checkpoints=walk.checkpoints,
        sealed=walk.sealed,
        keys=tuple(walk.keys),
        damage=tuple(dict.fromkeys(walk.damage)),
    )


def _kept(demands: Demands) -> Checkpoint | None:
    """Return the checkpoint that the auditor kept; without keys it is compared as it is, for it is the auditor's own."""
    if not demands.checkpoint:
        return None
    from gate.codec.signed_note import parse_checkpoint  # noqa: PLC0415 - only where one was kept

    return verify_note(demands.checkpoint, demands.keys) if demands.keys else parse_checkpoint(demands.checkpoint)


def export_columns(lines: Iterable[bytes]) -> Iterator[Columns]:
    """Yield the columns of an export: one row a line, in its canonical bytes; they are read from the bytes alone.

    A line that is no row is yielded as one whose hash is wrong, so that it is found with its place.
    """
    for number, line in enumerate(lines, 1):
        content = line.removesuffix(b"\n")
        whole = line.endswith(b"\n")
        try:
            said = json.loads(content) if whole else None
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            yield (number, "", "", "", None, "", content)
        elif said.get("schemaVersion", "1.0") == "1.0":
            # Of the first release, whose columns stood outside the bytes.
            yield (number, "", "", "", None, leaf_hash(content).hex(), content)
        else:
            told = (said.get(name) for name in ("number", "kind", "subject", "inputs", "refersTo"))
            yield (*told, leaf_hash(content).hex(), content)
